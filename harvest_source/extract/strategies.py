"""
The ways a table is read: by what changed, whole, per parent, per window.

Each is a generator of Arrow tables over one account. It moves the table's stored state only after
its last row was yielded, and only when everything it promises has been read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa

from harvest_source.auth.sessions import Session
from harvest_source.concurrency import in_parallel
from harvest_source.decode.coerce import loads
from harvest_source.decode.decoder import Decoder
from harvest_source.decode.dedup import keep_newest
from harvest_source.errors import ResponseError
from harvest_source.extract.audit_state import Audited
from harvest_source.extract.backfill import dump_backfill, load_backfill
from harvest_source.extract.cursor import Cursor, ReadPlan, load_cursor, plan_read
from harvest_source.extract.list_reader import ListReader, ReadResult, read_whole
from harvest_source.extract.options import ReadOptions
from harvest_source.extract.replaced_lists import (
    SCOPE_ROWS,
    SCOPES_AT_ONCE,
    WALK_PARENTS,
    ParentSweep,
    Scope,
)
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.visibility import LastRead, covers, left_alone, sees_less
from harvest_source.extract.window_plan import EARLIEST, RECENT, report_windows
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import BY_NAME


@dataclass(frozen=True, slots=True)
class Task:
    """One table of one account, to be read now."""

    endpoint: Endpoint
    session: Session
    decoder: Decoder
    state: dict[str, Any]
    """What is stored for it; changed in place."""
    options: ReadOptions
    run_log: RunLog

    @property
    def key(self) -> tuple[str, int]:
        """How the ledger names it."""
        return self.endpoint.name, self.session.account_id

    def decode(self, rows: bytes) -> pa.Table:
        """Rows of one page as a table in which every record has its key."""
        table = self.decoder.decode(rows)
        check_keys(table, self.endpoint)
        return table

    def build_reader(self) -> ListReader:
        """A reader of the task's own list."""
        name, account_id = self.key
        return ListReader(
            self.session.client,
            self.endpoint,
            self.decode,
            today=self.options.clock.now().date(),
            cut_values=partial(list_ids, self),
            on_page=lambda rows, total: self.run_log.progress(name, account_id, rows, total),
            workers=self.options.workers,
        )

    def see(self, table: pa.Table) -> LastRead:
        """*table*, to be remembered in place of its rows."""
        by = self.session.owner.visibility
        return LastRead(self.options.clock.now(), by, table.num_rows, fingerprint(table))

    def may_replace(self, before: LastRead, rows: int) -> bool:
        """Whether *rows* of this session may take the place of what was read *before*."""
        return before.may_give_way(self.endpoint, self.session.owner, rows)

    def sees_no_less_than(self, cursor: Cursor) -> bool:
        """Whether this session sees all that whoever moved *cursor* saw."""
        return covers(self.session.owner.visibility, cursor.visibility)

    def leave_alone(self, what: str) -> None:
        """Tell people that a list stays as it was loaded."""
        self.run_log.warn(left_alone(self.endpoint, self.session.account_id, what))

    def accepts(self, before: LastRead | None, table: pa.Table, what: str) -> bool:
        """Whether *table* takes the place of what was read *before*."""
        if before is not None and not self.may_replace(before, table.num_rows):
            self.leave_alone(what)
            return False
        if before and before.digest == fingerprint(table) and not self.options.full_refresh:
            self.run_log.add_rows(*self.key, table.num_rows)
            return False
        return True

    def note_empty(self, scope: Mapping[str, Any]) -> None:
        """A list without rows empties what was loaded of it, if this token would see any."""
        if self.session.owner.is_administrator or self.endpoint.own:
            self.run_log.empty(*self.key, scope)

    def plan(self, cursor: Cursor | None, dated: str | None) -> ReadPlan:
        """What to read of a list whose date column is *dated*, if it has one."""
        if cursor is not None and not self.sees_no_less_than(cursor):
            self.run_log.warn(sees_less(self.session.account_id))
        return plan_read(
            None if self.options.full_refresh else cursor,
            visibility=self.session.owner.visibility,
            start_date=self.options.start_date if dated else None,
            overlap=self.options.overlap,
            now=self.options.clock.now(),
        )


