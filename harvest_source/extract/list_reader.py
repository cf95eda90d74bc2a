"""
Reading a list that moves while it is read, without losing a row.

A page-numbered list is a row of offsets: delete a row before the seam and everything after slides
forward past it. So a part of a list that took more than one page counts as read only when it is
*proven*: the same total on every page, as many distinct ids, no row on any page that changed after
the first was asked for, nothing about it in the catch-up read that follows, and the same total once
more after that. What cannot be proven is read again, and then cut until its parts fit one page,
which is read in one go and needs no proof.

Why that is enough: say a row is there at the end and on none of the pages. Then it slid forward
past a seam, because rows that had been read went. The totals agree, so as many came; and since the
ids are as many as the total, one of those that came was served, on the last page. It came after we
began, and its ``updated_at`` says so.

The cursor such a read earns is the server's clock when it began, never the largest value it saw.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.concurrency import gather, in_parallel
from harvest_source.decode.dedup import keep_newest
from harvest_source.defaults import WINDOW_WORKERS
from harvest_source.errors import ResponseError
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_plan import Sample, gaps, halve, plan_windows
from harvest_source.schema.endpoint import Endpoint

ATTEMPTS: Final = 3
"""How often a part is read before it is cut."""

LONG_ROWS: Final = 20_000
"""A part with more rows is cut into windows that are read at once."""

WINDOW_ROWS: Final = 125_000
"""Rows of a planned window at most, about: progress is kept by window."""

_FAR_TOO_LONG: Final = 1.5
"""How many times the rows planned a window may have before it is cut again, at a page's cost."""

_FEWEST: Final = 5
_ROWS_EACH: Final = 75_000
"""
A long list is cut into as many windows as are read at once, to end at once, or a multiple.

Each costs three requests that bring few rows. So that they stay below a tenth, only as many are
read at once as have so many rows each; but a few always.
"""

LAST_ROWS: Final = 12_000
"""
Windows with at most so many rows to come are waited for, to be proven together by one catch-up.

So a run that is killed at the very end may have to read all windows of the last round again.
"""

TABLES_WAITING: Final = 16
"""Pages that may wait to be taken, so that memory stays bounded."""

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_DEEPEST: Final = 3
"""Catch-ups of catch-ups; more means that Harvest changes faster than it can be read."""


class Page(Protocol):
    """What is needed of one response."""

    @property
    def rows(self) -> bytes: ...
    @property
    def total_entries(self) -> int | None: ...
    @property
    def began(self) -> datetime: ...


class Client(Protocol):
    """What is needed of the API client."""

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None,
    ) -> Generator[Page, None, None]: ...
    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int: ...


@dataclass(frozen=True, slots=True)
class SliceRead:
    """A part as it was read once, all pages of it."""

    part: Slice
    table: pa.Table
    """One row per id; only the columns that a proof needs where the rows were handed on."""
    total: int | None
    """What every page said; None when they disagreed or did not say."""
    began: datetime
    pages: int
    records: int
    """Records received, repeated ids included."""

    @property
    def needs_proof(self) -> bool:
        """One page is read in one go; more are not."""
        return self.pages > 1

    @property
    def is_consistent(self) -> bool:
        """The pages agree with each other and with what they hold."""
        if self.needs_proof:
            return bool(self.total == self.table.num_rows)
        return self.total is None or self.total == self.records


@dataclass(frozen=True, slots=True)
class TooLong:
    """A part that should not be read in one piece, after a look at its first page."""

    part: Slice
    total: int
    began: datetime
    sample: Sample


@dataclass(frozen=True, slots=True)
class Proof:
    """How reading one part of a plan ended."""

    part: Slice
    parts: int
    """How many pieces it was read in."""
    unproven: tuple[Slice, ...]
    rows: int | None
    """How many it has; None when it was not read in one piece."""


