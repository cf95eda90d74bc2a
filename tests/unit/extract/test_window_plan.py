"""Windows touch, never overlap and cover every day, however they are cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.extract.window_plan import (
    Sample,
    WindowSettings,
    find_gaps,
    halve,
    plan_windows,
)
from tests.support.days import DAY, TODAY, count_in, days, windows, windows_and_days

counts = st.integers(0, 2000)


def assert_covers(pieces: list[DateWindow], whole: DateWindow) -> None:
    """*pieces* touch in order, and their outer ends are those of *whole*."""
    assert pieces[0].start == whole.start
    assert pieces[-1].end == whole.end
    for older, newer in pairwise(pieces):
        assert older.end == newer.start is not None


@given(windows(), days, days)
def test_halves_cover_their_window_and_are_smaller(
    window: DateWindow, first: date, last: date
) -> None:
    """Halves touch and cover, even for days that Harvest should not have served here."""
    halves = halve(window, first, last)
    if halves is None:
        assert window.is_one_day
        return
    assert_covers(list(halves), window)
    older, newer = halves
    assert older != window
    assert newer != window


@given(windows_and_days())
def test_halving_separates_rows_on_two_days(case: tuple[DateWindow, date, date]) -> None:
    """Rows on two days are separated at once."""
    window, first, last = case
    assume(first < last)
    halves = halve(window, first, last)
    assert halves is not None
    assert first in halves[0]
    assert last in halves[1]


@given(windows_and_days())
def test_halving_ends_at_a_single_day(case: tuple[DateWindow, date, date]) -> None:
    """A window whose rows are all on one day is cut down to that day in at most three cuts."""
    window, day, _ = case
    for _ in range(3):
        halves = halve(window, day, day)
        if halves is None:
            break
        window = next(half for half in halves if day in half)
    assert window.is_one_day
    assert halve(window, day, day) is None


PAGE = 20


def sample(rows: list[date], window: DateWindow) -> Sample:
    """The sample that Harvest's first page of *window* gives of *rows*: the newest."""
    page = sorted((row for row in rows if row in window), reverse=True)[:PAGE]
    return Sample(len(page), page[-1], page[0]) if page else Sample(0, TODAY, TODAY)


def counter(rows: list[date]) -> Callable[[Sequence[DateWindow]], list[int]]:
    """A function that answers a plan's questions from *rows*."""
    return lambda windows: [count_in(rows, each) for each in windows]


def plan_all(rows: list[date], window: DateWindow, size: int) -> tuple[list[DateWindow], int]:
    """The windows that are finally read, and how many were cut again on the way."""
    left, pieces, cuts = [window], [], -1
    while left:
        each = left.pop(0)
        total = count_in(rows, each)
        if total <= 1.5 * size or each.is_one_day:
            pieces.append(each)
            continue
        smaller = plan_windows(
            each, total, sample(rows, each), counter(rows), size=size, today=TODAY
        )
        assert_covers(smaller, each)
        left[:0] = smaller
        cuts += 1
        assert cuts <= len(rows), "each cut costs a request"
    return pieces, cuts


