"""
What dlt does not notice between two runs: tables that were dropped.

dlt relies on what it remembers of the tables that it made. These functions ask the destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dlt

from harvest_source.dlt_internals import (
    JobClient,
    create_tables,
    find_root,
    find_table,
    has_dataset,
    has_rows,
    iter_incomplete_tables,
    sql_client_of,
)
from harvest_source.load.state import forget_tables
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.pipeline import PipelineFolder
from harvest_source.warehouse.removal import delete_all
from harvest_source.warehouse.sql import Sql


def remake_own_tables(schema: dlt.Schema, client: JobClient) -> list[str]:
    """
    Create missing tables of dlt and of this package: no row of Harvest's is lost with them.

    Returns:
        Harvest's tables that are missing, or lack columns.
    """
    missing = list(iter_incomplete_tables(schema, client))
    theirs = [name for name in missing if find_root(schema, name) in BY_NAME]
    own = [name for name in missing if name not in theirs]
    if own and has_dataset(client):
        create_tables(client, own)
    return theirs


def remake_tables(folder: PipelineFolder, missing: Sequence[str]) -> list[str]:
    """
    Create Harvest's tables and columns that were dropped, and forget how far they were read.

    Returns:
        The names of the tables that will be read from the beginning.
    """
    if not missing:
        return []
    pipeline = folder.pipeline
    schema = pipeline.default_schema
    lost = sorted({find_root(schema, name) for name in missing})
    # Cursors first, in the destination too: after a kill in between, the next run still finds the
    # table missing.
    folder.write_state(lambda state: forget_tables(state, lost))
    with pipeline.destination_client() as client:
        _empty_orphans(schema, client, missing)
        create_tables(client, missing)
    return lost


def _empty_orphans(schema: dlt.Schema, client: JobClient, missing: Iterable[str]) -> None:
    """Delete child rows whose parents are lost: they would stay beside those read again."""
    sql, gone = Sql(sql_client_of(client), schema), set(missing)
    for name, table in schema.tables.items():
        if name not in gone and has_rows(table) and find_root(schema, name) in gone - {name}:
            delete_all(sql, name)


def find_unmade_children(schema: dlt.Schema, endpoints: Iterable[Endpoint]) -> list[str]:
    """Declared child tables that dlt has not created, because no row needed them yet."""
    names = (find_table(schema, name) for endpoint in endpoints for name in endpoint.child_tables)
    return [name for name in names if name in schema.tables and not has_rows(schema.tables[name])]
