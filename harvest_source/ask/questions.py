"""
Questions that need no SQL, as frozen values, and the SELECT that each becomes.

The worker builds the SELECT, because it has the catalog: names are checked against what the caller
may read, and values are passed as parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.ask.catalog import Catalog, Table, TableColumn
from harvest_source.ask.filters import (
    Built,
    Filter,
    build_contains_pattern,
    build_where,
    join_where,
)
from harvest_source.ask.statement_guard import Relation, StatementRefused
from harvest_source.ask.sum_time import SumTime
from harvest_source.sql.maintenance import quote


@dataclass(frozen=True, slots=True)
class ListRecords:
    """
    Records of one table, in a stable order, continued after a key.

    Attributes:
        columns: Columns to return; empty: all.
        order: Column names, with ``-`` before a name for descending; the key is appended.
        after: Values of the sort columns in the last record of the previous answer.
    """

    table: str
    where: tuple[Filter, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    after: tuple[Any, ...] | None = None

    def build(self, catalog: Catalog) -> Built:
        """
        Build the SELECT. The sort columns are repeated at the end, for the cursor.

        Raises:
            StatementRefused: A table, column or operator does not exist for the caller.
        """
        table = catalog.find(self.table)
        columns = [table.column(name) for name in self.columns] or list(table.columns)
        has_key = bool(table.key) and catalog.has_unique_keys(table)
        order = self._complete_order(table, has_key=has_key)
        conditions, parameters = build_where(table, self.where)
        source = table.quoted
        if not has_key:
            # Rows that are equal in everything are counted, so that each has a place of its own.
            source = _number_copies(source, order, conditions)
            order, conditions = [*order, (_COPY, False)], []
        if self.after is not None:
            condition, values = _build_after(order, self.after)
            conditions.append(condition)
            parameters += values
        names = [quote(column.name) for column in columns]
        keys = [f"{key} AS {quote(f'cursor {at}')}" for at, (key, _) in enumerate(order)]
        sorting = ", ".join(
            f"{key} {'DESC' if is_down else 'ASC'} NULLS LAST" for key, is_down in order
        )
        sql = (
            f"SELECT {', '.join(names + keys)} FROM {source}"  # noqa: S608
            f"{join_where(conditions)} ORDER BY {sorting}"
        )
        return Built(sql, tuple(parameters), (table.relation,))

    def _complete_order(self, table: Table, *, has_key: bool) -> list[tuple[str, bool]]:
        """
        The requested order, then what makes it unambiguous: the key, or every column.

        Each part is an SQL expression, and whether it descends. A cursor holds their values, so
        texts are sorted by their beginning. Without a key, the digest tells apart rows whose texts
        begin alike.
        """
        asked = [
            (table.column(name.removeprefix("-")), name.startswith("-")) for name in self.order
        ]
        names = {column.name for column, _ in asked}
        every = tuple(column.name for column in table.columns)
        wanted = table.key if has_key else dict.fromkeys((*table.key, *every))
        rest = [(table.column(name), False) for name in wanted if name not in names]
        order = [(_build_sort_key(column), is_down) for column, is_down in asked + rest]
        texts = [f"CAST({quote(each.name)} AS VARCHAR)" for each in table.columns if _is_long(each)]
        if texts and not has_key:
            order.append((f"md5(concat_ws('|', {', '.join(texts)}))", False))
        return order


_COPY: Final = quote("cursor copy")
"""The column that counts equal rows. No table of ours has a column of that name."""


def _number_copies(
    source: str, order: Sequence[tuple[str, bool]], conditions: Sequence[str]
) -> str:
    """The SQL of the rows of *source* that match *conditions*, with :data:`_COPY`."""
    keys = ", ".join(key for key, _ in order)
    return (
        f"(SELECT *, row_number() OVER (PARTITION BY {keys}) AS {_COPY} "  # noqa: S608
        f"FROM {source}{join_where(conditions)}) AS numbered"
    )


_SORTED_CHARACTERS: Final = 100
"""Characters of a text by which lists are sorted: a text of any length would not fit a cursor."""


def _is_long(column: TableColumn) -> bool:
    """Whether values are texts, or lists and structures that are sorted as texts."""
    beginnings = ("VARCHAR", "JSON", "BLOB", "BIT", "STRUCT", "MAP", "UNION")
    return column.type.startswith(beginnings) or column.type.endswith("]")


def _build_sort_key(column: TableColumn) -> str:
    """The SQL expression by which a list is sorted."""
    name = quote(column.name)
    return f"left(CAST({name} AS VARCHAR), {_SORTED_CHARACTERS})" if _is_long(column) else name


@dataclass(frozen=True, slots=True)
class GetRecord:
    """The records of a table with one id: one, or one for each account or period."""

    table: str
    id: str

    def build(self, catalog: Catalog) -> Built:
        """Build the SELECT."""
        table = catalog.find(self.table)
        key = table.id_column
        if key is None:
            msg = f"Rows of {table.name} have no id of their own. List them with a filter."
            raise StatementRefused(msg)
        sql = f"SELECT * FROM {table.quoted} WHERE {quote(key)} = ?"  # noqa: S608
        return Built(sql, (self.id,), (table.relation,))


_PERSON: Final = "TRIM(COALESCE(first_name, '') || ' ' || COALESCE(last_name, ''))"
"""The name of a person, who may lack one of the two. Words in lower case are columns."""

NAMED: Final = (
    ("client", "clients", "name"),
    ("project", "projects", "name"),
    ("project", "projects", "code"),
    ("person", "users", _PERSON),
    ("person", "users", "email"),
    ("task", "tasks", "name"),
)
"""Where :class:`FindNames` looks: kind, table, and the SQL expression that is searched."""


@dataclass(frozen=True, slots=True)
class FindNames:
    """Clients, projects, people and tasks by a part of their name, ignoring case."""

    text: str

    def build(self, catalog: Catalog) -> Built:
        """Build the SELECT."""
        parts: list[str] = []
        tables: list[Relation] = []
        for kind, name, expression in NAMED:
            table = catalog.get(name)
            label = _PERSON if name == "users" else "name"
            wanted = re.findall(r"[a-z_]+", f"account_id id {label} {expression}")
            if table is None or not table.has(*wanted):
                continue
            tables.append(table.relation)
            is_active = "is_active" if table.has("is_active") else "NULL::BOOLEAN AS is_active"
            parts.append(
                f"SELECT DISTINCT '{kind}' AS kind, account_id, id, {label} AS name, {is_active} "  # noqa: S608
                f"FROM {table.quoted} WHERE {expression} ILIKE ? ESCAPE '\\'"
            )
        if not parts:
            raise StatementRefused("There is no table of clients, projects, people or tasks here.")
        sql = " UNION ".join(parts) + " ORDER BY kind, is_active DESC, name, id"
        return Built(
            sql, (build_contains_pattern(self.text),) * len(parts), tuple(dict.fromkeys(tables))
        )


@dataclass(frozen=True, slots=True)
class ListTables:
    """Every table that the caller may read: name, schema, key, number of columns, description."""

    def build(self, catalog: Catalog) -> Built:
        """Build a SELECT of rows that come from the catalog."""
        rows = catalog.describe_tables()
        return _build_values(("name", "schema", "key", "columns", "description"), rows)


@dataclass(frozen=True, slots=True)
class DescribeTable:
    """The columns of a table, with types, descriptions and the ranges of their values."""

    table: str

    def build(self, catalog: Catalog) -> Built:
        """
        Build a SELECT of the catalog's columns, each with its least and greatest value.

        Only numbers, dates and times have ranges, because users may have written anything into
        texts. Columns of views have none, because the view's rows would have to be computed.
        """
        table = catalog.find(self.table)
        rows = [
            (at, column.name, column.type, column.name in table.key, column.description)
            for at, column in enumerate(table.columns, start=1)
        ]
        columns = _build_values(("at", "column", "type", "is_key", "description"), rows)
        least, greatest = (
            ", ".join(_build_end(function, column, table) for column in table.columns)
            for function in ("MIN", "MAX")
        )
        source = "(SELECT 1)" if table.is_view else table.quoted
        sql = (
            'SELECT t."column", t.type, t.is_key, t.description, '  # noqa: S608
            "r.least[t.at] AS least, r.greatest[t.at] AS greatest "
            f"FROM ({columns.sql}) AS t, "
            f"(SELECT [{least}] AS least, [{greatest}] AS greatest FROM {source}) AS r "
            "ORDER BY t.at"
        )
        return Built(sql, columns.parameters, () if table.is_view else (table.relation,))


_RANGED: Final = (
    "BIGINT",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "HUGEINT",
    "INTEGER",
    "SMALLINT",
    "TIMESTAMP",
    "TINYINT",
)
"""Prefixes of the types whose ranges are shown."""


def _build_end(function: str, column: TableColumn, table: Table) -> str:
    """The SQL of one end of a column's range, as text."""
    if table.is_view or not column.type.startswith(_RANGED):
        return "NULL::VARCHAR"
    text = f"CAST({function}({quote(column.name)}) AS VARCHAR)"
    has_places = column.type.startswith("DECIMAL") and not column.type.endswith(",0)")
    return f"rtrim(rtrim({text}, '0'), '.')" if has_places else text


