"""When something is due again, and which stored times are useless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harvest_source.extract.schedule import (
    is_due,
    is_implausible,
    load_instant,
    parse_instant,
    plan_next,
)

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, False), (19, False), (20, True), (-24, False), (-25, True)]
)
def test_once_a_day_is_due_after_20_hours(hours: int, expected: bool) -> None:
    """A daily job may start early. A time more than a day ahead is useless, so it is due."""
    assert is_due(NOW - hours * HOUR, NOW) is expected


def test_a_task_that_was_never_done_is_due() -> None:
    """No time is stored for it."""
    assert is_due(None, NOW)


@pytest.mark.parametrize(("hours", "expected"), [(163, False), (164, True), (-9000, True)])
def test_once_a_week_is_due_four_hours_early(hours: int, expected: bool) -> None:
    """A weekly plan has a daily one's slack, and a clock years ahead does not delay it."""
    assert is_due(NOW - hours * HOUR, NOW, timedelta(days=7)) is expected


@pytest.mark.parametrize(("hours", "expected"), [(-1, False), (24, False), (25, True)])
def test_a_time_more_than_a_day_ahead_is_worthless(hours: int, expected: bool) -> None:
    """The clock that wrote it was wrong."""
    assert is_implausible(NOW + hours * HOUR, NOW) is expected


@pytest.mark.parametrize("stored", [None, "", "yesterday", "2026-06-17T12:00:00", 7, [], {}, True])
def test_a_stored_time_that_cannot_be_read_is_none(stored: object) -> None:
    """What it dates is then due, as if it had never been done."""
    assert load_instant(stored) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_stored_time_outside_the_calendar_is_none(text: str) -> None:
    """In UTC it would have no year."""
    assert load_instant(text) is None
    with pytest.raises(ValueError, match=r"0001|9999"):
        parse_instant(text)


def test_a_stored_time_is_read_in_utc() -> None:
    """Whatever zone it was stored in."""
    assert load_instant("2026-06-17T14:00:00+02:00") == NOW


def test_the_plan_after_a_time_far_ahead_is_now() -> None:
    """A clock that was wrong plans nothing, not even beyond the calendar."""
    last = datetime.max.replace(tzinfo=UTC)
    assert plan_next(last, NOW, timedelta(days=7)) == NOW
    assert plan_next(NOW - HOUR, NOW, timedelta(days=7)) == NOW - HOUR + timedelta(days=7)
