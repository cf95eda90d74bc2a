"""
Conditions on rows, as values: a statement can express only these conditions.

None of them is correlated or a bare boolean, so that all dialects share one form of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

Value: TypeAlias = str | int | float | Decimal | date | None
"""A parameter; ``bool`` is an ``int`` and ``datetime`` a ``date``."""

Rendered: TypeAlias = tuple[str, list[Value]]
"""A piece of SQL with placeholders for its parameters, and the parameters."""


class Names(Protocol):
    """How the destination spells tables and columns."""

    def table(self, name: str) -> str:
        """The table's name, qualified and quoted."""

    def column(self, name: str) -> str:
        """The column's name, quoted."""


class Condition(Protocol):
    """What rows must fulfil."""

    def render(self, names: Names) -> Rendered:
        """Return its text, and its parameters in the order of their placeholders."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has the value; if the value is None, the column is null."""

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
    The column has a value that *other_column* has in some row of another table; negated: in no row.

    Attributes:
        where: Condition on the rows of the other table.
        negated: The value is in no such row. Then neither column may be null.
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
