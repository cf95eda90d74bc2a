"""Reads whole tables of a warehouse as Arrow, a batch at a time. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa

from harvest_source.clock import SystemClock
from harvest_source.dlt_internals import has_received_rows
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql import maintenance, statements
from harvest_source.sql.conditions import EVERY_ROW, Condition, OneOf
from harvest_source.warehouse.attach import attach
from harvest_source.warehouse.dataset_name import choose_schema
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.failures import as_destination_error
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.target import Target

BATCH_ROWS: Final = 50_000
"""Rows in one batch."""

_NOTHING: Final = "Nothing was written."
_TYPES: Final[Mapping[str, pa.DataType]] = {
    "bigint": pa.int64(),
    "decimal": pa.decimal128(38, 9),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "double": pa.float64(),
}
"""Arrow types by dlt's type names; all other types become text."""


class Tables(Protocol):
    """The tables of a warehouse."""

    def names(self) -> Sequence[str]:
        """Names of all tables except dlt's own."""

    def count(self, table: str) -> int:
        """Count the rows of a table."""

    def list_accounts(self, table: str) -> set[int]:
        """List all accounts that have rows in a table, including ones that are not exported."""

    def iter_batches(self, table: str) -> Iterator[pa.Table]:
        """Yield all rows in batches with the same columns; at least one, which may be empty."""


@contextmanager
def open_tables(
    target: Target, accounts: Sequence[int], wait_s: float, on_wait: Callable[[str], None]
) -> Iterator[Tables]:
    """
    Open a warehouse for reading.

    Args:
        accounts: Read only rows of these accounts; empty: of all.
        wait_s: How long to wait while other processes have a DuckDB file.
        on_wait: Called with the process that has the file, if there is a wait.

    Raises:
        ConfigError: The warehouse does not exist.
        DestinationError: The warehouse cannot be opened, or refuses access.
    """
    where = OneOf(ACCOUNT_ID, list(accounts)) if accounts else EVERY_ROW
    if target.database is not None:
        file = DuckDBFile(target.database, SystemClock(), wait_s, on_wait, only_reads=True)
        with (
            as_destination_error(target, lambda: _NOTHING),
            file.open(_NOTHING) as connection,
        ):
            connection.execute(maintenance.DUCKDB_IN_UTC)
            yield _InDuckDB(connection, choose_schema(connection, target.dataset), where)
        return
    pipeline = attach(target.pipeline, destination=target.destination, dataset=target.dataset)
    with as_destination_error(target, lambda: _NOTHING), pipeline.sql_client() as client:
        yield _ByDlt(Sql(client, pipeline.default_schema), where)


@dataclass(frozen=True, slots=True)
class _InDuckDB:
    """Tables of a DuckDB file, no matter which pipeline made them."""

    connection: duckdb.DuckDBPyConnection
    dataset: str
    where: Condition

    def names(self) -> Sequence[str]:
        rows = self.connection.execute(maintenance.DUCKDB_TABLES, [self.dataset]).fetchall()
        return [name for (name,) in rows if not name.startswith("_dlt_")]

    def count(self, table: str) -> int:
        text, values = statements.count(self, table, self._find_rows(table))
        return int(self._run(text, values).fetchall()[0][0])

    def list_accounts(self, table: str) -> set[int]:
        if ACCOUNT_ID not in self._find_columns(table):
            return set()
        text, values = statements.select_distinct(self, table, EVERY_ROW, [ACCOUNT_ID])
        return {int(each) for (each,) in self._run(text, values).fetchall() if each is not None}

    def iter_batches(self, table: str) -> Iterator[pa.Table]:
        columns = self._find_columns(table)
        text, values = statements.select(self, table, self._find_rows(table), columns)
        reader = _read(self._run(text, values))
        yield reader.schema.empty_table()
        for batch in reader:
            yield pa.Table.from_batches([batch])

    def table(self, name: str) -> str:
        return f"{maintenance.quote(self.dataset)}.{maintenance.quote(name)}"

    def column(self, name: str) -> str:
        return maintenance.quote(name)

    def _find_columns(self, table: str) -> list[str]:
        query = maintenance.DUCKDB_COLUMNS
        rows = self.connection.execute(query, [self.dataset, table]).fetchall()
        return [name for (name,) in rows]

    def _find_rows(self, table: str) -> Condition:
        return self.where if ACCOUNT_ID in self._find_columns(table) else EVERY_ROW

    def _run(self, text: str, values: Sequence[Any]) -> Any:
        return self.connection.sql(text.replace("%s", "?"), params=list(values))


def _read(relation: Any) -> pa.RecordBatchReader:
    """Open a reader of the rows; DuckDB 1.4 has only the older method."""
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    return read(BATCH_ROWS)


@dataclass(frozen=True, slots=True)
class _ByDlt:
    """Tables of any other destination, read through dlt."""

    sql: Sql
    where: Condition

    def names(self) -> Sequence[str]:
        known = self.sql.schema.data_tables()
        return sorted(str(table["name"]) for table in known if has_received_rows(table))

    def count(self, table: str) -> int:
        return self.sql.count(table, self._find_rows(table))

    def list_accounts(self, table: str) -> set[int]:
        if ACCOUNT_ID not in self.sql.columns_of(table):
            return set()
        found = self.sql.select_distinct(table, EVERY_ROW, [ACCOUNT_ID])
        return {int(each) for (each,) in found if each is not None}

    def iter_batches(self, table: str) -> Iterator[pa.Table]:
        hints = self.sql.schema.get_table_columns(table)
        types = {
            name: _TYPES.get(str(hint.get("data_type")), pa.string())
            for name, hint in hints.items()
        }
        schema = pa.schema(list(types.items()))
        yield schema.empty_table()
        rows: list[tuple[Any, ...]] = []
        for row in self.sql.iter_values(table, self._find_rows(table), list(types)):
            rows.append(row)
            if len(rows) == BATCH_ROWS:
                yield _build(rows, schema)
                rows = []
        if rows:
            yield _build(rows, schema)

    def _find_rows(self, table: str) -> Condition:
        return self.where if ACCOUNT_ID in self.sql.columns_of(table) else EVERY_ROW


def _build(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = [
        pa.array(
            [_as_text(value) for value in column] if pa.types.is_string(kind) else column, kind
        )
        for column, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None else str(value)
