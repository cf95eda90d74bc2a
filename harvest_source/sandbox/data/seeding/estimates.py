"""Seeding step: estimates in every state."""

from __future__ import annotations

from harvest_source.sandbox.data.records.billing import estimate_record, totals
from harvest_source.sandbox.data.seeding.lines import CHARGES, seed_line
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, iso


def seed_estimates(plan: Plan) -> None:
    """The estimates, oldest first, evenly spread over the history."""
    clients, users = plan.all("clients"), plan.all("users")
    for position in range(plan.settings.estimates):
        rng = plan.rng(f"estimate {position}")
        span = plan.quiet_from - plan.start - 30 * DAY_S
        at = plan.start + 20 * DAY_S + span * position // max(1, plan.settings.estimates)
        lines = [seed_line(plan.new_id("line_items"), rng) for _ in range(rng.randint(0, 3))]
        record = estimate_record(
            plan.new_id("estimates"), clients[position % len(clients)], users[0], iso(at)
        )
        record |= {"line_items": lines, "number": str(1000 + position)}
        charges = CHARGES[(position + 1) % len(CHARGES)]
        unset, whole = (0.0, None)[position % 2], position % 3 == 0
        record |= totals(lines, charges, unset=unset, whole=whole)
        plan.add("estimates", record | _state(position, at))


def _state(position: int, at: int) -> Record:
    state = ("draft", "sent", "accepted", "declined")[position % 4]
    sent, decided = iso(at + DAY_S), iso(at + 9 * DAY_S)
    return {
        "state": state,
        "subject": ("", None, "Proposal")[position % 3],
        "purchase_order": ("", "PO-9", None)[position % 3],
        "issue_date": None if state == "draft" and position % 8 == 4 else iso(at)[:10],
        "sent_at": None if state == "draft" else sent,
        "accepted_at": decided if state == "accepted" else None,
        "declined_at": decided if state == "declined" else None,
        "updated_at": {"draft": iso(at), "sent": sent}.get(state, decided),
    }
