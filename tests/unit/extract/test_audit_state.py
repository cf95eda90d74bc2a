"""What was read when, and what is read again next."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.audit_state import (
    Audited,
    Coverage,
    RereadCandidate,
    load_audited,
    plan_rereads,
)
from harvest_source.extract.day_counts import DayCounts
from harvest_source.extract.slices import ALL_DAYS, DateWindow

START = datetime(2026, 6, 17, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = date(2020, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def held(
    name: str, rows: dict[int, int], at: datetime = START, *, bound: date | None = None
) -> RereadCandidate:
    counts = dict[date | None, int]({day(number): many for number, many in rows.items()})
    return RereadCandidate(name, Coverage.whole(at), DayCounts(counts), True, bound)


@given(
    reads=st.lists(
        st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(1, 15)), max_size=12
    )
)
def test_each_day_was_read_when_it_was_last_in_a_window(
    reads: list[tuple[int | None, int | None]],
) -> None:
    """Windows touch, cover all days, survive storage, and each day has the time of its last."""
    coverage, last = Coverage.whole(START), dict.fromkeys(range(-5, 50), START)
    for number, (start, width) in enumerate(reads):
        at = START + number * DAY
        end = None if width is None else day((start or 0) + width)
        window = DateWindow(None if start is None else day(start), end)
        coverage = coverage.read(window, at)
        last |= {each: at for each in last if day(each) in window}
    for each, at in last.items():
        assert [seen.at for seen in coverage.seen if day(each) in seen.window] == [at]
    ends = [seen.window.end for seen in coverage.seen]
    assert [seen.window.start for seen in coverage.seen] == [None, *ends[:-1]]
    assert ends[-1] is None
    audited = Audited(coverage, START, START)
    assert load_audited(audited.dump()) == audited


@pytest.mark.parametrize(
    "stored",
    [None, {}, {"seen": []}, {"seen": [["2020-01-01", "2020-01-01T00:00:00+00:00"]]}, {"seen": 1}],
)
def test_what_cannot_be_understood_was_never_audited(stored: Any) -> None:
    """Auditing once too often harms nobody."""
    assert load_audited(stored).counted_at.year == 1970


def test_nothing_is_read_again_within_a_day() -> None:
    """However large the share."""
    assert plan_rereads([held("time_entries", {0: 9})], 20, START + DAY / 2) == ([], {})


def test_a_small_account_is_read_again_whole() -> None:
    """Each table takes one request; open sides stay open, for years like 0201."""
    tables = [held("time_entries", {0: 900, 9: 900}), held("expenses", {3: 2})]
    chosen, _ = plan_rereads(tables, 20, START + DAY)
    assert chosen == [("time_entries", ALL_DAYS), ("expenses", ALL_DAYS)]


def test_the_share_wins() -> None:
    """A long history is read page by page over many days, the oldest reading first."""
    rows = dict.fromkeys(range(3000), 70)  # 210,000 rows.
    table, small = held("time_entries", rows), held("clients", {0: 5})
    now, days = START, 0
    while min(seen.at for seen in table.coverage.seen) == START:
        now, days = now + DAY, days + 1
        chosen, coverage = plan_rereads([table, small], 20, now)
        assert len(chosen) <= 20
        table = RereadCandidate(table.name, coverage[table.name], table.days, True)
        small = RereadCandidate(
            small.name, coverage.get(small.name, small.coverage), small.days, True
        )
    assert days == 6
    assert len(table.coverage.seen) <= days + 1
    assert min(seen.at for seen in small.coverage.seen) > START


def test_what_is_before_the_bound_is_not_read_again() -> None:
    """Nor does it stand in the way."""
    table = held("time_entries", {0: 1500, 50: 1500, 99: 1500}, bound=day(40))
    chosen, _ = plan_rereads([table], 20, START + DAY)
    assert chosen == [
        ("time_entries", DateWindow(day(40), day(99))),
        ("time_entries", DateWindow(day(99), None)),
    ]


def test_what_cannot_be_cut_is_read_on_a_day_of_its_own() -> None:
    """A list without dates may take more than a day's share; it is not put off for ever."""
    large = RereadCandidate(
        "task_assignments", Coverage.whole(START), DayCounts({None: 60_000}), False
    )
    small = held("expenses", {0: 5}, START - DAY)
    first, coverage = plan_rereads([large, small], 20, START + DAY)
    assert first == [("expenses", ALL_DAYS)]
    small = RereadCandidate("expenses", coverage["expenses"], small.days, True)
    second, _ = plan_rereads([large, small], 20, START + 2 * DAY)
    assert second == [("task_assignments", ALL_DAYS)]
