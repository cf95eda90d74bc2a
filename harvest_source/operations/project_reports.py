"""Harvest's own sums by project and year, and the warehouse's figures to compare with them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, Final

from harvest_source.concurrency import in_parallel
from harvest_source.extract.report_years import report_params, year_window
from harvest_source.extract.slices import DateWindow
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import (
    AT_ONCE,
    CHANGED,
    EXACT,
    Subject,
    add_up,
    as_number,
)
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.sql.conditions import Equals
from harvest_source.sql.values import as_day

Row = Mapping[str, Any]
ProjectYear = tuple[int, int]

_PROJECT: Final = ("id", "is_fixed_fee", "name", "client__name", "client__currency")

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Sums:
    """What the rows of one project and year add up to, exactly."""

    quantity: Decimal = Decimal(0)
    """Hours of entries, cost of expenses."""
    amount: Decimal = Decimal(0)
    """The amount of the billable rows, unrounded."""
    rounded: Decimal = Decimal(0)
    """The same, with the amount of each row rounded to cents."""

    def add(self, quantity: Decimal, amount: Decimal, rows: int) -> Sums:
        """These sums plus *rows* rows, each with this quantity and this amount."""
        cents = amount.quantize(_CENT, ROUND_HALF_UP, EXACT)
        return Sums(
            EXACT.fma(quantity, Decimal(rows), self.quantity),
            EXACT.fma(amount, Decimal(rows), self.amount),
            EXACT.fma(cents, Decimal(rows), self.rounded),
        )

    def choose_amount(self, there: Decimal) -> Decimal:
        """
        The amount to compare with *there*: the sum of rounded amounts if that equals *there*.

        Unverified against a live account: whether Harvest rounds each row's amount or the sum.
        Only these two are accepted, and nothing between them.
        """
        return self.rounded if self.rounded == there else self.amount


def iter_reported(
    table: AuditedTable, report: str, sums: Collection[ProjectYear]
) -> Iterator[tuple[int, DateWindow, list[Row]]]:
    """
    Yield project, the year's window and rows of *report*, one row for each currency.

    The years are those of *sums*, including years entered by mistake, within the table's bound; the
    projects of a year are those with rows here or there. Each year takes one request of the
    allowance for reports.

    Raises:
        HarvestError: Harvest did not answer.
    """
    years = sorted({year for _, year in sums})
    windows = [year_window(year, table.copy.bound) for year in years]
    reports = in_parallel(partial(_fetch_report, table, report), windows, workers=AT_ONCE)
    for year, window, reported in zip(years, windows, reports, strict=True):
        for project in sorted({project for project, on in sums if on == year} | set(reported)):
            yield project, window, reported.get(project, [])


def _fetch_report(table: AuditedTable, report: str, window: DateWindow) -> dict[int, list[Row]]:
    """The rows of *report* by project."""
    rows: dict[int, list[Row]] = defaultdict(list)
    path = BY_NAME[report].list_path
    for page in table.session.client.iter_pages(path, key="results", params=report_params(window)):
        for row in json.loads(page.rows, parse_float=Decimal):
            rows[row["project_id"]].append(row)
    return rows


def add_column(rows: Iterable[Row], column: str) -> Decimal:
    """The sum of one column of a report."""
    return add_up(as_number(row.get(column)) for row in rows)


def find_projects(workspace: Workspace, account_id: int) -> dict[int, Row]:
    """The projects in the warehouse by id, with their names and what decides their amounts."""
    if not workspace.warehouse.has_table("projects"):
        return {}
    names = [each for each in _PROJECT if workspace.has_column("projects", each)]
    with workspace.warehouse.sql() as sql:
        rows = sql.select("projects", Equals(ACCOUNT_ID, account_id), names)
        return {row["id"]: row for row in rows}


def name_project(project_id: int, reported: Sequence[Row], stored: Row | None) -> Subject:
    """The project with its names, taken from Harvest's report, or else from the warehouse."""
    theirs, ours = reported[0] if reported else {}, stored or {}
    return Subject(
        "project",
        project_id,
        theirs.get("project_name") or ours.get("name") or "",
        theirs.get("client_name") or ours.get("client__name") or "",
    )


def find_currency(reported: Sequence[Row], stored: Row | None) -> str:
    """The currency of a project's amounts; empty where there are several, or it is not known."""
    found = {each.get("currency") for each in reported} or {(stored or {}).get("client__currency")}
    return str(found.pop() or "") if len(found) == 1 else ""


def find_project_years(rows: Iterable[Row]) -> set[ProjectYear]:
    """The projects and years that *rows* belong to; undated rows belong to none."""
    days = ((each["project__id"], as_day(each["spent_date"])) for each in rows)
    return {(project, day.year) for project, day in days if day is not None}


def iter_versions(changed: Sequence[ChangedRow]) -> Iterator[Row]:
    """Both versions of every row that changed since the merge."""
    for each in changed:
        yield from each.versions


def explain_change(is_unsettled: bool) -> str:
    """Why the sums of a project and year may differ: rows of it changed. Empty: they did not."""
    return CHANGED if is_unsettled else ""