@dataclass(frozen=True, slots=True)
class GetStatus:
    """The last syncs: when, and with what result."""

    limit: int = 5

    def build(self, catalog: Catalog) -> Built:
        """Build the SELECT. Raises StatementRefused if no sync is recorded."""
        table = catalog.syncs
        if table is None:
            raise StatementRefused("No sync is recorded here: plain dlt filled this warehouse.")
        shown = ("started_at", "ended_at", "status", "account_ids", "errors")
        names = ", ".join(quote(each) for each in shown if table.has(each))
        sql = f"SELECT {names} FROM {table.quoted} ORDER BY started_at DESC LIMIT {self.limit}"  # noqa: S608
        return Built(sql, (), (table.relation,))


Question = ListRecords | GetRecord | FindNames | SumTime | ListTables | DescribeTable | GetStatus
KINDS: Final[dict[str, type[Any]]] = {
    each.__name__: each
    for each in (ListRecords, GetRecord, FindNames, SumTime, ListTables, DescribeTable, GetStatus)
}


def parse_question(value: Mapping[str, Any]) -> Question:
    """Rebuild a question from its :func:`dataclasses.asdict` form with a ``kind``."""
    fields = {name: each for name, each in value.items() if name != "kind"}
    if "where" in fields:
        fields["where"] = tuple(Filter(**each) for each in fields["where"])
    question: Question = KINDS[value["kind"]](**fields)
    return question


