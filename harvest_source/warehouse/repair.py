"""
Repair what dlt does not notice between two runs: dropped tables and columns.

dlt trusts its own record of the tables that it created. These functions ask the destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import dlt
from dlt.common.schema.typing import TTableSchemaColumns

from harvest_source.dlt_internals import (
    JobClient,
    add_columns,
    create_tables,
    create_unrecorded,
    find_root,
    find_table,
    has_dataset,
    has_received_rows,
    iter_incomplete_tables,
    sql_client_of,
)
from harvest_source.load.hints import find_grown_children
from harvest_source.load.history import DIGEST
from harvest_source.load.state import forget_tables
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.sql.conditions import AnyOf, Equals, OneOf
from harvest_source.warehouse.own_repair import find_needed, restore_version_ends
from harvest_source.warehouse.pipeline import PipelineFolder
from harvest_source.warehouse.removal import PORTION, delete_all, find_arrays
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.writers import open_sql


def recreate_own_tables(
    folder: PipelineFolder,
    schema: dlt.Schema,
    client: JobClient,
    missing: Mapping[str, TTableSchemaColumns],
) -> list[str]:
    """
    Create what is missing and needs no data from Harvest: tables of dlt and of this package, and
    the parents' keys in child tables, which :func:`fill_parent_keys` fills.

    Args:
        missing: Tables that lack columns, with these columns.

    Returns:
        Harvest's tables that are missing, or lack other columns.
    """
    theirs = [name for name, columns in missing.items() if _loses_rows(schema, name, columns)]
    own = [name for name in missing if name not in theirs]
    if own and has_dataset(client):
        folder.note_follow_up(True)
        # While tables of Harvest's are missing, nothing may make dlt believe that they exist: a
        # package that waits, such as that of a first load without a connection, creates them.
        (create_unrecorded if theirs else create_tables)(client, own)
        restore_version_ends(Sql(sql_client_of(client), schema), missing)
    return theirs


def _loses_rows(schema: dlt.Schema, table: str, columns: Iterable[str]) -> bool:
    """Whether *columns* that *table* lacks in the destination held data that only Harvest has."""
    root = find_root(schema, table)
    if root not in BY_NAME and _find_read_table(schema, table) in BY_NAME:
        # A history table: lost values of old versions cannot be read again, so it goes on without
        # them. It starts anew only if it lacks another NOT NULL column, such as its key.
        needed = find_needed(schema.get_table_columns(table), columns)
        return not {DIGEST, LOAD_ID}.issuperset(needed)
    endpoint = BY_NAME.get(root)
    if endpoint is None:
        return False
    parent_keys = {each.name for each in endpoint.parent_keys.values()}
    return table == endpoint.name or not parent_keys.issuperset(columns)


def _find_read_table(schema: dlt.Schema, table: str) -> str:
    """The table that is read to fill *table*: its root, or for a history the versioned table."""
    return find_root(schema, table).removesuffix("_history")


def recreate_tables(folder: PipelineFolder, missing: Sequence[str]) -> list[str]:
    """
    Create dropped tables and columns of Harvest's again, and forget how far they were read.

    Returns:
        The names of the tables that will be read from the beginning.
    """
    if not missing:
        return []
    pipeline = folder.pipeline
    schema = pipeline.default_schema
    lost = sorted({_find_read_table(schema, name) for name in missing})
    # Cursors first, in the destination too: if the run is killed in between, the next run still
    # finds the table missing.
    folder.write_state(lambda state: forget_tables(state, lost))
    with pipeline.destination_client() as client:
        _empty_orphans(schema, client, missing)
        _empty_keyless(schema, client, missing)
        create_tables(client, missing)
    return lost


def _empty_keyless(schema: dlt.Schema, client: JobClient, missing: Iterable[str]) -> None:
    """
    Empty tables that lack a NOT NULL column, such as ``id``, and their child tables.

    No database can add such a column to a table with rows. Without it the rows could not be merged
    either, and all of them are read again.
    """
    sql = open_sql(sql_client_of(client), schema)
    incomplete = dict(iter_incomplete_tables(schema, client))
    for name in missing:
        columns, lacking = schema.get_table_columns(name), incomplete.get(name, {})
        is_there = lacking.keys() != columns.keys()
        if is_there and find_needed(columns, lacking):
            delete_all(sql, name)
            _empty_orphans(schema, client, [name])


def _empty_orphans(schema: dlt.Schema, client: JobClient, missing: Iterable[str]) -> None:
    """Delete child rows of lost parents: they would remain beside those that are read again."""
    sql, gone = open_sql(sql_client_of(client), schema), set(missing)
    for name, table in schema.tables.items():
        if (
            name not in gone
            and has_received_rows(table)
            and find_root(schema, name) in gone - {name}
        ):
            delete_all(sql, name)


def extend_child_tables(folder: PipelineFolder) -> None:
    """
    Add declared columns to child tables that an earlier version of this package created.

    Once the run has loaded, :func:`fill_parent_keys` fills them.
    """
    schema = folder.pipeline.default_schema
    grown: dict[str, TTableSchemaColumns] = {}
    for endpoint in ENDPOINTS:
        grown |= find_grown_children(schema, endpoint)
    if grown:
        folder.note_follow_up(True)
        add_columns(folder.pipeline, grown)


def fill_parent_keys(sql: Sql) -> None:
    """Fill the parent's key in rows of child tables that an earlier version loaded."""
    for endpoint in ENDPOINTS:
        keys = {column.name: name for name, column in endpoint.parent_keys.items()}
        for table in find_arrays(sql.schema, endpoint):
            if keys and keys.keys() <= set(sql.columns_of(table)):
                _fill_keys(sql, table, endpoint, keys)


def _fill_keys(sql: Sql, table: str, endpoint: Endpoint, keys: Mapping[str, str]) -> None:
    """
    Fill the columns of *keys* in one child table where they are null.

    Args:
        keys: By column of the child table, the column of the parent's key that it repeats.
    """
    empty = AnyOf(*(Equals(column, None) for column in keys))
    roots = [root for (root,) in sql.select_distinct(table, empty, ("_dlt_root_id",))]
    for at in range(0, len(roots), PORTION):
        these = OneOf("_dlt_id", roots[at : at + PORTION])
        parents = sql.select(endpoint.name, these, ("_dlt_id", *keys.values()))
        for column, source in keys.items():
            values = {parent["_dlt_id"]: parent[source] for parent in parents}
            sql.assign(table, column, "_dlt_root_id", values)


def find_unmade_children(schema: dlt.Schema, endpoints: Iterable[Endpoint]) -> list[str]:
    """Declared child tables that dlt has not created, because no row needed them yet."""
    names = (find_table(schema, name) for endpoint in endpoints for name in endpoint.child_tables)
    return [
        name
        for name in names
        if name in schema.tables and not has_received_rows(schema.tables[name])
    ]
