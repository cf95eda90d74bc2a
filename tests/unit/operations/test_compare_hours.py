"""Hours and amounts of one project and year beside Harvest's report."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.compare_hours import ProjectTotal, find_project_years
from harvest_source.operations.comparisons import Comparison, State

YEAR = DateWindow(date(2024, 1, 1), date(2025, 1, 1))
SUMS = {"hours": Decimal("10.25"), "amount": Decimal("1025.00"), "billable_rows": 2}
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
    """Hours and amount, named by project and year."""
    found = compare()
    assert {name: each.state for name, each in found.items()} == {
        "hours": State.OK,
        "amount": State.OK,
    }
    assert {each.scope for each in found.values()} == {"project 17, 2024"}


def test_a_difference_is_read_again_for_that_project_and_year() -> None:
    """No more than what differs."""
    found = compare(reported=[{**REPORTED, "total_hours": "10.26"}])["hours"]
    assert found.state is State.DIFFERS
    assert found.slices == (Slice(YEAR, only=("project__id", 17)),)


def test_hours_that_changed_since_the_sync_are_no_difference() -> None:
    """Neither are the amounts that follow from them."""
    found = compare(is_unsettled=True, reported=[{**REPORTED, "total_hours": "12"}])
    assert found["hours"].detail == "changed since the last sync"
    assert compare(is_unsettled=True, sums={})["amount"].state is State.INFORMATION


def test_amounts_hidden_from_the_role_are_not_compared() -> None:
    """The report shows null in their place."""
    assert compare(reported=[{**REPORTED, "billable_amount": None}]).keys() == {"hours"}


def test_entries_that_harvest_does_not_report_differ() -> None:
    """The project is not in the report of that year at all."""
    found = compare(reported=[])
    assert (found["hours"].here, found["hours"].there) == (Decimal("10.25"), Decimal(0))
    assert found["hours"].state is State.DIFFERS


def test_hours_that_only_harvest_has_differ() -> None:
    """The warehouse has no entry of that project and year."""
    assert compare(sums={})["hours"].state is State.DIFFERS


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
def test_amounts_that_may_differ_rightly_are_an_information(
    fields: dict[str, Any], reason: str
) -> None:
    """With the reason; hours have no such excuse."""
    found = compare(**{"sums": {**SUMS, "amount": Decimal(1)}, **fields})
    assert found["amount"].state is State.INFORMATION
    assert reason in found["amount"].detail
    assert found["hours"].state is State.OK


def test_a_fixed_fee_is_not_added_up_by_rates() -> None:
    """Its entries have rates all the same; Harvest reports nothing for them."""
    project = {"is_fixed_fee": True}
    found = compare(project=project, reported=[{**REPORTED, "billable_amount": "0"}])
    assert (found["amount"].here, found["amount"].state) == (Decimal(0), State.OK)


def test_a_window_cut_by_the_bound_is_named_by_its_year() -> None:
    """``start_date`` lies within it."""
    found = compare(window=DateWindow(date(2024, 5, 1), date(2025, 1, 1)))
    assert found["hours"].scope == "project 17, 2024"


def test_entries_belong_to_their_project_and_year() -> None:
    """Days come as some destinations hand them out; undated entries belong to none."""
    entries: list[dict[str, Any]] = [
        {"project__id": 1, "spent_date": date(2024, 5, 1)},
        {"project__id": 1, "spent_date": "2023-12-31"},
        {"project__id": 2, "spent_date": None},
    ]
    assert find_project_years(entries) == {(1, 2024), (1, 2023)}
