"""Billable and cost rates of people: which amount holds on which day."""

from __future__ import annotations

from datetime import date, timedelta

from harvest_source.sandbox.plan import Plan, Tables
from harvest_source.sandbox.values import Record, day_epoch, iso, parse_day, parse_instant

RATES = {"billable_rates": "default_hourly_rate", "cost_rates": "cost_rate"}
DAY_S = 86400


def rate_record(rate_id: int, user_id: int, at: str, start: str | None) -> Record:
    """A rate that holds from day *start* on; ``None`` is since ever."""
    return {
        "id": rate_id,
        "user_id": user_id,
        "amount": 100.0,
        "start_date": start,
        "end_date": None,
        "created_at": at,
        "updated_at": at,
    }


def seed_rates(plan: Plan) -> None:
    """
    A history for everybody who has a rate now; nobody else ever had one.

    The rates on seeded time entries are today's throughout: entries do not follow the history.
    """
    if plan.settings.empty:
        return
    for position, user in enumerate(plan.all("users")):
        for table, member in RATES.items():
            if user[member] is not None:
                _seed_history(plan, table, user, position)


def _seed_history(plan: Plan, table: str, user: Record, position: int) -> None:
    """Up to two former amounts, the present one, and for some a raise already agreed."""
    now = user[RATES[table]]
    span = max(1, plan.until - plan.start // DAY_S - 719163)
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
    settle(plan.tables, table, user["id"])


def in_order(tables: Tables, table: str, user_id: int) -> list[Record]:
    """The rates of one person in the order in which they hold, as stored."""
    rates = [record for record in tables[table].values() if record["user_id"] == user_id]
    return sorted(rates, key=lambda rate: (parse_day(rate["start_date"]) or 0, rate["id"]))


def settle(tables: Tables, table: str, user_id: int) -> None:
    """
    Compute the end of each rate: the day before the next one starts.

    Unverified against a live account: that a rate's own ``updated_at`` stays when its end moves.
    """
    rates = in_order(tables, table, user_id)
    for rate, following in zip(rates, [*rates, None][1:], strict=True):
        start = parse_day(following["start_date"]) if following else None
        rate["end_date"] = (date.fromordinal(start) - timedelta(1)).isoformat() if start else None


def current(tables: Tables, table: str, user_id: int, today: int) -> object:
    """The amount that holds on day number *today*; ``None`` when none does."""
    begun = [
        rate
        for rate in in_order(tables, table, user_id)
        if (parse_day(rate["start_date"]) or 0) <= today
    ]
    return begun[-1]["amount"] if begun else None
