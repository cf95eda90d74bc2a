"""The weeks and months of an axis: one without figures keeps its place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

MOST_PERIODS: Final = 600
"""Maximum weeks or months of an axis: a mistyped year must not make it thousands long."""


def fill_months(found: Iterable[date]) -> list[date]:
    """Every month from the first of *found* to the last; only *found* if that were too many."""
    known = sorted(set(found))
    if not known:
        return []
    first, last = (day.year * 12 + day.month - 1 for day in (known[0], known[-1]))
    if last - first >= MOST_PERIODS:
        return known
    return [date(at // 12, at % 12 + 1, 1) for at in range(first, last + 1)]


def fill_weeks(found: Iterable[date]) -> list[date]:
    """
    Every week from the first of *found* to the last; only *found* if that were too many.

    Args:
        found: First days of weeks. Those of two accounts may be different weekdays: each has weeks.
    """
    known = sorted(set(found))
    if not known or (known[-1] - known[0]).days >= 7 * MOST_PERIODS:
        return known
    days = range((known[-1] - known[0]).days + 1)
    begins = {day.weekday() for day in known}
    every = (known[0] + timedelta(days=at) for at in days)
    return [day for day in every if day.weekday() in begins]
