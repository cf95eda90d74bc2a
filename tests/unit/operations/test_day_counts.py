"""Row counts by day, cut into windows."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.slices import DateWindow
from harvest_source.operations.day_counts import DayCounts

COUNTS = st.dictionaries(st.dates(), st.integers(1, 50), min_size=0, max_size=30)
SIDE = st.none() | st.dates()


@given(counts=COUNTS, start=SIDE, end=SIDE)
def test_halves_touch_and_share_the_rows(
    counts: dict[date, int], start: date | None, end: date | None
) -> None:
    """Each half has rows, none is in both, and they differ by at most one day's rows."""
    window, days = DateWindow(start, end), DayCounts(dict[date | None, int](counts.items()))
    halves = days.halve(window)
    inside = [day for day in counts if day in window]
    if halves is None:
        assert len(inside) < 2
        return
    older, newer = halves
    assert (older.start, older.end, newer.end) == (window.start, newer.start, window.end)
    assert days.rows(older) + days.rows(newer) == days.rows(window)
    assert days.rows(older) > 0
    assert days.rows(newer) > 0
    heaviest = max(counts[day] for day in inside)
    assert abs(days.rows(older) - days.rows(newer)) <= heaviest


@given(counts=COUNTS, start=SIDE, end=SIDE, rows=st.integers(1, 200))
def test_the_first_days_hold_at_most_the_requested_rows(
    counts: dict[date, int], start: date | None, end: date | None, rows: int
) -> None:
    """The days begin with the window; one more day with rows would exceed the number."""
    window, days = DateWindow(start, end), DayCounts(dict[date | None, int](counts.items()))
    first = days.first(window, rows)
    inside = sorted(day for day in counts if day in window)
    within = [day for day in inside if day in first]
    assert first.start == window.start
    assert within == inside[: len(within)]
    assert days.rows(first) <= rows or len(within) == 1
    if first != window:
        rest = inside[len(within) :]
        assert rest
        assert days.rows(first) + counts[rest[0]] > rows
