"""
When something that is done from time to time is due again, judged by stored times. Pure.

Stored times come from this machine's clock, which may have been wrong when they were stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from harvest_source.schema.run_record import RunRecord

DAILY: Final = timedelta(days=1)

_SLACK: Final = timedelta(hours=4)
"""
How much earlier than planned something is due.

Without it, a job that starts some minutes earlier than the day before would skip a daily task every
other day.
"""

_FUTURE: Final = timedelta(days=1)
"""How far in the future a stored time may lie: clocks are set back, and time zones confused."""


def parse_instant(text: str) -> datetime:
    """
    Parse a stored time, ISO 8601 with a zone, into UTC.

    Raises:
        ValueError: It has another form, no zone, or no year in UTC.
        TypeError: It is not text.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


def load_instant(stored: object) -> datetime | None:
    """A stored time in UTC; None if there is none, or it cannot be read: then it says nothing."""
    try:
        return parse_instant(stored)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def is_implausible(at: datetime, now: datetime) -> bool:
    """
    Whether a stored time says nothing, because it lies more than a day in the future.

    Otherwise a clock that was once years ahead would postpone a schedule for years.
    """
    return at > find_latest(now)


def find_latest(now: datetime) -> datetime:
    """The latest time that may have been stored without a wrong clock."""
    return now + _FUTURE


def leave_out_future(runs: Sequence[RunRecord], now: datetime) -> Sequence[RunRecord]:
    """
    The *runs* that did not begin in the future; all if there are no others.

    A clock was wrong when they began, so it is not known when that was.
    """
    return [each for each in runs if not is_implausible(each.started_at, now)] or runs


def is_due(at: datetime | None, now: datetime, every: timedelta = DAILY) -> bool:
    """
    Whether a task that was last done *at* is due again.

    Args:
        at: None: it was never done.
        every: The plan. A plan of one day is due after 20 hours.
    """
    return at is None or is_implausible(at, now) or now - at >= every - _SLACK


def plan_next(at: datetime, now: datetime, every: timedelta) -> datetime:
    """When a task that was last done *at* is planned again: now, if that time says nothing."""
    return now if is_implausible(at, now) else at + every


def is_older(at: datetime | None, now: datetime, age: timedelta) -> bool:
    """
    Whether a task was last done more than *age* ago, or never.

    A time from a clock that was far ahead counts as never.
    """
    return at is None or is_implausible(at, now) or now - at > age
