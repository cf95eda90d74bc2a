"""Seeding step: expenses of people on the projects they work on."""

from __future__ import annotations

from datetime import date

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.agency.model import WORKING, Agency, Engagement, monday_of
from harvest_source.sandbox.data.records.billing import (
    expense_record,
    locked_reason,
    receipt_record,
)
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, exact, iso, money

ENTRIES_PER_EXPENSE = 80
APPROVED_AFTER_DAYS = 10
COSTS = (12.5, 99.99, 48, 240.0, 31.4, 7, 18.2)
SCALES = {"JPY": 150}


def seed_expenses(agency: Agency, total: int) -> None:
    """One expense for every `ENTRIES_PER_EXPENSE` entries, evenly spread over the history."""
    plan = agency.plan
    span = plan.until - agency.oldest
    count = total // ENTRIES_PER_EXPENSE
    for position in range(count):
        rng = agency.rng(f"expense {position}")
        day = agency.oldest + span * position // count
        day = min(day, monday_of(day) + WORKING - 1)
        monday = monday_of(day)
        person = rng.choice([one for one in agency.staff if one.works_on(monday)])
        running = [
            found
            for found in agency.engagements
            if found.runs_in(monday) and person.id in found.staffed
        ]
        found = rng.choice(running or agency.internal[:1])
        plan.add("expenses", _expense(agency, position, found, person.user, day))


def _expense(agency: Agency, position: int, found: Engagement, user: Record, day: int) -> Record:
    plan, rng = agency.plan, agency.rng(f"expense {position} details")
    category = rng.choice(plan.all("expense_categories")[:-1])
    at = min(day_epoch(day) + (1 + position % 3) * DAY_S + 15 * 3600, plan.quiet_from - 60)
    price, units = category["unit_price"], rng.choice((1.0, 12, 37.5, 140))
    cost = rng.choice(COSTS) * SCALES.get(found.client["currency"], 1)
    approved = day < plan.until - APPROVED_AFTER_DAYS and "approval" not in (
        plan.settings.modules_off
    )
    record = expense_record(
        plan.new_id("expenses"),
        client=found.client,
        project=found.project,
        category=category,
        user=user,
        staffed=found.staffed[user["id"]],
        at=iso(at),
    )
    return record | {
        "spent_date": date.fromordinal(day).isoformat(),
        "units": units if price else 1.0,
        "total_cost": money(exact(units) * exact(price)) if price else cost,
        "notes": rng.choice(words.NOTES),
        "receipt": receipt_record(record["id"]) if position % 3 == 0 else None,
        "billable": found.terms.billing != "never" and position % 4 != 0,
        "is_closed": approved,
        "approval_status": "approved" if approved else ("submitted", "unsubmitted")[position % 2],
        "is_locked": approved,
        "locked_reason": locked_reason(billed=False, approved=approved, active=True),
    }
