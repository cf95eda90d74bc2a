"""One figure on two sides: when it counts as equal, and what a difference is called."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.operations.comparisons import (
    HALF_CENT,
    Comparison,
    State,
    as_number,
    choose_for_day,
)

TODAY = date(2026, 11, 22)


def compare(here: str, there: str, **fields: Any) -> Comparison:
    given = {"account_id": 7, "table": "time_entries", "check": "hours", "scope": "2024"}
    return Comparison(**{**given, **fields}, here=Decimal(here), there=Decimal(there))


@pytest.mark.parametrize(
    ("here", "there", "tolerance", "expected"),
    [
        ("10", "10", "0", State.OK),
        ("10", "10.000000000", "0", State.OK),
        ("10", "10.000000001", "0", State.DIFFERS),
        ("10.005", "10", "0.005", State.OK),
        ("10", "10.005", "0.005", State.OK),
        ("10.006", "10", "0.005", State.DIFFERS),
    ],
)
def test_figures_within_the_tolerance_are_equal(
    here: str, there: str, tolerance: str, expected: State
) -> None:
    """The tolerance is inclusive, and applies in both directions."""
    assert compare(here, there, tolerance=Decimal(tolerance)).state is expected


def test_an_excused_difference_is_informational() -> None:
    """The excuse is reported with it."""
    found = compare("1", "2", excuse="fixed fee")
    assert (found.state, found.detail) == (State.INFORMATION, "fixed fee")


def test_equal_figures_need_no_excuse() -> None:
    """Equal figures are reported without a detail."""
    found = compare("2", "2", excuse="fixed fee")
    assert (found.state, found.detail) == (State.OK, "")


def test_the_object_of_json_has_exact_numbers() -> None:
    """Numbers are text: no binary float, no exponent, no padding."""
    found = compare("1234567.250000000", "1E+2", tolerance=HALF_CENT)
    assert found.as_dict() == {
        "account_id": 7,
        "table": "time_entries",
        "check": "hours",
        "scope": "2024",
        "currency": "",
        "name": "",
        "client": "",
        "here": "1234567.25",
        "there": "100",
        "state": "differs",
        "detail": "",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "0"), (0.1, "0.1"), (3, "3"), ("2.50", "2.50"), (Decimal("9.99"), "9.99")],
)
def test_numbers_are_read_as_they_are_written(value: Any, expected: str) -> None:
    """A float is what its digits say; None is zero."""
    assert as_number(value) == Decimal(expected)


@pytest.mark.parametrize("cadence", [1, 2, 7, 14, 28, 30], ids="every {} days".format)
@pytest.mark.parametrize("count", [26, 35, 60, 175, 350, 1000])
def test_all_take_turns_however_often_verify_runs(count: int, cadence: int) -> None:
    """Of 350 lists, 25 each day in order, a run every Sunday compared the same 50 for ever."""
    runs = max(31, count // 25 + 5)
    chosen = [
        choose_for_day(range(count), 25, TODAY + timedelta(days=cadence * run))
        for run in range(runs)
    ]
    assert all(len(each) == len({*each}) == 25 for each in chosen)
    assert {*range(count)} == set[int]().union(*chosen)


def test_few_are_chosen_every_day() -> None:
    """As are none at all, if no request is left for them."""
    assert choose_for_day([7, 8], 2, TODAY) == [7, 8]
    assert choose_for_day([7, 8], 0, TODAY) == []
