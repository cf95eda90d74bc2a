"""The dataset beside ours into which dlt copies rows before it merges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from dlt.common.destination.client import WithStagingDataset
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.destinations import JobClient
from harvest_source.dlt_internals.state import DltNames
from harvest_source.sql import maintenance

_POSTGRES: Final = "postgres"
_SQLALCHEMY: Final = "sqlalchemy"
"""As a client's configuration calls them."""


def drop_staging(client: JobClient) -> None:
    """
    Drop dlt's staging dataset: the tables of our schema, then the dataset if nothing else is in it.

    dlt leaves it behind, with an empty twin of every table, and makes it again when a load needs
    it. Call this only when no load package waits: a package that was interrupted may have rows
    there that its merge still needs.

    It may be stopped between any two statements: ``_dlt_version`` in the staging dataset says that
    its tables exist, so that note goes first.

    dlt 1.31 has no setting for it: ``truncate_staging_dataset`` keeps the tables. Without the
    methods of its clients: ``DROP TABLE`` of our own, by dlt's names.

    Raises:
        DestinationException: The destination refused, or a session holds one of the tables.
    """
    if not (isinstance(client, SqlJobClientBase) and isinstance(client, WithStagingDataset)):
        return
    main = client.sql_client.fully_qualified_dataset_name()
    with client.with_staging_dataset():
        if client.sql_client.fully_qualified_dataset_name() == main:
            return  # As configured: staging_dataset_name_layout = "%s".
        try:
            found = _find_tables(client)
        except DatabaseException:
            return  # A destination that has no such list keeps its staging dataset.
        (version,) = _spell(client, client.schema.version_table_name)
        schemas = _find_schemas(client) if version in found else set()
        if client.schema.name not in schemas:
            return  # There is none, or dlt did not make it for us.
        with client.maybe_ddl_transaction():
            dropped = _drop_tables(client, found)
            if schemas == {client.schema.name}:
                client.sql_client.drop_tables(client.schema.version_table_name)
                dropped.add(version)
        if found.keys() <= dropped:
            _drop_empty_dataset(client)


def _find_tables(client: SqlJobClientBase) -> Mapping[str, bool]:
    """Everything in the client's dataset that has columns, by name; whether it is a table."""
    sql: Any = client.sql_client
    if client.config.destination_type == _SQLALCHEMY:
        if not sql.has_dataset():
            return {}
        with sql._ensure_transaction():
            place = {"connection": sql._current_connection, "schema": sql.dataset_name}
            views = dict.fromkeys(sql.dialect.get_view_names(**place), False)
            return dict.fromkeys(sql.dialect.get_table_names(**place), True) | views
    catalog, schema, _ = sql._get_information_schema_components()
    known = {"table_schema": schema} | ({"table_catalog": catalog} if catalog else {})
    view = sql._qualify_info_schema_table_name("TABLES")
    rows = sql.execute_sql(maintenance.list_tables(view, known), *known.values())
    return {str(name): str(kind).upper() in {"BASE TABLE", "TABLE"} for name, kind in rows or ()}


def _spell(client: SqlJobClientBase, *tables: str) -> Sequence[str]:
    """The names of *tables* as the destination lists them."""
    return client.sql_client._get_information_schema_components(*tables)[2]


def _find_schemas(client: SqlJobClientBase) -> set[str]:
    """The schemas of dlt that the client's dataset has tables of: those of other pipelines too."""
    query = maintenance.list_schemas(DltNames(client), client.schema.version_table_name)
    rows = client.sql_client.execute_sql(query)
    return {str(name) for (name,) in rows or ()}


def _drop_tables(client: SqlJobClientBase, found: Mapping[str, bool]) -> set[str]:
    """
    Forget that the tables of our schema exist, and drop them; returns the names of those dropped.
    """
    sql, schema = client.sql_client, client.schema
    if client.config.destination_type == _POSTGRES:
        sql.execute_sql(maintenance.POSTGRES_LOCK_WAIT)
    client._delete_schema_in_storage(schema)
    names = schema.data_table_names(seen_data_only=False, include_incomplete=True)
    spelled = dict(zip(_spell(client, *names), names, strict=True))
    ours = {each for each in spelled if found.get(each)}
    sql.drop_tables(*(spelled[each] for each in sorted(ours)))
    return ours


def _drop_empty_dataset(client: SqlJobClientBase) -> None:
    """Drop the dataset unless something is in it that has no columns: a function, a sequence."""
    sql = client.sql_client
    if client.config.destination_type == _SQLALCHEMY:
        sql.drop_dataset()  # Of SQLite it is a file of its own.
        return
    with suppress(DatabaseException):  # RESTRICT is not known everywhere; an empty schema may stay.
        sql.execute_sql(maintenance.drop_empty_schema(sql.fully_qualified_dataset_name()))
