"""Stored rows against listed rows: what differs, on which days, and in how few windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.operations.row_differences import (
    RowDifferences,
    cover_days,
    find_differences,
)

Row = tuple[int, date | None, int]
"""Id, day and content."""

FIRST, SECOND, THIRD = (date(2024, 1, day) for day in (1, 2, 3))
DAYS = st.sampled_from([FIRST, SECOND, THIRD, None])
ROWS = st.lists(st.tuples(st.integers(0, 9), DAYS, st.integers(0, 1)), max_size=12)


def table(rows: Sequence[Row], pages: int = 1) -> pa.Table:
    columns = [list(each) for each in zip(*rows, strict=True)] if rows else [[], [], []]
    types = (pa.int64(), pa.date32(), pa.int64())
    arrays = [pa.array(each, of) for each, of in zip(columns, types, strict=True)]
    whole = pa.table(dict(zip(("id", "day", "content"), arrays, strict=True)))
    size = -(-len(rows) // pages) or 1
    return pa.concat_tables(
        [whole.slice(0, 0), *(whole.slice(at, size) for at in range(0, len(rows), size))]
    )


def compare(
    stored: Sequence[Row], listed: Sequence[Row], moved: Sequence[int] = ()
) -> RowDifferences:
    return find_differences(table(stored), table(listed, 3), pa.array(moved, pa.int64()))


@given(stored=ROWS, listed=ROWS, moved=st.lists(st.integers(0, 9), max_size=2))
def test_differences_are_found_row_by_row(
    stored: list[Row], listed: list[Row], moved: list[int]
) -> None:
    """The result equals that of dictionaries, in any order and with repeated rows."""
    ours = [row for row in stored if row[0] not in moved]
    theirs = [row for row in listed if row[0] not in moved]
    found = compare(stored, listed, moved)
    assert found.here == len({row[0] for row in ours})
    assert found.there == len({row[0] for row in theirs})
    assert found.doubled == len(ours) - found.here
    # Each id has one row, the same on both sides.
    once = Counter(row[0] for row in ours)
    versions = {key: {row for row in theirs if row[0] == key} for key, *_ in theirs}
    right = {row for row in ours if once[row[0]] == 1 and versions.get(row[0]) == {row}}
    wrong = {row[1] for row in (*ours, *theirs) if row not in right}
    assert wrong >= found.days
    assert found.is_equal == (not found.days)
    for key in {row[0] for row in (*ours, *theirs)}:
        if once[key] != 1 or not any(row in versions.get(key, ()) for row in ours if row[0] == key):
            of_key = {row[1] for row in (*ours, *theirs) if row[0] == key}
            assert of_key & found.days
    assert found.same >= len(right)


@given(rows=ROWS, data=st.data())
def test_the_same_rows_are_equal_in_any_order(rows: list[Row], data: st.DataObject) -> None:
    """So are rows that are listed twice; a row that is missing or wrong is found."""
    once = list({row[0]: row for row in rows}.values())
    listed = data.draw(st.permutations([*once, *once[: len(once) // 2]]))
    assert compare(once, listed).is_equal
    if once:
        key, day, content = once[0]
        assert compare(once[1:], listed).days == {day}
        wrong = compare([(key, day, content + 1), *once[1:]], listed)
        assert wrong.days == {day}
        assert wrong.same == len(once) - 1
        assert compare([once[0], *once], listed).days == {day}


def test_many_rows_are_compared_part_by_part() -> None:
    """Parts are by id, and do not change the result."""
    stored = [(each, FIRST, 0) for each in range(40)]
    listed = [(each, SECOND if each == 7 else FIRST, 0) for each in range(5, 50)]
    found = find_differences(table(stored), table(listed), part_rows=3)
    assert found == RowDifferences(40, 45, 34, 0, frozenset({FIRST, SECOND}))


def test_figures_differ_if_any_row_does() -> None:
    """Equal counts of other rows are shown as unequal; equal rows as their number."""
    first, second, third = ((each, FIRST, 0) for each in range(3))
    assert compare([first, second], [first, third]).figures == (2, 1)
    assert compare([first, first], [first, second]).figures == (2, 1)
    assert compare([first, second], [first, second, third]).figures == (2, 3)
    assert compare([first, second], [second, first]).figures == (2, 2)


@given(
    counts=st.dictionaries(st.dates(FIRST, FIRST + timedelta(30)), st.integers(1, 9), max_size=20),
    missing=st.lists(st.dates(FIRST, FIRST + timedelta(30)), max_size=6),
    most=st.integers(1, 40),
)
def test_windows_cover_the_days_and_little_else(
    counts: dict[date | None, int], missing: list[date], most: int
) -> None:
    """Each day is in one window, which one request can read unless it is a single day."""
    days = {*list(counts)[::2], *missing}
    windows = cover_days(days, counts, most)
    assert all(sum(day in each for each in windows) == 1 for day in days)
    for window in windows:
        rows = sum(each for day, each in counts.items() if day in window)
        assert rows <= most or window.is_one_day
        assert window.start in days
        assert window.end is not None
        assert window.end - timedelta(1) in days
    assert len(windows) <= len(days)


def test_an_undated_row_is_in_no_window() -> None:
    """All days are read for it; a window of the last possible day has no end."""
    assert cover_days([None, FIRST], {}, 5) == [ALL_DAYS]
    assert cover_days([date.max], {}, 5) == [DateWindow(date.max, None)]
    assert cover_days([], {FIRST: 3}, 5) == []
