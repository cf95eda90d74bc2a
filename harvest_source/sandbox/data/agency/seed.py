"""The order of the steps that seed the consultancy."""

from __future__ import annotations

from array import array
from math import ceil

from harvest_source.sandbox.data.agency.billing import MARKED, Billed, bill_work
from harvest_source.sandbox.data.agency.budgets import set_budgets
from harvest_source.sandbox.data.agency.model import (
    WEEK,
    Agency,
    Hours,
    monday_of,
    month_of,
    month_start,
)
from harvest_source.sandbox.data.agency.portfolio import seed_portfolio
from harvest_source.sandbox.data.agency.proposals import seed_estimates
from harvest_source.sandbox.data.agency.settling import settle_invoices
from harvest_source.sandbox.data.agency.spending import seed_expenses
from harvest_source.sandbox.data.agency.staff import seed_staff
from harvest_source.sandbox.data.agency.timesheets import fill_timesheets
from harvest_source.sandbox.data.entries.ledger import LedgerEntries
from harvest_source.sandbox.data.entries.ledger_records import (
    APPROVED,
    SUBMITTED,
    UNSUBMITTED,
    Ledger,
)
from harvest_source.sandbox.data.entries.store import EntryStore
from harvest_source.sandbox.data.records.time_entries import clock_text, reference_record
from harvest_source.sandbox.data.seeding.categories import seed_categories
from harvest_source.sandbox.data.seeding.documents import seed_messages
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.seeding.time_entries import count_today, entry_of_today
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, iso

ENTRIES_A_WEEK = 11
"""Average of one person, including time off; a little low, so that there are enough weeks."""
FEWEST_WEEKS, SPARE_WEEKS = 30, 4
REFERENCES, REFERENCE_EVERY = 40, 13
STALE, STALE_DAYS, STALE_START = 2, 6, 16 * 60 + 40
"""Which of today's timers was started days ago, how many, and at which minute of its day."""
APPROVED_AFTER_DAYS = 9
"""From Monday to the Wednesday of the next week."""


def seed_agency(plan: Plan) -> EntryStore:
    """Fill every table of *plan*, and return the time entries."""
    settings = plan.settings
    today = count_today(settings.entries)
    agency = Agency(plan, _list_weeks(plan, settings.entries))
    plan.start = day_epoch(agency.oldest - 120) + 9 * 3600
    seed_staff(agency)
    seed_portfolio(agency)
    seed_categories(plan)
    hours = fill_timesheets(agency, settings.entries - today)
    values = set_budgets(agency, hours)
    # Expenses quote the assignments, whose budgets are set by now.
    seed_expenses(agency, settings.entries)
    billed = bill_work(agency, hours, values)
    settle_invoices(agency, billed)
    seed_estimates(agency, billed)
    seed_messages(plan)
    store = EntryStore(LedgerEntries(_build_ledger(agency, hours, billed), plan.tables))
    for position, booking in enumerate(_bookings_of_today(hours, today)):
        record = entry_of_today(plan, store, hours.bookings[booking], position)
        store.put(_forgotten(plan, record) if position == STALE else record)
    return store


def _list_weeks(plan: Plan, entries: int) -> list[int]:
    """The Mondays of enough weeks, newest first."""
    needed = ceil(entries / (plan.settings.users * ENTRIES_A_WEEK)) + SPARE_WEEKS
    count = max(FEWEST_WEEKS, needed)
    newest = monday_of(plan.until)
    return [newest - WEEK * at for at in range(count)]


def _bookings_of_today(hours: Hours, count: int) -> list[int]:
    """*count* bookings of the newest week, of different people as far as possible."""
    found: dict[int, int] = {}
    for booking in hours.booking[: 40 * count]:
        booked = hours.bookings[booking]
        if booked.billable:
            found.setdefault(booked.user_id, booking)
    chosen = [*found.values()] or [0]
    return [chosen[at % len(chosen)] for at in range(count)]


def _forgotten(plan: Plan, record: Record) -> Record:
    """A timer that was started some days ago and never stopped."""
    settings = plan.settings
    started = iso(day_epoch(plan.until - STALE_DAYS) + STALE_START * 60)
    return record | {
        "spent_date": started[:10],
        "started_time": clock_text(STALE_START, settings.clock_24h)
        if settings.timestamp_timers
        else None,
        "timer_started_at": started,
        "created_at": started,
        "updated_at": started,
        "notes": "Did I stop this?",
    }


def _build_ledger(agency: Agency, hours: Hours, billed: Billed) -> Ledger:
    """The entries sorted by day and id; ids are in the order of creation."""
    made = sorted(range(len(hours.day)), key=hours.created.__getitem__)
    places = array("l", [0]) * len(made)
    for place, at in enumerate(made):
        places[at] = place
    order = sorted(made, key=hours.day.__getitem__)
    ledger = Ledger(
        bookings=hours.bookings,
        works=hours.works,
        bills=billed.bills,
        references=[None, *(reference_record(at) for at in range(REFERENCES))],
        day=array("l", (hours.day[at] for at in order)),
        place=array("l", (places[at] for at in order)),
        booking=array("l", (hours.booking[at] for at in order)),
        work=array("l", (hours.work[at] for at in order)),
        bill=array("l", (billed.bill[at] for at in order)),
        approval=array("l", [0]) * len(order),
        created=array("l", (hours.created[at] for at in order)),
        updated=array("l", [0]) * len(order),
        reference=array("l", (_reference(places[at]) for at in order)),
    )
    _approve(agency, ledger, billed)
    return ledger


def _reference(place: int) -> int:
    return 0 if place % REFERENCE_EVERY else 1 + place // REFERENCE_EVERY % REFERENCES


def _approve(agency: Agency, ledger: Ledger, billed: Billed) -> None:
    """Approve weeks some days after their end; invoicing counts as an entry's last change."""
    plan = agency.plan
    no_approval = "approval" in plan.settings.modules_off
    users = [booked.user_id for booked in ledger.bookings]
    before = -1
    for k, day in enumerate(ledger.day):
        if day != before:
            before = day
            approval = day_epoch(monday_of(day) + APPROVED_AFTER_DAYS) + 9 * 3600
            marked = day_epoch(month_start(month_of(day) + 1)) + 5 * DAY_S
        user_id, bill = users[ledger.booking[k]], ledger.bill[k]
        moment = approval + user_id % 50
        is_approved = moment < plan.quiet_from and not no_approval
        waiting = UNSUBMITTED if no_approval or user_id % 3 else SUBMITTED
        ledger.approval[k] = APPROVED if is_approved else waiting
        at = marked if bill == MARKED else billed.at.get(bill)
        ledger.updated[k] = at or (moment if is_approved else ledger.created[k])
