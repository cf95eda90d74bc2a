"""Counts of windows, for planning them and for finding rows that no window shows."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import pytest

from harvest_source.extract.slice_reader import TooLong
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_counts import WindowCounter
from harvest_source.extract.window_plan import Sample, WindowSettings
from tests.support.scripted_lists import END_OF_MARCH, NOON, ScriptedClient, slice_reader


def build_counter(*counts: int, workers: int = 1) -> tuple[WindowCounter, ScriptedClient]:
    client = ScriptedClient(counts=counts)
    return WindowCounter(
        slice_reader(client), WindowSettings(END_OF_MARCH, workers=workers)
    ), client


def test_a_plan_costs_one_count_a_cut() -> None:
    """Every window keeps the slice's other filters."""
    counter, client = build_counter(50)
    found = TooLong(
        Slice(only=("user__id", 7)), 100, NOON, Sample(10, date(2024, 3, 22), END_OF_MARCH)
    )
    windows = counter.plan(50, found)
    assert len(windows) == 2
    assert {each.only for each in windows} == {("user__id", 7)}
    assert client.asked == ["count"]


@pytest.mark.parametrize(
    ("total", "rows", "halves", "expected"),
    [
        pytest.param(9, 9, (), 0, id="the windows had all rows"),
        pytest.param(9, 8, (4, 5), 0, id="a row came since"),
        pytest.param(9, 8, (4, 4), 1, id="a row is in neither half"),
        pytest.param(9, None, (5, 4), 0, id="the windows were not counted"),
        pytest.param(9, 10, (4, 3), 2, id="rows went, and two have no date"),
        pytest.param(9, 10, (5, 5), -1, id="a row came between the counts"),
    ],
)
def test_a_row_in_neither_half_is_in_no_window(
    total: int, rows: int | None, halves: tuple[int, ...], expected: int
) -> None:
    """Two counts distinguish a row without a date from rows that came or went during the read."""
    counter, client = build_counter(*halves)
    assert counter.count_hidden(Slice(ALL_DAYS), total, rows) == expected
    assert len(client.asked) == len(halves)


def test_a_single_day_is_not_cut_by_date() -> None:
    """Its pieces were counted when it was split by ids."""
    counter, _ = build_counter()
    day = DateWindow(END_OF_MARCH, END_OF_MARCH + timedelta(days=1))
    assert counter.count_hidden(Slice(day), 9, 8) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_questions(workers: int) -> None:
    """The order holds however many requests run in parallel."""
    counter, _ = build_counter(workers=workers)
    assert counter.ask([partial(int, number) for number in range(9)]) == list(range(9))
