"""
Keys that other tools find in PostgreSQL: primary keys, and foreign keys that enforce nothing.

dlt makes none. Its merge deletes and inserts in one transaction, which a primary key in PostgreSQL
lets pass (DuckDB 1.4.5 ends it with "Duplicate key"). A foreign key that is enforced cannot be
held, not even as NOT VALID, which still checks new rows: each table is loaded in a transaction of
its own, and a token may see a time entry and not its project. PostgreSQL 18 has NOT ENFORCED. For
all others, the comments of the columns say what they refer to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harvest_source.dlt_internals import DestinationException, find_table, has_rows
from harvest_source.errors import printable
from harvest_source.load.history import VALID_FROM
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.schema.own_tables import OWN_TABLES
from harvest_source.sql import maintenance
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.warehouse import Warehouse

_POSTGRES: Final = "dlt.destinations.postgres"
_NOT_ENFORCED: Final = 180000
"""``server_version_num`` from which a foreign key may be NOT ENFORCED."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    A key that a table should have.

    Attributes:
        to: Table that a foreign key refers to; empty: it is the primary key.
    """

    table: str
    columns: tuple[str, ...]
    to: str = ""

    @property
    def name(self) -> str:
        """Of a foreign key's constraint, in the 63 characters that PostgreSQL has for a name."""
        return f"{self.table[:40]}_{self.columns[-1][:17]}_fkey"


def write_keys(warehouse: Warehouse) -> list[str]:
    """
    Give tables the keys that they lack, where the destination is PostgreSQL.

    Returns:
        Warnings, for people: a key that PostgreSQL refuses, or tables that a reader holds.

    Raises:
        DestinationError: The destination refused to say which keys there are.
    """
    if warehouse.pipeline.destination.destination_type != _POSTGRES:
        return []
    with warehouse.sql() as sql:
        found = _look(sql, warehouse.dataset)
        return [
            warning
            for key in iter_keys()
            if key in found.possible and not found.has(sql, key)
            for warning in _write(sql, key)
        ]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is in the destination: its tables with a primary key, and names of foreign keys."""

    possible: frozenset[Key]
    primary: frozenset[str]
    foreign: frozenset[str]

    def has(self, sql: Sql, key: Key) -> bool:
        """Whether the destination has *key*; a primary key of people's own will do."""
        return key.name in self.foreign if key.to else _spell(sql, key.table) in self.primary


def _look(sql: Sql, dataset: str) -> _Found:
    rows = sql.fetch(maintenance.POSTGRES_KEYS, dataset)
    version = int(sql.fetch(maintenance.POSTGRES_VERSION)[0][0])
    possible = (
        key
        for key in iter_keys()
        if _is_made(sql, key.table)
        and set(key.columns) <= set(sql.columns_of(key.table))
        and (not key.to or (version >= _NOT_ENFORCED and _is_made(sql, key.to)))
    )
    return _Found(
        frozenset(possible),
        frozenset(str(table) for table, kind, _ in rows if kind == "p"),
        frozenset(str(name) for _, kind, name in rows if kind == "f"),
    )


def _is_made(sql: Sql, table: str) -> bool:
    known = sql.schema.tables.get(_spell(sql, table))
    return known is not None and has_rows(known)


def _spell(sql: Sql, table: str) -> str:
    return find_table(sql.schema, table)


def iter_keys() -> Iterator[Key]:
    """Every key of every table that can be in a warehouse; primary keys first."""
    for endpoint in ENDPOINTS:
        yield Key(endpoint.name, endpoint.key)
        yield from (Key(table, ("_dlt_id",)) for table in endpoint.child_tables)
        if endpoint.may_have_history:
            yield Key(f"{endpoint.name}_history", (*endpoint.key, VALID_FROM))
    yield from (Key(own.name, own.key) for own in OWN_TABLES)
    for endpoint in ENDPOINTS:
        for reference in endpoint.references:
            if BY_NAME[reference.to].primary_key == ("id",):
                yield Key(reference.table, (ACCOUNT_ID, reference.column), reference.to)


def _write(sql: Sql, key: Key) -> Iterator[str]:
    statement = maintenance.add_primary_key(sql, key.table, key.columns)
    if key.to:
        to = (key.to, (ACCOUNT_ID, "id"))
        statement = maintenance.add_foreign_key(sql, key.table, key.columns, to, key.name)
    try:
        with sql.transaction():
            sql.execute((maintenance.POSTGRES_LOCK_WAIT, []))
            sql.execute((statement, []))
    except DestinationException as error:
        kind = f"foreign key to {key.to}" if key.to else "primary key"
        yield (
            f"{key.table} could not be given its {kind}, ({', '.join(key.columns)}). Its rows are "
            f"not affected, and the next load tries again. {printable(error, limit=200)}"
        )
