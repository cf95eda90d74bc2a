"""
Lists below a parent: the payments of an invoice, the rates of a person.

The children of a changed parent are read in the same run. Recording or sending a child changes its
parent; whether deleting one does is not documented. So the children of all parents are read as
well, some per run, in a parent sweep that begins again on a schedule. A parent's children are read
as a whole and replace the rows loaded before. The cursor is that of the parents' list: one cursor
shared by the children of all parents would lose rows (quirk 37).

A read of all history begins a sweep. Where there may be thousands of parents, it covers a share of
them, the newest ones; the sweep covers the others. A sweep also begins again if an earlier start
date adds many parents. The first sweep skips parents whose own columns show that they have no
children, unless they have changed since it began; begun again, it skips none.

A parent whose list could not be read completely does not block the others: it is remembered, keeps
its rows, and is read again in each run until its list is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from harvest_source.errors import counted
from harvest_source.extract.cursor import Cursor, load_cursor, move_cursor
from harvest_source.extract.exclusion import note_excluded, store_excluded
from harvest_source.extract.parent_lists import ParentList
from harvest_source.extract.parent_reading import read_parents
from harvest_source.extract.parent_sweep import (
    SWEEP_KEY,
    SWEEP_MOST,
    ParentSweep,
    count_at_first,
    take_step,
)
from harvest_source.extract.replaced_lists import (
    StoredLists,
    add_removal_of_empty_lists,
    read_sublists,
)
from harvest_source.extract.run_log import UnaskedParents
from harvest_source.extract.schedule import DAILY
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.stored import load_ids
from harvest_source.extract.sublists import Sublist
from harvest_source.extract.task import Task
from harvest_source.schema.endpoint import Endpoint, Parent
from harvest_source.schema.endpoints import BY_NAME

_INCOMPLETE: Final = "unread"


def read_children(task: Task) -> Iterator[pa.Table]:
    """Read the children of parents that changed, and of the next parents of a sweep."""
    parent = _parent_of(task.endpoint)
    listed = BY_NAME[parent.endpoint]
    cursor = load_cursor(task.state.get("cursor"))
    if task.endpoint.in_part and cursor is not None and not task.sees_all_of(cursor):
        task.warn_kept("all of it")
        return
    read_plan = task.plan(cursor, listed.window)
    note_excluded(task.state, task.excluded)
    parents = read_parents(task, listed, read_plan.slices)
    changed, without = parents.split(parent.having)
    if read_plan.is_whole:
        choice = _begin_sweep(task, parents, changed, cursor)
    else:
        changed, sweep = _spread_added(task, parents, changed, read_plan.slices)
        choice = _continue_sweep(task, listed, changed, sweep)
    without = sorted({*without, *choice.without} - {*choice.asked})
    add_removal_of_empty_lists(task, [_child_sublist(task, each) for each in without])
    # Remembering each list is worth it only where a role may see part of a parent's children.
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    asked = dict.fromkeys([*choice.asked, *sorted(_load_incomplete(task) - {*without})])
    sublists = [_child_sublist(task, each) for each in asked]
    is_first = cursor is None and SWEEP_KEY not in task.state
    incomplete = yield from read_sublists(task, sublists, stored, is_first=is_first)
    if not parents.result.proven:
        task.note_unproven([parents.result])
        return
    if stored is not None:
        stored.store()
    assert parents.result.began is not None
    began, has_news = task.confirm_time(parents.result.began), bool(changed)
    move_cursor(task.state, read_plan, began, visibility=task.visibility, has_news=has_news)
    if read_plan.is_whole:  # If rows lacked a column, every parent was asked.
        store_excluded(task.state, task.excluded)
    task.state[SWEEP_KEY] = choice.sweep.dump()
    _note_unasked(task, choice.sweep)
    _store_incomplete(task, incomplete)
    has_all = read_plan.is_whole and read_plan.covered_from is None and choice.is_of_all
    if has_all and not incomplete:
        task.run_log.note_whole(*task.key)


def reread_children(task: Task) -> Iterator[pa.Table]:
    """Read the lists of the parents that a verification chose."""
    reread = (task.options.rereads or {}).get(task.key)
    if reread is None:
        return
    note_excluded(task.state, task.excluded)
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    sublists = [_child_sublist(task, each) for each in reread.parents]
    incomplete = yield from read_sublists(task, sublists, stored)
    if stored is not None:
        stored.store()
    if incomplete:
        _store_incomplete(task, incomplete, _load_incomplete(task))


@dataclass(frozen=True, slots=True)
class _Choice:
    """The parents that a run asks for their children, and the state of the sweep afterwards."""

    asked: Sequence[int]
    sweep: ParentSweep
    is_of_all: bool = False
    """Whether every parent is asked."""
    without: Sequence[int] = ()
    """Parents that have no such list, such as people who are not managers."""


def _begin_sweep(
    task: Task, parents: ParentList, ids: Sequence[int], cursor: Cursor | None
) -> _Choice:
    """
    Choose all parents if the options ask for all children, or if rows lack columns that are no
    longer excluded; otherwise a share of them, and those that changed.

    If children may have been loaded before, no parent is skipped because of its own columns: the
    row of a payment that was deleted since has to be removed.
    """
    parent, now, options = _parent_of(task.endpoint), task.options.clock.now(), task.options
    before = ParentSweep.load(task.state.get(SWEEP_KEY))
    is_empty = cursor is None and not options.full_refresh and SWEEP_KEY not in task.state
    none_if = parent.none_if if is_empty and not options.all_children else None
    left_out = parents.without_children(none_if)
    possible = [each for each in ids if each not in left_out]
    # Nothing marks the rows that lack a column, so no sweep could tell when all of them have it.
    asks_all = options.all_children or task.lacks_columns
    share = 1.0 if asks_all else parent.at_first
    # An unfinished first sweep begins again: some parents were never asked, and others were.
    sweep = ParentSweep(is_first=is_empty or before.is_first, skips_none=before.is_first)
    chosen = sweep.next_parents(possible, count_at_first(len(possible), share))
    sweep = sweep.advance(chosen, possible, now)
    changed = parents.changed_since(cursor.at - options.overlap) if cursor is not None else set()
    asked = {*chosen, *(changed & {*ids})}
    return _Choice(sorted(asked), sweep, is_of_all=len(asked) == len(ids))


def _spread_added(
    task: Task, parents: ParentList, ids: list[int], slices: Sequence[Slice]
) -> tuple[list[int], ParentSweep]:
    """
    Of the parents *ids* of *slices*, those to ask now, and the sweep that asks the others.

    An earlier start date, or none, may add thousands of parents that have not changed. A sweep then
    begins again, as if it were the first: it skips none, because some were asked before.
    """
    sweep = ParentSweep.load(task.state.get(SWEEP_KEY))
    since = [each.since for each in slices if each.since is not None]
    if len(since) == len(slices):
        return ids, sweep
    changed = parents.changed_since(min(since)) if since else set[int]()
    added = len({*ids} - changed)
    at_first = count_at_first(added, _parent_of(task.endpoint).at_first)
    if added <= at_first:
        return ids, sweep
    return sorted({*ids} & changed), ParentSweep(is_first=True, skips_none=True)


def _continue_sweep(
    task: Task, listed: Endpoint, changed: Sequence[int], sweep: ParentSweep
) -> _Choice:
    """Choose the parents that *changed*, and the next ones of *sweep* if it is due."""
    parent, options = _parent_of(task.endpoint), task.options
    now, every = options.clock.now(), options.sweep_every
    if not (sweep.is_due(now, every) or options.all_children):
        return _Choice(changed, sweep)
    bound = options.start_date if listed.window else None
    parents = read_parents(task, listed, (Slice(DateWindow(bound)),))
    if not parents.result.proven:
        task.note_unproven([parents.result])
        return _Choice(changed, sweep)  # The sweep must not pass a parent missing from the list.
    ids, without = parents.split(parent.having)
    if options.all_children:
        asked = dict.fromkeys([*changed, *ids])
        return _Choice([*asked], ParentSweep.whole(len(ids), now), without=without)
    if (days := sweep.days_needed(len(ids))) > every.days:
        task.run_log.warn(
            f"Reading the {counted(len(ids), 'list')} of {task.endpoint.name} of account "
            f"{task.session.account_id} again takes {days} days, not {every.days} as full_walk "
            f"says: syncs read at most {SWEEP_MOST:,} of them a day, 1 % of what Harvest allows."
        )
    possible = ids
    if sweep.is_first and not sweep.skips_none:
        left_out = parents.without_children(parent.none_if)
        if sweep.began is not None:
            # Those that changed may have been asked since: the row of a child deleted afterwards
            # would stay. One more day allows for clocks that differ.
            left_out -= parents.changed_since(sweep.began - DAILY)
        possible = sorted({*ids} - left_out)
    chosen, sweep = take_step(sweep, possible, ids, now=now, every=every)
    asked = dict.fromkeys([*changed, *chosen])
    return _Choice([*asked], sweep, without=without)


def _note_unasked(task: Task, sweep: ParentSweep) -> None:
    """Record how many parents are still to be asked for the first time, and by when."""
    by = sweep.ends_by(task.options.clock.now(), task.options.sweep_every)
    if sweep.is_first and by is not None:
        task.run_log.unasked[task.key] = UnaskedParents(sweep.left, sweep.parents, by)


def _parent_of(endpoint: Endpoint) -> Parent:
    assert endpoint.parent is not None
    return endpoint.parent


def _load_incomplete(task: Task) -> set[int]:
    """Parents whose lists could not be read completely the last time."""
    return load_ids(task.state.get(_INCOMPLETE))


def _store_incomplete(
    task: Task, incomplete: Sequence[Sublist], others: Iterable[int] = ()
) -> None:
    """Remember the parents of *incomplete*, and *others*: no cursor would bring them back."""
    parents = {*others, *(value for sublist in incomplete for _, value in sublist.values)}
    task.state.pop(_INCOMPLETE, None)
    if parents:
        task.state[_INCOMPLETE] = sorted(parents)


def _child_sublist(task: Task, parent_id: int) -> Sublist:
    key = _parent_of(task.endpoint).key
    return Sublist(((key, parent_id),), task.endpoint.path.format(parent=parent_id))
