"""The search for deleted rows, against a model list that changes between any two requests."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest_source.extract.list_reader import ListReader
from harvest_source.extract.slice_reader import ListSource
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_plan import WindowSettings
from harvest_source.operations.day_counts import DayCounts
from harvest_source.operations.deletion_search import (
    FEW,
    DeletionSearch,
    SearchResult,
    TablePair,
    find_differing,
)
from tests.support.model import (
    DAYS,
    ENTRIES,
    FIRST_DAY,
    MOODS,
    START,
    UNDATED,
    USERS,
    ModelClient,
    Unrest,
    World,
    any_day,
    decode,
)

PAGE = 3


@dataclass
class ModelCopy:
    """A warehouse table: ids and their days."""

    days: dict[int, date | None]
    bound: date | None = None
    is_dated: bool = True
    doubled: list[int] = field(default_factory=list)
    """Ids of rows that are duplicated."""

    def count_days(self) -> Mapping[date | None, int]:
        counts: dict[date | None, int] = {}
        within = self._within()
        for day in (*within.values(), *(within[row] for row in self.doubled)):
            key = day if self.is_dated else None
            counts[key] = counts.get(key, 0) + 1
        return counts

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        return {
            row: day
            for row, day in self._within().items()
            if any(window == ALL_DAYS or day in window for window in windows)
        }

    def _within(self) -> dict[int, date | None]:
        bound = self.bound
        return {
            row: day
            for row, day in self.days.items()
            if bound is None or (day is not None and day >= bound)
        }


@dataclass
class Stage:
    """A world, its copy that was merged a moment ago, and a search that compares them."""

    world: World
    copy: ModelCopy
    merged_s: float
    between: Callable[[int, bool], None] = lambda _number, _is_sent: None
    asked: list[int] = field(default_factory=list)
    requests: int = 0

    def search(
        self, *, page_rows: int = PAGE, by_id: bool = True, workers: int = 1
    ) -> SearchResult:
        endpoint = ENTRIES if self.copy.is_dated else UNDATED

        def between(number: int, is_sent: bool) -> None:
            self.requests += not is_sent
            self.between(number, is_sent)

        def ask(row: int) -> dict[str, Any] | None:
            between(len(self.asked), False)
            self.asked.append(row)
            found = self.world.rows.get(row)
            return {"id": row, "spent_date": str(found.day)} if found else None

        client = ModelClient(self.world, between, per_page=page_rows)
        source = ListSource(client, endpoint, decode, split_ids=lambda: USERS)
        last_day = FIRST_DAY + timedelta(days=DAYS)
        reader = ListReader(source, WindowSettings(last_day, long_rows=10_000, window_rows=10_000))
        since = START + timedelta(seconds=self.merged_s - 60)
        pair = TablePair(endpoint, reader, self.copy, ask if by_id else None, since)
        search = DeletionSearch(pair, page_rows=page_rows, workers=workers)
        return search.run(search.count_here(), search.count_there())


def open_stage(rows: int, chance: random.Random, *, days: int = DAYS) -> Stage:
    """A stage of *rows* rows, all of them in the copy."""
    world = World()
    for _ in range(rows):
        day = any_day(chance) if days == DAYS else FIRST_DAY + timedelta(chance.randrange(days))
        world.create(day, chance.choice(USERS))
    world.now_s = 10_000.0
    return Stage(world, ModelCopy({row.id: row.day for row in world.rows.values()}), 10_000.0)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    mood=st.sampled_from(MOODS),
    rows=st.integers(0, 30),
    ghosts=st.integers(0, 12),
    lost=st.integers(0, 3),
    is_dated=st.booleans(),
    by_id=st.booleans(),
    bound=st.none() | st.integers(0, DAYS),
)
def test_no_existing_row_is_reported_as_deleted(
    seed: int,
    mood: tuple[int, float],
    rows: int,
    ghosts: int,
    lost: int,
    is_dated: bool,
    by_id: bool,
    bound: int | None,
) -> None:
    """Whatever changes between requests, only deleted rows are reported as deleted."""
    chance = random.Random(seed)
    stage = open_stage(rows, chance)
    world, copy = stage.world, stage.copy
    copy.is_dated = is_dated
    copy.bound = None if bound is None or not is_dated else FIRST_DAY + timedelta(days=bound)
    for row in chance.sample(sorted(world.rows), min(ghosts, len(world.rows))):
        world.delete(row)
    for row in chance.sample(sorted(world.rows), min(lost, len(world.rows))):
        del copy.days[row]
    budget, rate = mood
    unrest = Unrest(chance, world, budget=budget, rate=rate)
    stage.between = unrest
    found = stage.search(by_id=by_id)
    assert found.gone <= world.deleted
    assert found.gone <= copy.days.keys()

    # The next search is undisturbed and finds everything: updates are merged first, as in a run.
    unrest.budget = 0
    changed = {row.id: row.day for row in world.rows.values() if row.changed_s > 9_900}
    copy.days |= {row: day for row, day in changed.items() if row not in world.deleted}
    world.now_s += 1000
    stage.merged_s = world.now_s
    _settle(stage, by_id=by_id)
    within = {row.id for row in world.rows.values() if copy.bound is None or row.day >= copy.bound}
    assert set(copy.ids([ALL_DAYS])) == within


def _settle(stage: Stage, *, by_id: bool) -> None:
    """Search in an undisturbed world and apply the findings until the counts are equal."""
    world, copy = stage.world, stage.copy
    for _ in range(40):
        found = stage.search(by_id=by_id)
        if found.here == found.there:
            # Equally many lost and deleted rows cancel out; the rolling reread brings them.
            copy.days |= {row.id: row.day for row in world.rows.values()}
            if len(copy.ids([ALL_DAYS])) == found.there:
                return
            continue
        assert found.gone or found.lost, found
        for row in found.gone:
            del copy.days[row]
        for part in found.lost:
            copy.days |= {r.id: r.day for r in world.rows.values() if r.day in part.window}
    pytest.fail("the copy does not come to rest")


def test_equal_counts_cost_one_request() -> None:
    """If nothing was deleted, nothing else is requested."""
    stage = open_stage(500, random.Random(1), days=200)
    assert stage.search() == SearchResult(500, 500)
    assert stage.requests == 1


@pytest.mark.parametrize("deletions", [1, 2, 7])
def test_cost_grows_with_deletions_and_the_logarithm_of_history(deletions: int) -> None:
    """It costs a count per halving, then one page, one answer, and one look at the changes."""
    stage = open_stage(4000, random.Random(2), days=1000)
    gone = random.Random(3).sample(sorted(stage.world.rows), deletions)
    for row in gone:
        stage.world.delete(row)
    found = stage.search(page_rows=20)
    assert found.gone == set(gone)
    assert stage.requests <= 2 + deletions * (log2(4000 / 20) + 1 + 2)


@dataclass
class DepthFirst:
    """The same search, one window after the other."""

    here: DayCounts
    there: DayCounts
    counted: list[DateWindow] = field(default_factory=list)
    levels: int = 0

    def search(self, window: DateWindow, there: int, level: int = 1) -> list[DateWindow]:
        """Windows of at most a page in which the counts differ."""
        rows = self.here.rows(window)
        if rows == there:
            return []
        halves = self.here.halve(window) if max(rows, there) > PAGE else None
        if halves is None:
            return [window]
        older, newer = halves
        self.counted.append(older)
        self.levels = max(self.levels, level)
        in_older = self.there.rows(older)
        return [
            *self.search(older, in_older, level + 1),
            *self.search(newer, there - in_older, level + 1),
        ]


COUNTS = st.dictionaries(
    st.integers(0, 60).map(lambda day: FIRST_DAY + timedelta(day)), st.integers(0, 5)
)


@given(ours=COUNTS, changes=COUNTS, theirs=st.none() | COUNTS)
def test_windows_of_one_level_are_counted_at_once(
    ours: dict[date | None, int],
    changes: dict[date | None, int],
    theirs: dict[date | None, int] | None,
) -> None:
    """Cuts, counts and windows equal those of a search that asks one after the other."""
    here = DayCounts(ours)
    kept = {day: max(rows - changes.get(day, 0), 0) for day, rows in ours.items()}
    there = DayCounts(kept if theirs is None else theirs)
    model, levels = DepthFirst(here, there), list[Sequence[DateWindow]]()

    def count(windows: Sequence[DateWindow]) -> list[int]:
        levels.append(windows)
        return list(map(there.rows, windows))

    found = find_differing([(ALL_DAYS, there.total)], here, count, page_rows=PAGE)
    assert found == model.search(ALL_DAYS, there.total)
    asked = [window for windows in levels for window in windows]
    assert len(asked) == len(model.counted)
    assert {*asked} == {*model.counted}
    assert len(levels) == model.levels


@pytest.mark.parametrize("by_id", [False, True])
def test_independent_requests_run_concurrently(by_id: bool) -> None:
    """Two deleted rows are far apart: each count, list and record request runs with another."""
    stage = open_stage(0, random.Random(15))
    for day in range(64):
        row = stage.world.create(FIRST_DAY + timedelta(days=day), USERS[0])
        stage.copy.days[row] = stage.world.rows[row].day
    stage.world.now_s = stage.merged_s = 20_000.0
    gone = {min(stage.copy.days), max(stage.copy.days)}
    for row in gone:
        stage.world.delete(row)
    together, main, alone = threading.Barrier(2, timeout=20), threading.current_thread(), []

    def between(number: int, is_sent: bool) -> None:
        if is_sent:
            return
        if threading.current_thread() is main:
            alone.append(number)
        else:
            together.wait()

    stage.between = between
    assert stage.search(page_rows=4, by_id=by_id, workers=4).gone == gone
    assert len(alone) == 3, "the total, the first cut, and what changed since"


def test_a_row_moved_to_another_day_is_not_deleted() -> None:
    """Two windows differ; the row is missing from one list, and its change is known."""
    stage = open_stage(40, random.Random(4), days=40)
    row, gone = sorted(stage.world.rows, key=lambda each: stage.world.rows[each].day)[:2]
    stage.world.move(row, FIRST_DAY + timedelta(days=39))
    stage.world.delete(gone)
    found = stage.search(by_id=False)
    assert found.gone == {gone}
    assert found.moved == 1


def test_a_deletion_between_the_counts_does_no_harm() -> None:
    """The half that was not counted seems one row short, but only deleted rows are found."""
    stage = open_stage(40, random.Random(5), days=40)
    first, second = sorted(stage.world.rows)[:2]
    stage.world.delete(first)

    def between(number: int, is_sent: bool) -> None:
        if number == 1 and not is_sent:
            stage.world.delete(second)

    stage.between = between
    assert stage.search().gone <= {first, second}
    stage.between = lambda _number, _is_sent: None
    assert stage.search().gone == {first, second}


def test_many_deletions_are_confirmed_by_a_second_list() -> None:
    """Beyond a few, two lists are cheaper than one request per row, and replace them."""
    stage = open_stage(60, random.Random(13), days=4)
    gone = [row for row in stage.world.rows if stage.world.rows[row].day == FIRST_DAY]
    gone += [row for row in stage.world.rows if row not in gone][:20]
    for row in gone:
        stage.world.delete(row)
    assert len(gone) > FEW
    found = stage.search(page_rows=20)
    assert found.gone == set(gone)
    assert stage.asked == []


def test_many_rows_are_not_deleted_if_another_list_has_them() -> None:
    """A row that is on another day is missing from both lists of its old day."""
    stage = open_stage(60, random.Random(14), days=10)
    row, *others = sorted(stage.world.rows, key=lambda each: stage.world.rows[each].day)
    stage.copy.days[row] = FIRST_DAY + timedelta(days=9)
    for other in others[:30]:
        stage.world.delete(other)
    found = stage.search(page_rows=20)
    assert found.gone == set(others[:30])
    assert any(stage.world.rows[row].day in part.window for part in found.lost)


def test_rows_missing_only_here_are_marked_for_rereading() -> None:
    """If Harvest has a row that we lack, though nothing changed, its window is read again."""
    stage = open_stage(40, random.Random(6), days=40)
    row = sorted(stage.world.rows)[20]
    day = stage.copy.days.pop(row)
    found = stage.search()
    assert not found.gone
    assert found.missing == 1
    assert [day in part.window for part in found.lost] == [True]


def test_a_row_found_on_another_day_is_read_again() -> None:
    """A row that moved without a new updated_at is requested by id, which tells its day."""
    stage = open_stage(40, random.Random(7), days=40)
    row = sorted(stage.world.rows)[3]
    actual = stage.copy.days[row]
    stage.copy.days[row] = FIRST_DAY + timedelta(days=300)
    stage.copy.days[0] = FIRST_DAY + timedelta(days=301)  # Deleted, so that the totals differ.
    found = stage.search()
    assert found.gone == {0}
    assert any(actual in part.window for part in found.lost)


def test_rows_without_a_day_are_asked_for_by_id() -> None:
    """They are in the total and in no window."""
    stage = open_stage(40, random.Random(8), days=40)
    stage.copy.days[7] = None
    found = stage.search()
    assert found.gone == {7}


def test_rows_without_a_day_are_asked_for_by_id_beside_many_others() -> None:
    """No first list lacks them, so a second one proves nothing, however many others are absent."""
    stage = open_stage(60, random.Random(15), days=4)
    stage.copy.days |= {7_001: None, 7_002: None}
    many = sorted(stage.world.rows)[: FEW + 5]
    for row in many:
        stage.world.delete(row)
    found = stage.search(page_rows=20)
    assert stage.asked == [7_001, 7_002]
    assert found.gone == {*many, 7_001, 7_002}
    stage.copy.days |= dict.fromkeys(range(8_000, 8_001 + FEW))
    found = stage.search(page_rows=20)
    assert (found.undated, found.open, found.gone) == (FEW + 3, (), frozenset(many))


def test_a_list_that_keeps_changing_leaves_its_window_unresolved() -> None:
    """What cannot be proven is left to the next run, and nothing is removed for it."""
    stage = open_stage(12, random.Random(9))
    for row in sorted(stage.world.rows)[:2]:
        stage.world.delete(row)
    stage.copy.is_dated = False

    def between(_number: int, _is_sent: bool) -> None:
        stage.world.now_s += 1.1
        stage.world.edit(max(stage.world.rows))

    stage.between = between
    found = stage.search(by_id=False)
    assert found.open
    assert not found.gone


def test_unexplained_counts_are_reported() -> None:
    """If Harvest's total and list disagree, nothing is removed, and the run says so."""
    stage = open_stage(12, random.Random(11))
    found = replace(stage.search(), here=13)
    assert found.is_unexplained
    assert not stage.search().is_unexplained


@pytest.mark.parametrize("is_dated", [True, False])
def test_rows_that_are_here_twice_are_found(is_dated: bool) -> None:
    """They are counted twice and listed once: their part is reread, and nothing is removed."""
    stage = open_stage(12, random.Random(12))
    stage.copy.is_dated = is_dated
    stage.copy.doubled = [min(stage.world.rows), max(stage.world.rows)]
    found = stage.search()
    assert (found.doubled, found.gone, found.missing) == (2, frozenset(), 0)
    assert not found.is_unexplained
    days = [stage.copy.days[row] for row in stage.copy.doubled]
    windows = [part.window for part in found.lost]
    assert all(any(w == ALL_DAYS or day in w for w in windows) for day in days)


def test_parts_to_reread_are_plain_windows() -> None:
    """The parts to reread are plain windows without other filters."""
    stage = open_stage(10, random.Random(12))
    del stage.copy.days[min(stage.copy.days)]
    assert all(part == Slice(part.window) for part in stage.search().lost)
