"""Which years have rows, and the report windows that follow from them."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.report_years import (
    build_window_key,
    count_years,
    last_day,
    parse_window,
    plan_report,
    year_window,
)
from harvest_source.extract.slices import DateWindow

TODAY = date(2026, 6, 1)
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))


class Counting:
    """Counts days like Harvest, and counts its requests."""

    def __init__(self, days: list[date]) -> None:
        self.days = days
        self.requests = 0

    def __call__(self, window: DateWindow) -> int:
        self.requests += 1
        return sum(day in window for day in self.days)


@given(days=st.lists(DAYS, max_size=8), start=st.none() | DAYS)
def test_every_year_with_rows_is_found(days: list[date], start: date | None) -> None:
    """Years like 201 and 9999 are found too; this year needs no count."""
    within = (day.year for day in days if start is None or day >= start)
    expected = Counter(year for year in within if year != TODAY.year)
    assert count_years(Counting(days), TODAY, start) == expected


@pytest.mark.parametrize(
    ("days", "requests"),
    [
        pytest.param([], 2, id="nothing"),
        pytest.param([date(2026, 1, 1)], 2, id="this year"),
        pytest.param([date(2024, 1, 1)], 4, id="three years"),
        pytest.param([date(2027, 1, 1)], 3, id="planned for next year"),
    ],
)
def test_counting_costs_few_requests(days: list[date], requests: int) -> None:
    """It costs one request for each year back to the first, and one for all later years."""
    counting = Counting(days)
    count_years(counting, TODAY, None)
    assert counting.requests == requests


@given(years=st.sets(st.integers(1, 9999), max_size=6), start=st.none() | DAYS)
def test_windows_never_overlap_or_exceed_harvests_limit(
    years: set[int], start: date | None
) -> None:
    """``from`` and ``to`` are at most 365 days apart, leap years included."""
    years = {year for year in years if start is None or year >= start.year}
    plan = plan_report(years, start, [])
    assert [each.start.year for each in plan.windows if each.start] == sorted(years)
    for window in plan.windows:
        assert window.start is not None
        assert timedelta(0) <= last_day(window) - window.start <= timedelta(days=365)
        assert last_day(window).year == window.start.year


@given(DAYS)
def test_a_window_is_known_by_its_name(day: date) -> None:
    """This holds in the last possible year, too."""
    window = year_window(day.year, day)
    assert parse_window(build_window_key(window)) == window


@pytest.mark.parametrize("name", ["", "x", "2024-01-01", "2024-01-01/2025-12-31", "2024-01-01/x"])
def test_other_names_are_no_windows(name: str) -> None:
    """State that cannot be parsed is no window."""
    assert parse_window(name) is None


YEAR, MAY, JULY = (f"2025-{month:02}-01/2025-12-31" for month in (1, 5, 7))


@pytest.mark.parametrize(
    ("start", "stored", "windows", "covered"),
    [
        pytest.param(None, [], [YEAR], [], id="new"),
        pytest.param(None, [MAY], [YEAR], [MAY], id="a part was read"),
        pytest.param(date(2025, 5, 1), [YEAR], [YEAR], [], id="more was read"),
        pytest.param(date(2025, 5, 1), [JULY, MAY], [MAY], [JULY], id="two parts"),
        pytest.param(date(2025, 5, 1), [JULY], [MAY], [JULY], id="less was read"),
        pytest.param(
            None, ["2016-01-01/2016-12-31"], ["2016-01-01/2016-12-31", YEAR], [], id="old"
        ),
        pytest.param(None, ["nonsense"], [YEAR], ["nonsense"], id="malformed"),
    ],
)
def test_only_the_widest_known_window_of_a_year_is_requested(
    start: date | None, stored: list[str], windows: list[str], covered: list[str]
) -> None:
    """The widest window of a year counts, and the others are removed."""
    plan = plan_report([2025], start, stored)
    assert [build_window_key(each) for each in plan.windows] == windows
    assert list(plan.covered) == covered
