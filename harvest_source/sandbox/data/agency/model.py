"""The consultancy while it is being seeded: people, projects and the hours between them."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from harvest_source.sandbox.data.agency.wording import HOLIDAYS, Craft
from harvest_source.sandbox.data.entries.work import Work
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import Record

WEEK = 7
WORKING = 5

Billing = Literal["time", "fee", "retainer", "never"]
"""What a project's invoices are based on."""

Filling = Literal["set", "blank", "zero"]


@dataclass(frozen=True, slots=True)
class Terms:
    """
    How a project is billed and budgeted (endpoints.yaml, project.bill_by and budget_by).

    Attributes:
        filling: Whether the budget is a plausible number, left blank, or zero.
        gaps: Whether one line of a budget by task or person is blank and one is zero.
    """

    bill_by: str
    budget_by: str
    billing: Billing = "time"
    monthly: bool = False
    filling: Filling = "set"
    gaps: bool = False
    with_expenses: bool = False

    @property
    def by_line(self) -> bool:
        """Whether the budget is on assignments instead of the project."""
        return self.budget_by in ("task", "task_fees", "person")

    @property
    def by_money(self) -> bool:
        """Whether the budget is an amount instead of hours."""
        return self.budget_by in ("project_cost", "task_fees")


Steps = list[tuple[int, float | None]]
"""Amounts by the day number from which they apply, ascending; the first has always applied."""


def amount_on(steps: Steps, day: int) -> float | None:
    """The amount that applies on *day*; ``None`` without steps."""
    if not steps:
        return None
    return steps[bisect_right(steps, day, key=lambda step: step[0]) - 1][1]


@dataclass(slots=True, eq=False)
class Staffer:
    """
    A person of the consultancy.

    Attributes:
        pod: The team; ``None`` in the office.
        joined: First working day. ``left``: last one, or ``None``.
        minutes: Capacity of a working day.
        weekly: Whether the timesheet is filled in on Fridays instead of daily.
        costed_from: Day from which entries have the cost rate, which was entered after its start.
    """

    user: Record
    craft: Craft
    pod: int | None
    joined: int
    left: int | None
    minutes: int
    share: float
    weekly: bool
    rates: Steps
    costs: Steps
    costed_from: int = 0

    @property
    def id(self) -> int:
        """The user's id."""
        return int(self.user["id"])

    def works_on(self, day: int) -> bool:
        """Whether the person is with the consultancy on *day*."""
        return self.joined <= day and (self.left is None or day <= self.left)


@dataclass(slots=True, eq=False)
class Engagement:
    """
    A project, from Monday *first* to Sunday *last*.

    Attributes:
        staffed: User assignments by user id. ``tasked``: task assignments by task name.
        weight: Share of its pod's time.
    """

    project: Record
    client: Record
    terms: Terms
    pod: int | None
    first: int
    last: int
    weight: float
    staffed: dict[int, Record] = field(default_factory=dict)
    tasked: dict[str, Record] = field(default_factory=dict)

    @property
    def id(self) -> int:
        """The project's id."""
        return int(self.project["id"])

    def runs_in(self, monday: int) -> bool:
        """Whether there is work in the week of *monday*."""
        return self.first <= monday <= self.last


@dataclass(slots=True)
class Hours:
    """
    The seeded hours in columns, one number per entry.

    Attributes:
        day, booking, work: Day number, and positions in *bookings* and *works*.
        created: Unix seconds.
        engagements: The project of each booking.
    """

    bookings: list[Booking] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)
    day: array[int] = field(default_factory=lambda: array("l"))
    booking: array[int] = field(default_factory=lambda: array("l"))
    work: array[int] = field(default_factory=lambda: array("l"))
    created: array[int] = field(default_factory=lambda: array("l"))


@dataclass(slots=True)
class Agency:
    """
    The whole consultancy.

    Attributes:
        weeks: Mondays of the weeks with hours, newest first.
        tasks: Task records by name.
        internal: The consultancy's own projects: work that no client pays, and time off.
    """

    plan: Plan
    weeks: list[int]
    staff: list[Staffer] = field(default_factory=list)
    clients: list[Record] = field(default_factory=list)
    tasks: dict[str, Record] = field(default_factory=dict)
    engagements: list[Engagement] = field(default_factory=list)
    internal: list[Engagement] = field(default_factory=list)

    @property
    def oldest(self) -> int:
        """The first Monday of the history."""
        return self.weeks[-1]

    def rng(self, step: str) -> random.Random:
        """A generator for one step."""
        return self.plan.rng(f"agency {step}")


def monday_of(day: int) -> int:
    """The Monday of the week of *day*."""
    return day - date.fromordinal(day).weekday()


def first_monday(year: int, month: int) -> int:
    """The first Monday of a month."""
    first = date(year, month, 1).toordinal()
    return monday_of(first + WEEK - 1)


def is_holiday(day: int) -> bool:
    """Whether the agency is closed on *day*, a weekday."""
    found = date.fromordinal(day)
    return (found.month, found.day) in HOLIDAYS


def month_of(day: int) -> int:
    """Months since year 0."""
    found = date.fromordinal(day)
    return found.year * 12 + found.month - 1


def month_start(month: int) -> int:
    """The first day of a month."""
    return date(month // 12, month % 12 + 1, 1).toordinal()
