"""Harvest's own reports, as the sandbox serves them, agree with the consultancy's records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.sandbox import ManualClock, World, agency_settings
from tests.support.agency_figures import (
    MONEY_BUDGETS,
    ZERO,
    Records,
    Row,
    cents,
    number,
    read_records,
)
from tests.support.agency_projects import budgets, uninvoiced

TODAY = date(2026, 6, 17)
YEARS = (("2025-01-01", "2025-12-31"), ("2026-01-01", "2026-12-31"))
SUBJECTS = {"clients": "client", "projects": "project", "tasks": "task", "team": "user"}


@pytest.fixture(scope="module")
def world() -> World:
    """A small consultancy with more than a year of history."""
    return World(agency_settings(9000, 15, clock=ManualClock(), limit=False))


@pytest.fixture(scope="module")
def records(world: World) -> Records:
    """Its records."""
    return read_records(world, TODAY)


def within(rows: list[Row], first: str, last: str) -> Iterator[Row]:
    """The rows spent in a window."""
    return (row for row in rows if first <= row["spent_date"] <= last)


@pytest.mark.parametrize("by", SUBJECTS)
@pytest.mark.parametrize("year", YEARS)
def test_time_reports(world: World, records: Records, by: str, year: tuple[str, str]) -> None:
    """Hours are rounded; amounts are rounded hours at the billable rate, without fixed fees."""
    sums: dict[Any, list[Decimal]] = defaultdict(lambda: [ZERO] * 3)
    for entry in within(records.rows("time_entries"), *year):
        of = sums[entry[SUBJECTS[by]]["id"], entry["client"]["currency"]]
        hours = number(entry["rounded_hours"])
        of[0] += hours
        of[1] += hours if entry["billable"] else 0
        of[2] += records.billable_amount(entry) or 0
    report = {
        (row[f"{SUBJECTS[by]}_id"], row["currency"]): [
            number(row["total_hours"]),
            number(row["billable_hours"]),
            number(row["billable_amount"]),
        ]
        for row in world.report(f"report_time_{by}", *year)
    }
    assert report == {
        key: [total, billable, cents(amount)]
        for key, (total, billable, amount) in sums.items()
        if total
    }


@pytest.mark.parametrize("year", YEARS)
def test_expense_reports(world: World, records: Records, year: tuple[str, str]) -> None:
    """The report has total and billable costs by project."""
    sums: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO] * 2)
    for expense in within(records.rows("expenses"), *year):
        cost = number(expense["total_cost"])
        sums[expense["project"]["id"]][0] += cost
        sums[expense["project"]["id"]][1] += cost if expense["billable"] else 0
    report = {
        row["project_id"]: [number(row["total_amount"]), number(row["billable_amount"])]
        for row in world.report("report_expenses_projects", *year)
    }
    assert report == sums


def test_uninvoiced_report(world: World, records: Records) -> None:
    """The rows of two years add up to the figures; each year has the whole open fixed fee."""
    found: dict[int, list[Decimal]] = defaultdict(lambda: [ZERO] * 3)
    for year in YEARS:
        for row in world.report("report_uninvoiced", *year):
            of = found[row["project_id"]]
            of[0] += number(row["uninvoiced_hours"])
            of[1] += number(row["uninvoiced_expenses"])
            fixed = records.projects[row["project_id"]]["is_fixed_fee"]
            of[2] = number(row["uninvoiced_amount"]) + (ZERO if fixed else of[2])
    for project_id, figures in uninvoiced(records, running=True).items():
        hours, expenses, amount = found[project_id]
        assert (hours, expenses) == (figures.hours, figures.expenses)
        project = records.projects[project_id]
        if not project["is_fixed_fee"]:
            assert amount == figures.amount
        elif figures.fee is not None:
            # The window's expenses are in its row; the fee is the same in both.
            late = sum(
                number(row["total_cost"])
                for row in within(records.rows("expenses"), *YEARS[1])
                if row["project"]["id"] == project_id
                if row["billable"] and not row["is_billed"]
            )
            assert amount == figures.fee + late


def test_project_budget_report(world: World, records: Records) -> None:
    """The report has budget, spent and left, in hours or money, of every project with a budget."""
    report = {row["project_id"]: row for row in world.report("report_project_budget")}
    figures = budgets(records)
    assert report.keys() == figures.keys()
    for project_id, row in report.items():
        budget = figures[project_id]
        by_money = records.projects[project_id]["budget_by"] in MONEY_BUDGETS
        spent = cents(budget.spent) if by_money else budget.spent
        assert number(row["budget_spent"]) == spent
        assert (row["budget"] is None) == (budget.budget is None)
        if budget.budget is not None:
            assert number(row["budget"]) == budget.budget
            assert number(row["budget_remaining"]) == budget.budget - spent
