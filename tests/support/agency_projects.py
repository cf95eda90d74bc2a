"""Figures of projects, like :mod:`tests.support.agency_figures`: profit, budgets, uninvoiced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.support.agency_figures import (
    MONEY_BUDGETS,
    ZERO,
    Records,
    Row,
    add,
    cents,
    day,
    known,
    month,
    month_end,
    net_lines,
    number,
)

# -- uninvoiced ------------------------------------------------------------------------------


@dataclass
class Uninvoiced:
    """
    Billable work on a project that is not billed yet.

    Attributes:
        time: Zero where a fixed fee counts instead; ``fee`` is null if it is missing.
        oldest: Day of the oldest open entry or expense.
    """

    hours: Decimal = ZERO
    time: Decimal = ZERO
    fee: Decimal | None = ZERO
    expenses: Decimal = ZERO
    on_drafts: Decimal = ZERO
    oldest: date | None = None

    def count(self, spent: str) -> None:
        """Keep the oldest day."""
        at = date.fromisoformat(spent)
        self.oldest = at if self.oldest is None else min(self.oldest, at)

    @property
    def amount(self) -> Decimal | None:
        """The sum of all; null if the fee is missing."""
        return None if self.fee is None else self.time + self.fee + self.expenses


def uninvoiced(records: Records, *, running: bool = False) -> dict[int, Uninvoiced]:
    """
    Uninvoiced amounts by project.

    A fixed fee counts as far as no invoice, draft or not, bills it: the billed part is the sum of
    the project's lines, before discount and taxes.

    Args:
        running: Whether running timers count, as in Harvest's own report.
    """
    found = {project_id: Uninvoiced() for project_id in records.projects}
    for entry in records.rows("time_entries"):
        if entry["billable"] and not entry["is_billed"] and (running or not entry["is_running"]):
            of = found[entry["project"]["id"]]
            of.hours += number(entry["rounded_hours"])
            of.time += records.billable_amount(entry) or ZERO
            of.count(entry["spent_date"])
    for expense in records.rows("expenses"):
        if expense["billable"] and not expense["is_billed"]:
            of = found[expense["project"]["id"]]
            of.expenses += number(expense["total_cost"])
            of.count(expense["spent_date"])
    invoiced: dict[int, Decimal] = {}
    for invoice in records.rows("invoices"):
        for line in invoice["line_items"]:
            if line["project"]:
                add(invoiced, line["project"]["id"], number(line["amount"]))
                if invoice["state"] == "draft":
                    found[line["project"]["id"]].on_drafts += number(line["amount"])
    for project_id, of in found.items():
        project = records.projects[project_id]
        if project["is_fixed_fee"]:
            fee = known(project["fee"])
            of.fee = None if fee is None else fee - invoiced.get(project_id, ZERO)
    return found


# -- budgets ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """A part of a budget's spending, in hours or money."""

    spent: date
    amount: Decimal
    task_id: int | None = None
    user_id: int | None = None


@dataclass(frozen=True)
class Budget:
    """
    A budget and its use: over the project's life, or in this month if it is monthly.

    Attributes:
        budget: Null without a budget; a budget of zero is exceeded at once.
        weekly: Average of the last four full weeks.
    """

    budget: Decimal | None
    spent: Decimal
    weekly: Fraction
    runs_out_on: date | None = None

    @property
    def left(self) -> Decimal | None:
        """What remains; below zero when over."""
        return None if self.budget is None else self.budget - self.spent


def uses(records: Records) -> dict[int, list[Use]]:
    """By project with a budget: its budgeted entries, and its expenses if the budget has them."""
    found: dict[int, list[Use]] = {
        project_id: []
        for project_id, project in records.projects.items()
        if project["budget_by"] != "none"
    }
    for entry in records.rows("time_entries"):
        project = records.projects[entry["project"]["id"]]
        if project["id"] not in found or not entry["budgeted"]:
            continue
        by_money = project["budget_by"] in MONEY_BUDGETS
        amount = records.standard_value(entry) if by_money else number(entry["rounded_hours"])
        spent = date.fromisoformat(entry["spent_date"])
        use = Use(spent, amount or ZERO, entry["task"]["id"], entry["user"]["id"])
        found[project["id"]].append(use)
    for expense in records.rows("expenses"):
        project = records.projects[expense["project"]["id"]]
        if project["budget_by"] == "project_cost" and project["cost_budget_include_expenses"]:
            spent = date.fromisoformat(expense["spent_date"])
            found[project["id"]].append(Use(spent, number(expense["total_cost"])))
    return found


def budgets(records: Records) -> dict[int, Budget]:
    """By project with a budget; a budget by line is the sum of its active lines that have one."""
    found = {}
    for project_id, used in uses(records).items():
        project = records.projects[project_id]
        lines = [
            known(row["budget"])
            for key, row in budget_rows(records, project)
            if row["is_active"] or key == (None, None)
        ]
        amounts = [line for line in lines if line is not None]
        found[project_id] = _use(records, project, sum(amounts, ZERO) if amounts else None, used)
    return found


LineKey = tuple[int, int | None, int | None]
"""Project, task and person; the latter two null for a budget of the whole project."""


def budget_lines(records: Records) -> dict[LineKey, Budget]:
    """By budget line, including archived and blank lines."""
    found = {}
    for project_id, used in uses(records).items():
        project = records.projects[project_id]
        for (task_id, user_id), row in budget_rows(records, project):
            of_line = [
                use
                for use in used
                if task_id in (None, use.task_id) and user_id in (None, use.user_id)
            ]
            key = project_id, task_id, user_id
            found[key] = _use(records, project, known(row["budget"]), of_line)
    return found