@dataclass(slots=True)
class ReadResult:
    """What a read has come to; whole once its iterator is exhausted."""

    began: datetime | None = None
    """The cursor this read earns: the server's clock before the first row was read."""
    unproven: list[Slice] = field(default_factory=list)
    """Parts that kept moving. Their rows are delivered, but the cursor must not move."""
    parts: int = 0
    """How many were read; more than one when the list had to be cut."""
    done: list[DateWindow] = field(default_factory=list)
    """
    Windows of a list that had to be cut whose rows are delivered and proven.

    Given together with *began*, from an earlier read that was not finished: these are left out.
    """
    rows: int | None = 0
    """The rows of all parts read; None when they were not all counted."""

    @property
    def proven(self) -> bool:
        """Whether the cursor may move."""
        return self.began is not None and not self.unproven

    def add(self, proof: Proof) -> None:
        """Note that one part of a plan was read."""
        self.parts += proof.parts
        self.unproven += proof.unproven
        if not proof.unproven:
            self.done.append(proof.part.window)
        if self.rows is not None:
            self.rows = None if proof.rows is None else self.rows + proof.rows


Emit = Callable[["pa.Table | Proof | SliceRead"], None]
"""Takes rows as they are read, and at last how it ended, or what is still to be proven."""


_Work = Callable[[Slice, Emit], Sequence[Slice] | None]


class _Pace:
    """How many rows of each window of a plan are still to come, as far as its pages say."""

    def __init__(self, parts: Iterable[Slice], last_rows: float) -> None:
        self._lock = threading.Lock()
        self._left = dict.fromkeys(parts, math.inf)
        self._last_rows = last_rows

    @property
    def is_ending(self) -> bool:
        """Whether no window has more than *last_rows* to come."""
        with self._lock:
            return all(left <= self._last_rows for left in self._left.values())

    def note(self, part: Slice, left: float) -> None:
        """*part* has *left* rows to come."""
        with self._lock:
            self._left[part] = left

    def replace(self, part: Slice, parts: Iterable[Slice]) -> None:
        """*part* is read as *parts* instead."""
        with self._lock:
            del self._left[part]
            self._left.update(dict.fromkeys(parts, math.inf))