def build_task(endpoint: Endpoint, session: Session, options: ReadOptions, run_log: RunLog) -> Task:
    """A task that stores nothing, for looking at a list."""
    decoder = Decoder(endpoint.record, account_id=session.account_id)
    return Task(endpoint, session, decoder, {}, options, run_log)


Read = Callable[[Task], Iterator[pa.Table]]


def read(task: Task) -> Iterator[pa.Table]:
    """What the task's table has to say now."""
    return (READS[task.endpoint.way] if task.options.again is None else read_again)(task)


def read_changes(task: Task) -> Iterator[pa.Table]:
    """What changed since the cursor, or history; the cursor moves when all of it is proven."""
    cursor = load_cursor(task.state.get("cursor"))
    if cursor is not None and cursor.visibility != task.session.owner.visibility:
        task.run_log.strangers.add(task.key)
    read_plan = task.plan(cursor, task.endpoint.window)
    reader = task.build_reader()
    outcomes: list[ReadResult] = []
    rows = 0
    for part in read_plan.parts:
        outcome = _resume(task, part)
        outcomes.append(outcome)
        for table in reader.iter_tables(part, outcome):
            rows += table.num_rows
            yield table
            _keep_progress(task, part, outcome)
        _keep_progress(task, part, outcome)
    if not read_plan.is_whole:  # History has them.
        yield from _read_volatile(task, reader, outcomes)
    if not all(outcome.proven for outcome in outcomes):
        task.run_log.warn(_unproven(task, outcomes))
        return
    task.state.pop("backfill", None)
    _move_cursor(task, read_plan, cursor, outcomes, has_news=rows > 0)
    if read_plan.is_whole:
        task.run_log.whole.add(task.key)
        task.state["audit"] = Audited.whole(task.options.clock.now()).dump()


def read_again(task: Task) -> Iterator[pa.Table]:
    """Parts that are due to be read again; remembered once all of them are proven."""
    again = (task.options.again or {}).get(task.key)
    if again is None:
        return
    reader = task.build_reader()
    outcomes: list[ReadResult] = []
    for part in again.parts:
        outcomes.append(ReadResult())
        yield from reader.iter_tables(part, outcomes[-1])
    if all(outcome.proven for outcome in outcomes):
        task.state["audit"] = again.audit
    else:
        task.run_log.warn(_unproven(task, outcomes))


def _resume(task: Task, part: Slice) -> ReadResult:
    """What an earlier run that was killed has left of *part*."""
    if task.options.full_refresh:
        return ReadResult()  # What is not seen by this run is removed: it must see everything.
    visibility = task.session.owner.visibility
    return load_backfill(task.state.get("backfill"), part, visibility)


def _keep_progress(task: Task, part: Slice, outcome: ReadResult) -> None:
    if part.since is None and outcome.done and not task.options.full_refresh:
        visibility = task.session.owner.visibility
        task.state["backfill"] = dump_backfill(part, outcome, visibility)


def _read_volatile(
    task: Task, reader: ListReader, outcomes: list[ReadResult]
) -> Iterator[pa.Table]:
    """Rows that change without a new ``updated_at``, such as running timers, if they did."""
    if task.endpoint.volatile is None:
        return
    outcome = ReadResult()
    tables = list(reader.iter_tables(Slice(flag=task.endpoint.volatile), outcome))
    outcomes.append(outcome)
    table = keep_newest(tables, task.endpoint.primary_key)
    print_ = fingerprint(table)
    if task.state.get("volatile") == print_:
        task.run_log.add_rows(*task.key, table.num_rows)
        return
    yield table
    task.state["volatile"] = print_


