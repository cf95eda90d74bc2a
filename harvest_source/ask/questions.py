"""
What can be asked without writing SQL, as frozen values, and the SELECT that each becomes.

Built in the worker, where the catalog is at hand: names are checked against what the caller may
read, values travel as parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.ask.catalog import Catalog, Table
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.sql.maintenance import quote

MAX_LIMIT: Final = 500
"""Records that one answer holds at most."""

OPERATORS: Final[dict[str, str]] = {
    "=": "=",
    "!=": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "~": "ILIKE",
}
"""What a filter may ask, and how SQL says it; ``~`` is "contains", in any case."""

_FILTER: Final = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """``column operator value``; a value of None asks whether there is one."""

    column: str
    operator: str
    value: str | None

    def build(self, table: Table) -> tuple[str, tuple[Any, ...]]:
        """The condition, and its parameters."""
        column = quote(table.column(self.column).name)
        if self.operator not in OPERATORS:
            msg = f"There is no operator {self.operator[:10]!r}. Use one of: " + " ".join(OPERATORS)
            raise StatementRefused(msg)
        if self.value is None:
            if self.operator not in ("=", "!="):
                raise StatementRefused("Only = and != ask for null.")
            return f"{column} IS {'NOT ' if self.operator == '!=' else ''}NULL", ()
        if self.operator == "~":
            escaped = re.sub(r"([\\%_])", r"\\\1", self.value)
            return f"CAST({column} AS VARCHAR) ILIKE ? ESCAPE '\\'", (f"%{escaped}%",)
        return f"{column} {OPERATORS[self.operator]} ?", (self.value,)


def parse_filter(text: str) -> Filter:
    """
    A filter as people type it: ``is_billed=false``, ``spent_date>=2026-01-01``, ``notes~call``.

    ``null`` as value, in small letters, asks for rows without a value.

    Raises:
        StatementRefused: It has another form.
    """
    found = _FILTER.fullmatch(text)
    if found is None:
        msg = f"A filter looks like spent_date>=2026-01-01, and {text[:40]!r} does not."
        raise StatementRefused(msg)
    column, operator, value = found.groups()
    return Filter(column, operator, None if value.strip() == "null" else value.strip())


@dataclass(frozen=True, slots=True)
class Built:
    """A SELECT of ours: its text, its parameters, and the tables that it reads."""

    sql: str
    parameters: tuple[Any, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListRecords:
    """
    Records of one table, in a stable order, continued after a key.

    Attributes:
        columns: Empty: all.
        order: Names, each with ``-`` before it for descending; the key follows by itself.
        after: Values of the order's columns in the last record of the answer before.
    """

    table: str
    where: tuple[Filter, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    limit: int = 100
    after: tuple[Any, ...] | None = None

    def build(self, catalog: Catalog) -> Built:
        """
        The SELECT. The order's columns stand last, once more, for the cursor.

        Raises:
            StatementRefused: A table, column or operator that does not exist for the caller.
        """
        table = catalog.find(self.table)
        columns = [table.column(name) for name in self.columns] or list(table.columns)
        order = self._complete_order(table)
        conditions, parameters = build_where(table, self.where)
        if self.after is not None:
            condition, values = _build_after(order, self.after)
            conditions.append(condition)
            parameters += values
        names = [quote(column.name) for column in columns]
        keys = [f"{quote(name)} AS {quote(f'cursor {at}')}" for at, (name, _) in enumerate(order)]
        sorting = ", ".join(
            f"{quote(name)} {'DESC' if is_down else 'ASC'} NULLS LAST" for name, is_down in order
        )
        sql = (
            f"SELECT {', '.join(names + keys)} FROM {table.quoted}"  # noqa: S608
            f"{join_where(conditions)} ORDER BY {sorting}"
        )
        return Built(sql, tuple(parameters), (table.name,))

    def _complete_order(self, table: Table) -> list[tuple[str, bool]]:
        """The asked order, then what makes it unambiguous: the key, or every column."""
        asked = [
            (table.column(name.removeprefix("-")).name, name.startswith("-")) for name in self.order
        ]
        names = {name for name, _ in asked}
        rest = table.key or tuple(column.name for column in table.columns)
        return asked + [(name, False) for name in rest if name not in names]


@dataclass(frozen=True, slots=True)
class GetRecord:
    """The records of a table with one id: one, or one for each account or period."""

    table: str
    id: str

    def build(self, catalog: Catalog) -> Built:
        """The SELECT."""
        table = catalog.find(self.table)
        key = table.id_column
        if key is None:
            msg = f"Rows of {table.name} have no id of their own. List them with a filter."
            raise StatementRefused(msg)
        sql = f"SELECT * FROM {table.quoted} WHERE {quote(key)} = ?"  # noqa: S608
        return Built(sql, (self.id,), (table.name,))


NAMED: Final = (
    ("client", "clients", "name"),
    ("project", "projects", "name"),
    ("project", "projects", "code"),
    ("person", "users", "first_name || ' ' || last_name"),
    ("person", "users", "email"),
    ("task", "tasks", "name"),
)
"""Where :class:`FindNames` looks: kind, table and the text that is searched."""


@dataclass(frozen=True, slots=True)
class FindNames:
    """Clients, projects, people and tasks by a part of their name, in any case."""

    text: str
    limit: int = 50

    def build(self, catalog: Catalog) -> Built:
        """The SELECT."""
        escaped = "%" + re.sub(r"([\\%_])", r"\\\1", self.text) + "%"
        parts, tables = [], []
        for kind, name, expression in NAMED:
            table = catalog.get(name)
            if table is None or not table.has(*re.findall(r"[a-z_]+", expression)):
                continue
            tables.append(table.name)
            label = "first_name || ' ' || last_name" if name == "users" else "name"
            parts.append(
                f"SELECT DISTINCT '{kind}' AS kind, account_id, id, {label} AS name, is_active "  # noqa: S608
                f"FROM {table.quoted} WHERE {expression} ILIKE ? ESCAPE '\\'"
            )
        if not parts:
            raise StatementRefused("There is no table of clients, projects, people or tasks here.")
        sql = " UNION ".join(parts) + " ORDER BY kind, is_active DESC, name, id"
        return Built(sql, (escaped,) * len(parts), tuple(dict.fromkeys(tables)))


PERIODS: Final = ("day", "week", "month")
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "client": ("client__id", "client__name"),
    "project": ("project__id", "project__name"),
    "person": ("user__id", "user__name"),
    "task": ("task__id", "task__name"),
}
"""What :class:`SumTime` sums by: an id, and the newest name that an entry has for it."""

_MONEY: Final = "DECIMAL(18, 6)"
"""Products of two decimal(38,9) overflow; these have 36 digits."""


@dataclass(frozen=True, slots=True)
class SumTime:
    """
    Hours and amounts of time entries, for each currency by itself.

    Attributes:
        by: Some of ``client project person task day week month``.
        start: First day; empty: from the beginning.
        end: Last day; empty: to the end.
        where: Filters on columns of ``time_entries``.
    """

    by: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    where: tuple[Filter, ...] = ()
    limit: int = MAX_LIMIT

    def build(self, catalog: Catalog) -> Built:
        """
        The SELECT.

        The amount is Harvest's: rounded hours times the billable rate of billable entries. Entries
        that are billable and show no rate are counted apart, because their amount is not known.
        """
        table = catalog.find("time_entries")
        keys, names = self._build_groups()
        conditions, parameters = build_where(table, self.where)
        for operator, day in ((">=", self.start), ("<=", self.end)):
            if day:
                conditions.append(f"spent_date {operator} CAST(? AS DATE)")
                parameters.append(day)
        sums = (
            "client__currency AS currency",
            "COUNT(*) AS entries",
            "SUM(hours) AS hours",
            "SUM(rounded_hours) AS rounded_hours",
            "COALESCE(SUM(CASE WHEN billable THEN rounded_hours END), 0) AS billable_hours",
            f"SUM(CASE WHEN billable THEN CAST(rounded_hours AS {_MONEY}) * "
            f"CAST(billable_rate AS {_MONEY}) END) AS amount",
            "COUNT(CASE WHEN billable AND billable_rate IS NULL THEN 1 END) AS without_rate",
        )
        sql = (
            f"SELECT {', '.join([*keys, *names, *sums])} FROM {table.quoted}"  # noqa: S608
            f"{join_where(conditions)} "
            f"GROUP BY {', '.join([*self._group_keys(), 'client__currency'])} ORDER BY ALL"
        )
        return Built(sql, tuple(parameters), (table.name,))

    def _group_keys(self) -> list[str]:
        return [
            f"date_trunc('{each}', spent_date)" if each in PERIODS else GROUPS[each][0]
            for each in self.by
        ]

    def _build_groups(self) -> tuple[list[str], list[str]]:
        unknown = [each for each in self.by if each not in (*PERIODS, *GROUPS)]
        if unknown:
            msg = f"Time is summed by {', '.join((*GROUPS, *PERIODS))}, not by {unknown[0][:40]!r}."
            raise StatementRefused(msg)
        keys, names = [], []
        for each in self.by:
            if each in PERIODS:
                keys.append(f"CAST(date_trunc('{each}', spent_date) AS DATE) AS {each}")
                continue
            key, name = GROUPS[each]
            keys.append(f"{key} AS {each}_id")
            names.append(f"arg_max({name}, updated_at) AS {each}_name")
        return keys, names


@dataclass(frozen=True, slots=True)
class ListTables:
    """Every table that the caller may read, with its rows as DuckDB estimates them."""

    def build(self, catalog: Catalog) -> Built:
        """The rows are the catalog's own."""
        rows = catalog.describe_tables()
        return _build_values(("name", "schema", "key", "columns", "description"), rows)


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """The columns of a table, with types and descriptions."""

    table: str

    def build(self, catalog: Catalog) -> Built:
        """The rows are the catalog's own."""
        table = catalog.find(self.table)
        rows = [
            (column.name, column.type, column.name in table.key, column.description)
            for column in table.columns
        ]
        return _build_values(("column", "type", "is_key", "description"), rows)


