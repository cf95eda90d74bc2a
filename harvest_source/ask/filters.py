"""What a question is made of: filters, and the SELECT that it becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.ask.catalog import Table
from harvest_source.ask.statement_guard import Relation, StatementRefused
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
            return f"CAST({column} AS VARCHAR) ILIKE ? ESCAPE '\\'", (contain(self.value),)
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
    tables: tuple[Relation, ...]


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


def contain(text: str) -> str:
    """The pattern of texts that have *text* in them, for ``ILIKE ? ESCAPE '\\'``."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
