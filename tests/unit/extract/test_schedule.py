"""When something is due again, and which stored times are useless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harvest_source.extract.schedule import is_due, is_implausible

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
