"""Row counts by year: windows that miss no day, and changes that are not yet merged."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.compare_rows import (
    apply_changes,
    count_within,
    list_year_windows,
    name_window,
)

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
COUNTS = st.dictionaries(st.none() | DAYS, st.integers(1, 5), max_size=20)


@given(days=COUNTS, start=st.none() | DAYS)
def test_windows_touch_and_fill_the_days_that_are_compared(
    days: dict[date | None, int], start: date | None
) -> None:
    """Every compared day is in exactly one window, years like 1 and 9999 included."""
    root = DateWindow(start=start)
    windows = list_year_windows(root, days)
    assert (windows[0].start, windows[-1].end) == (start, None)
    assert [each.end for each in windows[:-1]] == [each.start for each in windows[1:]]
    assert not any(each.is_empty for each in windows)
    dated = {day: rows for day, rows in days.items() if day is not None and day in root}
    assert sum(count_within(each, days) for each in windows) == sum(dated.values())


@given(days=COUNTS)
def test_every_year_with_rows_has_a_window_of_its_own(days: dict[date | None, int]) -> None:
    """A difference can then name its year."""
    windows = list_year_windows(ALL_DAYS, days)
    for day in days:
        if day is not None and day.year < date.max.year:
            assert DateWindow(date(day.year, 1, 1), date(day.year + 1, 1, 1)) in windows or (
                day.year == 1
            )


def test_without_rows_all_days_are_one_window() -> None:
    """Harvest may have rows where the warehouse has none."""
    assert list_year_windows(ALL_DAYS, {}) == [ALL_DAYS]


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (date(2024, 1, 1), date(2025, 1, 1), "2024"),
        (date(2024, 3, 1), date(2025, 1, 1), "2024"),
        (None, date(2024, 1, 1), "the beginning to 2024-01-01"),
        (date(2025, 1, 1), None, "2025-01-01 to the end"),
        (date(2020, 1, 1), date(2024, 1, 1), "2020-01-01 to 2024-01-01"),
    ],
)
def test_a_year_is_named_by_its_number(start: date | None, end: date | None, name: str) -> None:
    """A year that a bound cuts has its number too; anything else is named by its days."""
    assert name_window(DateWindow(start, end)) == name


MARCH, MAY = date(2024, 3, 1), date(2024, 5, 1)


def row(day: date | None) -> dict[str, Any]:
    return {"spent_date": day}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ([], {MARCH: 2}),
        ([ChangedRow(None, row(MAY))], {MARCH: 2, MAY: 1}),
        ([ChangedRow(row(MARCH), row(MARCH))], {MARCH: 2}),
        ([ChangedRow(row(MARCH), row(MAY))], {MARCH: 1, MAY: 1}),
        ([ChangedRow(None, row(None))], {MARCH: 2}),
    ],
)
def test_changed_rows_count_as_harvest_has_them(
    changed: list[ChangedRow], expected: dict[date, int]
) -> None:
    """New rows are added, moved ones are moved; undated ones are in no window of days."""
    root = DateWindow(start=MARCH - timedelta(days=1))
    days = apply_changes({MARCH: 2}, changed, day_column="spent_date", root=root)
    assert {day: rows for day, rows in days.items() if rows} == expected


def test_rows_that_move_out_of_the_bound_are_not_compared() -> None:
    """Neither side counts anything before the bound."""
    changed = [ChangedRow(row(MAY), row(MARCH)), ChangedRow(row(MARCH), row(MAY))]
    days = apply_changes(
        {MAY: 5}, changed, day_column="spent_date", root=DateWindow(start=MARCH + timedelta(1))
    )
    assert days == {MAY: 5}


def test_rows_of_a_table_without_dates_count_together() -> None:
    """Its rows are all under None."""
    changed = [ChangedRow(None, {"id": 1}), ChangedRow({"id": 2}, {"id": 2})]
    assert apply_changes({None: 8}, changed, day_column=None, root=ALL_DAYS) == {None: 9}
