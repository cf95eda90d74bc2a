"""
Our own SQL: a few kinds of statement, each built in one place, for any SQL destination of dlt.

Tables and columns are named by our own names and quoted by the destination's rules. Rows come back
as dictionaries under our own names, never under those that a cursor reports. Conditions are values
(:class:`Equals`, :class:`OneOf`, ...): what a statement may say is what they can say. None of them
is correlated, and no bare boolean is a condition, so that each dialect has a form for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

import dlt

from harvest_source.dlt_internals import SqlClient, find_table

Value: TypeAlias = str | int | Decimal | date | None
"""A parameter; ``bool`` is an ``int`` and ``datetime`` a ``date``."""

Row: TypeAlias = dict[str, Any]

Rendered: TypeAlias = tuple[str, list[Value]]
"""A piece of SQL with marks for its parameters, and the parameters."""

_INSERTED: Final = 100
"""Rows that one statement inserts."""

_FETCHED: Final = 2000
"""Rows in memory at once while a result is iterated."""


class Names(Protocol):
    """How the destination spells tables and columns."""

    def table(self, name: str) -> str: ...
    def column(self, name: str) -> str: ...


class Condition(Protocol):
    """What rows must fulfil."""

    def render(self, names: Names) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has the value; null where the value is None."""

    column: str
    value: Value

    def render(self, names: Names) -> Rendered:
        if self.value is None:
            return f"{names.column(self.column)} IS NULL", []
        return f"{names.column(self.column)} = %s", [self.value]


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column has one of the values, none of which is null. No values: no row."""

    column: str
    values: Sequence[Value]

    def render(self, names: Names) -> Rendered:
        if not self.values:
            return "1 = 0", []
        marks = ", ".join(["%s"] * len(self.values))
        return f"{names.column(self.column)} IN ({marks})", list(self.values)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The column is not null and has none of the values. No values: every row."""

    column: str
    values: Sequence[Value]

    def render(self, names: Names) -> Rendered:
        if not self.values:
            return "1 = 1", []
        marks = ", ".join(["%s"] * len(self.values))
        return f"{names.column(self.column)} NOT IN ({marks})", list(self.values)


@dataclass(frozen=True, slots=True)
class Within:
    """``start <= column < end``, null excluded. None: no bound on that side."""

    column: str
    start: Value
    end: Value

    def render(self, names: Names) -> Rendered:
        column = names.column(self.column)
        terms: list[str] = [f"{column} IS NOT NULL"]
        values: list[Value] = []
        for sign, bound in ((">=", self.start), ("<", self.end)):
            if bound is not None:
                terms.append(f"{column} {sign} %s")
                values.append(bound)
        return " AND ".join(terms), values


@dataclass(frozen=True, slots=True)
class InTable:
    """
    The column has a value that *other_column* has in some row of another table; or has none.

    Attributes:
        where: Rows of the other table that count.
        negated: The value is in no such row. Neither column may be null then.
    """

    column: str
    other_table: str
    other_column: str
    where: Condition
    negated: bool = False

    def render(self, names: Names) -> Rendered:
        condition, values = self.where.render(names)
        verb = "NOT IN" if self.negated else "IN"
        return (
            f"{names.column(self.column)} {verb} (SELECT {names.column(self.other_column)} "  # noqa: S608 - quoted names
            f"FROM {names.table(self.other_table)} WHERE {condition})",
            values,
        )


class _Joined:
    """Conditions joined by one word."""

    __slots__ = ("conditions",)
    word = ""
    neutral = ""

    def __init__(self, *conditions: Condition) -> None:
        self.conditions = conditions

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.conditions))})"

    def render(self, names: Names) -> Rendered:
        if not self.conditions:
            return self.neutral, []
        rendered = [condition.render(names) for condition in self.conditions]
        text = f" {self.word} ".join(f"({each})" for each, _ in rendered)
        return text, [value for _, values in rendered for value in values]


class AllOf(_Joined):
    """Every condition is true. Without any: every row."""

    word, neutral = "AND", "1 = 1"


class AnyOf(_Joined):
    """At least one condition is true. Without any: no row."""

    word, neutral = "OR", "1 = 0"


EVERY_ROW: Final = AllOf()


