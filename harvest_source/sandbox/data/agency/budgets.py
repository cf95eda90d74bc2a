"""Seeding step: budgets and fees that fit the hours worked."""

from __future__ import annotations

from dataclasses import dataclass, field

from harvest_source.sandbox.data.agency.model import (
    Agency,
    Engagement,
    Filling,
    Hours,
    Terms,
    month_of,
)
from harvest_source.sandbox.data.values import Record

BLANK_LINE, ZERO_LINE = 1, 3
WITHOUT_FEE = 2
"""Which fixed-fee project, from the oldest, has no fee."""


def line_filling(terms: Terms, rank: int) -> Filling:
    """How the budget of one person or task is filled; *rank* counts them from 0."""
    if terms.gaps and rank in (BLANK_LINE, ZERO_LINE):
        return "blank" if rank == BLANK_LINE else "zero"
    return terms.filling


@dataclass(slots=True)
class Spent:
    """Rounded hours, and what they are worth."""

    hours: float = 0
    fees: float = 0

    def add(self, hours: float, rate: float | None) -> None:
        """Count some hours."""
        self.hours += hours
        self.fees += hours * (rate or 0)


@dataclass(slots=True)
class _Use:
    """What was spent on a project: in all, by person, by task, and in the busiest month."""

    total: Spent = field(default_factory=Spent)
    people: dict[int, Spent] = field(default_factory=dict)
    tasks: dict[int, Spent] = field(default_factory=dict)
    months: dict[int, Spent] = field(default_factory=dict)
    lines_of_months: dict[tuple[int, int], Spent] = field(default_factory=dict)


def set_budgets(agency: Agency, hours: Hours) -> dict[int, float]:
    """
    Give every project a budget and a fee that a client might have agreed to.

    Returns:
        The value of each project's billable hours, by project id.
    """
    uses = _add_up(hours)
    this_month = month_of(agency.plan.today)
    fees = 0
    for found in agency.engagements:
        use = uses.get(found.id, _Use())
        rng = agency.rng(f"budget {found.id}")
        active = found.project["is_active"]
        share = rng.uniform(0.5, 1.04) if active else rng.uniform(0.75, 1.08)
        if found.terms.monthly:
            share = rng.uniform(0.8, 1.05)
        _set_budget(found, use, share, this_month)
        if found.terms.billing == "fee":
            fees += 1
            whole = use.total.fees / (0.6 if active else 1)
            fee = max(1000, 500 * round(whole * rng.uniform(0.85, 1.15) / 500))
            found.project["fee"] = None if fees == WITHOUT_FEE else (fee, float(fee))[fees % 2]
    return {project_id: use.total.fees for project_id, use in uses.items()}


def _add_up(hours: Hours) -> dict[int, _Use]:
    rounded = [work.amount["rounded_hours"] for work in hours.works]
    sums: dict[tuple[int, int], float] = {}
    months: dict[int, int] = {}
    for day, booking, work in zip(hours.day, hours.booking, hours.work, strict=True):
        if day not in months:
            months[day] = month_of(day)
        key = booking, months[day]
        sums[key] = sums.get(key, 0) + rounded[work]
    uses: dict[int, _Use] = {}
    for (at, month), worked in sums.items():
        booked = hours.bookings[at]
        use = uses.setdefault(booked.project_id, _Use())
        counted = (
            use.total,
            use.people.setdefault(booked.user_id, Spent()),
            use.tasks.setdefault(booked.task_id, Spent()),
            use.months.setdefault(month, Spent()),
            use.lines_of_months.setdefault((month, booked.task_id), Spent()),
        )
        for spent in counted:
            spent.add(worked, booked.billable_rate)
    return uses


def _set_budget(found: Engagement, use: _Use, share: float, this_month: int) -> None:
    terms, project = found.terms, found.project
    if terms.budget_by == "none":
        return
    if terms.by_line:
        by_person = terms.budget_by == "person"
        lines = found.staffed.items() if by_person else _by_task_id(found).items()
        for rank, (key, row) in enumerate(lines):
            spent = (use.people if by_person else use.tasks).get(key, Spent())
            if terms.monthly:
                spent = _usual_line(use, key, this_month)
            row["budget"] = _amount(terms, line_filling(terms, rank), spent, share)
        return
    spent = _usual_month(use, this_month) if terms.monthly else use.total
    name = "cost_budget" if terms.by_money else "budget"
    project[name] = _amount(terms, terms.filling, spent, share)


def _by_task_id(found: Engagement) -> dict[int, Record]:
    return {row["task"]["id"]: row for row in found.tasked.values()}


def _amount(terms: Terms, filling: Filling, spent: Spent, share: float) -> float | None:
    if filling != "set":
        return None if filling == "blank" else 0
    step = 250 if terms.by_money else 5
    wanted = (spent.fees if terms.by_money else spent.hours) / share
    whole = max(step, step * round(wanted / step))
    # Both integers and floats, as recorded.
    return float(whole) if whole % (2 * step) else whole


def _usual_month(use: _Use, this_month: int) -> Spent:
    """The busiest full month; without one, the current month."""
    full = [spent for month, spent in use.months.items() if month < this_month]
    return max(full or [*use.months.values(), Spent()], key=lambda spent: spent.hours)


def _usual_line(use: _Use, task_id: int, this_month: int) -> Spent:
    full = [
        spent
        for (month, task), spent in use.lines_of_months.items()
        if task == task_id and month < this_month
    ]
    return max(full or [Spent()], key=lambda spent: spent.hours)