Question = ListRecords | GetRecord | FindNames | SumTime | ListTables | DescribeTable
KINDS: Final[dict[str, type[Any]]] = {
    each.__name__: each
    for each in (ListRecords, GetRecord, FindNames, SumTime, ListTables, DescribeTable)
}


def parse_question(value: Mapping[str, Any]) -> Question:
    """A question as :func:`dataclasses.asdict` leaves it, with its ``kind``."""
    fields = {name: each for name, each in value.items() if name != "kind"}
    if "where" in fields:
        fields["where"] = tuple(Filter(**each) for each in fields["where"])
    question: Question = KINDS[value["kind"]](**fields)
    return question


def build_where(table: Table, filters: Sequence[Filter]) -> tuple[list[str], list[Any]]:
    """The conditions of *filters*, and their parameters in order."""
    conditions: list[str] = []
    parameters: list[Any] = []
    for each in filters:
        condition, values = each.build(table)
        conditions.append(condition)
        parameters += values
    return conditions, parameters


def join_where(conditions: Sequence[str]) -> str:
    """A WHERE clause, or nothing."""
    return " WHERE " + " AND ".join(f"({each})" for each in conditions) if conditions else ""


def _build_after(order: Sequence[tuple[str, bool]], after: Sequence[Any]) -> tuple[str, list[Any]]:
    """
    The condition that a row stands behind the values *after*, nulls last.

    One alternative for each column of the order: equal in all before it, and behind in this one.
    """
    if len(after) != len(order):
        raise StatementRefused("This cursor belongs to another list. Begin again without it.")
    alternatives: list[str] = []
    parameters: list[Any] = []
    for at, (name, is_down) in enumerate(order):
        if after[at] is None:
            continue  # Nulls stand last: nothing is behind them in this column.
        parts: list[str] = []
        for (earlier, _), value in zip(order[:at], after[:at], strict=True):
            if value is None:
                parts.append(f"{quote(earlier)} IS NULL")
            else:
                parts.append(f"{quote(earlier)} = ?")
                parameters.append(value)
        column = quote(name)
        parts.append(f"({column} {'<' if is_down else '>'} ? OR {column} IS NULL)")
        parameters.append(after[at])
        alternatives.append(" AND ".join(parts))
    return (" OR ".join(f"({each})" for each in alternatives) or "FALSE"), parameters


def _build_values(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Built:
    """Rows that are known already, as a SELECT, so that every answer comes the same way."""
    if not rows:
        empty = ", ".join(f"NULL AS {quote(name)}" for name in names)
        return Built(f"SELECT {empty} WHERE FALSE", (), ())
    marks = ", ".join("(" + ", ".join("?" for _ in names) + ")" for _ in rows)
    columns = ", ".join(quote(name) for name in names)
    parameters = tuple(value for row in rows for value in row)
    return Built(f"SELECT * FROM (VALUES {marks}) AS t({columns})", parameters, ())  # noqa: S608
