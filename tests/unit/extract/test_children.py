"""Sweeps over all parents, some per run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.children import ParentSweep

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@given(st.sets(st.integers(1, 500), max_size=60), st.integers(1, 20))
def test_a_sweep_reads_every_parent_once(parents: set[int], most: int) -> None:
    """Some per run, in the order of their ids, however many runs it takes; then it has ended."""
    sweep, read = ParentSweep(), list[int]()
    for _ in range(len(parents) + 1):
        these = sweep.next_parents(parents, most)
        assert len(these) <= most
        read += these
        sweep = ParentSweep.load(sweep.advance(these, parents, NOW).dump())
        if sweep.began is None:
            break
    assert read == sorted(parents)
    assert sweep.finished_at == NOW


def test_a_sweep_is_due_on_a_schedule() -> None:
    """When none was finished, while one is under way, and when the last one is long ago."""
    assert ParentSweep().is_due(NOW, WEEK)
    assert ParentSweep(finished_at=NOW, began=NOW, after=7).is_due(NOW, WEEK)
    assert not ParentSweep(finished_at=NOW - timedelta(days=6)).is_due(NOW, WEEK)
    assert ParentSweep(finished_at=NOW - WEEK).is_due(NOW, WEEK)


@pytest.mark.parametrize("stored", [None, {}, {"after": "x"}, {"began": "yesterday"}])
def test_a_malformed_sweep_begins_anew(stored: dict[str, str] | None) -> None:
    """Reading the children of a parent once more loses nothing."""
    assert ParentSweep.load(stored) == ParentSweep()


def test_a_stored_sweep_is_understood() -> None:
    """The format that state files of earlier runs have."""
    stored = {"finished_at": None, "began": "2026-11-22T12:00:00+00:00", "after": 7}
    assert ParentSweep.load(stored) == ParentSweep(began=NOW, after=7)
