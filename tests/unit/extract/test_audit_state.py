"""When each window was last read, and how that is stored."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.audit_state import AuditState, Coverage, ReadWindow, load_audit_state
from harvest_source.extract.slices import DateWindow

START = datetime(2026, 6, 17, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = date(2020, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@given(
    reads=st.lists(
        st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(1, 15)), max_size=12
    )
)
def test_each_day_has_the_time_of_the_last_read_of_its_window(
    reads: list[tuple[int | None, int | None]],
) -> None:
    """Windows touch, cover all days and survive storage; a day has the time of its last read."""
    coverage, last = Coverage.whole(START), dict.fromkeys(range(-5, 50), START)
    for number, (start, width) in enumerate(reads):
        at = START + number * DAY
        end = None if width is None else day((start or 0) + width)
        window = DateWindow(None if start is None else day(start), end)
        coverage = coverage.after_read(window, at)
        last |= {each: at for each in last if day(each) in window}
    for each, at in last.items():
        assert [seen.at for seen in coverage.seen if day(each) in seen.window] == [at]
    ends = [seen.window.end for seen in coverage.seen]
    assert [seen.window.start for seen in coverage.seen] == [None, *ends[:-1]]
    assert ends[-1] is None
    audited = AuditState(coverage, START, START)
    assert load_audit_state(audited.dump(), START + 13 * DAY) == audited


@pytest.mark.parametrize(
    "stored",
    [None, {}, {"seen": []}, {"seen": [["2020-01-01", "2020-01-01T00:00:00+00:00"]]}, {"seen": 1}],
)
def test_malformed_state_counts_as_never_audited(stored: Any) -> None:
    """An unneeded audit costs requests; a skipped one may miss a lost row."""
    assert load_audit_state(stored, START).counted_at.year == 1970


def test_the_oldest_window_is_cut_at_the_bound() -> None:
    """Days before the bound are never read again, so they cannot be the oldest."""
    old, new = START, START + DAY
    coverage = Coverage.whole(old).after_read(DateWindow(day(10), None), new)
    assert coverage.oldest() == ReadWindow(DateWindow(None, day(10)), old)
    assert coverage.oldest(day(5)) == ReadWindow(DateWindow(day(5), day(10)), old)
    assert coverage.oldest(day(20)) == ReadWindow(DateWindow(day(20), None), new)


def test_no_window_ends_before_the_first_possible_day() -> None:
    """A start date of 0001-01-01 leaves no day before it that could be read."""
    coverage = Coverage.whole(START).after_read(DateWindow(date.min, None), START + DAY)
    assert coverage == Coverage.whole(START + DAY)
    assert Coverage.whole(START).oldest(date.min) == ReadWindow(DateWindow(), START)
    stored = AuditState.whole(START).dump()
    stored["seen"] = [[None, START.isoformat()], ["0001-01-01", START.isoformat()]]
    assert load_audit_state(stored, START) == load_audit_state(None, START)
