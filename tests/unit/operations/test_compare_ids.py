"""Comparing a large table's ids window by window."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pyarrow as pa
import pytest

from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.operations.compare_ids import cut_days
from harvest_source.operations.row_differences import RowDifferences, find_differences

FIRST = date(2024, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(number)


@pytest.mark.parametrize("root", [ALL_DAYS, DateWindow(day(-10), day(40))])
def test_every_day_is_in_one_window(root: DateWindow) -> None:
    """Days without rows here count: Harvest may have some. Only one day may be too large."""
    counts: dict[date | None, int] = {day(each): 1 + each % 4 for each in range(0, 30, 2)}
    counts[day(7)] = 99
    groups = cut_days(root, counts, 6)
    windows = [window for group in groups for window in group]
    days = [day(each) for each in range(-10, 40)] + (
        [date.min, date.max] if root == ALL_DAYS else []
    )
    assert all(sum(each in window for window in windows) == 1 for each in days)
    for window in windows:
        here = [rows for each, rows in counts.items() if each in window]
        assert sum(here) <= 6 or len(here) == 1
    assert len(windows) > 5


def test_few_or_undated_rows_are_compared_at_once() -> None:
    """No window contains rows without a date."""
    assert cut_days(ALL_DAYS, {day(1): 3, day(2): 3}, 6) == [()]
    assert cut_days(ALL_DAYS, {day(1): 30, None: 1}, 6) == [()]
    assert cut_days(ALL_DAYS, {}, 6) == [()]


def test_windows_find_the_same_differences_as_the_whole() -> None:
    """Windows find the same days and figures: a row missing, an extra one, one on another day."""
    ids = range(60)
    stored = build_keys({each: day(each % 20) for each in ids if each != 5})
    listed = build_keys({each: day(each % 20) for each in ids if each != 11} | {17: day(3)})
    whole = find_differences(stored, listed)
    counts = Counter(stored.column("day").to_pylist())
    parts = RowDifferences()
    for group in cut_days(ALL_DAYS, counts, 10):
        parts += find_differences(choose(stored, group[0]), choose(listed, group[0]))
    assert parts == whole
    assert whole.days == {day(5), day(11), day(17), day(3)}


def build_keys(rows: dict[int, date]) -> pa.Table:
    columns = [pa.array([*rows], pa.int64()), pa.array([*rows.values()], pa.date32())]
    return pa.table(columns, ["id", "day"])


def choose(rows: pa.Table, window: DateWindow) -> pa.Table:
    return rows.filter(pa.array([each in window for each in rows.column("day").to_pylist()]))
