"""Building blocks of questions: filters, and the SELECT that a question becomes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.ask.catalog import Table
from harvest_source.ask.statement_guard import Relation, StatementRefused
from harvest_source.sql.maintenance import quote

MAX_LIMIT: Final = 500
"""Maximum number of records in one answer."""

MOST_ROWS: Final = 100_000
"""Maximum number of rows in the answer to a query or a sum."""

OPERATORS: Final[dict[str, str]] = {
    "=": "=",
    "!=": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "~": "ILIKE",
}
"""Operators of filters and their SQL; ``~`` means "contains", ignoring case."""

_FILTER: Final = re.compile(r"\s*(\w+)\s*(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """``column operator value``; a value of None tests for null."""

    column: str
    operator: str
    value: str | None

    def build(self, table: Table) -> tuple[str, tuple[Any, ...]]:
        """Build the SQL condition and its parameters."""
        column = quote(table.column(self.column).name)
        if self.operator not in OPERATORS:
            msg = f"There is no operator {self.operator[:10]!r}. Use one of: " + " ".join(OPERATORS)
            raise StatementRefused(msg)
        if self.value is None:
            if self.operator not in ("=", "!="):
                raise StatementRefused("Only = and != accept null.")
            return f"{column} IS {'NOT ' if self.operator == '!=' else ''}NULL", ()
        if self.operator == "~":
            return f"CAST({column} AS VARCHAR) ILIKE ? ESCAPE '\\'", (
                build_contains_pattern(self.value),
            )
        return f"{column} {OPERATORS[self.operator]} ?", (self.value,)


def check_limit(limit: int, most: int, name: str = "limit") -> None:
    """
    Check how many rows are asked for.

    Raises:
        StatementRefused: It is no whole number between 1 and *most*.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= most:
        msg = f"{name} is {repr(limit)[:40]}. It must be a whole number between 1 and {most:,}."
        raise StatementRefused(msg)


def parse_filter(text: str) -> Filter:
    """
    Parse a typed filter, such as ``is_billed=false``, ``spent_date>=2026-01-01``, ``notes~call``.

    The value ``null``, in lower case, matches rows without a value.

    Raises:
        StatementRefused: The text does not have this form.
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
    """Build the conditions of *filters*, and their parameters in order."""
    conditions: list[str] = []
    parameters: list[Any] = []
    for each in filters:
        condition, values = each.build(table)
        conditions.append(condition)
        parameters += values
    return conditions, parameters


def join_where(conditions: Sequence[str]) -> str:
    """Join conditions to a WHERE clause; empty if there are none."""
    return " WHERE " + " AND ".join(f"({each})" for each in conditions) if conditions else ""


def build_contains_pattern(text: str) -> str:
    """Build the pattern of texts that contain *text*, for ``ILIKE ? ESCAPE '\\'``."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
