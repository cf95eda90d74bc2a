"""Tables as dlt's schema knows them and as the destination has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dlt
from dlt.common.destination.client import WithStagingDataset
from dlt.common.schema.typing import TTableSchema, TTableSchemaColumns
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import WithSqlClient

from harvest_source.dlt_internals.destinations import JobClient, SqlClient
from harvest_source.dlt_internals.open_tables import is_open_tables


def has_rows(table: TTableSchema) -> bool:
    """
    Whether any row ever went into a table of dlt's schema; before that it need not exist.

    Without the function: ``table["x-normalizer"]["seen-data"]``.
    """
    return has_table_seen_data(table)


def find_table(schema: dlt.Schema, name: str) -> str:
    """
    dlt's name of the table that we call *name*; *name* itself if dlt has no such table.

    dlt names child tables by its naming convention: ``invoices__line_items`` is
    ``invoices▶line_items`` with the convention ``direct``. Without ``make_path``: refuse other
    conventions.
    """
    if name in schema.tables:
        return name
    path = schema.naming.make_path(*name.split("__"))
    return path if path in schema.tables else name


def has_table(schema: dlt.Schema, name: str) -> bool:
    """Whether the table that we call *name* is in the destination, as far as dlt knows."""
    table = schema.tables.get(find_table(schema, name))
    return table is not None and has_rows(table)


def find_root(schema: dlt.Schema, table: str) -> str:
    """Name of the table whose rows those of child *table* belong to; itself for a main table."""
    return str(get_root_table(schema.tables, table)["name"])


def iter_incomplete_tables(
    schema: dlt.Schema, client: JobClient
) -> Iterator[tuple[str, TTableSchemaColumns]]:
    """
    Tables that dlt made and that lack columns in the destination, with these columns.

    A table that is missing there lacks all of them.

    dlt believes its schema and never looks again. Without ``get_storage_tables``: query
    ``information_schema.columns``. Nothing is known of plain files.
    """
    if not isinstance(client, SqlJobClientBase) and not is_open_tables(client):
        return
    # In files, dlt's own tables are no tables.
    own = schema.dlt_table_names() if isinstance(client, SqlJobClientBase) else ()
    made = [name for name, table in schema.tables.items() if has_rows(table) or name in own]
    is_case_sensitive = client.capabilities.generates_case_sensitive_identifiers()
    for name, columns in client.get_storage_tables(made):
        lacking = schema.get_new_table_columns(name, columns, case_sensitive=is_case_sensitive)
        if lacking:
            yield name, {str(each["name"]): each for each in lacking}


def create_tables(client: JobClient, tables: Sequence[str]) -> None:
    """
    Create *tables* and missing columns in the destination, though dlt believes that they exist.

    Without ``force``: ``CREATE TABLE`` of our own, with the types of dlt's type mapper.
    """
    client.update_stored_schema(only_tables=tables, force=True)


def add_columns(pipeline: dlt.Pipeline, columns: Mapping[str, TTableSchemaColumns]) -> None:
    """
    Add *columns*, by dlt's names of their tables, to dlt's schema and to the destination.

    In this order, because dlt writes no schema that is not stored. Without ``_schema_storage``:
    ``Pipeline.sync_schema``, which also makes the tables that have no rows yet.
    """
    schema = pipeline.default_schema
    for table, hints in columns.items():
        partial: TTableSchema = {"name": table, "columns": dict(hints)}
        if (parent := schema.tables[table].get("parent")) is not None:
            partial["parent"] = parent
        schema.update_table(partial, normalize_identifiers=False)
    pipeline._schema_storage.commit_live_schema(schema.name)
    with pipeline.destination_client() as client:
        if has_dataset(client):
            create_tables(client, list(columns))


def has_dataset(client: JobClient) -> bool:
    """Whether the dataset exists in the destination. Without it: query its schemas."""
    return client.is_storage_initialized()


def drop_dataset(pipeline: dlt.Pipeline) -> None:
    """
    Remove the dataset of a *pipeline*, and its staging dataset.

    Without ``drop_storage``: ``DROP SCHEMA`` of our own.
    """
    with pipeline.destination_client() as client:
        client.drop_storage()
        if isinstance(client, WithStagingDataset):
            with client.with_staging_dataset():
                if client.is_storage_initialized():
                    client.drop_storage()


def sql_client_of(client: JobClient) -> SqlClient:
    """The SQL client of a destination client that is open and has one, open too."""
    assert isinstance(client, WithSqlClient)
    if is_open_tables(client):
        client.open_sql()
    return client.sql_client
