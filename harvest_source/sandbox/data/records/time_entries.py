"""Time entries: hours, timers, links to other tools."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from harvest_source.sandbox.data.records.guesses import GUESSED
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.values import Record, parse_instant


def entry_record(entry_id: int, quotes: Record, booked: Booking, at: str) -> Record:
    """A stopped hour on *booked*, worked on the day it is created, not approved or invoiced."""
    return {
        "id": entry_id,
        "spent_date": at[:10],
        **hour_members(1.0),
        "notes": None,
        "is_locked": False,
        **GUESSED["time_entries"],
        "locked_reason": None,
        "is_closed": False,
        "approval_status": "unsubmitted",
        "is_billed": False,
        **timer_members(None, None),
        **rate_members(booked),
        "created_at": at,
        "updated_at": at,
        **quotes,
        "invoice": None,
        "external_reference": None,
    }


def hour_members(hours: float) -> Record:
    """The three hour members of a stopped entry; rounding is up to the quarter hour."""
    return {
        "hours": hours,
        "hours_without_timer": hours,
        "rounded_hours": rounded(hours),
    }


def rounded(hours: float) -> float:
    """Up to the next quarter hour: the rounding rule of this account."""
    quarters = (Decimal(repr(hours)) * 4).to_integral_value(ROUND_UP)
    return float(quarters / 4)


def timer_members(started: str | None, ended: str | None) -> Record:
    """The timer members of a stopped entry."""
    return {
        "timer_started_at": None,
        "started_time": started,
        "ended_time": ended,
        "is_running": False,
    }


def rate_members(booked: Booking) -> Record:
    """What an hour of a booking earns and costs."""
    return {
        "billable": booked.billable,
        "budgeted": booked.budgeted,
        "billable_rate": booked.billable_rate,
        "cost_rate": booked.cost_rate,
    }


def reference_record(at: int) -> Record:
    """Ticket number *at* in another tool; its ids are digits in text (quirk 44)."""
    service = ("trello.com", "github.com", "app.asana.com")[at % 3]
    return {
        "id": str(100_000 + at),
        "group_id": None if at % 5 == 0 else str(9_000 + at % 7),
        "account_id": None if at % 2 else "77",
        "permalink": f"https://{service}/c/{100_000 + at}",
        "service": service,
        "service_icon_url": f"https://proxy.example.com/{service}.png",
    }


def clock_text(minute: int, clock_24h: bool) -> str:
    """Minutes after midnight as ``8:00am`` or ``14:59`` (behaviour.md 8)."""
    hour, rest = divmod(minute % 1440, 60)
    if clock_24h:
        return f"{hour:02d}:{rest:02d}"
    return f"{(hour + 11) % 12 + 1}:{rest:02d}{'am' if hour < 12 else 'pm'}"


def with_running_hours(record: Record, now: int) -> Record:
    """A running entry with the hours it has at Unix second *now*; any other entry unchanged."""
    started = parse_instant(str(record.get("timer_started_at")))
    if not record.get("is_running") or started is None:
        return record
    hours = round(float(record["hours_without_timer"]) + max(0, now - started) / 3600, 2)
    return {**record, "hours": hours, "rounded_hours": rounded(hours)}
