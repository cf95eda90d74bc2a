"""A report's sum equals the sum of its entries, after any correction of dates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.support.read_lab import OpenReadLab, ReadLab, assert_read
from tests.support.simulation import DAY, HOUR, number

REPORT = "report_time_projects"


@pytest.fixture
def lab(open_lab: OpenReadLab) -> ReadLab:
    """A lab with thirty entries and no running timer."""
    lab = open_lab(entries=30)
    lab.stop_timers()
    return lab


def add_up(lab: ReadLab) -> Decimal:
    """The total hours of the report as loaded."""
    return sum((row["total_hours"] for row in lab.table(REPORT)), Decimal(0))


def served(lab: ReadLab) -> Decimal:
    """The total hours that Harvest has."""
    rows = lab.server.rows("time_entries")
    return sum((number(row["rounded_hours"]) for row in rows), Decimal(0))


@pytest.mark.parametrize("wrong", ["2016-06-10", "1999-06-10", "0201-06-10", "2062-06-10"])
def test_a_mistaken_year_is_removed_from_the_report(lab: ReadLab, wrong: str) -> None:
    """The year is in the report while an entry has that date; after a fix nothing counts twice."""
    entry = lab.server.rows("time_entries")[0]["id"]
    lab.server.edit("time_entries", entry, spent_date=wrong, hours=8.0)
    lab.read(REPORT)
    assert date.fromisoformat(wrong).year in {row["from_date"].year for row in lab.table(REPORT)}
    assert add_up(lab) == served(lab)
    lab.rest(HOUR)
    lab.server.edit("time_entries", entry, spent_date="2026-06-10")
    lab.read(REPORT)
    years = {row["from_date"].year for row in lab.table(REPORT)}
    assert date.fromisoformat(wrong).year not in years
    assert add_up(lab) == served(lab)


def test_a_start_date_for_one_run_counts_no_day_twice(lab: ReadLab) -> None:
    """Windows of ``--since`` lie inside whole years, whichever was read first."""
    lab.read(REPORT, start_date=date(2025, 4, 1))
    lab.rest(DAY)
    lab.read(REPORT)
    assert add_up(lab) == served(lab)
    lab.rest(DAY)
    lab.read(REPORT, start_date=date(2025, 9, 1))
    assert add_up(lab) == served(lab)


@pytest.mark.parametrize("is_on", [True, False])
def test_expenses_before_the_first_entry_are_in_the_report(lab: ReadLab, is_on: bool) -> None:
    """The uninvoiced report covers the years of both lists; without expenses there is one list."""
    expense = lab.server.rows("expenses")[0]["id"]
    lab.server.edit("expenses", expense, spent_date="2011-02-03", billable=True, invoice=None)
    lab.server.set_module("expense", is_on)
    lab.read("report_uninvoiced")
    years = {row["from_date"].year for row in lab.table("report_uninvoiced")}
    assert (2011 in years) is is_on
    if is_on:
        assert_read(lab, "report_uninvoiced")
