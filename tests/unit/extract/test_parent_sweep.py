"""Walks over all parents, scopes stamped on their rows, years of a report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.concurrency import in_parallel
from harvest_source.extract.replaced_lists import ParentSweep, Scope
from harvest_source.extract.window_plan import report_windows
from harvest_source.schema.endpoints import BY_NAME

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@given(st.sets(st.integers(1, 500), max_size=60), st.integers(1, 20))
def test_a_walk_asks_every_parent_once(parents: set[int], most: int) -> None:
    """Some per run, in the order of their ids, however many runs it takes; then it has ended."""
    walk, asked = ParentSweep(), list[int]()
    for _ in range(len(parents) + 1):
        these = walk.next_parents(parents, most)
        assert len(these) <= most
        asked += these
        walk = ParentSweep.load(walk.advance(these, parents, NOW).dump())
        if walk.began is None:
            break
    assert asked == sorted(parents)
    assert walk.finished_at == NOW


def test_a_walk_is_due_once_in_a_while() -> None:
    """When it never ended, while one is under way, and when the last one is long ago."""
    assert ParentSweep().is_due(NOW, WEEK)
    assert ParentSweep(finished_at=NOW, began=NOW, after=7).is_due(NOW, WEEK)
    assert not ParentSweep(finished_at=NOW - timedelta(days=6)).is_due(NOW, WEEK)
    assert ParentSweep(finished_at=NOW - WEEK).is_due(NOW, WEEK)


@pytest.mark.parametrize("stored", [None, {}, {"after": "x"}, {"began": "yesterday"}])
def test_a_walk_that_cannot_be_understood_begins_anew(stored: dict[str, str] | None) -> None:
    """Asking parents once more loses nothing."""
    assert ParentSweep.load(stored) == ParentSweep()


def test_every_row_gets_what_its_request_knew() -> None:
    """The parent's id, or the window; a stand-in where a key is hidden from a role."""
    payment = Scope((("invoice_id", 7),), "", {}).stamp(
        pa.table({"id": [1, 2]}), BY_NAME["invoice_payments"]
    )
    assert payment.column("invoice_id").to_pylist() == [7, 7]
    report = BY_NAME["report_time_clients"]
    window = Scope((("from", date(2026, 1, 1)), ("to", date(2026, 12, 31))), "", {})
    table = window.stamp(pa.table({"currency": pa.array([None, "EUR"])}), report)
    assert table.column("currency").to_pylist() == ["", "EUR"]
    assert table.column("to").to_pylist() == [date(2026, 12, 31)] * 2


@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_results_come_in_order(items: list[int], workers: int) -> None:
    """Whatever order they were ready in."""
    assert list(in_parallel(str, items, workers=workers)) == [str(item) for item in items]


def test_the_first_failure_is_raised_in_its_place() -> None:
    """What came before it is delivered; nothing after it is."""
    results = in_parallel(lambda n: 1 // n, [1, 1, 0, 1], workers=2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


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
