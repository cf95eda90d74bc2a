"""Compare expenses by project and year with Harvest's own report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from harvest_source.extract.slices import Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import HALF_CENT, Comparison, as_number
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

_REPORT: Final = "report_expenses_projects"
_COLUMNS: Final = ("project", "cost", "billable")
"""The columns that equal expenses have in common."""

EXPENSES_NEED: Final = ("expenses.project__id", "expenses.total_cost", "expenses.billable")


@dataclass(frozen=True, slots=True)
class ExpensesComparison:
    """
    The expenses of one account.

    Args:
        changed: Expenses that changed since the merge: the sums that they belong to may differ.
    """

    workspace: Workspace
    table: AuditedTable
    changed: Sequence[ChangedRow]

    def run(self) -> Iterator[Comparison]:
        """
        Compare cost and billable cost of every project and year that has expenses.

        Each year with expenses takes one request of the allowance for reports.

        Raises:
            HarvestError: Harvest did not answer, or the destination refused.
        """
        if self.workspace.lacks("expenses", EXPENSES_NEED):
            return
        unsettled = find_project_years(iter_versions(self.changed))
        account_id = self.table.session.account_id
        with self.workspace.warehouse.querying():
            sums = self._sum_expenses()
            projects = find_projects(self.workspace, account_id)
        for project, window, reported in iter_reported(self.table, _REPORT, sums):
            assert window.start is not None
            place, stored = (project, window.start.year), projects.get(project)
            ours = sums.get(place, Sums())
            for check, here, column in (
                ("cost", ours.quantity, "total_amount"),
                ("billable cost", ours.amount, "billable_amount"),
            ):
                yield Comparison(
                    account_id=account_id,
                    table="expenses",
                    check=check,
                    scope=f"project {project}, {window.start.year}",
                    currency=find_currency(reported, stored),
                    subject=name_project(project, reported, stored),
                    year=window.start.year,
                    here=here,
                    there=add_column(reported, column),
                    tolerance=HALF_CENT,
                    excuse=explain_change(place in unsettled),
                    slices=(Slice(window, only=("project__id", project)),),
                )

    def _sum_expenses(self) -> dict[ProjectYear, Sums]:
        groups = self.table.copy.iter_year_groups(
            ("project__id", "total_cost", "billable"), needed=("project__id",)
        )
        return add_groups(
            {"year": year, "rows": rows, **dict(zip(_COLUMNS, values, strict=True))}
            for year, values, rows in groups
        )


def add_groups(groups: Iterable[Row]) -> dict[ProjectYear, Sums]:
    """The sums of groups of equal expenses."""
    sums: dict[ProjectYear, Sums] = defaultdict(Sums)
    for each in groups:
        cost, place = as_number(each["cost"]), (each["project"], int(each["year"]))
        billable = cost if each["billable"] else Decimal(0)
        sums[place] = sums[place].add(cost, billable, each["rows"])
    return dict(sums)