def read_all(task: Task) -> Iterator[pa.Table]:
    """All rows, complete, or none: they take the place of the account's rows."""
    before = LastRead.load(task.state.get("seen"))
    if before is not None and not task.may_replace(before, before.rows):
        task.leave_alone("all of it")
        return
    table = read_whole(task.build_reader(), task.endpoint).table
    if table.num_rows == 0:
        task.note_empty({})
    if task.accepts(before, table, "all of it"):
        yield table
        task.state["seen"] = task.see(table).dump()


def read_children(task: Task) -> Iterator[pa.Table]:
    """
    The children of parents that moved, and on a schedule those of all parents, some per run.

    Recording or sending a child moves its parent; deleting one may not (nobody knows): hence the
    walk over all parents. A parent's children are read whole and replace what was there.
    """
    parent = task.endpoint.parent
    assert parent is not None
    listed = BY_NAME[parent.endpoint]
    cursor = load_cursor(task.state.get("cursor"))
    if task.endpoint.in_part and cursor is not None and not task.sees_no_less_than(cursor):
        task.leave_alone("all of it")
        return
    read_plan = task.plan(cursor, listed.window)
    outcome = ReadResult()
    moved = _parent_ids(task, listed, read_plan.parts, outcome)
    walk, walked = _plan_walk(task, listed, read_plan, moved)
    now = task.options.clock.now()
    kept = StoredLists(task, "parents") if task.endpoint.in_part else None
    scopes = [_child_scope(task, each) for each in [*moved, *walked]]
    yield from _read_scopes(task, scopes, kept)
    if not outcome.proven:
        task.run_log.warn(_unproven(task, [outcome]))
        return
    if kept is not None:
        kept.store()
    _move_cursor(task, read_plan, cursor, [outcome], has_news=bool(moved))
    task.state["walk"] = (ParentSweep(finished_at=now) if read_plan.is_whole else walk).dump()
    if read_plan.is_whole and read_plan.covered_from is None:
        task.run_log.whole.add(task.key)


def read_windows(task: Task) -> Iterator[pa.Table]:
    """A report by calendar years: recent ones and new ones each run, the others on the schedule."""
    today = task.options.clock.now().date()
    windows = report_windows(_first_day(task, today), today)
    kept = StoredLists(task, "windows")
    due = [each for each in windows if _is_due(kept.before(_name(each)), each, task)]
    seen = [each for each in due if kept.may_be_read(_name(each))]
    yield from _read_scopes(task, [_window_scope(task, each) for each in seen], kept)
    kept.store()
    if task.options.full_refresh and task.options.start_date is None:
        task.run_log.whole.add(task.key)


def read_snapshot(task: Task) -> Iterator[pa.Table]:
    """A report without dates, kept once per day."""
    today = task.options.clock.now().date()
    kept = StoredLists(task, "windows")
    if kept.may_be_read(today.isoformat()):
        scope = Scope((("snapshot_date", today),), task.endpoint.list_path, {})
        yield from _read_scopes(task, [scope], kept)
        kept.store(only=today.isoformat())


READS: Mapping[ReadStrategy, Read] = {
    ReadStrategy.CHANGES: read_changes,
    ReadStrategy.WHOLE: read_all,
    ReadStrategy.CHILDREN: read_children,
    ReadStrategy.WINDOWS: read_windows,
    ReadStrategy.SNAPSHOT: read_snapshot,
}


def list_ids(task: Task) -> list[int]:
    """All ids that a day of the task's list can be cut by, as Harvest has them now."""
    assert task.endpoint.cut_by is not None
    listed = BY_NAME[task.endpoint.cut_by.removesuffix("__id") + "s"]
    return _parent_ids(task, listed, (Slice(),), ReadResult())


def check_keys(table: pa.Table, endpoint: Endpoint) -> None:
    """
    Every record must have its key, or it could never be merged.

    Raises:
        ResponseError: One has not.
    """
    for name in endpoint.primary_key:
        if table.column(name).null_count:
            msg = (
                f"Harvest sent a record of {endpoint.name} without a usable {name}. Nothing of "
                "this read is kept. Run the same command again; if it stays, report it."
            )
            raise ResponseError(msg, path=endpoint.list_path, status=200)


