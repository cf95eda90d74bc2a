"""Seeding step: who worked how long on what, week by week, from the newest back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.agency import wording
from harvest_source.sandbox.data.agency.budgets import line_filling
from harvest_source.sandbox.data.agency.model import (
    WORKING,
    Agency,
    Engagement,
    Hours,
    Staffer,
    amount_on,
    is_holiday,
)
from harvest_source.sandbox.data.entries.work import Work
from harvest_source.sandbox.data.records.time_entries import (
    clock_text,
    hour_members,
    timer_members,
)
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.values import day_epoch, spelled

SLOTS = 40  # a person's week is drawn from this many slots
MEETINGS_SHARE = 0.35  # of the time that is not billable; the rest is internal
VACATION_WEEKS = {1: 0.03, 7: 0.08, 8: 0.09, 12: 0.08}
USUAL_VACATION = 0.045
SICK_DAYS = 0.012
SINGLE_DAYS_OFF = 0.014
FORGOTTEN = 0.012
FORGOTTEN_LATELY = 0.25
SATURDAYS = 0.012
PATTERNS = 300
LONG_DAY = (16 * 60, 10 * 60)
"""Minutes of two entries of one day: a typing error that adds up to more than 24 hours."""

Key = tuple[int, int, str, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A day's entries: positions in the list of works, and the minute at which the day ends."""

    works: tuple[int, ...]
    ends: int


@dataclass(slots=True)
class _Sheets:
    agency: Agency
    hours: Hours
    total: int
    known: dict[Key, int] = field(default_factory=dict)
    patterns: dict[int, list[Pattern]] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return len(self.hours.day) >= self.total

    def book(self, found: Engagement, person: Staffer, task: str, day: int) -> int:
        """The position of a booking, at the rates that apply on *day*."""
        tasked, staffed = found.tasked[task], found.staffed[person.id]
        rate = _billable_rate(found, person, task, day) if tasked["billable"] else None
        cost = amount_on(person.costs, day) if day >= person.costed_from else None
        key = person.id, found.id, task, rate, cost
        at = self.known.get(key)
        if at is None:
            at = self.known[key] = len(self.hours.bookings)
            self.hours.bookings.append(
                Booking(
                    user_id=person.id,
                    project_id=found.id,
                    task_id=tasked["task"]["id"],
                    user_assignment_id=staffed["id"],
                    task_assignment_id=tasked["id"],
                    billable=tasked["billable"],
                    budgeted=_is_budgeted(found, staffed["id"], task),
                    billable_rate=rate,
                    cost_rate=cost,
                )
            )
            self.hours.engagements.append(found)
        return at

    def add(self, day: int, booking: int, work: int, created: int) -> None:
        """Add an entry, unless there are enough."""
        if not self.is_full:
            hours = self.hours
            hours.day.append(day)
            hours.booking.append(booking)
            hours.work.append(work)
            hours.created.append(created)


def _billable_rate(found: Engagement, person: Staffer, task: str, day: int) -> float | None:
    by = found.terms.bill_by
    if by == "Project":
        return found.project["hourly_rate"]  # type: ignore[no-any-return]
    if by == "Tasks":
        return found.tasked[task]["hourly_rate"]  # type: ignore[no-any-return]
    staffed = found.staffed[person.id]
    if by == "People" and not staffed["use_default_rates"]:
        return staffed["hourly_rate"]  # type: ignore[no-any-return]
    return amount_on(person.rates, day) if by == "People" else None


def _is_budgeted(found: Engagement, assignment_id: int, task: str) -> bool:
    """Hours do not count towards a blank budget; they exceed a zero budget at once."""
    terms = found.terms
    if terms.budget_by == "none" or terms.filling == "blank":
        return False
    if not terms.by_line:
        return True
    if terms.budget_by == "person":
        rank = [row["id"] for row in found.staffed.values()].index(assignment_id)
    else:
        rank = [*found.tasked].index(task)
    return line_filling(terms, rank) != "blank"


