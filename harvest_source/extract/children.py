"""
Lists below a parent: the payments of an invoice, the rates of a person.

The children of a parent that changed are read now. Recording or sending a child changes its parent;
whether deleting one does is not documented. So the children of all parents are read as well, some
per run, in a parent sweep that begins again on a schedule. A parent's children are read whole and
take the place of what was loaded of them. The cursor is that of the parents' list: one cursor
shared by the children of all parents would lose rows (quirk 37).

One parent whose list could not be read whole holds up no other: it is remembered, keeps its rows,
and is read again in each run until its list is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from harvest_source.errors import counted
from harvest_source.extract.cursor import ReadPlan, load_cursor, move_cursor
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.parent_sweep import SWEEP_MOST, ParentSweep
from harvest_source.extract.replaced_lists import Scope, StoredLists, note_empty, read_scopes
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.task import Task, read_ids
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME

_UNREAD: Final = "unread"


def read_children(task: Task) -> Iterator[pa.Table]:
    """Read the children of parents that changed, and of the next parents of a sweep."""
    parent = task.endpoint.parent
    assert parent is not None
    listed = BY_NAME[parent.endpoint]
    cursor = load_cursor(task.state.get("cursor"))
    if task.endpoint.in_part and cursor is not None and not task.sees_all_of(cursor):
        task.warn_kept("all of it")
        return
    read_plan = task.plan(cursor, listed.window)
    result = ReadResult()
    without = set[int]()
    changed = read_ids(task, listed, read_plan.slices, result, having=parent.having, others=without)
    sweep, swept = _plan_sweep(task, listed, read_plan, changed, without)
    note_empty(task, [_child_scope(task, each) for each in sorted(without - {*changed})])
    # Only where a role may see a part of a parent's children is it worth remembering each list.
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    parents = dict.fromkeys([*changed, *swept, *sorted(_load_unread(task) - without)])
    scopes = [_child_scope(task, each) for each in parents]
    incomplete = yield from read_scopes(task, scopes, stored, is_first=cursor is None)
    if not result.proven:
        task.note_unproven([result])
        return
    if stored is not None:
        stored.store()
    assert result.began is not None
    began, has_news = task.vouched(result.began), bool(changed)
    move_cursor(task.state, read_plan, began, visibility=task.visibility, has_news=has_news)
    task.state["walk"] = sweep.dump()
    _store_unread(task, incomplete)
    if read_plan.is_whole and read_plan.covered_from is None and not incomplete:
        task.run_log.whole.add(task.key)


def reread_children(task: Task) -> Iterator[pa.Table]:
    """Read the lists of the parents that a verification chose."""
    reread = (task.options.rereads or {}).get(task.key)
    if reread is None:
        return
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    scopes = [_child_scope(task, each) for each in reread.parents]
    incomplete = yield from read_scopes(task, scopes, stored)
    if stored is not None:
        stored.store()
    if incomplete:
        _store_unread(task, incomplete, _load_unread(task))


def _plan_sweep(
    task: Task, listed: Endpoint, read_plan: ReadPlan, changed: Sequence[int], without: set[int]
) -> tuple[ParentSweep, list[int]]:
    """
    The sweep as it stands after this run, and the parents it adds to those that changed.

    Args:
        without: Gets the parents that have no such list, such as people who are no managers.
    """
    parent = task.endpoint.parent
    assert parent is not None
    sweep, now = ParentSweep.load(task.state.get("walk")), task.options.clock.now()
    every = task.options.sweep_every
    if read_plan.is_whole:
        return ParentSweep.whole(len(changed), now), []
    if not sweep.is_due(now, every):
        return sweep, []
    bound = task.options.start_date if listed.window else None
    every_day = (Slice(DateWindow(bound)),)
    parents = read_ids(task, listed, every_day, ReadResult(), having=parent.having, others=without)
    if (days := sweep.days_needed(len(parents))) > every.days:
        task.run_log.warn(
            f"The {counted(len(parents), 'list')} of {task.endpoint.name} of account "
            f"{task.session.account_id} are all read again in {days} days, not in {every.days} as "
            f"full_walk says: a day reads {SWEEP_MOST:,} of them at most, 1 % of what Harvest "
            "allows."
        )
    swept = sweep.next_parents(parents, sweep.count_next(len(parents), now, every))
    return sweep.advance(swept, parents, now), [each for each in swept if each not in set(changed)]


def _load_unread(task: Task) -> set[int]:
    """Parents whose lists could not be read whole when they were read last."""
    return set(task.state.get(_UNREAD) or ())


def _store_unread(task: Task, incomplete: Sequence[Scope], others: Iterable[int] = ()) -> None:
    """Remember the parents of *incomplete*, beside *others*: no cursor brings them again."""
    unread = {*others, *(value for scope in incomplete for _, value in scope.values)}
    task.state.pop(_UNREAD, None)
    if unread:
        task.state[_UNREAD] = sorted(unread)


def _child_scope(task: Task, parent_id: int) -> Scope:
    parent = task.endpoint.parent
    assert parent is not None
    return Scope(((parent.key, parent_id),), task.endpoint.path.format(parent=parent_id), {})
