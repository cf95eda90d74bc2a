"""Tables as dlt's schema knows them and as the destination has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dlt
from dlt.common.destination.client import WithStagingDataset
from dlt.common.schema.typing import TColumnSchema, TTableSchema, TTableSchemaColumns
from dlt.common.schema.utils import (
    get_root_table,
    has_table_seen_data,
    normalize_table_identifiers,
    pipeline_state_table,
)
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import WithSqlClient

from harvest_source.dlt_internals.destinations import JobClient, SqlClient
from harvest_source.dlt_internals.open_tables import is_open_tables


def has_received_rows(table: TTableSchema) -> bool:
    """
    Whether a table of dlt's schema has ever received a row; before that it may not exist.

    Without the function: ``table["x-normalizer"]["seen-data"]``.
    """
    return has_table_seen_data(table)


def find_table(schema: dlt.Schema, name: str) -> str:
    """
    Find dlt's name of the table that we call *name*; *name* itself if dlt has no such table.

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
    return table is not None and has_received_rows(table)


def find_root(schema: dlt.Schema, table: str) -> str:
    """Name of the main table to which child *table* belongs; a main table's own name."""
    return str(get_root_table(schema.tables, table)["name"])


def iter_array_tables(schema: dlt.Schema, name: str) -> Iterator[str]:
    """
    Yield the tables that have ever held elements of the array that we call *name*.

    Besides the array's own table these are the tables of arrays inside its elements. An object
    *name* has no table of its own, but its arrays have.
    """
    path = schema.naming.make_path(*name.split("__"))
    starts = f"{name}__", f"{path}{schema.naming.PATH_SEPARATOR}"
    for found, table in schema.tables.items():
        line = _find_ancestors(schema, found)
        if has_received_rows(table) and any(
            x in {name, path} or x.startswith(starts) for x in line
        ):
            yield found


def _find_ancestors(schema: dlt.Schema, table: str) -> list[str]:
    """*table* and the tables above it: dlt shortens long names, so a name does not show them."""
    above = schema.tables[table].get("parent")
    return [table, *(_find_ancestors(schema, above) if above else ())]


def iter_incomplete_tables(
    schema: dlt.Schema, client: JobClient, names: Sequence[str] | None = None
) -> Iterator[tuple[str, TTableSchemaColumns]]:
    """
    Yield the tables that dlt created and that lack columns in the destination, with these columns.

    A table that is missing in the destination lacks all columns.

    Args:
        names: Only these tables; None: every table that dlt created.

    dlt trusts its schema and never checks the destination again. Without ``get_storage_tables``:
    query ``information_schema.columns``. Yields nothing for plain files.
    """
    if not isinstance(client, SqlJobClientBase) and not is_open_tables(client):
        return
    # In a destination of files, dlt's own tables are plain files.
    own = schema.dlt_table_names() if isinstance(client, SqlJobClientBase) else ()
    made = [name for name in names or () if name in own]
    if names is None:
        made = [
            name for name, table in schema.tables.items() if has_received_rows(table) or name in own
        ]
    is_case_sensitive = client.capabilities.generates_case_sensitive_identifiers()
    for name, columns in client.get_storage_tables(made):
        lacking = schema.get_new_table_columns(name, columns, case_sensitive=is_case_sensitive)
        if lacking:
            yield name, {str(each["name"]): each for each in lacking}


def create_tables(client: JobClient, tables: Sequence[str]) -> None:
    """
    Create *tables* and missing columns in the destination, even if dlt's schema says they exist.

    Columns added to an existing table are nullable and not unique: DuckDB before 2.0 cannot add
    others, and no database can add others to a table with rows.

    Without ``force`` and ``_create_table_update``: our own statements, with the types of dlt's type
    mapper.
    """
    with _adding_loosely(client):
        client.update_stored_schema(only_tables=tables, force=True)


@contextmanager
def _adding_loosely(client: Any) -> Iterator[None]:
    find = getattr(client, "_create_table_update", None)
    if find is None:  # The destination has no SQL.
        yield
        return

    def find_loosely(table: str, stored: TTableSchemaColumns) -> Sequence[TColumnSchema]:
        columns: Sequence[TColumnSchema] = find(table, stored)
        return [{**each, "nullable": True, "unique": False} if stored else each for each in columns]

    client._create_table_update = find_loosely
    try:
        yield
    finally:
        del client._create_table_update


def create_unrecorded(client: JobClient, tables: Sequence[str]) -> None:
    """
    Like :func:`create_tables`, without storing the client's schema.

    Once its schema is stored, dlt believes that all its tables exist, and creates none of them.

    Without ``get_stored_schema_by_hash``, ``_update_schema_in_storage`` and ``_bump_version``: our
    own statements, with the types of dlt's type mapper.
    """
    if not isinstance(client, SqlJobClientBase):
        create_tables(client, tables)  # Tables in files are created by the job that fills them.
        return
    unstored: Any = client
    if client.schema.is_modified:
        # name_dlt_tables may have added a table, and dlt refuses a changed schema.
        client.schema._bump_version()
    unstored.get_stored_schema_by_hash = lambda _: None  # The table of versions may be incomplete.
    unstored._update_schema_in_storage = lambda _: None
    try:
        create_tables(client, tables)
    finally:
        del unstored.get_stored_schema_by_hash, unstored._update_schema_in_storage


def name_dlt_tables(schema: dlt.Schema) -> list[str]:
    """
    The names of dlt's own tables in *schema*, including the table of pipeline states.

    A schema that has loaded nothing yet lacks that table, although the destination may have it: it
    is added to the schema. Without ``pipeline_state_table``: leave such a table unchanged.
    """
    state = schema.state_table_name
    if state not in schema.tables and not schema.data_tables():
        table = normalize_table_identifiers(pipeline_state_table(add_dlt_id=True), schema.naming)
        schema.update_table(table)
    return [name for name in schema.dlt_table_names() if name in schema.tables]


def add_columns(pipeline: dlt.Pipeline, columns: Mapping[str, TTableSchemaColumns]) -> None:
    """
    Add *columns*, keyed by dlt's table names, to dlt's schema and then to the destination.

    The order matters: dlt writes to the destination only a schema stored in the working folder.
    Without ``_schema_storage``: ``Pipeline.sync_schema``, which also creates tables without rows.
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
    """Whether the dataset exists in the destination. Without the method: query its schemas."""
    return client.is_storage_initialized()


def has_any_dataset(client: JobClient) -> bool:
    """Whether the dataset or its staging dataset exists: what :func:`drop_dataset` would remove."""
    if has_dataset(client):
        return True
    if not isinstance(client, WithStagingDataset):
        return False
    with client.with_staging_dataset():
        return has_dataset(client)


def drop_dataset(pipeline: dlt.Pipeline) -> None:
    """
    Remove the dataset of a *pipeline*, and its staging dataset.

    Without ``drop_storage``: our own ``DROP SCHEMA``.
    """
    with pipeline.destination_client() as client:
        client.drop_storage()
        if isinstance(client, WithStagingDataset):
            with client.with_staging_dataset():
                if client.is_storage_initialized():
                    client.drop_storage()


def sql_client_of(client: JobClient) -> SqlClient:
    """The open SQL client of an open destination client, which must have one."""
    assert isinstance(client, WithSqlClient)
    if is_open_tables(client):
        client.open_sql()
    return client.sql_client
