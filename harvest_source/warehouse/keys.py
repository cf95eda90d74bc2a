"""
Add primary keys in PostgreSQL, which other tools look for.

dlt creates none. Its merge deletes and inserts in one transaction, which a primary key in
PostgreSQL allows (DuckDB 1.4.5 refuses it with "Duplicate key").

There are no foreign keys: the comments of the columns say what they refer to. An enforced foreign
key would be violated, even as NOT VALID, which still checks new rows: each table is loaded in its
own transaction, and a token may see a time entry but not its project. A foreign key that is NOT
ENFORCED (PostgreSQL 18) still prevents dropping the table that it refers to, and dlt's ``refresh``,
its ``pipeline drop`` and its staging-optimized replace drop tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harvest_source.dlt_internals import DestinationException, find_table, has_received_rows
from harvest_source.errors import printable
from harvest_source.load.history import VALID_FROM
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.schema.own_tables import OWN_TABLES
from harvest_source.sql import maintenance
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.warehouse import Warehouse

_POSTGRES: Final = "dlt.destinations.postgres"


@dataclass(frozen=True, slots=True)
class TableKey:
    """The primary key that a table should have."""

    table: str
    columns: tuple[str, ...]


def add_keys(warehouse: Warehouse) -> list[str]:
    """
    Add the primary keys that tables lack, if the destination is PostgreSQL.

    Returns:
        Warnings for the user: a key that PostgreSQL refuses, or a table that a reader locks.

    Raises:
        DestinationError: The destination refused to list the existing keys.
    """
    if warehouse.pipeline.destination.destination_type != _POSTGRES:
        return []
    with warehouse.sql() as sql:
        # A primary key that users have added themselves is kept.
        made = {str(table) for (table,) in sql.fetch(maintenance.POSTGRES_KEYS, warehouse.dataset)}
        return [
            warning
            for key in iter_keys()
            if _is_possible(sql, key) and _spell(sql, key.table) not in made
            for warning in _add(sql, key)
        ]


def _is_possible(sql: Sql, key: TableKey) -> bool:
    """Whether the table exists and has the columns."""
    known = sql.schema.tables.get(_spell(sql, key.table))
    is_made = known is not None and has_received_rows(known)
    return is_made and set(key.columns) <= set(sql.columns_of(key.table))


def _spell(sql: Sql, table: str) -> str:
    return find_table(sql.schema, table)


def iter_keys() -> Iterator[TableKey]:
    """Yield the key of every table that can be in a warehouse."""
    for endpoint in ENDPOINTS:
        yield TableKey(endpoint.name, endpoint.key)
        yield from (TableKey(table, ("_dlt_id",)) for table in endpoint.child_tables)
        if endpoint.may_have_history:
            yield TableKey(f"{endpoint.name}_history", (*endpoint.key, VALID_FROM))
    yield from (TableKey(own.name, own.key) for own in OWN_TABLES)


def _add(sql: Sql, key: TableKey) -> Iterator[str]:
    try:
        with sql.transaction():
            sql.execute((maintenance.POSTGRES_LOCK_WAIT, []))
            sql.execute((maintenance.add_primary_key(sql, key.table, key.columns), []))
    except DestinationException as error:
        yield (
            f"The primary key ({', '.join(key.columns)}) could not be added to {key.table}. Its "
            f"rows are not affected, and the next load tries again. {printable(error, limit=200)}"
        )
