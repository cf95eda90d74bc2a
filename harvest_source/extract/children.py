"""
Lists below a parent: the payments of an invoice, the rates of a person.

The children of a parent that changed are read now. Recording or sending a child changes its parent;
whether deleting one does is not documented. So the children of all parents are read as well, some
per run, in a parent sweep that begins again on a schedule. A parent's children are read whole and
take the place of what was loaded of them. The cursor is that of the parents' list: one cursor
shared by the children of all parents would lose rows (quirk 37).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from harvest_source.extract.cursor import ReadPlan, load_cursor, move_cursor
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.replaced_lists import Scope, StoredLists, read_scopes
from harvest_source.extract.schedule import is_due, is_worthless
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.task import Task, read_ids
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME

SWEEP_PARENTS: Final = 50
"""Parents that a sweep reads per table and run: half of Harvest's 100 requests in 15 seconds."""


@dataclass(frozen=True, slots=True)
class ParentSweep:
    """
    A scheduled read of the children of all parents, some per run, in the order of their ids.

    Kept in dlt's state per account and table, under ``walk``.
    """

    finished_at: datetime | None = None
    """When the last finished sweep began."""
    began: datetime | None = None
    """When the current sweep began; None between sweeps."""
    after: int | None = None
    """The last parent whose children the current sweep has read."""

    @classmethod
    def load(cls, stored: Mapping[str, Any] | None) -> ParentSweep:
        """Parse a stored sweep; a malformed one begins anew."""
        stored = stored or {}
        try:
            return cls(
                finished_at=_parse(stored.get("finished_at")),
                began=_parse(stored.get("began")),
                after=int(stored["after"]) if stored.get("after") is not None else None,
            )
        except (TypeError, ValueError):
            return cls()

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "began": self.began.isoformat() if self.began else None,
            "after": self.after,
        }

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """Whether a sweep has begun or is to begin now."""
        return self.began is not None or is_due(self.finished_at, now, every)

    def next_parents(self, parents: Iterable[int], most: int) -> list[int]:
        """The next parents to read the children of, at most *most*, ascending."""
        after = self.after
        rest = sorted(each for each in set(parents) if after is None or each > after)
        return rest[:most]

    def advance(self, read: Sequence[int], parents: Iterable[int], now: datetime) -> ParentSweep:
        """The sweep after the children of *read*, the next of all *parents*, were read."""
        began = now if self.began is None or is_worthless(self.began, now) else self.began
        last = read[-1] if read else self.after
        if any(last is None or each > last for each in parents):
            return ParentSweep(self.finished_at, began, last)
        return ParentSweep(finished_at=began)


def _parse(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored).astimezone(UTC) if stored else None


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
    changed = read_ids(task, listed, read_plan.slices, result, having=parent.having)
    sweep, swept = _plan_sweep(task, listed, read_plan, changed)
    now = task.options.clock.now()
    # Only where a role may see a part of a parent's children is it worth remembering each list.
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    scopes = [_child_scope(task, each) for each in [*changed, *swept]]
    yield from read_scopes(task, scopes, stored, is_first=cursor is None)
    if not result.proven:
        task.note_unproven([result])
        return
    if stored is not None:
        stored.store()
    assert result.began is not None
    began, has_news = task.vouched(result.began), bool(changed)
    move_cursor(task.state, read_plan, began, visibility=task.visibility, has_news=has_news)
    task.state["walk"] = (ParentSweep(finished_at=now) if read_plan.is_whole else sweep).dump()
    if read_plan.is_whole and read_plan.covered_from is None:
        task.run_log.whole.add(task.key)


def reread_children(task: Task) -> Iterator[pa.Table]:
    """Read the lists of the parents that a verification chose."""
    reread = (task.options.rereads or {}).get(task.key)
    if reread is None:
        return
    stored = StoredLists(task, "parents") if task.endpoint.in_part else None
    yield from read_scopes(task, [_child_scope(task, each) for each in reread.parents], stored)
    if stored is not None:
        stored.store()


def _plan_sweep(
    task: Task, listed: Endpoint, read_plan: ReadPlan, changed: Sequence[int]
) -> tuple[ParentSweep, list[int]]:
    """The sweep as it stands after this run, and the parents it adds to those that changed."""
    parent = task.endpoint.parent
    assert parent is not None
    sweep, now = ParentSweep.load(task.state.get("walk")), task.options.clock.now()
    if read_plan.is_whole or not sweep.is_due(now, task.options.sweep_every):
        return sweep, []
    bound = task.options.start_date if listed.window else None
    every_day = (Slice(DateWindow(bound)),)
    parents = read_ids(task, listed, every_day, ReadResult(), having=parent.having)
    swept = sweep.next_parents(parents, SWEEP_PARENTS)
    return sweep.advance(swept, parents, now), [each for each in swept if each not in set(changed)]


def _child_scope(task: Task, parent_id: int) -> Scope:
    parent = task.endpoint.parent
    assert parent is not None
    return Scope(((parent.key, parent_id),), task.endpoint.path.format(parent=parent_id), {})