def fingerprint(table: pa.Table) -> str:
    """Tells whether a table read whole is the one read last time."""
    names = sorted(table.column_names)
    content = repr([names, table.select(names).to_pylist()])
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _move_cursor(
    task: Task,
    read_plan: ReadPlan,
    cursor: Cursor | None,
    outcomes: Sequence[ReadResult],
    *,
    has_news: bool,
) -> None:
    """
    Store the cursor that a read has earned, when it is worth a load.

    After a read that found nothing the old one does as well: the next read begins there, too. Once
    a day, when the overlap is wide, it moves all the same.
    """
    visibility = task.session.owner.visibility
    is_as_before = cursor is not None and (cursor.covered_from, cursor.visibility) == (
        read_plan.covered_from,
        visibility,
    )
    if is_as_before and not (has_news or read_plan.is_wide or read_plan.is_whole):
        return
    began = min(outcome.began for outcome in outcomes if outcome.began)
    # Stored with the rows just yielded, or not at all.
    task.state["cursor"] = read_plan.earn(began, visibility, cursor).dump()


def _unproven(task: Task, outcomes: Sequence[ReadResult]) -> str:
    parts = "; ".join(str(part) for outcome in outcomes for part in outcome.unproven)
    return (
        f"{task.endpoint.name} of account {task.session.account_id} kept changing while it was "
        f"read ({parts}). The rows read are loaded; the next run reads that part again."
    )


# Children.


def _parent_ids(
    task: Task, listed: Endpoint, parts: Sequence[Slice], outcome: ReadResult
) -> list[int]:
    """Ids of *parts* of another list, each once, ascending."""
    decoder = Decoder(listed.record, account_id=task.session.account_id)
    today = task.options.clock.now().date()
    reader = ListReader(task.session.client, listed, decoder.decode, today=today)
    having = task.endpoint.parent.having if task.endpoint.parent else None
    ids: set[int] = set()
    for part in parts:
        one = ReadResult()
        for table in reader.iter_tables(part, one):
            ids.update(_ids_having(table, having))
        outcome.began = min(filter(None, (outcome.began, one.began)), default=None)
        outcome.unproven += one.unproven
    return sorted(ids)


def _ids_having(table: pa.Table, having: tuple[str, str] | None) -> list[int]:
    ids: list[int] = table.column("id").to_pylist()
    if having is None:
        return ids
    column, value = having
    arrays = table.column(column).to_pylist()
    return [
        each
        for each, array in zip(ids, arrays, strict=True)
        if value in loads((array or "[]").encode())
    ]


def _plan_walk(
    task: Task, listed: Endpoint, read_plan: ReadPlan, moved: Sequence[int]
) -> tuple[ParentSweep, list[int]]:
    """The walk as it stands after this run, and the parents it asks beside those that moved."""
    walk, now = ParentSweep.load(task.state.get("walk")), task.options.clock.now()
    if read_plan.is_whole or not walk.is_due(now, task.options.walk_every):
        return walk, []
    bound = task.options.start_date if listed.window else None
    parents = _parent_ids(task, listed, (Slice(DateWindow(bound)),), ReadResult())
    asked = walk.next_parents(parents, WALK_PARENTS)
    return walk.advance(asked, parents, now), [each for each in asked if each not in set(moved)]


def _child_scope(task: Task, parent_id: int) -> Scope:
    parent = task.endpoint.parent
    assert parent is not None
    return Scope(((parent.key, parent_id),), task.endpoint.path.format(parent=parent_id), {})


# Reports.


def _first_day(task: Task, today: date) -> date:
    """Where reports begin: the bound, or the first year with rows to report on."""
    report = task.endpoint.report
    assert report is not None
    if task.options.start_date is not None:
        return task.options.start_date
    dated = BY_NAME[report.dated_by]
    reader = ListReader(task.session.client, dated, _no_rows, today=today)
    year = today.year
    while year > EARLIEST.year and reader.count(Slice(DateWindow(end=date(year, 1, 1)))):
        year -= 1
    return date(year, 1, 1)


