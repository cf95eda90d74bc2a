"""
Reads a list that changes while it is read, without losing a row.

1. The first page is requested. If the list is short, the rest follows; if it is long, it is cut
   into date windows of about equal size (:mod:`~harvest_source.extract.window_plan`), which are
   read in parallel.
2. Every slice that took more than one page is proven (:mod:`~harvest_source.extract.proof`). A
   slice that cannot be proven is read again, and then cut until its pieces fit one page.
3. After several windows, a last catch-up reads what changed since the first page was requested, and
   the windows' row counts are compared with the count of the whole list. If the list has rows that
   no window shows (those without a date), it is read once more, uncut.

The cursor such a read earns is Harvest's clock at its beginning, never the largest ``updated_at``
seen. Lists are sorted by creation or by date, newest first (quirk 36): a row that is edited after
its page was served may be missing from the read although a newer ``updated_at`` is in it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import pyarrow as pa

from harvest_source.concurrency import gather
from harvest_source.decode.dedup import keep_newest
from harvest_source.errors import counted
from harvest_source.extract.known_rows import KnownRows, digest_recent_rows, merge_contents
from harvest_source.extract.proof import ATTEMPTS, CaughtUp, Prover, SliceResult
from harvest_source.extract.slice_reader import (
    Emit,
    ListSource,
    OnPage,
    SliceRead,
    SliceReader,
    TooLong,
    ignore_page,
    keep_proof_columns,
)
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_counts import WindowCounter
from harvest_source.extract.window_plan import WindowSettings, find_gaps

TABLES_WAITING: Final = 4
"""Limit on pages read ahead of the consumer, which bounds memory."""

_FAR_TOO_LONG: Final = 1.5
"""A window with more than this multiple of its planned rows is cut again, at one page's cost."""

_MOST_CATCH_UPS: Final = 3
"""Limit on nested catch-ups. If more are needed, the list changes faster than it can be read."""

_MOST_UNCUT: Final = 200_000
"""
Rows of the longest list that is read uncut to find rows that no window shows: 100 requests. Only
draft invoices and estimates may lack a date; no list of those is that long.
"""

_SECOND: Final = timedelta(seconds=1)


@dataclass(slots=True)
class ReadResult:
    """The result of one read; complete once its iterator is exhausted."""

    began: datetime | None = None
    """The cursor this read earns: Harvest's clock before the first row was read."""
    unproven: list[Slice] = field(default_factory=list)
    """Slices that kept changing. Their rows were delivered, but the cursor must not move."""
    reasons: list[str] = field(default_factory=list)
    """Why they are unproven, as far as known, for a message."""
    pieces: int = 0
    """How many slices the list was read as."""
    done: list[DateWindow] = field(default_factory=list)
    """
    Windows whose rows were delivered and proven.

    Passed in together with *began* from an earlier, interrupted read, they are not read again.
    """
    rows: int | None = 0
    """The rows of all slices; None when some were not counted."""
    left_out: dict[Slice, int] = field(default_factory=dict)
    """
    Number of records without a usable key, by slice.

    The other rows are proven, but the cursor must not move: these records would not come again.
    """

    @property
    def proven(self) -> bool:
        """Whether the cursor may move."""
        return self.began is not None and not self.unproven and not self.left_out

    def join(self, other: ReadResult) -> None:
        """Add the beginning and the proof of another read of the same list."""
        self.began = min(filter(None, (self.began, other.began)), default=None)
        self.unproven += other.unproven
        self.left_out |= other.left_out
        self.reasons += other.reasons

    def add(self, result: SliceResult) -> None:
        """Add the result of one slice."""
        self.pieces += result.pieces
        self.unproven += result.unproven
        self.reasons += result.reasons
        if result.left_out:
            self.left_out[result.slice] = result.left_out
        elif not result.unproven:
            self.done.append(result.slice.window)
        if self.rows is not None:
            self.rows = None if result.rows is None else self.rows + result.rows


_EmitAny = Callable[["pa.Table | SliceResult | SliceRead"], None]
"""Takes the rows of a slice, then its result, or its read if its proof is deferred."""

_Work = Callable[[Slice, _EmitAny], Sequence[Slice] | None]
"""Reads one slice; returns the slices to read in its place, if it had to be cut."""


class WindowPace:
    """Rows still to come in each window of a plan, according to its pages. Thread-safe."""

    def __init__(self, slices: Iterable[Slice], last_rows: float) -> None:
        self._lock = threading.Lock()
        self._left = dict.fromkeys(slices, math.inf)
        self._last_rows = last_rows

    @property
    def is_ending(self) -> bool:
        """Whether no window has more than *last_rows* to come."""
        with self._lock:
            return all(left <= self._last_rows for left in self._left.values())

    def update(self, slice_: Slice, left: float) -> None:
        """Note that *slice_* has *left* rows to come."""
        with self._lock:
            self._left[slice_] = left

    def replace(self, slice_: Slice, slices: Iterable[Slice]) -> None:
        """Note that *slices* are read in place of *slice_*."""
        with self._lock:
            del self._left[slice_]
            self._left.update(dict.fromkeys(slices, math.inf))


