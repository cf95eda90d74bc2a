"""The calendar years of a report."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.harvest_reports import report_windows


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 4000))
def test_report_years_touch_and_never_exceed_what_harvest_takes(first: date, days: int) -> None:
    """At most 365 days between ``from`` and ``to``, leap years included; no day twice."""
    today = first + timedelta(days=days)
    windows = report_windows(first, today)
    assert windows[0].start == first
    assert today in windows[-1]
    for window in windows:
        bounds = [date.fromisoformat(day) for day in window.params().values()]
        assert timedelta(0) <= bounds[1] - bounds[0] <= timedelta(days=365)
    assert [w.end for w in windows[:-1]] == [w.start for w in windows[1:]]
