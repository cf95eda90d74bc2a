"""The reports with one row per project: uninvoiced and project_budget (behaviour.md 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from harvest_source.sandbox.data.scope import EVERYTHING
from harvest_source.sandbox.data.values import Record, amount_of, day_of, money, parse_day
from harvest_source.sandbox.serve.reports.sums import (
    EVER,
    Sum,
    View,
    Window,
    list_expenses,
    list_times,
)


def _seen_projects(view: View) -> list[Record]:
    """The viewer's projects, by client name and then by name."""
    chosen = view.scope.projects or frozenset()
    return sorted(
        (
            record
            for record in view.account.tables["projects"].values()
            if view.scope.everything or record["id"] in chosen
        ),
        key=lambda row: (row["client"]["name"].casefold(), row["name"].casefold(), row["id"]),
    )


def _client_names(project: Record) -> Record:
    return {"client_id": project["client"]["id"], "client_name": project["client"]["name"]}


def _project_names(project: Record) -> Record:
    return {"project_id": project["id"], "project_name": project["name"]}


def _by_project(rows: Iterable[Record]) -> dict[int, Decimal]:
    """Total cost of expenses by project."""
    sums: dict[int, Decimal] = {}
    for row in rows:
        key = row["project"]["id"]
        sums[key] = sums.get(key, Decimal(0)) + amount_of(row["total_cost"])
    return sums


# -- uninvoiced ------------------------------------------------------------------------------


def uninvoiced_rows(view: View, window: Window, *, fees: bool) -> list[Record]:
    """
    Hours and expenses that are not invoiced yet, project by project, including all-zero rows.

    What remains of a fixed fee after the project's invoice lines is in every window that ends on or
    after the start of the project. Unverified against a live account: that archived and
    non-billable projects are among the rows, and that the amount includes the expenses.

    Args:
        fees: Whether fixed-fee projects are among the rows.
    """
    hours = _uninvoiced_hours(view, window)
    open_expenses = (
        row
        for row in list_expenses(view, window)
        if row["billable"] is True and not row["is_billed"]
    )
    costs, invoiced = _by_project(open_expenses), _invoiced(view)
    rows = []
    for project in _seen_projects(view):
        if project["is_fixed_fee"] and not fees:
            continue
        key = project["id"]
        added, cost = hours.get(key, Sum()), costs.get(key, Decimal(0))
        amount = added.amount
        if project["is_fixed_fee"]:
            amount = _open_fee(project, window, invoiced.get(key, Decimal(0)))
        rows.append(
            _client_names(project)
            | _project_names(project)
            | {
                "currency": project["client"]["currency"],
                "total_hours": _zero_or(float(added.total)),
                "uninvoiced_hours": _zero_or(float(added.billable)),
                "uninvoiced_expenses": _zero_or(money(cost)),
                "uninvoiced_amount": _zero_or(money(amount + cost)),
            }
        )
    return rows


def _uninvoiced_hours(view: View, window: Window) -> dict[int, Sum]:
    """By project: all hours, and the hours and amount that are billable and not invoiced."""
    hours: dict[int, Sum] = {}
    for time in list_times(view, window):
        added = hours.setdefault(time.project_id, Sum())
        added.total += time.hours
        if time.billable and not time.billed:
            added.billable += time.hours
            added.amount += time.amount
    return hours


def _open_fee(project: Record, window: Window, invoiced: Decimal) -> Decimal:
    begun = parse_day(project["starts_on"] or project["created_at"][:10]) or 0
    if window.last is not None and window.last < begun:
        return Decimal(0)
    return amount_of(project["fee"]) - invoiced


def _zero_or(number: float) -> float:
    """*number*, or the integer 0 instead of 0.0, as recorded (quirk 52)."""
    return number or 0


def _invoiced(view: View) -> dict[int, Decimal]:
    """Amounts of invoice lines by project, drafts included, before discount and taxes."""
    sums: dict[int, Decimal] = {}
    for invoice in view.account.tables["invoices"].values():
        for line in invoice["line_items"]:
            if line.get("project"):
                key = line["project"]["id"]
                sums[key] = sums.get(key, Decimal(0)) + amount_of(line["amount"])
    return sums


