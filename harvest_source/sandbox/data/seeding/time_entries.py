"""Seeding step: the computed time entries of the past, and stored ones of today."""

from __future__ import annotations

from harvest_source.sandbox.data.entries.bills import Bills
from harvest_source.sandbox.data.entries.computed import ComputedEntries
from harvest_source.sandbox.data.entries.seeded import SeededEntries, Style
from harvest_source.sandbox.data.entries.store import EntryStore
from harvest_source.sandbox.data.entries.workdays import Workdays
from harvest_source.sandbox.data.records.time_entries import clock_text, entry_record, hour_members
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.seeding.work import list_bookings
from harvest_source.sandbox.data.values import Record, day_epoch, epoch, iso

RUNNING = 3
MOST_OF_TODAY = 12
TODAY_SHARE = 40  # one entry in this many is today's own


def seed_entries(plan: Plan, bills: Bills) -> EntryStore:
    """All entries of the account; none where no booking is possible."""
    settings = plan.settings
    bookings = list_bookings(plan)
    total = settings.entries if bookings else 0
    of_today = min(count_today(total), len(bookings))
    style = Style(
        seed=settings.seed,
        approved_until=0 if "approval" in settings.modules_off else plan.quiet_from,
        timers=settings.timestamp_timers,
        clock_24h=settings.clock_24h,
    )
    days = Workdays(total - of_today, settings.years, plan.until, settings.seed)
    store = EntryStore(ComputedEntries(SeededEntries(days, bookings, bills, plan.tables, style)))
    for position in range(of_today):
        booked = bookings[position * 7 % len(bookings)]
        store.put(entry_of_today(plan, store, booked, position))
    return store


def count_today(total: int) -> int:
    """How many of *total* entries are today's own."""
    return min(total // TODAY_SHARE, MOST_OF_TODAY)


def entry_of_today(plan: Plan, store: EntryStore, booked: Booking, position: int) -> Record:
    """
    An entry made between midnight UTC and the clock's current time; the first few still run.

    It is created when its work starts. Start and end are in the local time of its user.
    """
    now = epoch(plan.settings.clock())
    midnight = day_epoch(plan.today)
    at = midnight + (now - midnight) * (position + 1) // 32
    record = entry_record(store.new_id(), store.seeded.quotes(booked), booked, iso(at))
    running = position < RUNNING
    timers, clock_24h = plan.settings.timestamp_timers, plan.settings.clock_24h
    start, minutes = (at - midnight) // 60, 15 * position
    record |= hour_members(minutes / 60)
    return record | {
        "timer_started_at": iso(at) if running else None,
        "started_time": clock_text(start, clock_24h) if timers else None,
        "ended_time": clock_text(start + minutes, clock_24h) if timers and not running else None,
        "is_running": running,
        "notes": None if running else "Today",
        "approval_status": "submitted" if position > 2 * RUNNING else "unsubmitted",
    }