def fill_timesheets(agency: Agency, total: int) -> Hours:
    """*total* entries, or fewer if the weeks do not suffice, in no particular order."""
    sheets = _Sheets(agency, Hours(), total)
    settings = agency.plan.settings
    for minutes in sorted({person.minutes for person in agency.staff}):
        made = _build_patterns(settings.seed, minutes, settings.timestamp_timers,
                               settings.clock_24h)  # fmt: skip
        _add_patterns(sheets, minutes, made)
    rngs = [agency.rng(f"hours {at}") for at in range(len(agency.staff))]
    for monday in agency.weeks:
        running: dict[int | None, list[Engagement]] = {}
        for found in agency.engagements:
            if found.runs_in(monday):
                running.setdefault(found.pod, []).append(found)
        for person, rng in zip(agency.staff, rngs, strict=True):
            if person.works_on(monday):
                _fill_week(sheets, person, rng, monday, running.get(person.pod, []))
        if sheets.is_full:
            break
    _mistype(sheets)
    return sheets.hours


def _fill_week(
    sheets: _Sheets, person: Staffer, rng: random.Random, monday: int, running: list[Engagement]
) -> None:
    agency = sheets.agency
    days = [day for day in range(monday, monday + WORKING) if day <= agency.plan.until]
    month = date.fromordinal(monday).month
    away = rng.random() < VACATION_WEEKS.get(month, USUAL_VACATION)
    wheel = _wheel(sheets, person, rng, monday, running)
    off = agency.internal[1]
    filled = day_epoch(min(monday + 4, agency.plan.until)) + 16 * 3600 + person.id % 3000
    lately = monday >= agency.weeks[0]
    for day in days:
        chance = rng.random()
        task = None
        if is_holiday(day):
            task = wording.HOLIDAY
        elif away or chance < SINGLE_DAYS_OFF:
            task = wording.VACATION
        elif chance < SINGLE_DAYS_OFF + SICK_DAYS:
            task = wording.SICK
        if task:
            # Time off is entered at the start of its week.
            made = day_epoch(monday) + 9 * 3600 + person.id % 3000
            sheets.add(day, sheets.book(off, person, task, day), _day_off(sheets, person), made)
            continue
        forgotten = FORGOTTEN_LATELY if lately and day >= days[-1] - 1 else FORGOTTEN
        if rng.random() < forgotten:
            continue
        found = sheets.patterns[person.minutes]
        pattern = found[1 + int(rng.random() * (len(found) - 1))]
        made = filled if person.weekly else day_epoch(day) + pattern.ends * 60
        for work in pattern.works:
            sheets.add(day, wheel[int(rng.random() * len(wheel))], work, made + person.id % 50)
    saturday = monday + WORKING
    if days and not away and rng.random() < SATURDAYS and saturday <= agency.plan.until:
        pattern = sheets.patterns[person.minutes][1]
        made = day_epoch(saturday) + pattern.ends * 60
        sheets.add(saturday, wheel[0], pattern.works[0], made)


def _wheel(
    sheets: _Sheets, person: Staffer, rng: random.Random, monday: int, running: list[Engagement]
) -> list[int]:
    """Bookings of the person's week, the frequent ones several times."""
    own = [found for found in running if person.id in found.staffed] if person.craft.tasks else []
    billable = round(SLOTS * person.share * rng.uniform(0.9, 1.07)) if own else 0
    weights = [found.weight * rng.uniform(0.5, 1.5) for found in own]
    internal = sheets.agency.internal[0]
    known: dict[tuple[Engagement, str], int] = {}

    def add(found: Engagement, task: str) -> None:
        at = known.get((found, task))
        if at is None:
            at = known[found, task] = sheets.book(found, person, task, monday)
        wheel.append(at)

    wheel: list[int] = []
    for found, weight in zip(own, weights, strict=True):
        for _ in range(round(min(billable, SLOTS) * weight / sum(weights))):
            add(found, rng.choice(person.craft.tasks))
    rest = max(1, SLOTS - len(wheel))
    meetings = round(rest * MEETINGS_SHARE) if own else 0
    for at in range(rest):
        if at < meetings:
            add(own[at % len(own)], wording.MEETINGS)
        else:
            add(internal, _internal_task(rng))
    return wheel


