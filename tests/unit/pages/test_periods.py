"""Axes of time keep a place for each week or month, also for one without figures."""

from __future__ import annotations

from datetime import date

from harvest_source.pages.periods import MOST_PERIODS, fill_months, fill_weeks


def test_months_between_are_there() -> None:
    """Over the end of a year as well; nothing is added before the first or after the last."""
    found = [date(2026, 2, 1), date(2025, 11, 1)]
    assert fill_months(found) == [
        *(date(2025, 11, 1), date(2025, 12, 1)),
        *(date(2026, 1, 1), date(2026, 2, 1)),
    ]
    assert fill_months([]) == []


def test_weeks_between_are_there_for_each_first_weekday() -> None:
    """Accounts whose weeks begin on Monday and on Sunday have their own weeks."""
    monday, sunday = date(2026, 11, 2), date(2026, 11, 15)
    assert fill_weeks([monday, date(2026, 11, 16)]) == [
        monday,
        date(2026, 11, 9),
        date(2026, 11, 16),
    ]
    assert fill_weeks([sunday, monday]) == [
        *(monday, date(2026, 11, 8), date(2026, 11, 9), sunday),
    ]
    assert fill_weeks([]) == []


def test_a_mistyped_year_does_not_make_an_axis_of_centuries() -> None:
    """Then only what has figures is shown."""
    far = [date(1026, 3, 1), date(2026, 3, 1)]
    assert fill_months(far) == fill_weeks(far) == far
    assert len(fill_months([date(1976, 12, 1), date(2026, 11, 1)])) == MOST_PERIODS
