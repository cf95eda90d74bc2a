"""Half-open windows of days, and slices as query parameters."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from tests.support.days import DAY, TODAY, count_in, days, windows, windows_and_days
from tests.support.scripted_lists import NOON


@given(windows(), days)
def test_a_window_contains_exactly_the_days_harvest_returns(window: DateWindow, day: date) -> None:
    """Our half-open days and Harvest's inclusive ``from`` and ``to`` mean the same."""
    assert (day in window) == (count_in([day], window) == 1)


def test_requested_days_are_inclusive() -> None:
    """The last requested day is the one before the end, and years have four digits."""
    window = DateWindow(date(201, 1, 1), date(2024, 3, 1))
    assert window.params() == {"from": "0201-01-01", "to": "2024-02-29"}
    assert ALL_DAYS.params() == {}


@given(windows_and_days())
def test_cutting_loses_no_day(case: tuple[DateWindow, date, date]) -> None:
    """Every day of a window is in exactly one of its two halves, wherever it is cut."""
    window, day, _ = case
    older, newer = window.cut_at(day)
    for each in (day, day - DAY if day > date.min else day, date.min, date.max):
        assert (each in older) + (each in newer) == (each in window)


@given(windows(), st.booleans())
def test_an_empty_window_has_no_day(window: DateWindow, is_empty: bool) -> None:
    """A window that starts where it ends is empty; any other contains a day."""
    if is_empty and window.start is not None:
        window = DateWindow(window.start, window.start)
    candidates = (window.start, window.end and window.end > date.min and window.end - DAY, TODAY)
    has_day = any(day in window for day in candidates if isinstance(day, date))
    assert has_day is not window.is_empty


def test_windows_are_named_in_words() -> None:
    """Messages name open sides in words."""
    assert str(ALL_DAYS) == "all days"
    assert str(DateWindow(None, TODAY)) == "the beginning to 2024-06-30"
    assert str(DateWindow(TODAY)) == "2024-06-30 to the end"


def test_a_slice_is_sent_in_harvests_parameters() -> None:
    """Parameters have inclusive days, whole UTC seconds, and an id filter with one underscore."""
    slice_ = Slice(
        DateWindow(date(2024, 3, 1), date(2024, 4, 1)),
        since=NOON + timedelta(seconds=5, microseconds=900_000),
        only=("user__id", 7),
    )
    assert slice_.params() == {
        "from": "2024-03-01",
        "to": "2024-03-31",
        "updated_since": "2024-03-01T12:00:05Z",
        "user_id": "7",
    }
    assert str(slice_) == "2024-03-01 to 2024-04-01, changed since 2024-03-01 12:00:05, user__id 7"
    assert Slice(flag=("is_running", "true")).params() == {"is_running": "true"}