@dataclass(frozen=True, slots=True)
class Sql:
    """Statements on the tables of one dataset, over an open connection."""

    client: SqlClient
    schema: dlt.Schema

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
        """Rows with the named *columns*, all of the table's when none is named."""
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
        """The values of *columns*, row by row; few rows are in memory at once."""
        condition, parameters = where.render(self)
        order = f" ORDER BY {self._list(order_by)}" if order_by else ""
        query = f"SELECT {self._list(columns)} FROM {self.table(table)} WHERE {condition}{order}"  # noqa: S608 - quoted names
        with self.client.execute_query(query, *parameters) as cursor:
            while rows := cursor.fetchmany(_FETCHED):
                yield from rows

    def select_distinct(
        self, table: str, where: Condition, columns: Sequence[str]
    ) -> list[tuple[Any, ...]]:
        """Each combination of values of *columns* once."""
        condition, parameters = where.render(self)
        query = f"SELECT DISTINCT {self._list(columns)} FROM {self.table(table)} WHERE {condition}"  # noqa: S608 - quoted names
        return self._fetch(query, parameters)

    def count(self, table: str, where: Condition = EVERY_ROW) -> int:
        """How many rows fulfil the condition."""
        condition, parameters = where.render(self)
        query = f"SELECT COUNT(*) FROM {self.table(table)} WHERE {condition}"  # noqa: S608 - quoted names
        return int(self._fetch(query, parameters)[0][0])

    def count_by(self, table: str, where: Condition, column: str) -> dict[Any, int]:
        """How many rows have each value of *column*."""
        condition, parameters = where.render(self)
        name = self.column(column)
        query = (
            f"SELECT {name}, COUNT(*) FROM {self.table(table)} WHERE {condition} GROUP BY {name}"  # noqa: S608 - quoted names
        )
        return {value: int(rows) for value, rows in self._fetch(query, parameters)}

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add *rows* of the same columns; objects and lists go in as JSON text."""
        for at in range(0, len(rows), _INSERTED):
            portion = rows[at : at + _INSERTED]
            names = list(portion[0])
            marks = ", ".join([f"({', '.join(['%s'] * len(names))})"] * len(portion))
            self.client.execute_sql(
                f"INSERT INTO {self.table(table)} ({self._list(names)}) VALUES {marks}",  # noqa: S608 - quoted names
                *(_as_parameter(row[name]) for row in portion for name in names),
            )

    def update(self, table: str, values: Mapping[str, Value], where: Condition) -> None:
        """Set the columns of *values* in every row that fulfils the condition."""
        condition, parameters = where.render(self)
        changes = ", ".join(f"{self.column(name)} = %s" for name in values)
        self.client.execute_sql(
            f"UPDATE {self.table(table)} SET {changes} WHERE {condition}",  # noqa: S608 - quoted names
            *values.values(),
            *parameters,
        )

    def delete(self, table: str, where: Condition) -> None:
        """Delete every row that fulfils the condition."""
        condition, parameters = where.render(self)
        self.client.execute_sql(
            f"DELETE FROM {self.table(table)} WHERE {condition}",  # noqa: S608 - quoted names
            *parameters,
        )

    def describe(self, table: str, comments: Mapping[str, str]) -> None:
        """Set the comments of columns, and of the table under the name ``""``."""
        name = self.table(table)
        self.client.execute_sql(
            ";".join(
                f"COMMENT ON {f'COLUMN {name}.{self.column(c)}' if c else f'TABLE {name}'} "
                f"IS {_quote_text(text)}"
                for c, text in comments.items()
            )
        )

    def query(self, text: str, names: Sequence[str], *parameters: Value) -> list[Row]:
        """
        Rows of a query that the statements above cannot say: sums and joins.

        Args:
            text: Tables in braces: ``SELECT SUM(hours) FROM {time_entries}``.
            names: The names of the result's columns, in order.
        """
        rows = self._fetch(text.format_map(_Tables(self)), parameters)
        return [dict(zip(names, row, strict=True)) for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside happen, or none, where the destination has transactions."""
        with self.client.begin_transaction():
            yield

    def _list(self, columns: Sequence[str]) -> str:
        return ", ".join(map(self.column, columns))

    def _fetch(self, query: str, parameters: Sequence[Value]) -> list[tuple[Any, ...]]:
        with self.client.execute_query(query, *parameters) as cursor:
            return list(cursor.fetchall())


class _Tables(dict[str, str]):
    """The names of tables as they stand in a statement, made when they are asked for."""

    def __init__(self, sql: Sql) -> None:
        super().__init__()
        self._sql = sql

    def __missing__(self, name: str) -> str:
        return self._sql.table(name)


def _quote_text(text: str) -> str:
    """
    A text where no parameter can stand.

    As standard SQL has it: dlt's ``escape_literal`` writes ``E'...'``, which DuckDB takes in
    COMMENT without its escapes.
    """
    return "'" + text.replace("'", "''") + "'"


def _as_parameter(value: Any) -> Value:
    return json.dumps(value) if isinstance(value, Mapping | list) else value
