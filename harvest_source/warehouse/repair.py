"""
What dlt does not notice between two runs: tables dropped by hand, older copies of a database.

dlt remembers which tables it made and how far it read, and believes that. Here the destination is
asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dlt

from harvest_source.dlt_internals import (
    JobClient,
    create_tables,
    find_root,
    has_dataset,
    has_rows,
    iter_incomplete_tables,
    read_state_version,
    read_stored_state_version,
    sql_client_of,
)
from harvest_source.load.state import forget_tables, source_state
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.sql import EVERY_ROW, Sql


def is_ahead(pipeline: dlt.Pipeline, client: JobClient) -> bool:
    """
    Whether the working folder has cursors that the destination does not know of.

    State travels with the rows it stands for, and each package brings the next version of it. A
    folder that is further has seen rows that are not there: somebody put an older copy of the
    database back, or another one in its place, or removed it.
    """
    state = pipeline.state
    if not source_state(state) or not pipeline.config.restore_from_destination:
        return False
    pending = [*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()]
    stored = read_stored_state_version(pipeline, client)
    return stored is not None and stored + len(pending) < read_state_version(state)


def remake_own_tables(schema: dlt.Schema, client: JobClient) -> list[str]:
    """
    Make dlt's and our own tables again, where only they are gone: no row of Harvest's is.

    Returns:
        Tables of Harvest's that are gone, or not there with every column.
    """
    missing = list(iter_incomplete_tables(schema, client))
    theirs = [name for name in missing if find_root(schema, name) in BY_NAME]
    own = [name for name in missing if name not in theirs]
    if own and has_dataset(client):
        create_tables(client, own)
    return theirs


def remake_tables(pipeline: dlt.Pipeline, missing: Sequence[str]) -> list[str]:
    """
    Make tables and columns of Harvest's again that somebody dropped, for their rows to come again.

    Returns:
        The names of the tables to be read from the beginning.
    """
    if not missing:
        return []
    schema = pipeline.default_schema
    lost = sorted({find_root(schema, name) for name in missing})
    # Cursors first, and at the destination, too: killed in between, the next run finds the table
    # missing still.
    _forget(pipeline, lost)
    with pipeline.destination_client() as client:
        _empty_orphans(schema, client, missing)
        create_tables(client, missing)
    return lost


def _empty_orphans(schema: dlt.Schema, client: JobClient, missing: Iterable[str]) -> None:
    """Rows whose parents are gone would stay for ever beside those that come again."""
    sql, gone = Sql(sql_client_of(client), schema), set(missing)
    for name, table in schema.tables.items():
        if name not in gone and has_rows(table) and find_root(schema, name) in gone - {name}:
            sql.delete(name, EVERY_ROW)


def _forget(pipeline: dlt.Pipeline, tables: Iterable[str]) -> None:
    """Take away what is stored of *tables*, here and at the destination."""
    with pipeline.managed_state(extract_state=True) as state:
        forget_tables(state, tables)
    pipeline.normalize()
    pipeline.load()
