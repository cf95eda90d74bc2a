"""The inputs of reports: window, viewer, and added-up hours and expenses (behaviour.md 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.query import quoted_ids
from harvest_source.sandbox.data.records.time_entries import with_running_hours
from harvest_source.sandbox.data.scope import EVERYTHING, Scope, scope_test
from harvest_source.sandbox.data.values import Record, amount_of, exact, parse_day
from harvest_source.sandbox.endpoints import Report
from harvest_source.sandbox.serve.reply import RefusalError, bad_request, invalid

MOST_DAYS = 365
COMPACT = 8  # digits of YYYYMMDD


@dataclass(frozen=True, slots=True)
class Window:
    """Day numbers, both inclusive; ``None`` is open."""

    first: int | None = None
    last: int | None = None

    def has(self, day: int | None) -> bool:
        """Whether *day* is inside."""
        return (
            day is not None
            and (self.first is None or self.first <= day)
            and (self.last is None or day <= self.last)
        )


EVER = Window()


@dataclass(frozen=True, slots=True)
class View:
    """An account as one person sees it in reports, at Unix second *now*."""

    account: Account
    scope: Scope = EVERYTHING
    sees_rates: bool = True
    now: int = 0

    def withhold(self, *names: str) -> Record:
        """The members *names* as a viewer sees them who may not see what they hold."""
        shown = names if self.account.settings.hidden_values == "null" else ()
        return dict.fromkeys(shown)


@dataclass(frozen=True, slots=True)
class Time:
    """Rounded hours that have all other members in common; *rate* is 0 if there is none."""

    user_id: int
    project_id: int
    task_id: int
    billable: bool
    budgeted: bool
    billed: bool
    rate: Decimal
    hours: Decimal

    @property
    def amount(self) -> Decimal:
        """What the hours earn."""
        return self.hours * self.rate if self.billable else Decimal(0)


@dataclass(slots=True)
class Sum:
    """The sums of one subject and currency."""

    total: Decimal = Decimal(0)
    billable: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


def parse_window(report: Report, params: Mapping[str, str]) -> Window:
    """
    Read ``from`` and ``to``, as ``YYYYMMDD`` or ``YYYY-MM-DD``.

    Raises:
        RefusalError: 400 for more than 365 days; 422 for a date that is missing or unreadable.
            Unverified against a live account: the 422, and that ``to`` before ``from`` gives an
            empty report.
    """
    if not report.dated:
        return EVER
    first, last = (_day(name, params) for name in ("from", "to"))
    if last - first > MOST_DAYS:
        raise RefusalError(bad_request("Invalid timeframe: must not exceed 1 year"))
    return Window(first, last)


def _day(name: str, params: Mapping[str, str]) -> int:
    text = params.get(name, "")
    if len(text) == COMPACT and text.isascii() and text.isdigit():
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    day = parse_day(text)
    if day is None:
        raise RefusalError(invalid(f"Invalid {name} parameter" if text else f"{name} is required"))
    return day


def list_times(view: View, window: Window) -> list[Time]:
    """The hours in *window* that the viewer sees; seeded entries are summed by booking."""
    return [*_seeded_times(view, window), *_overlay_times(view, window)]


def _seeded_times(view: View, window: Window) -> Iterator[Time]:
    entries = view.account.entries
    for worked in entries.worked(window.first, window.last):
        booked = entries.seeded.bookings[worked.booking]
        if view.scope.covers(booked.user_id, booked.project_id):
            yield Time(
                booked.user_id,
                booked.project_id,
                booked.task_id,
                booked.billable,
                booked.budgeted,
                worked.billed,
                exact(booked.billable_rate),
                Decimal(worked.quarters) / 4,
            )


def _overlay_times(view: View, window: Window) -> Iterator[Time]:
    test = scope_test("time_entries", view.scope)
    for stored in view.account.entries.overlay():
        record = with_running_hours(stored, view.now)
        if not window.has(parse_day(record["spent_date"])) or not test(record):
            continue
        ids = [quoted_ids(record, member) for member in ("user", "project", "task")]
        if all(ids):
            user_id, project_id, task_id = (found[0] for found in ids)
            yield Time(
                user_id,
                project_id,
                task_id,
                record["billable"] is True,
                record["budgeted"] is True,
                record["is_billed"] is True,
                amount_of(record["billable_rate"]),
                amount_of(record["rounded_hours"]),
            )


def list_expenses(view: View, window: Window) -> list[Record]:
    """The expenses in *window* that the viewer sees, if they have project, user and category."""
    test = scope_test("expenses", view.scope)
    members = ("project", "user", "expense_category")
    return [
        record
        for record in view.account.tables["expenses"].values()
        if window.has(parse_day(record["spent_date"]))
        and test(record)
        and all(quoted_ids(record, member) for member in members)
    ]