class ListReader:
    """
    Reads parts of one list of one account.

    Args:
        client: Fetches pages and counts.
        endpoint: Which list.
        decode: Rows of one page to an Arrow table.
        today: Last day on which the bulk of the rows is expected (sizes windows, excludes nothing).
        cut_values: All ids a day can be cut by, for ``endpoint.cut_by``; may ask Harvest.
        on_page: Told of every page: its rows, and the rows of the part it belongs to.
        long_rows: A part with more is cut into windows.
        window_rows: Rows a planned window should have at most.
        last_rows: A window is proven alone when another has more rows to come.
        workers: Windows read at once; *decode* and *on_page* are then called from several threads.
        params: Sent with every request, beside what the part asks for.
    """

    def __init__(
        self,
        client: Client,
        endpoint: Endpoint,
        decode: Callable[[bytes], pa.Table],
        *,
        today: date,
        cut_values: Callable[[], Sequence[int]] = tuple,
        on_page: Callable[[int, int | None], None] = lambda _rows, _total: None,
        long_rows: int = LONG_ROWS,
        window_rows: int = WINDOW_ROWS,
        last_rows: float = LAST_ROWS,
        workers: int = 1,
        params: Mapping[str, str] | None = None,
        depth: int = 0,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._decode = decode
        self._today = today
        self._cut_values = cut_values
        self._on_page = on_page
        self._long_rows = long_rows
        self._window_rows = window_rows
        self._last_rows = last_rows
        self._workers = workers
        self._params = dict(params or {})
        self._depth = depth

    def iter_tables(self, part: Slice, outcome: ReadResult) -> Iterator[pa.Table]:
        """
        Yield every row of *part*, and every row that changed while it was read.

        Tables come page by page as they are read, of several windows mixed; an id comes again when
        its row changed meanwhile. The last version of a row comes last, and of versions with the
        same ``updated_at`` the later one is right. *outcome* is whole when the iterator is
        exhausted.
        """
        if outcome.began is None:
            held: list[pa.Table] = []
            limit = self._long_rows if self._endpoint.window else None
            first = self.take(part, held.append, most_rows=limit)
            outcome.began = first.began
            if isinstance(first, SliceRead):
                yield from held
                del held
                yield from self._follow(partial(self._prove, first), [part], outcome)
                if outcome.parts == 1:
                    return
                held = []
            else:
                size = self._size(first.total)
                parts = self._cut_long(size, first)
                held = yield from self._follow(
                    partial(self._read, size, _Pace(parts, self._last_rows)), parts, outcome
                )
        else:
            outcome.rows = None
            parts = [replace(part, window=gap) for gap in gaps(part.window, outcome.done)]
            held = yield from self._follow(
                # Each is proven by itself: since the first attempt began much may have changed.
                partial(self._read, self._window_rows, _Pace(parts, -math.inf)),
                parts,
                outcome,
            )
        yield from self._finish(part, held, outcome)

    def _follow(
        self, work: _Work, parts: Sequence[Slice], outcome: ReadResult
    ) -> Generator[pa.Table, None, list[SliceRead]]:
        """
        Yield the rows that *work* emits for *parts*, and note how reading each ended.

        Returns:
            What is still to be proven.
        """
        held: list[SliceRead] = []
        told = gather(work, parts, workers=self._workers, waiting=TABLES_WAITING)
        for each in told:
            if isinstance(each, Proof):
                outcome.add(each)
            elif isinstance(each, SliceRead):
                held.append(each)
            else:
                yield each
        return held

    def _read(self, size: int, pace: _Pace, part: Slice, emit: Emit) -> Sequence[Slice] | None:
        """Read one window of a plan; returns what it is cut into if it has far more than *size*."""
        is_fixed = part.window.is_one_day
        most_rows = None if is_fixed else int(_FAR_TOO_LONG * size)
        first = self.take(part, emit, most_rows=most_rows, on_left=partial(pace.note, part))
        if isinstance(first, TooLong):
            parts = self._cut_long(size, first)
            pace.replace(part, parts)
            return parts
        if first.needs_proof and self._agrees(first) and pace.is_ending:
            emit(first)
        else:
            self._prove(first, part, emit)
        return None

    def _size(self, total: int) -> int:
        """Rows of a window, if *total* are cut into as many as are read at once, or a multiple."""
        at_once = min(max(total // _ROWS_EACH, _FEWEST), WINDOW_WORKERS)
        rounds = -(-total // (at_once * self._window_rows))
        return max(-(-total // (at_once * rounds)), min(self._long_rows, self._window_rows))

    def _cut_long(self, size: int, found: TooLong) -> list[Slice]:
        part = found.part

        def count(windows: Sequence[DateWindow]) -> list[int]:
            return self._ask(
                [partial(self.count, replace(part, window=window)) for window in windows]
            )

        windows = plan_windows(
            part.window, found.total, found.sample, count, size=size, today=self._today
        )
        return [replace(part, window=window) for window in windows]

    def _finish(
        self, part: Slice, held: Sequence[SliceRead], outcome: ReadResult
    ) -> Generator[pa.Table, None, None]:
        """
        What changed since the first of several parts was read, and whether they left a gap.

        The days before a seam and those after it must have as many rows as the whole: a row
        without a date, say, is in the list and in no window.

        Args:
            held: What is still to be proven, by the same catch-up: it covers more than theirs.
        """
        assert outcome.began is not None
        for _ in range(ATTEMPTS + bool(held)):
            caught_up: list[pa.Table] = []
            changed, is_sure = self._changed_since(outcome.began, caught_up.append)
            yield from caught_up
            checks = [
                partial(self._has_moved, taken, changed if is_sure else None) for taken in held
            ]
            total, *moved = self._ask([partial(self.count, part), *checks])
            again = []
            for taken, has_moved in zip(held, moved, strict=True):
                if has_moved:
                    again.append(taken.part)
                else:
                    outcome.add(Proof(taken.part, 1, (), taken.table.num_rows))
            held = ()
            if again:
                yield from self._follow(partial(self._prove, None), again, outcome)
            elif is_sure and not self._has_gap(part, total, outcome.rows):
                return
        outcome.unproven.append(part)

    def _has_gap(self, part: Slice, total: int, rows: int | None) -> bool:
        """
        Whether some rows are in no window, which had *rows* when they were read.

        If that is not the *total* of the whole, it must be what both sides of a seam have: any seam
        will do, a row that no window shows is on neither side.
        """
        if total == rows:
            return False
        if part.window.is_one_day:
            return False  # Its parts were counted when it was cut.
        seam = part.window.nearest(self._today)
        if seam == part.window.start:
            seam += _DAY
        halves = [replace(part, window=half) for half in part.window.cut_at(seam)]
        return total != sum(self.count(half) for half in halves)

    def take(
        self,
        part: Slice,
        emit: Emit | None = None,
        *,
        most_rows: int | None = None,
        on_left: Callable[[int], None] = lambda _: None,
    ) -> SliceRead | TooLong:
        """
        Read all pages of *part*, or say after the first that it has more than *most_rows*.

        Args:
            emit: Gets the rows, page by page; what is kept then is what a proof needs.
            on_left: Told after each page how many rows are still to come.
        """
        tables: list[pa.Table] = []
        totals: set[int | None] = set()
        began: datetime | None = None
        records = 0
        with closing(self._iter_pages(part, most_rows)) as pages:
            for page in pages:
                began = began or page.began
                table = self._decode(page.rows)
                if most_rows is not None and (page.total_entries or 0) > most_rows:
                    self._on_page(0, page.total_entries)
                    return TooLong(part, page.total_entries or 0, began, self._sample(table))
                totals.add(page.total_entries)
                records += table.num_rows
                self._on_page(table.num_rows, page.total_entries)
                on_left((page.total_entries or 0) - records)
                if emit is not None:
                    emit(table)
                    table = self._marks(table)
                tables.append(table)
        if began is None:
            msg = f"{self._endpoint.name}: Harvest sent no page at all."
            raise ResponseError(msg, path=self._endpoint.list_path)
        return SliceRead(
            part=part,
            table=keep_newest(tables, self._endpoint.primary_key),
            total=totals.pop() if len(totals) == 1 else None,
            began=began,
            pages=len(tables),
            records=records,
        )

    def _marks(self, table: pa.Table) -> pa.Table:
        """The columns that a proof looks at: far less than the rows."""
        endpoint = self._endpoint
        wanted = {*endpoint.primary_key, "updated_at", endpoint.window}
        return table.select([name for name in table.column_names if name in wanted])

    def _sample(self, table: pa.Table) -> Sample:
        assert self._endpoint.window is not None
        days = pc.min_max(table.column(self._endpoint.window)).as_py()
        return Sample(table.num_rows, days["min"] or self._today, days["max"] or self._today)

    def _ask(self, questions: Sequence[Callable[[], Any]]) -> list[Any]:
        """The answers, asked for at once if that may be: one for each window, and for the whole."""
        workers = 1 if self._workers == 1 else self._workers + 1
        return list(in_parallel(lambda ask: ask(), questions, workers=workers))

    def count(self, part: Slice) -> int:
        """How many rows Harvest says *part* has."""
        endpoint = self._endpoint
        return self._client.fetch_count(
            endpoint.list_path, key=endpoint.envelope_key or "", params=self._query(part)
        )

    def _iter_pages(self, part: Slice, most_rows: int | None) -> Generator[Page, None, None]:
        endpoint = self._endpoint
        return self._client.iter_pages(
            endpoint.list_path,
            key=endpoint.envelope_key,
            params=self._query(part),
            most_rows=most_rows,
        )

    def _query(self, part: Slice) -> dict[str, str]:
        return self._params | part.params()

    def _prove(self, first: SliceRead | None, part: Slice, emit: Emit) -> None:
        """
        Read *part* again and again until it is proven, cut to single pages, or given up.

        Args:
            first: How it was read the first time; None: so that it could not be proven.
        """
        attempts = {part: 0 if first else 1}
        suspects = [last := self._settle(part, attempts, emit, first)]
        unproven: list[Slice] = []
        if suspects[0].needs_proof or not self._agrees(suspects[0]):
            began = suspects[0].began
            while suspects:
                last = suspects[-1]
                moved = self._moved(suspects, began, emit)
                waiting = [
                    again
                    for suspect in suspects
                    if suspect.part in moved or not self._agrees(suspect)
                    for again in self._next_try(suspect, attempts, unproven)
                ]
                suspects = [self._settle(each, attempts, emit) for each in waiting]
        rows = None if unproven or len(attempts) > 1 else last.table.num_rows
        emit(Proof(part, len(attempts), tuple(unproven), rows))

    def _settle(
        self, part: Slice, attempts: dict[Slice, int], emit: Emit, given: SliceRead | None = None
    ) -> SliceRead:
        """Read *part* until its pages agree with each other, or its attempts are used up."""
        taken = given or self.take_all(part, emit)
        attempts[part] += 1
        while not self._agrees(taken) and attempts[part] < ATTEMPTS:
            taken = self.take_all(part, emit)
            attempts[part] += 1
        return taken

    def take_all(self, part: Slice, emit: Emit | None = None) -> SliceRead:
        """Read all pages of *part*, however many."""
        taken = self.take(part, emit)
        assert isinstance(taken, SliceRead)
        return taken

    def _moved(self, suspects: Sequence[SliceRead], began: datetime, emit: Emit) -> set[Slice]:
        """
        The parts that changed, or may have, since they were read.

        *emit* gets what changed since *began*, when the oldest of them was begun.
        """
        caught_up, is_sure = self._changed_since(began, emit)
        return {
            taken.part
            for taken in suspects
            if taken.needs_proof
            and self._agrees(taken)
            and self._has_moved(taken, caught_up if is_sure else None)
        }

    def _has_moved(self, taken: SliceRead, caught_up: pa.Table | None) -> bool:
        """Whether a part changed since it was read, or may have: None is no exact catch-up."""
        return (
            caught_up is None
            or self._is_stirred(taken)
            or self._is_touched(taken, caught_up)
            or self._is_off(taken)
        )

    # The clauses of the proof. Only all of them together are one.

    def _agrees(self, taken: SliceRead) -> bool:
        """The same total on every page, and as many ids."""
        return taken.is_consistent

    def _is_stirred(self, taken: SliceRead) -> bool:
        """A row was served that changed after the first page was asked for."""
        return has_news(taken.table, taken.began)

    def _is_touched(self, taken: SliceRead, caught_up: pa.Table) -> bool:
        """A row changed meanwhile that is in the part now, or was read from it."""
        return touches(self._endpoint, taken, caught_up)

    def _is_off(self, taken: SliceRead) -> bool:
        """The part has another number of rows by now."""
        return self.count(taken.part) != taken.total

    def _next_try(
        self, taken: SliceRead, attempts: dict[Slice, int], unproven: list[Slice]
    ) -> list[Slice]:
        """What to read for a part that is not proven: itself again, its halves, or nothing."""
        part = taken.part
        if attempts[part] < ATTEMPTS:
            return [part]
        smaller = self._cut(taken) if taken.needs_proof else []
        if not smaller:
            unproven.append(part)
        attempts.update(dict.fromkeys(smaller, 0))
        return smaller

    def _cut(self, taken: SliceRead) -> list[Slice]:
        part, window = taken.part, self._endpoint.window
        if window is None or part.only is not None:
            return []
        days = pc.min_max(taken.table.column(window)).as_py()
        if days["min"] is None:
            return []
        halves = halve(part.window, days["min"], days["max"])
        if halves is None:
            return self._cut_day(part)
        return [replace(part, window=half) for half in halves if not half.is_empty]

    def _cut_day(self, part: Slice) -> list[Slice]:
        """A single day by ids; only if the ids account for every row of the day."""
        column = self._endpoint.cut_by
        if column is None:
            return []
        parts = [replace(part, only=(column, value)) for value in self._cut_values()]
        rows = {each: self.count(each) for each in parts}
        if sum(rows.values()) != self.count(part):
            return []
        return [each for each in parts if rows[each]]

    def _changed_since(self, began: datetime, emit: Emit) -> tuple[pa.Table, bool]:
        """
        Emit every row changed at *began* or later; returns their marks, and whether that is sure.

        A catch-up of several pages needs a catch-up itself; it covers ever less time.
        """
        part = Slice(since=began - _SECOND)  # The comparison is strictly greater.
        if self._depth >= _DEEPEST:
            return self.take_all(part, emit).table, False
        deeper = ListReader(
            self._client,
            self._endpoint,
            self._decode,
            today=self._today,
            cut_values=self._cut_values,
            long_rows=self._long_rows,
            window_rows=self._window_rows,
            last_rows=self._last_rows,
            workers=self._workers,
            params=self._params,
            depth=self._depth + 1,
        )
        outcome = ReadResult()
        marks: list[pa.Table] = []
        for table in deeper.iter_tables(part, outcome):
            emit(table)
            marks.append(self._marks(table))
        return keep_newest(marks, self._endpoint.primary_key), outcome.proven


def read_whole(reader: ListReader, endpoint: Endpoint, *, confirm_empty: bool = True) -> SliceRead:
    """
    Read a list that has no ``updated_since``, complete or not at all.

    A list of one page is read in one go; a longer one must have the same total on every page and
    once more afterwards.

    Args:
        confirm_empty: Ask for an empty list twice, because it would empty the table.

    Raises:
        ResponseError: It changed under us at every attempt.
    """
    for _ in range(ATTEMPTS):
        taken = reader.take_all(Slice())
        if endpoint.single:
            return taken
        is_sure = taken.is_consistent and taken.records == taken.table.num_rows
        is_plain = taken.table.num_rows or not confirm_empty
        if is_sure and is_plain and not taken.needs_proof:
            return taken
        if is_sure and reader.count(Slice()) == taken.table.num_rows:
            return taken
    msg = (
        f"{endpoint.name} kept changing while it was read, {ATTEMPTS} times over. "
        "The rows loaded earlier stay as they are. Run the same command again."
    )
    raise ResponseError(msg, path=endpoint.list_path, attempts=ATTEMPTS)


def touches(endpoint: Endpoint, taken: SliceRead, caught_up: pa.Table) -> bool:
    """
    Whether a row that changed since *taken* began is in that part now, or was when it was read.

    A part told by ``updated_since`` has every row that changed since.
    """
    changed = caught_up.filter(pc.fill_null(_is_new(caught_up, taken.began), True))
    if changed.num_rows == 0:
        return False
    ours = taken.table.column("id").combine_chunks()
    if endpoint.window is None or pc.any(pc.is_in(changed.column("id"), value_set=ours)).as_py():
        return True
    days = changed.column(endpoint.window).to_pylist()
    return any(day is None or day in taken.part.window for day in days)


def has_news(table: pa.Table, began: datetime) -> bool:
    """Whether a row of *table* says that it changed at *began* or later."""
    return bool(pc.any(_is_new(table, began)).as_py())


def _is_new(table: pa.Table, began: datetime) -> pa.ChunkedArray:
    """By row; null where ``updated_at`` is. Harvest dates changes in whole seconds."""
    at = table.column("updated_at")
    return pc.greater_equal(at, pa.scalar(began.replace(microsecond=0), at.type))
