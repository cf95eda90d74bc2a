"""The table of destinations, for docs/destinations.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import dlt

from harvest_source.dlt_internals import find_destination, find_merge_strategies
from harvest_source.load.limits import LIMITS
from harvest_source.sql.dialects import Dialect, find_dialect
from tests.docs.reference import code, table
from tests.support.contract_results import OK, read
from tests.support.destinations import SERVERS, Server
from tests.support.warehouses import WAREHOUSES, Warehouse

_DIALECTS: Final = {
    "duckdb": "duckdb",
    "postgres": "postgres",
    "sqlite": "sqlite",
    "mariadb": "mysql",
    "ducklake": "duckdb",
}
_EXTRAS: Final = {
    "duckdb": "-",
    "sqlite": "sqlalchemy",
    "mariadb": "sqlalchemy",
    "delta": "delta",
    "iceberg": "iceberg",
}
_TRIED: Final = "It runs in the tests of the [contract](../tests/CONTRACT.md)."
_BY_COMMAND: Final = "It runs in the tests of `-m destinations`."
_RENDERED: Final = "Never run: `tests/unit/sql/test_rendered.py` checks its statements."
_STRATEGY: Final = "delete-insert"

_NOTES: Final = {
    "duckdb": "Only one process at a time can write.",
    "postgres": (
        "Rows are not loaded as csv, which would store empty text as null. Texts are "
        "stored without NUL characters, which PostgreSQL refuses; `verify` does not count that as "
        "a difference."
    ),
    "sqlite": "Decimals keep about 15 digits.",
    "mariadb": "It needs `pymysql` and the character set utf8mb4. MySQL was not tried.",
    "ducklake": (
        "It needs DuckDB's extension `ducklake`, and the one for the database of the catalog."
    ),
    "delta": "Files of earlier versions stay until you vacuum the table.",
    "iceberg": "Files of earlier snapshots stay until you expire the snapshots.",
    "snowflake": "Names are in capitals, so that queries need no quotes.",
    "redshift": "A text can have 65,535 bytes. A longer one is refused before it is loaded.",
    "clickhouse": "Days before 1970 or after 2149-06-06 are stored as text, in `<column>__v_text`.",
    "athena": (
        "Tables are Iceberg tables. Times with microseconds are stored as text, in "
        "`<column>__v_text`."
    ),
    "dremio": "Times with microseconds are stored as text, in `<column>__v_text`.",
}
"""Known differences of a destination."""


def build_destinations() -> str:
    """One line for each destination that is run or rendered in a test."""
    rows = [*map(_describe_server, SERVERS), *map(_describe_warehouse, WAREHOUSES)]
    columns = (
        "Destination",
        "Extra",
        "Tried",
        "Strategy",
        "Deletions, verify, history",
        "Descriptions",
        "Limits",
    )
    return table(columns, rows)


def _describe_server(server: Server) -> tuple[str, ...]:
    dialect = find_dialect(_DIALECTS.get(server.name))
    name = code([server.destination])
    shown = name if server.destination == server.name else f"{name} ({server.name})"
    return (
        shown,
        _extra(_EXTRAS.get(server.name, server.destination)),
        _TRIED if any(each.is_of(server.name) for each in read()) else _BY_COMMAND,
        find_strategy(server),
        _describe_steps(server),
        _descriptions(dialect, server.name),
        _NOTES.get(server.name, "-"),
    )


def find_strategy(server: Server) -> str:
    """The merge strategy that dlt takes for a sync: the first that the destination has."""
    destination = find_destination(server.destination)
    return find_merge_strategies(destination, {"name": "a", "table_format": server.format})[0]


def _describe_steps(server: Server) -> str:
    """Whether deletions, verify and history succeeded when the contract was recorded."""
    ended = {each.step: each.result for each in read() if each.is_of(server.name)}
    if not ended:
        return "not recorded since the contract last changed"
    failed = [step for step in ("deletion", "verify", "history") if ended.get(step) != OK]
    return f"{', '.join(failed)} failed" if failed else "yes"


def _describe_warehouse(warehouse: Warehouse) -> tuple[str, ...]:
    capabilities = getattr(dlt.destinations, warehouse.name)().capabilities()
    assert _STRATEGY in capabilities.supported_merge_strategies
    assert warehouse.name not in LIMITS or warehouse.name in _NOTES
    return (
        code([warehouse.name]),
        _extra(warehouse.name),
        _RENDERED,
        _STRATEGY,
        "written for it, but never run",
        _descriptions(find_dialect(warehouse.dialect), warehouse.name),
        _NOTES.get(warehouse.name, "-"),
    )


def _extra(name: str) -> str:
    return "-" if name == "-" else code([name])


def _descriptions(dialect: Dialect, name: str) -> str:
    return " and ".join(_iter_described(dialect, name)) or "no"


def _iter_described(dialect: Dialect, name: str) -> Iterator[str]:
    if dialect.table_comment:
        yield "tables"
    if dialect.column_comment:
        yield "columns"
    elif name in {"bigquery", "databricks"}:
        yield "columns, by dlt"
