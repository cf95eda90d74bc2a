"""Hours and billable amounts by project and year, against Harvest's own report."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import HALF_CENT, Comparison, as_number
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.sql import AllOf, Equals
from harvest_source.warehouse.table_copy import as_day

_REPORT_YEARS: Final = range(1990, 2101)
"""Years for which Harvest's report is asked; others are typing errors, whose rows are counted."""

_SUMS: Final = ("project", "year", "hours", "amount", "billable_rows")
"""Columns of the sums of the warehouse's entries."""

Row = Mapping[str, Any]
ProjectYear = tuple[int, int]


@dataclass(frozen=True, slots=True)
class HoursComparison:
    """
    The hours of one account.

    Args:
        changed: Entries that changed since the merge: sums that they belong to may differ.
    """

    workspace: Workspace
    table: AuditedTable
    changed: Sequence[ChangedRow]

    def run(self) -> Iterator[Comparison]:
        """
        Compare every project and year that has entries here or in Harvest's report of that year.

        Each year with entries takes one request of the allowance for reports.

        Raises:
            HarvestError: Harvest did not answer, or the destination refused.
        """
        unsettled = find_project_years(self._iter_unsettled())
        sums, projects = self._sum_entries(), self._find_projects()
        for year in sorted({year for _, year in sums if year in _REPORT_YEARS}):
            start, bound = date(year, 1, 1), self.table.copy.bound
            window = DateWindow(start if bound is None else max(start, bound), date(year + 1, 1, 1))
            reported = self._fetch_report(window)
            ours = {project for project, on in sums if on == year}
            for project in sorted(ours | reported.keys()):
                total = ProjectTotal(
                    project,
                    window,
                    sums.get((project, year), {}),
                    reported.get(project, []),
                    projects.get(project),
                    (project, year) in unsettled,
                )
                yield from total.compare(self.table.session.account_id)

    def _iter_unsettled(self) -> Iterator[Row]:
        """Entries whose hours may differ: those that changed, and running timers, which grow."""
        for each in self.changed:
            yield from each.versions
        flag = self.table.endpoint.volatile
        assert flag is not None
        for page in self.table.pair.reader.iter_tables(Slice(flag=flag), ReadResult()):
            yield from page.to_pylist()
        account = Equals(ACCOUNT_ID, self.table.session.account_id)
        is_running = AllOf(account, Equals("is_running", True))
        with self.workspace.warehouse.sql() as sql:
            running = sql.select("time_entries", is_running, ("project__id", "spent_date"))
        yield from running

    def _sum_entries(self) -> dict[ProjectYear, Row]:
        bound = self.table.copy.bound
        query = (
            "SELECT project__id AS project, EXTRACT(YEAR FROM spent_date) AS year, "  # noqa: S608
            "SUM(rounded_hours) AS hours, "
            "SUM(CASE WHEN billable THEN rounded_hours * COALESCE(billable_rate, 0) ELSE 0 END) "
            "AS amount, SUM(CASE WHEN billable THEN 1 ELSE 0 END) AS billable_rows "
            f"FROM {{time_entries}} WHERE {ACCOUNT_ID} = %s "
            f"{'AND spent_date >= %s ' if bound else ''}"
            "AND spent_date IS NOT NULL AND project__id IS NOT NULL GROUP BY 1, 2"
        )
        account_id = self.table.session.account_id
        with self.workspace.warehouse.sql() as sql:
            rows = sql.query(query, _SUMS, account_id, *([bound] if bound else []))
        return {(row["project"], int(row["year"])): row for row in rows}

    def _find_projects(self) -> dict[int, Row]:
        if not self.workspace.warehouse.has_table("projects"):
            return {}
        account = Equals(ACCOUNT_ID, self.table.session.account_id)
        with self.workspace.warehouse.sql() as sql:
            rows = sql.select("projects", account, ("id", "is_fixed_fee"))
        return {row["id"]: row for row in rows}

    def _fetch_report(self, window: DateWindow) -> dict[int, list[Row]]:
        # Reports take days without hyphens.
        params = {name: day.replace("-", "") for name, day in window.params().items()}
        path = BY_NAME["report_time_projects"].list_path
        rows: dict[int, list[Row]] = defaultdict(list)
        for page in self.table.session.client.iter_pages(path, key="results", params=params):
            for row in json.loads(page.rows, parse_float=Decimal):
                rows[row["project_id"]].append(row)
        return rows


@dataclass(frozen=True, slots=True)
class ProjectTotal:
    """The hours of one project in one year."""

    project_id: int
    window: DateWindow
    sums: Row
    """``hours``, ``amount`` and ``billable_rows`` of the warehouse; empty: no entries."""
    reported: Sequence[Row]
    """Harvest's rows of the project, one for each currency."""
    project: Row | None
    """The project in the warehouse."""
    is_unsettled: bool
    """Entries of it changed since the last sync, or are running."""

    def compare(self, account_id: int) -> Iterator[Comparison]:
        """The hours and, where Harvest shows them to this token, the amounts."""
        yield self._compare(
            account_id,
            "hours",
            here=as_number(self.sums.get("hours")),
            there=_add_up(self.reported, "total_hours"),
            tolerance=HALF_CENT,
            excuse=self._explain_change(),
        )
        if any(each.get("billable_amount") is None for each in self.reported):
            return  # Amounts are hidden from this role.
        is_fixed = self.project is not None and self.project["is_fixed_fee"] is True
        yield self._compare(
            account_id,
            "amount",
            here=Decimal(0) if is_fixed else as_number(self.sums.get("amount")),
            there=_add_up(self.reported, "billable_amount"),
            # Unverified against a live account: whether each entry's amount is rounded, or the sum.
            tolerance=HALF_CENT * (1 + int(self.sums.get("billable_rows") or 0)),
            excuse=self._explain_change() or explain_amount(self.project, self.reported),
        )

    def _compare(self, account_id: int, check: str, **figures: Any) -> Comparison:
        assert self.window.start is not None
        return Comparison(
            account_id=account_id,
            table="time_entries",
            check=check,
            scope=f"project {self.project_id}, {self.window.start.year}",
            slices=(Slice(self.window, only=("project__id", self.project_id)),),
            **figures,
        )

    def _explain_change(self) -> str:
        return "changed since the last sync" if self.is_unsettled else ""


def find_project_years(entries: Iterable[Row]) -> set[ProjectYear]:
    """The projects and years that *entries* belong to; undated entries belong to none."""
    days = ((each["project__id"], as_day(each["spent_date"])) for each in entries)
    return {(project, day.year) for project, day in days if day is not None}


def explain_amount(project: Row | None, reported: Sequence[Row]) -> str:
    """Why an amount may differ although nothing is wrong; empty when it must be equal."""
    if project is None:
        return "the project is not in the warehouse: whether it has a fixed fee is not known"
    if len({each.get("currency") for each in reported}) > 1:
        return "reported in several currencies"
    if project["is_fixed_fee"]:
        return "fixed fee: how its hours are reported is not known"
    return ""


def _add_up(rows: Iterable[Row], column: str) -> Decimal:
    return sum((as_number(row.get(column)) for row in rows), Decimal(0))
