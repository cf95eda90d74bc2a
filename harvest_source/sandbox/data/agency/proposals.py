"""Seeding step: estimates; those of fixed-fee projects were accepted and invoiced."""

from __future__ import annotations

from decimal import Decimal

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.agency.billing import Billed
from harvest_source.sandbox.data.agency.model import Agency, Engagement
from harvest_source.sandbox.data.records.billing import Charges, estimate_record, totals
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, exact, iso, money

FREE = 8
"""Estimates besides those of fixed-fee projects: in every state but accepted."""
STATES = ("draft", "sent", "declined")


def seed_estimates(agency: Agency, billed: Billed) -> None:
    """The estimates, oldest first."""
    plan = agency.plan
    fixed = [found for found in agency.engagements if found.project["fee"] is not None]
    for found in fixed:
        at = min(day_epoch(found.first) - 25 * DAY_S + 10 * 3600, plan.quiet_from - 30 * DAY_S)
        record = _estimate(agency, found.client, at, exact(found.project["fee"]))
        record |= _accepted(at)
        plan.add("estimates", record)
        _quote(billed, found, record)
    span = plan.until - agency.oldest - 20
    for position in range(FREE):
        day = agency.oldest + span * position // FREE
        client = agency.clients[1 + position % (len(agency.clients) - 1)]
        record = _estimate(
            agency, client, day_epoch(day) + 9 * 3600, Decimal(1500 + 850 * position)
        )
        plan.add("estimates", record | _state(position, day_epoch(day) + 9 * 3600))


def _estimate(agency: Agency, client: Record, at: int, amount: Decimal) -> Record:
    plan = agency.plan
    rank = len(plan.tables["estimates"])
    parts = (amount * 3 / 5, amount * 2 / 5)
    lines = [
        {
            "id": plan.new_id("line_items"),
            "kind": kind,
            "description": ("Concept", "", None, "Implementation")[(rank + at_line) % 4],
            "quantity": (1, 1.0)[at_line],
            "unit_price": money(part),
            "amount": money(part),
            "taxed": False,
            "taxed2": False,
        }
        for at_line, (kind, part) in enumerate(zip(("Service", "Product"), parts, strict=True))
    ]
    record = estimate_record(plan.new_id("estimates"), client, agency.staff[0].user, iso(at))
    record |= {
        "line_items": lines,
        "number": str(1000 + rank),
        "subject": ("", None, "Proposal")[rank % 3],
        "purchase_order": ("", "PO-9", None)[rank % 3],
    }
    return record | totals(lines, Charges(), unset=(0.0, None)[rank % 2], whole=rank % 3 == 0)


def _accepted(at: int) -> Record:
    decided = iso(at + 9 * DAY_S)
    return {
        "state": "accepted",
        "sent_at": iso(at + DAY_S),
        "accepted_at": decided,
        "updated_at": decided,
    }


def _state(position: int, at: int) -> Record:
    state = STATES[position % len(STATES)]
    sent, decided = iso(at + DAY_S), iso(at + 9 * DAY_S)
    return {
        "state": state,
        "issue_date": None if state == "draft" and position % 2 else iso(at)[:10],
        "sent_at": None if state == "draft" else sent,
        "declined_at": decided if state == "declined" else None,
        "updated_at": {"draft": iso(at), "sent": sent}.get(state, decided),
    }


def _quote(billed: Billed, found: Engagement, estimate: Record) -> None:
    """The first invoice of the project names the estimate."""
    for job, record in billed.jobs:
        if job.found is found:
            record["estimate"] = refs.only_id(estimate)
            return
