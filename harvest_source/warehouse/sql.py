"""
Run our own statements on the tables of one dataset: reads here, writes through a writer.

:mod:`harvest_source.sql` builds the text of a statement; this module runs it. Rows are returned as
dictionaries under our own names, never under those that a cursor reports, and with Python's types,
whatever the destination stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import dlt

from harvest_source.dlt_internals import SqlClient, find_table, limit_clause
from harvest_source.sql import maintenance, statements
from harvest_source.sql.conditions import EVERY_ROW, Condition, Rendered, Value
from harvest_source.sql.dialects import Dialect, find_dialect
from harvest_source.sql.values import READERS, as_json_text, as_parameter

Row: TypeAlias = dict[str, Any]

_INSERTED: Final = 100
"""Rows that one statement inserts."""

_FETCHED: Final = 2000
"""Rows in memory at once while a result is iterated."""


class RowWriter(Protocol):
    """
    How rows are changed and deleted in a destination.

    :class:`StatementWriter` sends statements. Delta and Iceberg have no UPDATE and DELETE: there
    :class:`~harvest_source.warehouse.open_table_writer.OpenTableWriter` reads the rows and replaces
    them by their keys. ``warehouse.writers`` chooses between the two.
    """

    def insert(self, sql: Sql, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows* with the same columns; objects and lists become JSON text."""

    def update(self, sql: Sql, table: str, changes: Mapping[str, Value], where: Condition) -> None:
        """Set the columns of *changes* in every row that fulfils the condition."""

    def assign(
        self, sql: Sql, table: str, column: str, by: str, values: Mapping[Any, Value]
    ) -> None:
        """Set *column* in the rows whose column *by* is a key of *values*, to that key's value."""

    def delete(self, sql: Sql, table: str, where: Condition) -> None:
        """Delete every row that fulfils the condition."""

    def transaction(self, sql: Sql) -> Any:
        """A context in which all statements take effect or none, if there are transactions."""


