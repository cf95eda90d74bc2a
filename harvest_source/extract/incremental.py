"""
Reads what changed since a table's cursor, or its history, and moves the cursor.

The cursor moves only when every slice of the read is proven; rows are delivered either way, because
a row that is read twice is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from harvest_source.api.rate_limit import never
from harvest_source.concurrency import gather, run_ahead
from harvest_source.decode.dedup import keep_newest
from harvest_source.extract.audit_state import AuditState, load_audit_state
from harvest_source.extract.backfill import dump_backfill, load_backfill
from harvest_source.extract.cursor import load_cursor, move_cursor
from harvest_source.extract.exclusion import note_excluded, store_excluded
from harvest_source.extract.list_reader import TABLES_WAITING, ListReader, ReadResult
from harvest_source.extract.parent_reading import ParentCollector
from harvest_source.extract.slice_reader import Emit
from harvest_source.extract.slices import Slice
from harvest_source.extract.task import Task
from harvest_source.extract.volatile_rows import VolatileRows, digest_rows
from harvest_source.memory import is_plentiful

_SLICES_IF_SMALL: Final = 2
"""Slices of one table reread in parallel when memory is scarce; each holds a page or more."""


def read_changes(task: Task) -> Iterator[pa.Table]:
    """Read what changed since the cursor, or history; move the cursor once all of it is proven."""
    cursor = load_cursor(task.state.get("cursor"))
    read_plan = task.plan(cursor, task.endpoint.window)
    is_other = cursor is not None and not cursor.is_of(task.visibility)
    if is_other and not read_plan.is_whole:
        task.run_log.read_by_others.add(task.key)
    reader = task.build_reader()
    results: list[ReadResult] = []
    parents = ParentCollector(task, read_plan.slices)
    volatile = VolatileRows(task.endpoint)
    rows = 0
    with _reading_volatile(task, reader, is_whole=read_plan.is_whole) as get_volatile:
        for slice_ in read_plan.slices:
            result = _resume(task, slice_)
            parents.note_start(result)
            results.append(result)
            for table in reader.iter_tables(slice_, result):
                rows += table.num_rows
                parents.add(table)
                if read_plan.is_whole:
                    volatile.add(table)
                yield table
                _keep_progress(task, slice_, result, is_whole=read_plan.is_whole)
            _keep_progress(task, slice_, result, is_whole=read_plan.is_whole)
        if found := get_volatile():
            results.append(found.result)
            yield from _iter_changed(task, found.table)
    if not all(result.proven for result in results):
        task.note_unproven(results)
        return
    parents.keep(results)
    task.state.pop("backfill", None)
    _note_columns(task, is_whole=read_plan.is_whole)
    began = min(result.began for result in results if result.began)
    move_cursor(
        task.state,
        read_plan,
        task.confirm_time(began),
        visibility=task.visibility,
        has_news=rows > 0,
    )
    if read_plan.is_whole:
        task.run_log.note_whole(*task.key)
        if digest := volatile.digest():
            task.state["volatile"] = digest
        task.state["audit"] = _renew_audit(task).dump()


def _renew_audit(task: Task) -> AuditState:
    """The audit's state after a read of the whole table, the first or a later one."""
    now, before = task.options.clock.now(), task.state.get("audit")
    if before is None or task.options.full_refresh:  # A full refresh removes unseen rows.
        return AuditState.whole(now)
    return load_audit_state(before, now).after_whole_read(now)


def _resume(task: Task, slice_: Slice) -> ReadResult:
    """The progress that an earlier, interrupted run made on *slice_*."""
    if task.options.full_refresh:
        return ReadResult()  # Rows that this run does not see are removed: it must see all of them.
    if task.lacks_columns:
        return ReadResult()  # The rows read so far lack them, too.
    now, managed = task.options.clock.now(), task.session.managed_scope
    return load_backfill(task.state.get("backfill"), slice_, task.visibility, now, managed)