def _build_after(order: Sequence[tuple[str, bool]], after: Sequence[Any]) -> tuple[str, list[Any]]:
    """
    Build the condition that a row sorts after the values *after*, with nulls last.

    Args:
        order: SQL expressions, and whether each descends.

    One alternative for each sort column: equal in all columns before it, and later in this one.
    """
    if len(after) != len(order):
        raise StatementRefused("This cursor belongs to another list. Begin again without it.")
    alternatives: list[str] = []
    parameters: list[Any] = []
    for at, (key, is_down) in enumerate(order):
        if after[at] is None:
            continue  # Nulls sort last: nothing comes after them in this column.
        parts: list[str] = []
        for (earlier, _), value in zip(order[:at], after[:at], strict=True):
            if value is None:
                parts.append(f"{earlier} IS NULL")
            else:
                parts.append(f"{earlier} = ?")
                parameters.append(value)
        parts.append(f"({key} {'<' if is_down else '>'} ? OR {key} IS NULL)")
        parameters.append(after[at])
        alternatives.append(" AND ".join(parts))
    return (" OR ".join(f"({each})" for each in alternatives) or "FALSE"), parameters


def _build_values(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Built:
    """Build a SELECT of known rows, so that every answer comes from a SELECT."""
    if not rows:
        empty = ", ".join(f"NULL AS {quote(name)}" for name in names)
        return Built(f"SELECT {empty} WHERE FALSE", (), ())
    marks = ", ".join("(" + ", ".join("?" for _ in names) + ")" for _ in rows)
    columns = ", ".join(quote(name) for name in names)
    parameters = tuple(value for row in rows for value in row)
    return Built(f"SELECT * FROM (VALUES {marks}) AS t({columns})", parameters, ())  # noqa: S608
