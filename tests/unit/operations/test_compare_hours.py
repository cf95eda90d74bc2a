"""Hours and amounts of one project and year, compared with Harvest's report."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.compare_hours import ProjectTotal, add_groups
from harvest_source.operations.comparisons import EXACT, Comparison, State
from harvest_source.operations.project_reports import Sums, find_project_years

YEAR = DateWindow(date(2024, 1, 1), date(2025, 1, 1))
SUMS = Sums(Decimal("10.25"), Decimal("1025.00"), Decimal("1025.00"))
REPORTED = {"total_hours": "10.25", "billable_amount": "1025.00", "currency": "EUR"}
PROJECT = {"id": 17, "is_fixed_fee": False}


def compare(**fields: Any) -> dict[str, Comparison]:
    given: dict[str, Any] = {
        "project_id": 17,
        "window": YEAR,
        "sums": SUMS,
        "reported": [REPORTED],
        "project": PROJECT,
        "is_unsettled": False,
    }
    return {each.check: each for each in ProjectTotal(**{**given, **fields}).compare(1000001)}


def test_equal_sums_are_equal() -> None:
    """Equal hours and amounts are named by project and year."""
    found = compare()
    assert {name: each.state for name, each in found.items()} == {
        "hours": State.OK,
        "amount": State.OK,
    }
    assert {each.scope for each in found.values()} == {"project 17, 2024"}


def test_a_difference_is_read_again_for_that_project_and_year() -> None:
    """Only what differs is read again."""
    found = compare(reported=[{**REPORTED, "total_hours": "10.26"}])["hours"]
    assert found.state is State.DIFFERS
    assert found.slices == (Slice(YEAR, only=("project__id", 17)),)


def test_hours_that_changed_since_the_sync_are_no_difference() -> None:
    """Nor are the amounts that follow from them."""
    found = compare(is_unsettled=True, reported=[{**REPORTED, "total_hours": "12"}])
    assert found["hours"].detail == "changed since the last sync"
    assert compare(is_unsettled=True, sums=Sums())["amount"].state is State.INFORMATION


def test_amounts_hidden_from_the_role_are_not_compared() -> None:
    """The report has null in their place."""
    assert compare(reported=[{**REPORTED, "billable_amount": None}]).keys() == {"hours"}


def test_entries_that_harvest_does_not_report_differ() -> None:
    """The project is missing from that year's report."""
    found = compare(reported=[])
    assert (found["hours"].here, found["hours"].there) == (Decimal("10.25"), Decimal(0))
    assert found["hours"].state is State.DIFFERS


def test_hours_that_only_harvest_has_differ() -> None:
    """The warehouse has no entry of that project and year."""
    assert compare(sums=Sums())["hours"].state is State.DIFFERS


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"project": None}, "not in the warehouse"),
        ({"project": {"is_fixed_fee": True}}, "fixed fee"),
        (
            {"reported": [REPORTED, {**REPORTED, "total_hours": "0", "currency": "USD"}]},
            "several currencies",
        ),
    ],
)
def test_amounts_with_a_reason_to_differ_are_informational(
    fields: dict[str, Any], reason: str
) -> None:
    """The reason is given; it does not excuse hours."""
    found = compare(**{"sums": replace(SUMS, amount=Decimal(1), rounded=Decimal(1)), **fields})
    assert found["amount"].state is State.INFORMATION
    assert reason in found["amount"].detail
    assert found["hours"].state is State.OK


@pytest.mark.parametrize(
    ("reported", "state"),
    [
        pytest.param("10.00", State.OK, id="the sum as it is, rounded"),
        pytest.param("10.03", State.OK, id="the sum of rounded amounts"),
        pytest.param("10.02", State.DIFFERS, id="between the two"),
        pytest.param("10.04", State.DIFFERS, id="a cent more"),
    ],
)
def test_an_amount_equals_the_exact_or_the_rounded_sum(reported: str, state: State) -> None:
    """A tolerance of half a cent per row would let whole euros pass."""
    sums = Sums(Decimal("10.25"), Decimal("10.003"), Decimal("10.03"))
    found = compare(sums=sums, reported=[{**REPORTED, "billable_amount": reported}])
    assert found["amount"].state is state


def group(hours: str, rate: str | None, rows: int, *, billable: bool = True) -> dict[str, Any]:
    given = {"project": 17, "year": 2024, "billable": billable}
    return {**given, "hours": hours, "rate": rate, "rows": rows}


def test_sums_are_exact_however_large() -> None:
    """No product exceeds what a column holds, because the destination multiplies nothing."""
    huge = "9" * 29 + ".999999999"
    (sums,) = add_groups([group(huge, huge, 7), group("0.01", "0.5", 3)]).values()
    one = 10**38 - 1
    assert int(sums.quantity.scaleb(9, EXACT)) == 7 * one + 30_000_000
    assert int(sums.amount.scaleb(18, EXACT)) == 7 * one * one + 15 * 10**15
    assert sums.rounded != sums.amount, "0.005 is 0.01, three times"


def test_hours_that_are_not_billable_have_no_amount() -> None:
    """Hours without a rate have none either."""
    (sums,) = add_groups([group("2", "50", 1, billable=False), group("1", None, 1)]).values()
    assert sums == Sums(Decimal(3), Decimal(0), Decimal("0.00"))


def test_a_fixed_fee_is_not_added_up_by_rates() -> None:
    """Its entries have rates, but Harvest reports nothing for them."""
    project = {"is_fixed_fee": True}
    found = compare(project=project, reported=[{**REPORTED, "billable_amount": "0"}])
    assert (found["amount"].here, found["amount"].state) == (Decimal(0), State.OK)


def test_a_window_cut_by_the_bound_is_named_by_its_year() -> None:
    """``start_date`` is within the window."""
    found = compare(window=DateWindow(date(2024, 5, 1), date(2025, 1, 1)))
    assert found["hours"].scope == "project 17, 2024"


def test_entries_belong_to_their_project_and_year() -> None:
    """Days may be text, as in some destinations; undated entries belong to no year."""
    entries: list[dict[str, Any]] = [
        {"project__id": 1, "spent_date": date(2024, 5, 1)},
        {"project__id": 1, "spent_date": "2023-12-31"},
        {"project__id": 2, "spent_date": None},
    ]
    assert find_project_years(entries) == {(1, 2024), (1, 2023)}
