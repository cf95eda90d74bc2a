"""dlt's staging dataset, into which dlt copies rows before it merges them: drop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import dlt
from dlt.common.destination.client import WithStagingDataset
from dlt.destinations.exceptions import DatabaseException
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.utils import get_deterministic_temp_table_name

from harvest_source.dlt_internals.destinations import JobClient
from harvest_source.dlt_internals.stored_schemas import DltNames
from harvest_source.sql import maintenance
from harvest_source.sql.statements import count_qualified

_POSTGRES: Final = "postgres"
SQLALCHEMY: Final = "sqlalchemy"
"""Destination types as a client's configuration names them."""

_SQLITE: Final = "sqlite"


def drop_staging(client: JobClient) -> None:
    """
    Drop dlt's staging dataset: the tables of our schema, then the dataset if nothing else is in it.

    dlt leaves it behind, with an empty copy of every table, and creates it again when a load needs
    it. Call this only when no load package waits: the merge of an interrupted package may still
    need its rows there.

    It may be interrupted between any two statements: ``_dlt_version`` in the staging dataset
    records that its tables exist, so that record is deleted first.

    dlt 1.31 has no setting for this: ``truncate_staging_dataset`` keeps the tables. Without the
    methods of its clients: our own ``DROP TABLE``, by dlt's names. Without
    ``get_deterministic_temp_table_name``: keep the helper tables of merges in MariaDB and SQLite.

    Raises:
        DestinationException: The destination refused, or another session locks one of the tables.
    """
    if not (isinstance(client, SqlJobClientBase) and isinstance(client, WithStagingDataset)):
        return
    main = client.sql_client.fully_qualified_dataset_name()
    with client.with_staging_dataset():
        if client.sql_client.fully_qualified_dataset_name() == main:
            return  # The user configured staging_dataset_name_layout = "%s".
        found = find_tables(client)
        (version,) = spell(client, client.schema.version_table_name)
        schemas = _find_schemas(client) if version in found else set()
        if client.schema.name not in schemas:
            return  # There is no such dataset, dlt made it for others, or it cannot be listed.
        with client.maybe_ddl_transaction():
            dropped = _drop_tables(client, found)
            if schemas == {client.schema.name}:
                client.sql_client.drop_tables(client.schema.version_table_name)
                dropped.add(version)
        if found.keys() <= dropped:
            _drop_empty_dataset(client)


def count_rows(client: SqlJobClientBase, table: str) -> int:
    """Count the rows of a *table* of the client's dataset."""
    counted = client.sql_client.execute_sql(count_qualified(DltNames(client).table(table))[0])
    return int(counted[0][0]) if counted else 0


def list_tables(schema: dlt.Schema) -> Sequence[str]:
    """The names of the tables of a schema, dlt's own left out."""
    return schema.data_table_names(seen_data_only=False, include_incomplete=True)


def find_tables(client: SqlJobClientBase) -> Mapping[str, bool]:
    """
    Find the dataset's tables and views: by name, whether it is a table.

    There are none for a destination that cannot list them.
    """
    with suppress(DatabaseException):
        return _list_names(client)
    return {}


def _list_names(client: SqlJobClientBase) -> Mapping[str, bool]:
    sql: Any = client.sql_client
    if client.config.destination_type == SQLALCHEMY:
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


def spell(client: SqlJobClientBase, *tables: str) -> Sequence[str]:
    """The names of *tables* as the destination lists them."""
    return client.sql_client._get_information_schema_components(*tables)[2]


def _find_schemas(client: SqlJobClientBase) -> set[str]:
    """dlt's schemas with tables in the client's dataset, also those of other pipelines."""
    query = maintenance.list_schemas(DltNames(client), client.schema.version_table_name)
    rows = client.sql_client.execute_sql(query)
    return {str(name) for (name,) in rows or ()}


def _drop_tables(client: SqlJobClientBase, found: Mapping[str, bool]) -> set[str]:
    """
    Delete dlt's record of our schema, drop its tables, and return the names of those dropped.
    """
    sql, schema = client.sql_client, client.schema
    if client.config.destination_type == _POSTGRES:
        sql.execute_sql(maintenance.POSTGRES_LOCK_WAIT)
    client._delete_schema_in_storage(schema)
    tables = list_tables(schema)
    helpers = [
        get_deterministic_temp_table_name(name, step)
        for name in tables
        for step in ("delete", "insert")  # What some destinations keep after a merge.
    ]
    names = [*tables, *helpers]
    spelled = dict(zip(spell(client, *names), names, strict=True))
    ours = {each for each in spelled if found.get(each)}
    sql.drop_tables(*(spelled[each] for each in sorted(ours)))
    return ours


def _drop_empty_dataset(client: SqlJobClientBase) -> None:
    """
    Drop the dataset unless it contains an object without columns: a function, a sequence.

    An empty schema remains where ``RESTRICT`` is unknown: MariaDB would drop functions with it.
    """
    sql: Any = client.sql_client
    if client.config.destination_type == SQLALCHEMY and sql.dialect_name == _SQLITE:
        sql.drop_dataset()  # A dataset is its own file.
        return
    with suppress(DatabaseException):
        sql.execute_sql(maintenance.drop_empty_schema(sql.fully_qualified_dataset_name()))