class ListReader:
    """
    Reads slices of one list of one account.

    Args:
        source: The list.
        settings: How it is cut into windows.
        on_page: Called after every page, from several threads if there are several workers.
        depth: How many catch-ups this read is nested in.
        known: Rows that other readers of the list have seen; None: there are none.
    """

    def __init__(
        self,
        source: ListSource,
        settings: WindowSettings,
        *,
        on_page: OnPage = ignore_page,
        depth: int = 0,
        known: KnownRows | None = None,
    ) -> None:
        self._source = source
        self._settings = settings
        self._depth = depth
        self._reader = SliceReader(source, today=settings.today, on_page=on_page, known=known)
        self._prover = Prover(self._reader, self.catch_up)
        self._counter = WindowCounter(self._reader, settings)

    def iter_tables(self, slice_: Slice, result: ReadResult) -> Iterator[pa.Table]:
        """
        Yield every row of *slice_*, and every row that changed while it was read.

        Tables come page by page as they are read; those of several windows are mixed. A row that
        changed meanwhile comes more than once: the newest ``updated_at`` is right, and among equal
        ones the last. *result* is complete when the iterator is exhausted. A *result* with
        ``began`` continues an interrupted read: windows in ``done`` are left out.
        """
        if result.began is None:
            deferred = yield from self._start(slice_, result)
        else:
            deferred = yield from self._resume(slice_, result)
        if deferred is not None:
            yield from self._finish(slice_, deferred, result)

    def count(self, slice_: Slice) -> int:
        """How many rows Harvest says *slice_* has now: one request."""
        return self._reader.count(slice_)

    def read_page(self, slice_: Slice, most_rows: int) -> pa.Table | None:
        """
        The rows of *slice_*, if one page of *most_rows* rows holds all of them: one request.

        Returns None if there are more, or if the page does not hold as many as it announces.
        """
        read = self._reader.read(slice_, most_rows=most_rows)
        if isinstance(read, TooLong) or read.needs_proof or read.table.num_rows != read.total:
            return None
        return read.table

    def _start(
        self, slice_: Slice, result: ReadResult
    ) -> Generator[pa.Table, None, list[SliceRead] | None]:
        """
        Read *slice_* from its first page on, cut into windows if it is long.

        Returns:
            Reads whose proof is deferred; None if *slice_* was read in one piece, so that nothing
            is left to check.
        """
        limit = self._settings.long_rows if self._reader.endpoint.window else None
        workers = self._settings.workers
        tables: list[pa.Table] = []
        first = self._reader.read(slice_, tables.append, most_rows=limit)
        result.began = first.began
        if isinstance(first, TooLong):
            size = self._settings.rows_per_window(first.total)
            slices = self._counter.plan(size, first)
            pace = WindowPace(slices, self._settings.last_rows)
            return (
                yield from _run(partial(self._read_window, size, pace), slices, result, workers)
            )
        yield from tables
        del tables
        # Most lists fit one page: no thread is started for a slice that is already proven. A reread
        # may be long, and without a thread all of it would be held in memory.
        prove, is_proven = partial(self._prove, first), self._prover.is_proven_alone(first)
        yield from _run(prove, [slice_], result, 1 if is_proven else workers)
        return None if result.pieces == 1 else []

    def _resume(
        self, slice_: Slice, result: ReadResult
    ) -> Generator[pa.Table, None, list[SliceRead]]:
        """Read the windows of *slice_* that an interrupted read has not finished."""
        result.rows = None
        slices = [replace(slice_, window=gap) for gap in find_gaps(slice_.window, result.done)]
        # Every window is proven at once, by its own catch-up: a common one would have to reach back
        # to the first attempt, and much may have changed since then.
        pace = WindowPace(slices, -math.inf)
        read = partial(self._read_window, self._settings.window_rows, pace)
        return (yield from _run(read, slices, result, self._settings.workers))

    def _read_window(
        self, size: int, pace: WindowPace, slice_: Slice, emit: _EmitAny
    ) -> Sequence[Slice] | None:
        """Read one window of a plan; return its pieces if it has far more than *size* rows."""
        most_rows = None if slice_.window.is_one_day else int(_FAR_TOO_LONG * size)
        on_left = partial(pace.update, slice_)
        first = self._reader.read(slice_, emit, most_rows=most_rows, on_left=on_left)
        if isinstance(first, TooLong):
            slices = self._counter.plan(size, first)
            pace.replace(slice_, slices)
            return slices
        if first.needs_proof and self._prover.is_consistent(first) and pace.is_ending:
            emit(first)
        else:
            self._prove(first, slice_, emit)
        return None

    def _prove(self, first: SliceRead | None, slice_: Slice, emit: _EmitAny) -> None:
        emit(self._prover.prove(slice_, emit, first))

    def _finish(
        self, slice_: Slice, deferred: Sequence[SliceRead], result: ReadResult
    ) -> Generator[pa.Table, None, None]:
        """
        Catch up with what changed since the first window was read, and look for missing rows.

        Args:
            deferred: Reads that are still to be proven. The same catch-up proves them: it reaches
                back at least as far as their own would.
        """
        assert result.began is not None
        for _ in range(ATTEMPTS + bool(deferred)):
            tables: list[pa.Table] = []
            caught_up = self.catch_up(result.began, tables.append)
            yield from tables
            asked = [partial(self._prover.has_changed, read, caught_up) for read in deferred]
            total, *changed = self._counter.ask([partial(self.count, slice_), *asked])
            again = []
            for read, has_changed in zip(deferred, changed, strict=True):
                if has_changed:
                    again.append(read.slice)
                else:
                    result.add(SliceResult(read.slice, 1, (), read.rows, (), read.left_out))
            deferred = ()
            if again:
                prove = partial(self._prove, None)
                yield from _run(prove, again, result, self._settings.workers)
            elif not caught_up.is_proven:
                continue
            elif not (hidden := self._counter.count_hidden(slice_, total, result.rows)):
                return
            elif hidden > 0 and total <= _MOST_UNCUT:
                yield from self._read_uncut(slice_, hidden, result)
                return
        result.unproven.append(slice_)

    def _read_uncut(
        self, slice_: Slice, hidden: int, result: ReadResult
    ) -> Generator[pa.Table, None, None]:
        """
        Read *slice_* as one piece, because *hidden* of its rows are in none of its windows.

        Harvest has no filter for rows without a date: only a list that is not filtered by date has
        them. The windows' rows come once more and are merged.
        """
        undated = replace(self._source, endpoint=replace(self._reader.endpoint, window=None))
        uncut = ReadResult()
        reader = ListReader(undated, self._settings, depth=self._depth, known=self._reader.known)
        yield from reader.iter_tables(slice_, uncut)
        result.left_out = uncut.left_out or result.left_out
        if uncut.unproven:
            result.unproven.append(slice_)
            result.reasons.append(
                f"{counted(hidden, 'row')} {'is' if hidden == 1 else 'are'} in no window of dates, "
                "and the whole list kept changing"
            )

    def catch_up(self, began: datetime, emit: Emit) -> CaughtUp:
        """
        Emit every row that changed at *began* or later.

        A catch-up of several pages needs a proof, and so a catch-up of its own, which covers a
        shorter time unless this machine's clock is behind. The innermost one is proven by its
        pages.
        """
        changes = Slice(since=began - _SECOND)  # Harvest excludes the instant itself (quirk 35).
        if self._depth >= _MOST_CATCH_UPS:
            read = self._reader.read_all(changes, emit)
            return CaughtUp(read.table, self._prover.is_quiet(read), read.recent)
        known, endpoint = self._reader.known, self._reader.endpoint
        deeper = ListReader(self._source, self._settings, depth=self._depth + 1, known=known)
        result, tables, contents = ReadResult(), list[pa.Table](), dict[int, str]()
        for table in deeper.iter_tables(changes, result):
            emit(table)
            merge_contents(contents, digest_recent_rows(table, began))
            tables.append(keep_proof_columns(table, endpoint))
        known.add(contents)
        changed = keep_newest(tables, endpoint.primary_key)
        return CaughtUp(changed, not result.unproven, contents)  # What it left out comes again.


def collect_ids(reader: ListReader, slice_: Slice, result: ReadResult) -> set[int]:
    """The ids of all rows of *slice_*, and of every row that changed while it was read."""
    ids: set[int] = set()
    for table in reader.iter_tables(slice_, result):
        ids.update(table.column("id").to_pylist())
    return ids


def _run(
    work: _Work, slices: Sequence[Slice], result: ReadResult, workers: int
) -> Generator[pa.Table, None, list[SliceRead]]:
    """
    Yield the rows that *work* emits for *slices*, and add their results to *result*.

    Args:
        workers: Slices read in parallel.

    Returns:
        Reads whose proof is deferred.
    """
    deferred: list[SliceRead] = []
    for each in gather(work, slices, workers=workers, waiting=TABLES_WAITING):
        if isinstance(each, SliceResult):
            result.add(each)
        elif isinstance(each, SliceRead):
            deferred.append(each)
        else:
            yield each
    return deferred