class StatementWriter:
    """Changes rows by statements."""

    def insert(self, sql: Sql, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for at in range(0, len(rows), _INSERTED):
            portion = rows[at : at + _INSERTED]
            names = list(portion[0])
            values = [as_json_text(row[name]) for row in portion for name in names]
            sql.execute((statements.insert(sql, table, names, len(portion)), values))

    def update(self, sql: Sql, table: str, changes: Mapping[str, Value], where: Condition) -> None:
        sql.execute(statements.update(sql, sql.dialect, table, changes, where))

    def assign(
        self, sql: Sql, table: str, column: str, by: str, values: Mapping[Any, Value]
    ) -> None:
        if values:
            sql.execute(statements.assign(sql, sql.dialect, table, column, by, values))

    def delete(self, sql: Sql, table: str, where: Condition) -> None:
        sql.execute(statements.delete(sql, sql.dialect, table, where))

    @contextmanager
    def transaction(self, sql: Sql) -> Iterator[None]:
        with sql.client.begin_transaction():
            yield


BY_STATEMENTS: Final = StatementWriter()


@dataclass(frozen=True, slots=True)
class Sql:
    """
    Reads and changes the tables of one dataset, over an open connection.

    Attributes:
        writer: Changes and deletes rows.
    """

    client: SqlClient
    schema: dlt.Schema
    writer: RowWriter = BY_STATEMENTS
    dialect: Dialect = field(init=False)

    def __post_init__(self) -> None:
        found = find_dialect(self.client.capabilities.sqlglot_dialect)
        object.__setattr__(self, "dialect", found)

    def table(self, name: str) -> str:
        """The table's name, qualified and quoted."""
        return str(self.client.make_qualified_table_name(find_table(self.schema, name)))

    def column(self, name: str) -> str:
        """The column's name, quoted."""
        return str(self.client.escape_column_name(name))

    def columns_of(self, table: str) -> list[str]:
        """The columns that *table* has in the destination, as far as dlt knows."""
        return list(self.schema.get_table_columns(find_table(self.schema, table)))

    def select(
        self,
        table: str,
        where: Condition,
        columns: Sequence[str] = (),
        order_by: Sequence[str] = (),
    ) -> list[Row]:
        """Read rows with the named *columns*, or with all of the table's if none is named."""
        names = columns or self.columns_of(table)
        values = self.iter_values(table, where, names, order_by)
        return [dict(zip(names, row, strict=True)) for row in values]

    def iter_values(
        self,
        table: str,
        where: Condition,
        columns: Sequence[str],
        order_by: Sequence[str] = (),
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the values of *columns*, row by row, with few rows in memory at once."""
        query = statements.select(self, table, where, columns, order_by=order_by)
        return self.iter_rows(query, table, columns)

    def iter_arrow(
        self, table: str, where: Condition, columns: Sequence[str], rows: int
    ) -> Iterator[Any]:
        """Yield the same as Arrow tables of at most *rows* rows, none of them empty."""
        return self.iter_batches(statements.select(self, table, where, columns), rows)

    def iter_batches(self, query: Rendered, rows: int) -> Iterator[Any]:
        """Yield the result of *query* as Arrow tables of at most *rows* rows, none empty."""
        text, parameters = query
        given = (as_parameter(each, self.dialect) for each in parameters)
        with self.client.execute_query(text, *given) as cursor:
            yield from (each for each in cursor.iter_arrow(rows) if each.num_rows)

    def select_distinct(
        self, table: str, where: Condition, columns: Sequence[str]
    ) -> list[tuple[Any, ...]]:
        """Each combination of values of *columns* once."""
        query = statements.select_distinct(self, table, where, columns)
        return list(self.iter_rows(query, table, columns))

    def count(self, table: str, where: Condition = EVERY_ROW) -> int:
        """How many rows fulfil the condition."""
        ((rows,),) = self.iter_rows(statements.count(self, table, where), table, ("",))
        return int(rows)

    def count_elsewhere(self, schema: str, table: str) -> int:
        """How many rows a table or view in another schema of the database has."""
        name = f"{self.column(schema)}.{self.column(table)}"
        text, _ = statements.count_qualified(name)
        with self.client.execute_query(text) as cursor:
            ((rows,),) = cursor.fetchmany(1)
        return int(rows)

    def count_by(self, table: str, where: Condition, column: str) -> dict[Any, int]:
        """How many rows have each value of *column*."""
        return {value: rows for (value,), rows in self.iter_groups(table, where, (column,))}

    def iter_groups(
        self, table: str, where: Condition, columns: Sequence[str]
    ) -> Iterator[tuple[tuple[Any, ...], int]]:
        """Each combination of values of *columns*, and how many rows have it."""
        query = statements.count_by(self, table, where, columns)
        for *values, rows in self.iter_rows(query, table, (*columns, "")):
            yield tuple(values), int(rows)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert *rows* with the same columns; objects and lists become JSON text."""
        self.writer.insert(self, table, rows)

    def update(self, table: str, changes: Mapping[str, Value], where: Condition) -> None:
        """Set the columns of *changes* in every row that fulfils the condition."""
        self.writer.update(self, table, changes, where)

    def assign(self, table: str, column: str, by: str, values: Mapping[Any, Value]) -> None:
        """Set *column* in the rows whose column *by* is a key of *values*, to that key's value."""
        self.writer.assign(self, table, column, by, values)

    def delete(self, table: str, where: Condition) -> None:
        """Delete every row that fulfils the condition."""
        self.writer.delete(self, table, where)

    def rename_column(self, table: str, name: str, to: str) -> None:
        """Rename a column; its values, grants and comments are kept."""
        self.execute((maintenance.rename_column(self, table, name, to), []))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside take effect or none, if the destination has transactions."""
        with self.writer.transaction(self):
            yield

    def set_comments(self, table: str, comments: Mapping[str, str]) -> None:
        """Set comments of columns, and of the table under ``""``, if the destination has them."""
        for text in statements.set_comments(self, self.dialect, table, comments):
            self.client.execute_sql(text)

    def execute(self, statement: Rendered) -> None:
        """Run a statement without a result. For writers; other callers use the methods above."""
        text, parameters = statement
        self.client.execute_sql(text, *(as_parameter(each, self.dialect) for each in parameters))

    def fetch(self, text: str, *parameters: Value) -> list[tuple[Any, ...]]:
        """Fetch the rows of a query on the destination's own catalogs, not on our tables."""
        with self.client.execute_query(text, *parameters) as cursor:
            return list(cursor.fetchall())

    def find_highest(self, table: str, column: str) -> Any:
        """The highest value of *column*; None without rows."""
        limit = limit_clause(self.client, 1)
        query = statements.select(
            self, table, EVERY_ROW, (column,), order_by=(column,), descending=True, limit=limit
        )
        return next((value for (value,) in self.iter_rows(query, table, (column,))), None)

    def iter_rows(
        self, query: Rendered, table: str, columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        """Yield a result whose columns are *columns*; ``""`` is a column that the table lacks."""
        text, parameters = query
        readers = {} if self.dialect.is_typed else self._find_readers(table, columns)
        given = (as_parameter(each, self.dialect) for each in parameters)
        with self.client.execute_query(text, *given) as cursor:
            while rows := cursor.fetchmany(_FETCHED):
                yield from _convert(rows, readers) if readers else rows

    def _find_readers(self, table: str, columns: Sequence[str]) -> dict[int, Callable[[Any], Any]]:
        """The converters of a result's values, by column index."""
        known = self.schema.get_table_columns(find_table(self.schema, table))
        types = [str(known[each].get("data_type")) if each in known else "" for each in columns]
        return {at: READERS[each] for at, each in enumerate(types) if each in READERS}


def _convert(
    rows: Sequence[Sequence[Any]], readers: Mapping[int, Callable[[Any], Any]]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(readers[at](value) if at in readers else value for at, value in enumerate(row))
