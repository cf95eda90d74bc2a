"""Which values of rows differ."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from harvest_source.operations.compare_values import find_values, name_row
from harvest_source.schema.records import INVOICE, TIME_ENTRY


def test_only_rows_on_both_sides_are_compared() -> None:
    """A row that is missing on one side is reported by the ids."""
    found = find_values({1: {"a": 1}, 2: {"a": 2}}, {2: {"a": 2}, 3: {"a": 3}}, ["a"])
    assert (found.equal, found.differing) == (1, {})


def test_a_differing_row_names_only_the_differing_columns() -> None:
    """Only the columns that differ are named, in the order of the columns."""
    here, there = {1: {"a": 1, "b": 2, "c": 3}}, {1: {"a": 0, "b": 2, "c": None}}
    found = find_values(here, there, ["a", "b", "c"])
    assert (found.equal, found.differing) == (0, {1: ("a", "c")})
    assert name_row(1, found.differing[1]) == "id 1: a, c"
    assert name_row(None, ["clock"]) == "clock"


@pytest.mark.parametrize(
    ("here", "there", "is_exact", "is_equal"),
    [
        (Decimal("0.1"), Decimal("0.100000000"), True, True),
        (Decimal("12345678901.123456"), Decimal("12345678901.123456789"), True, False),
        (Decimal("12345678901.123457"), Decimal("12345678901.123456789"), False, True),
        (Decimal("0.1"), Decimal("0.2"), False, False),
        ("ab", "a\0b", True, True),
        ("", None, True, False),
        (None, Decimal(0), False, False),
        (True, False, True, False),
    ],
)
def test_values_a_destination_cannot_hold_are_not_differences(
    here: Any, there: Any, is_exact: bool, is_equal: bool
) -> None:
    """SQLite keeps 15 digits of a decimal, and PostgreSQL no NUL; nothing else is excused."""
    found = find_values({1: {"a": here}}, {1: {"a": there}}, ["a"], is_exact=is_exact)
    assert found.equal == is_equal


def test_columns_copied_from_other_records_are_not_a_records_own() -> None:
    """The other record's id is the record's own; so is an object that is not a record."""
    names = {each.name for each in TIME_ENTRY.own_columns}
    assert {"user__id", "client__id", "invoice__id", "external_reference__service"} <= names
    assert not {"client__name", "task_assignment__hourly_rate", "invoice__number"} & names
    assert "client__name" not in {each.name for each in INVOICE.own_columns}