def _no_rows(_rows: bytes) -> pa.Table:
    return pa.table({})


def _is_due(before: LastRead | None, window: DateWindow, task: Task) -> bool:
    now = task.options.clock.now()
    assert window.end is not None
    if before is None or task.options.full_refresh or window.end >= now.date() - RECENT:
        return True
    if not covers(before.by, task.session.owner.visibility):
        return True  # More may have come into sight.
    return now - before.at >= task.options.walk_every


def _name(window: DateWindow) -> str:
    return "/".join(window.params().values())


def _window_scope(task: Task, window: DateWindow) -> Scope:
    bounds = window.params()
    values = tuple((name, date.fromisoformat(day)) for name, day in bounds.items())
    params = {name: day.replace("-", "") for name, day in bounds.items()}
    return Scope(values, task.endpoint.list_path, params)


# Scopes.


class StoredLists:
    """
    What is remembered of lists that are replaced one by one, and whether they may be.

    Args:
        name: Key of the table's state; below it one entry per list.
    """

    def __init__(self, task: Task, name: str) -> None:
        self._task = task
        self._name = name
        self._stored: dict[str, Any] = dict(task.state.get(name) or {})

    def before(self, scope: str) -> LastRead | None:
        """The list as it was read last."""
        return LastRead.load(self._stored.get(scope))

    def may_be_read(self, scope: str) -> bool:
        """Whether reading it now can be of use; otherwise people are told."""
        before = self.before(scope)
        if before is None or self._task.may_replace(before, before.rows):
            return True
        self._task.leave_alone(scope)
        return False

    def accepts(self, scope: Scope, table: pa.Table) -> bool:
        """Whether *table* takes the place of the list, because it may and is another."""
        name, task = str(scope), self._task
        before, seen = self.before(name), task.see(table)
        is_news = task.accepts(before, table, name)
        if is_news or (before and self._is_older(before, seen)):
            self._stored[name] = seen.dump()
        return is_news

    def _is_older(self, before: LastRead, seen: LastRead) -> bool:
        """Whether to remember that nothing changed; not every run: each change of state loads."""
        is_same = before.digest == seen.digest
        return is_same and seen.at - before.at >= self._task.options.walk_every

    def store(self, only: str | None = None) -> None:
        """Remember it with the rows just yielded; of one list *only*, if named."""
        kept = {n: each for n, each in self._stored.items() if only is None or n == only}
        self._task.state[self._name] = kept


def _read_scopes(
    task: Task, scopes: Sequence[Scope], kept: StoredLists | None = None
) -> Iterator[pa.Table]:
    """The rows of all *scopes*, some requests at once, in tables worth loading."""
    held: list[pa.Table] = []
    for scope, table in in_parallel(partial(_read_scope, task), scopes, workers=SCOPES_AT_ONCE):
        if table is None:
            continue
        task.run_log.progress(*task.key, table.num_rows, None)
        if kept is not None and not kept.accepts(scope, table):
            continue
        if table.num_rows == 0:
            task.note_empty(dict(scope.values))
            continue
        held.append(table)
        if sum(each.num_rows for each in held) >= SCOPE_ROWS:
            yield pa.concat_tables(held, promote_options="default")
            held = []
    if held:
        yield pa.concat_tables(held, promote_options="default")


def _read_scope(task: Task, scope: Scope) -> tuple[Scope, pa.Table | None]:
    """One scope, complete; None when its parent is gone or has no such list."""
    endpoint = replace(task.endpoint, path=scope.path)

    def decode(rows: bytes) -> pa.Table:
        table = scope.stamp(task.decoder.decode(rows), task.endpoint)
        check_keys(table, endpoint)
        return table

    reader = ListReader(
        task.session.client,
        endpoint,
        decode,
        today=task.options.clock.now().date(),
        params=scope.params,
    )
    try:
        return scope, read_whole(reader, endpoint, confirm_empty=False).table
    except ResponseError as error:
        if error.status in endpoint.absent:
            return scope, None
        raise