def _note_columns(task: Task, *, is_whole: bool) -> None:
    """Note which columns the rows lack, after a read of all rows or of some."""
    if is_whole:
        store_excluded(task.state, task.excluded)
    else:
        note_excluded(task.state, task.excluded)


def _keep_progress(task: Task, slice_: Slice, result: ReadResult, *, is_whole: bool) -> None:
    if slice_.since is not None or not result.done or task.options.full_refresh:
        return
    assert result.began is not None
    if task.confirm_time(result.began) != result.began:
        return  # It would become the cursor, perhaps in another run.
    if is_whole and task.lacks_columns:
        # If this read is interrupted, the next run continues it only without a cursor.
        task.state.pop("cursor", None)
    _note_columns(task, is_whole=is_whole)
    managed = task.session.managed_scope
    task.state["backfill"] = dump_backfill(slice_, result, task.visibility, managed)


@dataclass(frozen=True, slots=True)
class _VolatileRead:
    """One read of the rows that change without a new ``updated_at``."""

    table: pa.Table
    result: ReadResult


@contextmanager
def _reading_volatile(
    task: Task, reader: ListReader, *, is_whole: bool
) -> Iterator[Callable[[], _VolatileRead | None]]:
    """
    Read rows that change without a new ``updated_at``, in parallel with the block.

    These are running timers: Harvest computes their hours at each request (quirk 43). Unverified
    against a live account: whether ``updated_at`` moves while a timer runs. A row that is edited
    between the two reads, in the second of its last edit, is right after the next run: its overlap
    reads the row again.

    Yields:
        A function that returns the rows, or raises what the read raised. It returns None if the
        table has no such rows, or if the block reads all rows of the table.
    """
    flag = task.endpoint.volatile

    def read(_: Callable[[], bool] = never) -> _VolatileRead:
        result = ReadResult()
        tables = list(reader.iter_tables(Slice(flag=flag), result))
        return _VolatileRead(keep_newest(tables, task.endpoint.primary_key), result)

    if flag is None or is_whole:
        yield lambda: None
    elif task.options.workers == 1:
        yield read
    else:
        # Unchanged runs wait for Harvest's answers most of their time.
        with run_ahead(read) as ahead:
            yield ahead.result


def _iter_changed(task: Task, table: pa.Table) -> Iterator[pa.Table]:
    """Yield volatile rows if any of them changed since the last run."""
    digest = digest_rows(table, task.endpoint)
    if task.state.get("volatile") == digest:
        task.run_log.add_rows(*task.key, table.num_rows)
        return
    yield table
    task.state["volatile"] = digest


def reread_slices(task: Task) -> Iterator[pa.Table]:
    """Read the slices that an audit chose; store the audit's state once all of them are proven."""
    reread = (task.options.rereads or {}).get(task.key)
    if reread is None:
        return
    note_excluded(task.state, task.excluded)
    reads = [(slice_, ReadResult()) for slice_ in reread.slices]
    yield from _read_slices(task, reads)
    results = [result for _, result in reads]
    if all(result.proven for result in results):
        task.state["audit"] = reread.audit
    else:
        task.note_unproven(results)


def _read_slices(
    task: Task, reads: Sequence[tuple[Slice, ReadResult]]
) -> Generator[pa.Table, None, None]:
    """Read several slices, most of them of one page, in parallel if the options say so."""
    reader = task.build_reader()

    def read(item: tuple[Slice, ReadResult], emit: Emit) -> None:
        for table in reader.iter_tables(*item):
            emit(table)

    at_once = task.options.workers if is_plentiful() else _SLICES_IF_SMALL
    workers = min(at_once, task.options.workers, len(reads))
    if workers > 1:
        yield from gather(read, reads, workers=workers, waiting=TABLES_WAITING)
        return
    for slice_, result in reads:
        yield from reader.iter_tables(slice_, result)
