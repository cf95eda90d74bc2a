"""The history of a user's billable and cost rates: which amount applies on which day."""

from __future__ import annotations

from datetime import date, timedelta

from harvest_source.sandbox.data.values import Record, Tables, parse_day

RATES = {"billable_rates": "default_hourly_rate", "cost_rates": "cost_rate"}
"""The member of a user that shows the current rate, by table of rates."""


def rates_of(tables: Tables, table: str, user_id: int) -> list[Record]:
    """The rates of one user by the day they start; the stored records themselves."""
    rates = [record for record in tables[table].values() if record["user_id"] == user_id]
    return sorted(rates, key=lambda rate: (parse_day(rate["start_date"]) or 0, rate["id"]))


def set_ends(tables: Tables, table: str, user_id: int) -> None:
    """
    Set the end of each rate of a user: the day before the next one starts.

    Unverified against a live account: that a rate's own ``updated_at`` stays when its end moves.
    """
    rates = rates_of(tables, table, user_id)
    for rate, following in zip(rates, [*rates, None][1:], strict=True):
        start = parse_day(following["start_date"]) if following else None
        rate["end_date"] = (date.fromordinal(start) - timedelta(1)).isoformat() if start else None


def current_amount(tables: Tables, table: str, user_id: int, today: int) -> object:
    """The amount that applies on day number *today*; ``None`` when none does."""
    begun = [
        rate
        for rate in rates_of(tables, table, user_id)
        if (parse_day(rate["start_date"]) or 0) <= today
    ]
    return begun[-1]["amount"] if begun else None
