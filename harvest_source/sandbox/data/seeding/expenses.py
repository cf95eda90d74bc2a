"""Seeding step: expenses, some of them invoiced."""

from __future__ import annotations

from datetime import date

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.entries.bills import Bills
from harvest_source.sandbox.data.records.billing import (
    expense_record,
    locked_reason,
    receipt_record,
)
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, exact, iso, money

APPROVED_AFTER_DAYS = 21


def seed_expenses(plan: Plan, bills: Bills) -> None:
    """The expenses, evenly spread over the history."""
    staffed = plan.all("user_assignments")
    span = plan.settings.years * 360
    for position in range(plan.settings.expenses):
        rng = plan.rng(f"expense {position}")
        # Some share a day, and dates do not follow ids.
        back = span - 1 - position * span // plan.settings.expenses + rng.randrange(5)
        day = plan.until - max(0, back)
        plan.add("expenses", _expense(plan, position, rng.choice(staffed), day, bills))


def _expense(plan: Plan, position: int, staffed: Record, day: int, bills: Bills) -> Record:
    rng = plan.rng(f"expense {position} details")
    category = rng.choice(plan.all("expense_categories"))
    project = plan.tables["projects"][staffed["project"]["id"]]
    spent = date.fromordinal(day)
    at = min(day_epoch(plan.until) + 20 * 3600, day_epoch(day) + (4 + position % 3) * DAY_S)
    units = rng.choice((1.0, 12, 37.5))
    price = category["unit_price"]
    record = expense_record(
        plan.new_id("expenses"),
        client=plan.tables["clients"][project["client"]["id"]],
        project=project,
        category=category,
        user=plan.tables["users"][staffed["user"]["id"]],
        staffed=staffed if position % 17 != 11 else None,
        at=iso(at),
    )
    bill = bills.get((project["id"], spent.year * 12 + spent.month - 1))
    billed = bill is not None and at < bill.at
    approved = day < plan.until - APPROVED_AFTER_DAYS
    return record | {
        "spent_date": spent.isoformat(),
        "units": units if price else 1.0,
        "total_cost": money(exact(units) * exact(price)) if price else rng.choice((12.5, 99.99, 7)),
        "notes": rng.choice(words.NOTES),
        "receipt": receipt_record(record["id"]) if position % 3 == 0 else None,
        "billable": billed or position % 4 != 0,
        "invoice": refs.numbered(plan.tables["invoices"][bill.invoice_id])
        if bill and billed
        else None,
        "is_billed": billed,
        "is_closed": approved,
        "approval_status": "approved" if approved else ("submitted", "unsubmitted")[position % 2],
        "is_locked": billed or approved,
        "locked_reason": locked_reason(billed=billed, approved=approved, active=True),
        "updated_at": iso(bill.at if bill and billed else at),
    }