def _internal_task(rng: random.Random) -> str:
    chance = rng.random()
    # Training is billable by mistake, on a project that is not billable: it stays rare.
    return wording.INTERNAL[1 if chance < 0.03 else 2 if chance < 0.45 else 0]


# -- the entries of one day ------------------------------------------------------------------


@lru_cache(16)
def _build_patterns(
    seed: int, minutes: int, timers: bool, clock_24h: bool
) -> tuple[tuple[tuple[Work, ...], int], ...]:
    """
    Days of about *minutes* minutes, each as its works and the minute at which it ends.

    Cached: all accounts with the same seed have the same days.
    """
    rng = random.Random(f"days {seed} {minutes}")
    return tuple(_build_day(rng, minutes, timers, clock_24h) for _ in range(PATTERNS))


def _build_day(
    rng: random.Random, minutes: int, timers: bool, clock_24h: bool
) -> tuple[tuple[Work, ...], int]:
    total = minutes * rng.uniform(0.93, 1.09)
    parts = [rng.uniform(0.4, 1.6) for _ in range(rng.choice((1, 2, 2, 2, 3, 3, 4)))]
    clock = rng.randrange(8 * 60, 9 * 60 + 30, 5)
    clocked = timers and rng.random() < 0.8
    works = []
    for part in parts:
        exact = total * part / sum(parts)
        # Timers are stopped at any minute; typed hours are round.
        length = max(5, round(exact) if rng.random() < 0.3 else 15 * round(exact / 15))
        hours = spelled(round(length / 60, 2), whole=rng.random() < 0.5)
        works.append(
            Work(
                amount=hour_members(hours) | {"notes": rng.choice(words.NOTES)},
                timer=timer_members(
                    clock_text(clock, clock_24h) if clocked else None,
                    clock_text(clock + length, clock_24h) if clocked else None,
                ),
            )
        )
        clock += length + rng.choice((0, 0, 5, 30))
    return tuple(works), min(clock, 22 * 60)


def _add_patterns(
    sheets: _Sheets, minutes: int, made: tuple[tuple[tuple[Work, ...], int], ...]
) -> None:
    """Add the works of the patterns; the first pattern is a whole day off."""
    works = sheets.hours.works
    hours = spelled(round(minutes / 60, 2), whole=True)
    works.append(Work(hour_members(hours) | {"notes": None}, timer_members(None, None)))
    found = [Pattern((len(works) - 1,), 9 * 60)]
    for day, ends in made:
        found.append(Pattern(tuple(range(len(works), len(works) + len(day))), ends))
        works.extend(day)
    sheets.patterns[minutes] = found


def _day_off(sheets: _Sheets, person: Staffer) -> int:
    return sheets.patterns[person.minutes][0].works[0]


def _mistype(sheets: _Sheets) -> None:
    """Make two entries of one person and day far too long."""
    hours = sheets.hours
    middle = len(hours.day) // 2
    for k in range(middle, len(hours.day) - 1):
        first, second = (hours.bookings[hours.booking[at]] for at in (k, k + 1))
        if hours.day[k] == hours.day[k + 1] and first.user_id == second.user_id:
            for at, minutes in zip((k, k + 1), LONG_DAY, strict=True):
                hours.work[at] = len(hours.works)
                members = hour_members(minutes / 60) | {"notes": "Typing error?"}
                hours.works.append(Work(members, timer_members(None, None)))
            return
