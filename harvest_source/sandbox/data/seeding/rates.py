"""Seeding step: the history of rates."""

from __future__ import annotations

from datetime import date

from harvest_source.sandbox.data.rates import RATES, set_ends
from harvest_source.sandbox.data.records.people import rate_record
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, day_of, iso, parse_instant


def seed_rates(plan: Plan) -> None:
    """
    A history for every user who has a rate now; users without a rate have no history.

    The rates on seeded time entries are today's throughout: entries do not follow the history.
    """
    for position, user in enumerate(plan.all("users")):
        for table, member in RATES.items():
            if user[member] is not None:
                _seed_history(plan, table, user, position)


def _seed_history(plan: Plan, table: str, user: Record, position: int) -> None:
    """Up to two former amounts, the present amount, and for some users an agreed raise."""
    now = user[RATES[table]]
    span = max(1, plan.until - day_of(plan.start))
    former = position % 3
    days: list[int | None] = [None, *(plan.until - span * n // (former + 1) for n in
                                      range(former, 0, -1))]  # fmt: skip
    amounts = [*(round(now * (0.8 + 0.06 * n), 2) for n in range(former)), now]
    if position % 5 == 3:
        days.append(plan.today + 45)
        amounts.append(now + 5)
    made = parse_instant(user["created_at"]) or plan.start
    for day, amount in zip(days, amounts, strict=True):
        at = min(max(made, day_epoch(day) - 3 * DAY_S), plan.quiet_from) if day else made
        start = None if day is None else date.fromordinal(day).isoformat()
        record = rate_record(plan.new_id(table), user["id"], iso(at), start)
        plan.add(table, record | {"amount": amount})
        if plan.settings.rate_touches_user:
            user["updated_at"] = max(user["updated_at"], iso(at))
    set_ends(plan.tables, table, user["id"])
