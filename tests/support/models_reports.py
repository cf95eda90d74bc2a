"""The marts compared with Harvest's own reports, where both have the same figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tests.support.lab import Row
from tests.support.models_figures import Found
from tests.support.models_lab import ModelsLab, by, is_near, total

SUMMED = (
    "total_hours",
    "billable_hours",
    "billable_amount",
    "uninvoiced_hours",
    "uninvoiced_expenses",
    "uninvoiced_amount",
)
Sums = dict[int, dict[str, Decimal]]
Difference = tuple[str, Any, Any]


def compare_budgets(lab: ModelsLab) -> Found:
    """Compare budget, spent and left of every project, for every kind of budget."""
    theirs = by(lab.server.report("report_project_budget"), "project_id")
    ours = by(lab.mart("budgets"), "project_id")
    names = {"budget": "budget", "spent": "budget_spent", "budget_left": "budget_remaining"}
    return _find(ours, theirs, lambda row, report: _iter_columns(row, report, names))


def compare_time_by_project(lab: ModelsLab) -> Found:
    """Compare rounded hours, billable hours and their amounts, by project."""
    return _compare_time(lab, "report_time_projects", "project_id")


def compare_time_by_person(lab: ModelsLab) -> Found:
    """Compare rounded hours, billable hours and their amounts, by person and currency."""
    return _compare_time(lab, "report_time_team", "user_id")


def compare_uninvoiced(lab: ModelsLab) -> Found:
    """
    Compare uninvoiced hours, expenses and amounts by project.

    Harvest's report repeats the rest of a fixed fee in every window that ends after the project's
    start. It includes running timers, which the model leaves out: stop them first.
    """
    sums = {(key,): row for key, row in add_up(lab, "report_uninvoiced", "project_id").items()}
    last = by(lab.server.report("report_uninvoiced", *windows(lab)[-1]), "project_id")
    for key, row in last.items():
        sums[key]["fee"] = Decimal(str(row["uninvoiced_amount"])) - Decimal(
            str(row["uninvoiced_expenses"])
        )

    def find(row: Row, report: Mapping[str, Decimal]) -> Iterator[Difference]:
        names = {each: each for each in ("uninvoiced_hours", "uninvoiced_expenses")}
        yield from _iter_columns(row, report, names)
        if not row["is_fixed_fee"]:
            yield "uninvoiced_amount", row["uninvoiced_amount"], report["uninvoiced_amount"]
        elif row["uninvoiced_fee"] is not None:  # Harvest treats a missing fee as zero.
            yield "uninvoiced_fee", row["uninvoiced_fee"], report["fee"]

    return _find(by(lab.mart("uninvoiced"), "project_id"), sums, find)


REPORTS: Mapping[str, Callable[[ModelsLab], Found]] = {
    "report_project_budget": compare_budgets,
    "report_time_projects": compare_time_by_project,
    "report_time_team": compare_time_by_person,
    "report_uninvoiced": compare_uninvoiced,
}


def _compare_time(lab: ModelsLab, report: str, key: str) -> Found:
    theirs = {(each,): row for each, row in add_up(lab, report, key).items()}
    entries: dict[tuple[int], list[Row]] = defaultdict(list)
    for row in lab.mart("time_entries"):
        entries[row[key],].append(row)
    ours = {
        each: {
            "total_hours": total(rows, "rounded_hours"),
            "billable_hours": total([r for r in rows if r["is_billable"]], "rounded_hours"),
            "billable_amount": total(rows, "billable_amount"),
        }
        for each, rows in entries.items()
        if total(rows, "rounded_hours")
    }
    names = {each: each for each in ("total_hours", "billable_hours", "billable_amount")}
    return _find(ours, theirs, lambda row, report: _iter_columns(row, report, names))


def windows(lab: ModelsLab) -> list[tuple[str, str]]:
    """Years that together cover every entry and expense, as windows of Harvest's reports."""
    days = [
        row["spent_date"] for name in ("time_entries", "expenses") for row in lab.server.rows(name)
    ]
    years = range(int(min(days)[:4]), int(max(days)[:4]) + 1)
    return [(f"{year}-01-01", f"{year}-12-31") for year in years]


def add_up(lab: ModelsLab, name: str, key: str) -> Sums:
    """A report over all years, its numbers added up by a column."""
    sums: Sums = defaultdict(lambda: defaultdict(Decimal))
    for first, last in windows(lab):
        for row in lab.server.report(name, first, last):
            for column, value in row.items():
                if isinstance(value, int | float | Decimal) and column in SUMMED:
                    sums[row[key]][column] += Decimal(str(value))
    return sums


def _iter_columns(
    row: Row, report: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[Difference]:
    for ours, theirs in names.items():
        yield ours, row[ours], report[theirs]


def _find(
    ours: Mapping[tuple[Any, ...], Row],
    theirs: Mapping[tuple[Any, ...], Any],
    compare: Callable[[Row, Any], Iterator[Difference]],
) -> Found:
    differences = [f"only in one: {key}" for key in ours.keys() ^ theirs.keys()]
    values = 0
    for key in ours.keys() & theirs.keys():
        for column, left, right in compare(ours[key], theirs[key]):
            values += 1
            # Harvest rounds each window and currency separately.
            if not is_near(left, right, "0.05"):
                differences.append(f"{key} {column}: {left}, Harvest {right}")
    return Found(len(ours), values, sorted(differences))
