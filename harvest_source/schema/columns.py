"""
What a column is, and what a record is made of.

One declaration (:mod:`harvest_source.schema.records`) feeds the Arrow schema, dlt's hints, the
README and the warehouse's column comments. Nested objects are declared flat, under the names users
see in the warehouse: ``client.name`` is ``client__name``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

ACCOUNT_ID: Final = "account_id"
"""Every row carries the Harvest account that it belongs to."""

LOAD_ID: Final = "_dlt_load_id"
"""dlt's column with the load package that brought the row."""

SEPARATOR: Final = "__"
"""Joins the names of a nested object's members, as dlt does."""

VARIANT: Final = "__v_text"
"""Suffix of the column that holds, exactly, what did not fit the column it is named after."""


class Type(StrEnum):
    """Column types. The values are dlt's names for them."""

    BIGINT = "bigint"
    DECIMAL = "decimal"
    """38 digits, 9 of them after the point: exact, never a float."""
    TEXT = "text"
    BOOL = "bool"
    DATE = "date"
    TIMESTAMP = "timestamp"
    """An instant, UTC, microseconds."""
    JSON = "json"
    """An undeclared array in a table without child tables, kept as JSON text."""


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column of a table, under its warehouse name.

    Every column except keys is nullable, whatever Harvest promises: a member hidden from a role is
    absent, and a value that does not fit goes to ``<name>__v_text`` and leaves null behind.
    """

    name: str
    type: Type
    description: str
    secret: bool = False
    """Opens a document without a login: left out unless asked for."""
    of: str = ""
    """Table whose ``id`` it holds, in the same account; empty: no table that is read."""
    places: int = 4
    """Places after the point that the models keep of a decimal; the table here keeps them all."""
    in_seconds: bool = False
    """A duration that Harvest gives in seconds where people count in hours."""
    changes_silently: bool = False
    """Harvest may change it without a new ``updated_at``, so that no sync brings the change."""


@dataclass(frozen=True, slots=True)
class Child:
    """
    An array of a record, which lands as the child table ``<table>__<name>``.

    An array of plain values has the single column ``value``.
    """

    name: str
    description: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """The declared columns and child tables of one Harvest record."""

    columns: tuple[Column, ...]
    children: tuple[Child, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Names of the columns and of the arrays."""
        arrays = (child.name for child in self.children)
        return frozenset((*(column.name for column in self.columns), *arrays))

    @property
    def own_columns(self) -> tuple[Column, ...]:
        """The columns not copied from another record: ``client__id``, but not ``client__name``."""
        ids = {each.name for each in self.columns if each.of}
        return tuple(
            each
            for each in self.columns
            if each.name in ids or f"{each.name.partition(SEPARATOR)[0]}{SEPARATOR}id" not in ids
        )

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)


def record(*members: Column | Child) -> Record:
    """Build a :class:`Record` from columns and children in Harvest's own order."""
    return Record(
        columns=tuple(member for member in members if isinstance(member, Column)),
        children=tuple(member for member in members if isinstance(member, Child)),
    )


def bigint(name: str, description: str, *, of: str = "") -> Column:
    """Declare a 64-bit whole number, optionally the id *of* a record in another table."""
    return Column(name, Type.BIGINT, description, of=of)


def seconds(name: str, description: str) -> Column:
    """Declare a duration in whole seconds; the models show hours."""
    return Column(name, Type.BIGINT, description, in_seconds=True)


def decimal(name: str, description: str) -> Column:
    """Declare an exact decimal(38,9): hours, rates, quantities, percentages."""
    return Column(name, Type.DECIMAL, description)


def money(name: str, description: str) -> Column:
    """Declare an exact decimal(38,9) that holds an amount of money, so that two places suffice."""
    return Column(name, Type.DECIMAL, description, places=2)


def text(name: str, description: str, *, secret: bool = False) -> Column:
    """Declare text, kept as Harvest sent it; clock times and enumerations too."""
    return Column(name, Type.TEXT, description, secret)


def flag(name: str, description: str) -> Column:
    """Declare a boolean."""
    return Column(name, Type.BOOL, description)


def date(name: str, description: str) -> Column:
    """Declare a calendar day without a zone."""
    return Column(name, Type.DATE, description)


def timestamp(name: str, description: str) -> Column:
    """Declare an instant, UTC."""
    return Column(name, Type.TIMESTAMP, description)


def silently_changing(column: Column) -> Column:
    """
    Declare that Harvest may change *column*, but no money, without a new ``updated_at``.

    Sums depend on rates and amounts: if those differ from Harvest's, the warehouse is wrong. A
    person's current rates are an exception: a rate that was dated ahead comes into force.

    Unverified against a live account: which columns Harvest changes in this way.
    """
    return replace(column, changes_silently=True)


def rows(name: str, description: str, *columns: Column) -> Child:
    """Declare an array of objects."""
    return Child(name, description, columns)


def values(name: str, description: str, column: Type = Type.TEXT, *, of: str = "") -> Child:
    """Declare an array of plain values, optionally ids *of* records in another table."""
    return Child(name, description, (Column("value", column, description, of=of),))
