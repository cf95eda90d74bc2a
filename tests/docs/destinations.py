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
_TRIED: Final = "run: [contract](../tests/CONTRACT.md)"
_BY_COMMAND: Final = "run: `-m destinations`"
_RENDERED: Final = "rendered, not run: `tests/unit/sql/test_rendered.py`"
_STRATEGY: Final = "delete-insert"

_NOTES: Final = {
    "duckdb": "one process writes at a time",
    "postgres": "not by csv: empty text would be null",
    "sqlite": "decimals keep about 15 digits",
    "mariadb": "needs `pymysql` and the character set utf8mb4; MySQL was not tried",
    "ducklake": "needs DuckDB's extensions `ducklake` and that of the catalog",
    "delta": "files of earlier versions stay until you vacuum them",
    "iceberg": "files of earlier snapshots stay until you expire them",
    "snowflake": "names in capitals, as Snowflake has them without quotes",
    "redshift": "texts up to 65,535 bytes; longer ones are refused before they are loaded",
    "clickhouse": "days before 1970 or after 2149-06-06 stand beside their column, as text",
    "athena": "Iceberg tables; smaller parts of a second than thousandths stand beside, as text",
    "dremio": "smaller parts of a second than thousandths stand beside, as text",
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
        return "not written down since the last change of the contract"
    failed = [step for step in ("deletion", "verify", "history") if ended.get(step) != OK]
    return f"not {', '.join(failed)}" if failed else "yes"


def _describe_warehouse(warehouse: Warehouse) -> tuple[str, ...]:
    capabilities = getattr(dlt.destinations, warehouse.name)().capabilities()
    assert _STRATEGY in capabilities.supported_merge_strategies
    assert warehouse.name not in LIMITS or warehouse.name in _NOTES
    return (
        code([warehouse.name]),
        _extra(warehouse.name),
        _RENDERED,
        _STRATEGY,
        "as written, not run",
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
