"""Days and windows for property tests: ordinary ones, and those that break arithmetic."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from harvest_source.extract.slices import DateWindow
from harvest_source.extract.window_plan import EARLIEST

DAY = timedelta(days=1)
TODAY = date(2024, 6, 30)

odd_days = st.sampled_from(
    [date.min, date(201, 5, 1), EARLIEST, TODAY, TODAY + DAY, date(2062, 1, 1), date.max]
)
days = st.one_of(odd_days, st.dates(date(2023, 1, 1), TODAY), st.dates())
sides = st.none() | days


@st.composite
def windows(draw: st.DrawFn) -> DateWindow:
    """A window with at least one day in it."""
    start, end = draw(sides), draw(sides)
    if start is not None and end is not None and start > end:
        start, end = end, start
    return DateWindow(start, None if end in {start, date.min} else end)


@st.composite
def windows_and_days(draw: st.DrawFn) -> tuple[DateWindow, date, date]:
    """A window and two days in it, in order; often the same or the first and last."""
    window = draw(windows())
    low, high = window.clamp(date.min), window.clamp(date.max)
    inside = st.sampled_from([low, high]) | st.dates(low, high)
    first, last = sorted((draw(inside), draw(inside)))
    return window, first, last


def count_in(rows: list[date], window: DateWindow) -> int:
    """What Harvest would count: by its inclusive bounds, not our half-open ones."""
    params = window.params()
    first = date.fromisoformat(params.get("from", date.min.isoformat()))
    last = date.fromisoformat(params.get("to", date.max.isoformat()))
    return sum(first <= row <= last for row in rows)