@given(
    windows(),
    st.integers(1, 10**8),
    st.builds(lambda rows, seen: Sample(rows, *sorted(seen)), counts, st.tuples(days, days)),
    st.integers(1, 10**6),
    st.lists(counts, min_size=1, max_size=9),
)
def test_plans_cover_their_window_for_any_sample(
    window: DateWindow, total: int, shown: Sample, size: int, said: list[int]
) -> None:
    """Pieces touch, keep the window's ends, have a day each, and are smaller than the window."""
    asked: list[int] = []

    def count(pieces: Sequence[DateWindow]) -> list[int]:
        asked.append(len(pieces))
        return [said[number % len(said)] for number in range(len(pieces))]

    pieces = plan_windows(window, total, shown, count, size=size, today=TODAY)
    assert len(asked) <= 2
    assert max(asked, default=0) <= max(0, -(-total // size) - 1)
    assert_covers(pieces, window)
    assert not any(piece.is_empty for piece in pieces)
    assert (pieces == [window]) == window.is_one_day
    assert len(pieces) <= max(2, -(-total // size))


@example(ALL_DAYS, [date(2062, 1, 1), date(2062, 1, 3)], 1)
@example(ALL_DAYS, [date(201, 1, 1), date(201, 1, 3)], 1)
@given(windows(), st.lists(days, max_size=60), st.integers(1, 20))
def test_plans_come_to_an_end(window: DateWindow, dated: list[date], size: int) -> None:
    """However rows are clustered, every row is in one piece, and cutting ends."""
    rows = [day for day in dated if day in window]
    pieces, _ = plan_all(rows, window, size)
    assert_covers(pieces, window)
    assert sum(count_in(rows, piece) for piece in pieces) == len(rows)


@pytest.mark.parametrize("years", [1, 2, 5, 12, 24])
def test_even_history_is_cut_once_and_evenly(years: int) -> None:
    """At any age of an account, pieces have about the requested size, and none is cut again."""
    rows = [TODAY - DAY * number for number in range(365 * years)]
    pieces, cuts = plan_all(rows, ALL_DAYS, 60)
    assert cuts == 0
    assert max(count_in(rows, piece) for piece in pieces) <= 66
    assert len(pieces) <= 1.1 * len(rows) / 60 + 1


def test_a_sample_of_quiet_days_does_not_make_windows_uneven() -> None:
    """The newest days are a weekend, so the history looks far longer than it is."""
    rows = [TODAY - DAY * (n // 2) for n in range(6)]
    rows += [TODAY - DAY * (10 + n // 20) for n in range(8000)]
    pieces, cuts = plan_all(rows, ALL_DAYS, 1000)
    assert cuts == 0
    assert len(pieces) == 9
    assert max(count_in(rows, piece) for piece in pieces) <= 1.1 * len(rows) / len(pieces)


@pytest.mark.parametrize(
    "ages",
    [
        pytest.param([n**2 // 100 for n in range(500)], id="growing"),
        pytest.param([int(70 * n**0.5) for n in range(500)], id="shrinking"),
        pytest.param([2000 + n for n in range(500)], id="ended years ago"),
        pytest.param([0] * 20 + [7000 + n % 5 for n in range(480)], id="all on a few old days"),
        pytest.param([-14_000, -3000, *range(496), 10_000, 600_000], id="typing errors"),
    ],
)
def test_uneven_history_is_cut_again_a_few_times(ages: list[int]) -> None:
    """Each cut costs a page; the pieces still have about the requested size."""
    rows = [TODAY - DAY * age for age in ages]
    pieces, cuts = plan_all(rows, ALL_DAYS, 60)
    assert cuts <= 9
    assert len(pieces) <= 40
    assert max(count_in(rows, piece) for piece in pieces if not piece.is_one_day) <= 90


@given(windows(), st.lists(windows(), max_size=6), days)
def test_gaps_are_the_days_that_are_not_done(
    window: DateWindow, done: list[DateWindow], day: date
) -> None:
    """Every day of a window is either done or in exactly one gap."""
    done = [each for each in done if not each.is_empty]
    found = find_gaps(window, done)
    is_left = day in window and not any(day in each for each in done)
    assert sum(day in gap for gap in found) == is_left
    assert not any(gap.is_empty for gap in found)


@pytest.mark.parametrize(
    ("total", "size"),
    [
        pytest.param(20_001, 20_000, id="never smaller than a slice that is read in one piece"),
        pytest.param(200_000, 40_000, id="a few windows at least"),
        pytest.param(600_000, 75_000, id="as many windows as are read in parallel"),
        pytest.param(1_000_000, 125_000, id="one round of windows as large as they may be"),
        pytest.param(1_000_001, 62_501, id="two rounds"),
    ],
)
def test_windows_of_a_round_end_together(total: int, size: int) -> None:
    """A list is cut into as many windows as are read in parallel, or a multiple."""
    assert WindowSettings(TODAY).rows_per_window(total) == size
