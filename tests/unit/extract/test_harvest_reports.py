"""The calendar years of a report, and which of them are read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harvest_source.auth.sessions import Owner
from harvest_source.extract.harvest_reports import report_windows
from harvest_source.extract.strategies import read
from harvest_source.schema.endpoints import BY_NAME
from tests.support.scripted_lists import FixedClient, build_task

REPORT = BY_NAME["report_time_clients"]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOURS_BEFORE = {"2025-12-31": 9, "2024-12-31": 5, "2023-12-31": 0}
"""Entries up to the end of a year: the first are in 2024."""


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 4000))
def test_report_years_touch_and_never_exceed_what_harvest_takes(first: date, days: int) -> None:
    """At most 365 days between ``from`` and ``to``, leap years included; no day twice."""
    today = first + timedelta(days=days)
    windows = report_windows(first, today)
    assert windows[0].start == first
    assert today in windows[-1]
    for window in windows:
        bounds = [date.fromisoformat(day) for day in window.params().values()]
        assert timedelta(0) <= bounds[1] - bounds[0] <= timedelta(days=365)
    assert [w.end for w in windows[:-1]] == [w.start for w in windows[1:]]


def read_years(state: dict[str, Any], now: datetime, **options: Any) -> list[str]:
    """The first days of the years that a run reads."""
    client = FixedClient({}, HOURS_BEFORE)
    list(read(build_task(client, REPORT, state=state, now=now, **options)))
    reports = [each for each in client.asked if each.startswith("reports/")]
    return [each.partition("from=")[2][:8] for each in reports]


def test_old_years_are_read_on_a_schedule() -> None:
    """First all years with hours; then only what is still edited; in a week all again."""
    state: dict[str, Any] = {}
    every_year = ["20240101", "20250101", "20260101"]
    assert read_years(state, NOW) == every_year
    assert read_years(state, NOW + DAY) == ["20260101"]
    assert read_years(state, NOW + 7 * DAY) == every_year
    assert read_years(state, NOW + 8 * DAY, full_refresh=True) == every_year


def test_last_year_is_still_edited_in_its_first_quarter() -> None:
    """Hours younger than ninety days change, so a report that reaches into them is read."""
    state: dict[str, Any] = {}
    march = datetime(2026, 3, 1, 12, tzinfo=UTC)
    read_years(state, march)
    assert read_years(state, march + DAY) == ["20250101", "20260101"]


def test_a_token_that_sees_more_reads_every_year() -> None:
    """Rows of any year may have become visible."""
    state: dict[str, Any] = {}
    manager = Owner(1, "Ann", "", ("manager",))
    read_years(state, NOW, owner=manager)
    assert read_years(state, NOW + DAY, owner=manager) == ["20260101"]
    assert len(read_years(state, NOW + DAY)) == 3


def test_a_start_date_bounds_reports() -> None:
    """It is their first day, and nothing has to be counted to find it."""
    client = FixedClient({}, HOURS_BEFORE)
    task = build_task(client, REPORT, now=NOW, start_date=date(2025, 7, 1))
    list(read(task))
    assert client.asked == [
        "reports/time/clients?from=20250701&to=20251231",
        "reports/time/clients?from=20260101&to=20261231",
    ]


def test_a_snapshot_is_kept_once_a_day() -> None:
    """Only the state of its own day is stored: older days are never read again."""
    state: dict[str, Any] = {}
    budget = BY_NAME["report_project_budget"]
    for now in (NOW, NOW, NOW + DAY):
        list(read(build_task(FixedClient({}), budget, state=state, now=now)))
    assert list(state["windows"]) == ["2026-06-02"]
