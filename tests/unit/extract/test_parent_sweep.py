"""Sweeps over all parents: each has its turn, and none later than planned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.extract.parent_sweep import (
    SWEEP_MOST,
    SWEEP_PARENTS,
    ParentSweep,
    count_at_first,
    take_step,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@given(st.sets(st.integers(1, 500), max_size=60), st.integers(1, 20))
def test_a_sweep_reads_every_parent_once(parents: set[int], most: int) -> None:
    """A run reads some, the newest first, until the sweep has ended."""
    sweep, read = ParentSweep(), list[int]()
    for _ in range(len(parents) + 1):
        these = sweep.next_parents(parents, most)
        assert len(these) <= most
        read += these
        sweep = ParentSweep.load(sweep.advance(these, parents, NOW).dump())
        assert sweep.left == len(parents) - len(read)
        if sweep.began is None:
            break
    assert read == sorted(parents, reverse=True)
    assert sweep.finished_at == NOW


def oldest_read(parents: int, hours: int) -> timedelta:
    """The longest that a parent waits in four weeks of runs every *hours* hours."""
    everyone = range(parents)
    read_at = dict.fromkeys(everyone, NOW)
    sweep, worst = ParentSweep.whole(parents, NOW), timedelta(0)
    for run in range(1, 28 * 24 // hours):
        now = NOW + run * timedelta(hours=hours)
        worst = max(worst, now - min(read_at.values()))
        if sweep.is_due(now, WEEK):
            these = sweep.next_parents(everyone, sweep.count_next(parents, now, WEEK))
            read_at |= dict.fromkeys(these, now)
            sweep = ParentSweep.load(sweep.advance(these, everyone, now).dump())
    return worst


@pytest.mark.parametrize("parents", [1, 50, 51, 120, 300, 1_000, 5_000, 30_000])
@pytest.mark.parametrize("hours", [6, 24, 48])
def test_no_parent_waits_longer_than_a_week(parents: int, hours: int) -> None:
    """The limit is a week plus the time to the next run, for any number of parents."""
    assert oldest_read(parents, hours) <= WEEK + timedelta(hours=hours)


def test_few_parents_are_read_in_one_run_a_week() -> None:
    """Between sweeps a run asks none of them."""
    sweep = ParentSweep.whole(SWEEP_PARENTS, NOW)
    assert not sweep.is_due(NOW + 6 * DAY, WEEK)
    assert sweep.is_due(NOW + WEEK, WEEK)
    assert sweep.count_next(SWEEP_PARENTS, NOW + WEEK, WEEK) >= SWEEP_PARENTS


def test_a_day_reads_a_share_of_the_allowance_at_most() -> None:
    """A day after a month without runs does not make up for it in one run."""
    sweep = ParentSweep.whole(10**6, NOW)
    assert sweep.count_next(10**6, NOW + DAY, WEEK) == SWEEP_MOST
    assert sweep.count_next(10**6, NOW + timedelta(minutes=1), WEEK) == SWEEP_PARENTS


@pytest.mark.parametrize("stored", [None, {}, {"before": "x"}, {"began": "yesterday"}])
def test_a_malformed_sweep_begins_anew(stored: dict[str, str] | None) -> None:
    """Rereading a parent's children loses nothing."""
    assert ParentSweep.load(stored) == ParentSweep()


def test_a_stored_sweep_is_understood() -> None:
    """Earlier runs' state loads; a sweep that went upwards from the lowest id begins anew."""
    began = {"finished_at": None, "began": "2026-11-22T12:00:00+00:00"}
    sweep = ParentSweep.load(began | {"before": 7, "is_first": True})
    assert sweep == ParentSweep(began=NOW, before=7, is_first=True)
    again = replace(sweep, skips_none=True)
    assert ParentSweep.load(again.dump()) == again
    assert ParentSweep.load(began | {"after": 7}) == ParentSweep(began=NOW)
    assert sweep.is_due(NOW, WEEK)
    assert ParentSweep().is_due(NOW, WEEK)
    assert not ParentSweep(finished_at=NOW - timedelta(days=6)).is_due(NOW, WEEK)


def test_a_first_sweep_says_what_it_leaves_and_until_when() -> None:
    """With a run a day it ends in a week, whatever was read at first; then no parent waits."""
    parents = range(1, 501)
    sweep, now = ParentSweep(is_first=True), NOW
    sweep = sweep.advance(sweep.next_parents(parents, 50), parents, now)
    assert (sweep.left, sweep.ends_by(now, WEEK)) == (450, NOW + WEEK)
    assert sweep.awaits(450)
    assert not sweep.awaits(451)
    while sweep.began is not None:
        now += DAY
        these = sweep.next_parents(parents, sweep.count_next(500, now, WEEK))
        sweep = sweep.advance(these, parents, now)
    assert now <= NOW + WEEK
    assert sweep.ends_by(now, WEEK) is None
    assert not sweep.awaits(1)


@pytest.mark.parametrize(
    ("parents", "share", "asked"),
    [(500, 0.1, 50), (30, 0.1, 30), (4_000, 0.1, 400), (10**6, 0.1, SWEEP_MOST), (400, 1.0, 400)],
)
def test_a_first_read_asks_a_share(parents: int, share: float, asked: int) -> None:
    """The share is at least what a later run asks, and at most what a day asks."""
    assert min(count_at_first(parents, share), parents) == asked


@pytest.mark.parametrize(("days", "begins"), [(6, False), (7, True), (30, True)])
def test_a_sweep_that_ends_late_begins_the_next_one(days: int, begins: bool) -> None:
    """The rest of the run's share goes to the next sweep, newest first, of all parents."""
    everyone, some = range(1, 161), range(1, 161, 2)
    first = sorted(some, reverse=True)[:50]
    sweep = ParentSweep(is_first=True).advance(first, some, NOW)
    now = NOW + timedelta(days=days)
    asked, after = take_step(sweep, some, everyone, now=now, every=WEEK)
    ended, again = asked[:30], asked[30:]
    assert sorted([*first, *ended]) == [*some]
    assert [*again] == sorted(everyone, reverse=True)[: len(again)]
    assert bool(again) == (now in {after.began, after.finished_at}) == begins
    assert not after.is_first


def test_a_sweep_that_begins_and_ends_in_one_run_begins_no_other() -> None:
    """This holds however large the run's share is."""
    step = take_step(ParentSweep(), [1, 2], [1, 2, 3], now=NOW, every=timedelta(0))
    assert step == ([2, 1], ParentSweep(finished_at=NOW, parents=2, at=NOW))
