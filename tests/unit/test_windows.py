"""Windows touch, never overlap and cover every day, however they are cut."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harvest_source.windows import ALL_DAYS, EARLIEST, DateWindow, halve, plan

DAY = timedelta(days=1)
TODAY = date(2024, 6, 30)

odd_days = st.sampled_from(
    [date.min, date(201, 5, 1), EARLIEST, TODAY, TODAY + DAY, date(2062, 1, 1), date.max]
)
days = st.one_of(odd_days, st.dates(date(2023, 1, 1), TODAY), st.dates())
sides = st.none() | days


@st.composite
def windows(draw: st.DrawFn) -> DateWindow:
    start, end = draw(sides), draw(sides)
    if start is not None and end is not None and start > end:
        start, end = end, start
    return DateWindow(start, None if end in {start, date.min} else end)


@st.composite
def windows_and_days(draw: st.DrawFn) -> tuple[DateWindow, date, date]:
    """A window and two days in it, in order; often the same or the first and last."""
    window = draw(windows())
    low, high = window.nearest(date.min), window.nearest(date.max)
    inside = st.sampled_from([low, high]) | st.dates(low, high)
    first, last = sorted((draw(inside), draw(inside)))
    return window, first, last


def count_in(rows: list[date], window: DateWindow) -> int:
    """What Harvest would say: by its inclusive bounds, not by ours."""
    params = window.params()
    first = date.fromisoformat(params.get("from", date.min.isoformat()))
    last = date.fromisoformat(params.get("to", date.max.isoformat()))
    return sum(first <= row <= last for row in rows)


def assert_covers(parts: list[DateWindow], whole: DateWindow) -> None:
    """*parts* touch in order, and their ends are the sides of *whole*."""
    assert parts[0].start == whole.start
    assert parts[-1].end == whole.end
    for older, newer in pairwise(parts):
        assert older.end == newer.start is not None


@given(windows(), days)
def test_a_day_is_inside_exactly_when_harvest_says_so(window: DateWindow, day: date) -> None:
    """Our half-open days and Harvest's inclusive ``from`` and ``to`` mean the same."""
    assert (day in window) == (count_in([day], window) == 1)


def test_what_is_asked_is_inclusive() -> None:
    """The last day asked for is the one before the end, and years have four digits."""
    window = DateWindow(date(201, 1, 1), date(2024, 3, 1))
    assert window.params() == {"from": "0201-01-01", "to": "2024-02-29"}
    assert ALL_DAYS.params() == {}


@given(windows_and_days())
def test_cutting_loses_no_day(case: tuple[DateWindow, date, date]) -> None:
    """Every day of a window is in exactly one of its two parts, at whatever day it is cut."""
    window, day, _ = case
    older, newer = window.cut_at(day)
    for each in (day, day - DAY if day > date.min else day, date.min, date.max):
        assert (each in older) + (each in newer) == (each in window)


@given(windows(), days, days)
def test_halves_cover_and_are_smaller(window: DateWindow, first: date, last: date) -> None:
    """Halves touch and cover, even for days Harvest should not have served in this window."""
    halves = halve(window, first, last)
    if halves is None:
        assert window.is_one_day
        return
    assert_covers(list(halves), window)
    older, newer = halves
    assert older != window
    assert newer != window


@given(windows_and_days())
def test_halving_parts_the_rows_it_saw(case: tuple[DateWindow, date, date]) -> None:
    """Rows on two days come apart at once."""
    window, first, last = case
    assume(first < last)
    halves = halve(window, first, last)
    assert halves is not None
    assert first in halves[0]
    assert last in halves[1]


@given(windows_and_days())
def test_halving_ends_at_a_single_day(case: tuple[DateWindow, date, date]) -> None:
    """A window whose rows are all on one day is down to that day after two cuts."""
    window, day, _ = case
    for _ in range(3):
        halves = halve(window, day, day)
        if halves is None:
            break
        window = next(half for half in halves if day in half)
    assert window.is_one_day
    assert halve(window, day, day) is None


@given(windows())
def test_no_day_is_in_an_empty_window(window: DateWindow) -> None:
    """Only windows with a day in them can be asked for."""
    assert any(
        day in window
        for day in (window.start, window.end and window.end - DAY, TODAY)
        if isinstance(day, date)
    )


@given(windows(), st.lists(days, max_size=60), st.integers(1, 20))
def test_plans_cover_every_row_once(window: DateWindow, dated: list[date], most: int) -> None:
    """The parts of a plan touch, keep the window's sides, and their counts sum to its total."""
    rows = [day for day in dated if day in window]
    parts = plan(window, len(rows), lambda part: count_in(rows, part), most=most, today=TODAY)
    assert_covers(parts, window)
    assert not any(part.is_empty for part in parts)
    assert sum(count_in(rows, part) for part in parts) == len(rows)


@given(st.lists(st.dates(EARLIEST, TODAY), max_size=80), st.integers(1, 20))
def test_plans_keep_to_the_size_asked_for(rows: list[date], most: int) -> None:
    """No part but a single day has more rows than asked for, and no two neighbours fit together."""
    parts = plan(ALL_DAYS, len(rows), lambda part: count_in(rows, part), most=most, today=TODAY)
    sizes = [count_in(rows, part) for part in parts]
    for part, size in zip(parts, sizes, strict=True):
        on = {row for row in rows if row in part}
        assert size <= most or len(on) == 1
    assert all(a + b > most for a, b in pairwise(sizes))


@given(st.lists(st.dates(date(2014, 1, 1), TODAY), min_size=1), st.integers(1, 20))
def test_plans_ask_little(rows: list[date], most: int) -> None:
    """A plan costs at most one count for each halving of the days above each part."""
    asked = []

    def count(part: DateWindow) -> int:
        asked.append(part)
        return count_in(rows, part)

    plan(ALL_DAYS, len(rows), count, most=most, today=TODAY)
    assert len(asked) <= 14 * (len(rows) // (most + 1))


@given(windows(), st.lists(st.integers(0, 100), min_size=60, max_size=60))
def test_counts_that_move_do_not_break_a_plan(window: DateWindow, counts: list[int]) -> None:
    """Sizes are a wish: whatever Harvest answers, the parts cover the window."""
    answers = iter(counts)
    parts = plan(window, 50, lambda _part: next(answers, 0), most=10, today=TODAY)
    assert_covers(parts, window)
    assert not any(part.is_empty for part in parts)


def test_what_fits_is_not_cut() -> None:
    """A window of few rows costs no count at all."""

    def count(_part: DateWindow) -> int:
        pytest.fail("nothing needs to be asked")

    assert plan(ALL_DAYS, 10, count, most=10, today=TODAY) == [ALL_DAYS]


def test_windows_say_what_they_are() -> None:
    """Messages name open sides in words."""
    assert str(ALL_DAYS) == "all days"
    assert str(DateWindow(None, TODAY)) == "the beginning to 2024-06-30"
    assert str(DateWindow(TODAY)) == "2024-06-30 to the end"