# -- project budget --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spent:
    """By project: budgeted hours, the amount they earn, and expenses."""

    hours: dict[int, Decimal]
    fees: dict[int, Decimal]
    costs: dict[int, Decimal]

    def of(self, project: Record) -> Decimal:
        """The part of the project's budget that is spent, in the unit of that budget."""
        key = project["id"]
        if not _is_money(project):
            return self.hours.get(key, Decimal(0))
        spent = self.fees.get(key, Decimal(0))
        if project["budget_by"] == "project_cost" and project["cost_budget_include_expenses"]:
            spent += self.costs.get(key, Decimal(0))
        return spent


def project_budget_rows(view: View, active: str | None) -> list[Record]:
    """
    Budgets and what is spent of them: in all, or in the current month (UTC) for monthly budgets.

    Projects without budget are left out (S4). Hours are the rounded hours of budgeted entries;
    money is those hours at their billable rates, plus all expenses where a project with a budget of
    its total fees says so; Harvest documents that option for no other budget.
    Unverified against a live account: that definition.

    Args:
        active: ``true`` or ``false`` for active or archived projects only.
    """
    whole = View(view.account, EVERYTHING, now=view.now)
    spent = {True: _spent(whole, _this_month(view.now)), False: _spent(whole, EVER)}
    rows = []
    for project in _seen_projects(whole):
        flag = str(project["is_active"]).lower()
        if project["budget_by"] == "none" or active not in (None, flag):
            continue
        if not _shows_budget(view, project):
            continue
        row = _project_names(project) | _client_names(project)
        row |= {name: project[name] for name in ("budget_is_monthly", "budget_by", "is_active")}
        if view.sees_rates or not _is_money(project):
            used = spent[bool(project["budget_is_monthly"])].of(project)
            row |= _use_of(_budget(view, project), used)
        else:
            row |= view.withhold("budget", "budget_spent", "budget_remaining")
        rows.append(row)
    return rows


def _shows_budget(view: View, project: Record) -> bool:
    managed = view.scope.projects or frozenset()
    return bool(view.scope.everything or project["id"] in managed or project["show_budget_to_all"])


def _is_money(project: Record) -> bool:
    return project["budget_by"] in ("project_cost", "task_fees")


def _this_month(now: int) -> Window:
    today = date.fromordinal(day_of(now))
    following = date(today.year + today.month // 12, today.month % 12 + 1, 1)
    return Window(today.replace(day=1).toordinal(), following.toordinal() - 1)


def _spent(view: View, window: Window) -> Spent:
    hours: dict[int, Decimal] = {}
    fees: dict[int, Decimal] = {}
    for time in list_times(view, window):
        if time.budgeted:
            key = time.project_id
            hours[key] = hours.get(key, Decimal(0)) + time.hours
            fees[key] = fees.get(key, Decimal(0)) + time.amount
    return Spent(hours, fees, _by_project(list_expenses(view, window)))


BUDGET_LISTS = {
    "task": "project_task_assignments",
    "task_fees": "project_task_assignments",
    "person": "project_user_assignments",
}


def _budget(view: View, project: Record) -> Decimal | None:
    """The budget by the project's method: its own, or the sum over its active tasks or people."""
    if project["budget_by"] in BUDGET_LISTS:
        below = view.account.below(BUDGET_LISTS[project["budget_by"]], project["id"])
        parts = [row["budget"] for row in below if row["is_active"] and row["budget"] is not None]
    else:
        name = "cost_budget" if project["budget_by"] == "project_cost" else "budget"
        parts = [project[name]] if project[name] is not None else []
    return sum((amount_of(part) for part in parts), Decimal(0)) if parts else None


def _use_of(budget: Decimal | None, used: Decimal) -> Record:
    return {
        "budget": None if budget is None else money(budget),
        "budget_spent": money(used),
        "budget_remaining": None if budget is None else money(budget - used),
    }