def budget_months(records: Records) -> dict[tuple[int, date], tuple[Decimal, Decimal]]:
    """By project and month: the amount spent in the month, and until its end."""
    found = {}
    for project_id, used in uses(records).items():
        sums: dict[date, Decimal] = {}
        for use in used:
            add(sums, use.spent.replace(day=1), use.amount)
        so_far = ZERO
        for first in sorted(sums):
            so_far += sums[first]
            found[project_id, first] = sums[first], so_far
    return found


def budget_rows(
    records: Records, project: Row
) -> Iterator[tuple[tuple[int | None, int | None], Row]]:
    """Task and person of each line of a project's budget, and the row that holds ``budget``."""
    by = project["budget_by"]
    if by in ("project", "project_cost"):
        amount = project["cost_budget" if by == "project_cost" else "budget"]
        yield (None, None), {"budget": amount, "is_active": True}
        return
    table = "user_assignments" if by == "person" else "task_assignments"
    for row in records.rows(table):
        if row["project"]["id"] == project["id"]:
            key = (None, row["user"]["id"]) if by == "person" else (row["task"]["id"], None)
            yield key, row


def _use(records: Records, project: Row, budget: Decimal | None, used: list[Use]) -> Budget:
    as_of = records.as_of
    first = as_of.replace(day=1) if project["budget_is_monthly"] else date.min
    last = month_end(as_of.replace(day=1)) if project["budget_is_monthly"] else date.max
    spent = sum((use.amount for use in used if first <= use.spent <= last), ZERO)
    starts = {"Monday": 1, "Sunday": 7, "Saturday": 6}[records.company["week_start_day"]]
    week = as_of - timedelta((as_of.isoweekday() - starts) % 7)
    recent = sum((use.amount for use in used if week - timedelta(28) <= use.spent < week), ZERO)
    weekly = Fraction(recent) / 4
    out = None
    if budget is not None and budget >= spent and weekly > 0:
        days = int(Fraction(budget - spent) * 7 / weekly)
        out = as_of + timedelta(days) if days < 36_500 else None
    if out is not None and out > last:
        out = None
    return Budget(budget, spent, weekly, out)


# -- profitability ---------------------------------------------------------------------------


@dataclass
class Profit:
    """
    Revenue and cost of a project in a month.

    Attributes:
        revenue: Null for a fixed fee without an amount or without dates.
        cost: Null if a cost rate is missing, or if the client's currency differs.
    """

    revenue: Decimal | None = ZERO
    time_cost: Decimal = ZERO
    expenses: Decimal = ZERO
    is_cost_missing: bool = False
    is_other_currency: bool = False

    @property
    def cost(self) -> Decimal | None:
        """Time and expenses."""
        unknown = self.is_cost_missing or self.is_other_currency
        return None if unknown else self.time_cost + self.expenses

    @property
    def margin(self) -> Decimal | None:
        """Revenue minus cost."""
        return None if self.revenue is None or self.cost is None else self.revenue - self.cost


def profitability_monthly(records: Records) -> dict[tuple[int, date], Profit]:
    """Profit by project and month, up to the as-of day."""
    found: dict[tuple[int, date], Profit] = defaultdict(Profit)
    for entry in records.rows("time_entries"):
        of = found[entry["project"]["id"], month(entry["spent_date"])]
        cost = records.cost(entry)
        of.time_cost += cost or ZERO
        of.is_cost_missing |= cost is None and number(entry["hours"]) != 0
        if entry["billable"] and not records.is_fixed(entry) and of.revenue is not None:
            of.revenue += number(entry["hours"]) * number(entry["billable_rate"])
    for expense in records.rows("expenses"):
        of = found[expense["project"]["id"], month(expense["spent_date"])]
        of.expenses += number(expense["total_cost"])
        fixed = records.projects[expense["project"]["id"]]["is_fixed_fee"]
        if expense["billable"] and not fixed and of.revenue is not None:
            of.revenue += number(expense["total_cost"])
    for key, amount in spread_fees(records).items():
        found[key].revenue = amount
    for (project_id, _), of in found.items():
        project = records.projects[project_id]
        of.is_other_currency = project["client"]["currency"] != records.company["currency"]
        if project["is_fixed_fee"] and None in (
            project["fee"],
            project["starts_on"],
            project["ends_on"],
        ):
            of.revenue = None
    return dict(found)


def spread_fees(records: Records) -> dict[tuple[int, date], Decimal]:
    """
    Fixed fees by project and month, spread evenly over the days from start to end.

    If the invoiced amount, net and without drafts, is larger, it replaces the fee. The months are
    differences of sums in cents, so that they add up to the fee.
    """
    invoiced: dict[int, Decimal] = {}
    for invoice in records.rows("invoices"):
        if invoice["state"] != "draft":
            amounts = net_lines(invoice)
            for line in invoice["line_items"]:
                if line["project"]:
                    add(invoiced, line["project"]["id"], amounts[line["id"]])
    found = {}
    for project in records.rows("projects"):
        first, last, fee = day(project["starts_on"]), day(project["ends_on"]), known(project["fee"])
        if not project["is_fixed_fee"] or fee is None or first is None or last is None:
            continue
        whole = max(fee, invoiced.get(project["id"], ZERO))
        days, begin, before = (last - first).days + 1, first.replace(day=1), ZERO
        while begin <= min(last, records.as_of):
            until = (min(month_end(begin), last) - first).days + 1
            now = cents(Fraction(whole) * until / days)
            found[project["id"], begin] = now - before
            begin, before = month_end(begin) + timedelta(1), now
    return found
