"""Compare hours and billable amounts by project and year with Harvest's own report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import EXACT, HALF_CENT, Comparison, as_number
from harvest_source.operations.project_reports import (
    ProjectYear,
    Row,
    Sums,
    add_column,
    explain_change,
    find_currency,
    find_project_years,
    find_projects,
    iter_reported,
    iter_versions,
    name_project,
)
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, Equals

_REPORT: Final = "report_time_projects"

_COLUMNS: Final = ("project", "hours", "billable", "rate")
"""The columns that equal entries have in common; without amounts, the first two."""

HOURS_NEED: Final = ("time_entries.project__id", "time_entries.rounded_hours")
AMOUNTS_NEED: Final = (
    "time_entries.billable",
    "time_entries.billable_rate",
    "projects.is_fixed_fee",
)
"""The columns that comparing amounts needs."""


@dataclass(frozen=True, slots=True)
class HoursComparison:
    """
    The hours of one account.

    Args:
        changed: Entries that changed since the merge: the sums that they belong to may differ.
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
        if self.workspace.lacks("hours", HOURS_NEED):
            return
        has_amounts = not self.workspace.lacks("amounts", AMOUNTS_NEED)
        unsettled = find_project_years(iter_versions(self.changed))
        unsettled |= find_project_years(self._iter_timers())
        with self.workspace.warehouse.querying():
            unsettled |= find_project_years(self._select_timers())
            sums = self._sum_entries(has_amounts)
            projects = find_projects(self.workspace, self.table.session.account_id)
        for project, window, reported in iter_reported(self.table, _REPORT, sums):
            assert window.start is not None
            place = project, window.start.year
            total = ProjectTotal(
                project,
                window,
                sums.get(place, Sums()),
                reported,
                projects.get(project),
                place in unsettled,
            )
            yield from total.compare(self.table.session.account_id, has_amounts=has_amounts)

    def _iter_timers(self) -> Iterator[Row]:
        """Harvest's running timers, whose hours grow."""
        flag = self.table.endpoint.volatile
        assert flag is not None
        for page in self.table.reader.iter_tables(Slice(flag=flag), ReadResult()):
            yield from page.to_pylist()

    def _select_timers(self) -> list[Row]:
        """The entries that are running timers in the warehouse."""
        flag = self.table.endpoint.volatile
        assert flag is not None
        if not self.workspace.has_column("time_entries", flag[0]):
            return []  # A timer stopped since then has changed; running ones were read before.
        account = Equals(ACCOUNT_ID, self.table.session.account_id)
        is_running = AllOf(account, Equals(flag[0], True))
        with self.workspace.warehouse.sql() as sql:
            return [*sql.select("time_entries", is_running, ("project__id", "spent_date"))]

    def _sum_entries(self, has_amounts: bool) -> dict[ProjectYear, Sums]:
        """
        Hours and amounts by project and year.

        The destination only groups equal entries: a product of two columns may exceed what it can
        hold, and so may a sum of such products.
        """
        amounts = ("billable", "billable_rate") if has_amounts else ()
        groups = self.table.copy.iter_year_groups(
            ("project__id", "rounded_hours", *amounts), needed=("project__id",)
        )
        return add_groups(
            {"year": year, "rows": rows, **dict(zip(_COLUMNS, values, strict=False))}
            for year, values, rows in groups
        )


def add_groups(groups: Iterable[Row]) -> dict[ProjectYear, Sums]:
    """The sums of groups of equal entries, of any size: nothing is rounded, nothing overflows."""
    sums: dict[ProjectYear, Sums] = defaultdict(Sums)
    for each in groups:
        hours, place = as_number(each["hours"]), (each["project"], int(each["year"]))
        rate = as_number(each["rate"]) if each.get("billable") else Decimal(0)
        sums[place] = sums[place].add(hours, EXACT.multiply(hours, rate), each["rows"])
    return dict(sums)


@dataclass(frozen=True, slots=True)
class ProjectTotal:
    """The hours of one project in one year."""

    project_id: int
    window: DateWindow
    sums: Sums
    """In the warehouse."""
    reported: Sequence[Row]
    """Harvest's rows of the project, one for each currency."""
    project: Row | None
    """The project in the warehouse."""
    is_unsettled: bool
    """Whether entries of it changed since the last sync, or are running."""

    def compare(self, account_id: int, *, has_amounts: bool = True) -> Iterator[Comparison]:
        """The hours and, where Harvest shows them to this token, the amounts."""
        yield self._compare(
            account_id,
            "hours",
            here=self.sums.quantity,
            there=add_column(self.reported, "total_hours"),
            excuse=explain_change(self.is_unsettled),
        )
        if not has_amounts or any(each.get("billable_amount") is None for each in self.reported):
            return  # Amounts are hidden from this role.
        is_fixed = self.project is not None and self.project.get("is_fixed_fee") is True
        there = add_column(self.reported, "billable_amount")
        yield self._compare(
            account_id,
            "amount",
            currency=find_currency(self.reported, self.project),
            here=Decimal(0) if is_fixed else self.sums.choose_amount(there),
            there=there,
            excuse=explain_change(self.is_unsettled) or explain_amount(self.project, self.reported),
        )

    def _compare(self, account_id: int, check: str, **figures: Any) -> Comparison:
        assert self.window.start is not None
        return Comparison(
            account_id=account_id,
            table="time_entries",
            check=check,
            scope=f"project {self.project_id}, {self.window.start.year}",
            subject=name_project(self.project_id, self.reported, self.project),
            year=self.window.start.year,
            tolerance=HALF_CENT,
            slices=(Slice(self.window, only=("project__id", self.project_id)),),
            **figures,
        )


def explain_amount(project: Row | None, reported: Sequence[Row]) -> str:
    """Why an amount may differ although nothing is wrong; empty when it must be equal."""
    if project is None:
        return "the project is not in the warehouse, so it is unknown whether it has a fixed fee"
    if len({each.get("currency") for each in reported}) > 1:
        return "reported in several currencies"
    if project.get("is_fixed_fee"):
        return "fixed fee: it is unknown how Harvest reports its hours"
    return ""
