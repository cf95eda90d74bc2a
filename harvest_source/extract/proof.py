"""
Whether a slice of a list was read completely, though the list may have changed meanwhile.

Harvest pages long lists by offset: page 2 is rows 2,001 to 4,000 of the list as it is when page 2
is requested. If a row of page 1 is deleted in between, or moves to a later place, every row behind
it slides forward by one, and the row that was first on page 2 is never served. It did not change,
so no later read by ``updated_since`` brings it either: it would be lost permanently.

A slice that fits one page is served at one moment and needs no proof. A longer one is proven if all
of these clauses hold:

1. :func:`pages_agree`: every page reports the same total, and as many distinct ids were served.
2. Not :func:`changed_during_read`: no row that was served has an ``updated_at`` at or after the
   beginning of the read, unless an earlier read had seen it with the same content.
3. Not :func:`is_affected`: the catch-up that follows, which reads every row changed since the
   beginning, holds no row that is in the slice now and none that was read from it; rows that an
   earlier read had seen with the same content do not count.
4. Not :func:`count_changed`: a count taken after the catch-up gives the same total once more.

Why that is enough: let T be the total, and suppose a row was in the slice from the first page to
the last and was not served. Of the T rows in the slice at the first page at most T - 1 were then
served. But T distinct ids were served (clause 1), so at least one of them joined the slice during
the read: it was created, or a change moved it there. Either sets its ``updated_at`` to a time after
the beginning, and it was served with that time, so clause 2 does not hold. A row that joined during
the read and was not served is not lost: its ``updated_at`` is new, so the catch-up delivers it.

A row dated in the future, or any recent one while this machine's clock is behind, looks new in
every read: the first attempt is not proven. The second is, because it finds the row with the
content that the first attempt saw (:mod:`~harvest_source.extract.known_rows`).

That argument relies on Harvest dating every change that moves a row. Unverified against a live
account: no page documents it. Clauses 3 and 4 do not look at the pages: each is evidence from
another request. The model in ``tests/model_figures.py`` plays every short sequence of changes. It
shows that without clause 2 each of the others is needed, and that all of the others together are
not enough.

The rules apply to lists that hand out a cursor as well: which style is served, and what the cursor
is keyed on, is not documented for every list (quirk 28).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.errors import counted
from harvest_source.extract.known_rows import Contents, changed_since, drop_known
from harvest_source.extract.slice_reader import Emit, SliceRead, SliceReader
from harvest_source.extract.slices import Slice
from harvest_source.extract.window_plan import halve
from harvest_source.schema.endpoint import Endpoint

ATTEMPTS: Final = 3
"""Reads of a slice before it is split."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The rows that changed since an instant."""

    changed: pa.Table
    """One row per id; only the columns a proof needs."""
    is_proven: bool
    """Whether all of them were read: the catch-up is itself a read of a list that may change."""
    contents: Contents = field(default_factory=dict)
    """Their contents, to recognize the rows that were known before."""

    def since(self, read: SliceRead) -> pa.Table:
        """The rows that may have changed after *read* began, perhaps among others."""
        return drop_known(self.changed, self.contents, read.known)


CatchUp = Callable[[datetime, Emit], CaughtUp]
"""Reads and emits every row that changed at an instant or later."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """How proving one slice ended."""

    slice: Slice
    pieces: int
    """How many slices it was read as: 1, or more when it had to be split."""
    unproven: tuple[Slice, ...]
    """Pieces that could not be proven. Their rows were emitted anyway."""
    rows: int | None
    """Its rows; None when it was not read and proven in one piece."""
    reasons: tuple[str, ...] = ()
    """Why pieces could not be proven, if not only because they kept changing."""
    left_out: int = 0
    """Number of records without a usable key. The other rows are proven regardless."""


def is_doubtfully_empty(read: SliceRead) -> bool:
    """
    Whether to ask again for a slice without rows: one odd answer would empty a table.

    A slice of changes, or one with a filter, is often empty, and empties no table.
    """
    slice_ = read.slice
    is_empty = not read.records and read.total is not None
    return is_empty and slice_.since is None and slice_.flag is None


def confirm_empty(reader: SliceReader, read: SliceRead) -> SliceRead:
    """Ask again whether a slice is empty, if that is doubtful: one request."""
    slice_ = read.slice
    if not is_doubtfully_empty(read):
        return read
    rows = reader.count(slice_)
    return read if rows == read.total else replace(read, total=rows)


def pages_agree(read: SliceRead) -> bool:
    """Whether all pages report the same total and it equals what they hold."""
    if read.needs_proof:
        return read.total == read.rows
    return read.total is None or read.total == read.records


def explain_shortfall(read: SliceRead) -> str:
    """What is wrong with a read that has fewer rows than announced; empty if it has all."""
    if read.left_out:
        return describe_left_out(read.left_out)
    if read.total is None or read.records >= read.total:
        return ""
    return (
        f"Harvest announced {counted(read.total, 'row')} but sent {read.records:,} in every "
        "attempt; a proxy in between may cut off its answers"
    )


def describe_left_out(records: int) -> str:
    """Why a list is incomplete: *records* of its records could not be loaded."""
    was = "was" if records == 1 else "were"
    return f"{counted(records, 'record')} came without a usable key and {was} left out"


def changed_during_read(read: SliceRead) -> bool:
    """Whether a row was served that changed after the first page was requested, or may have."""
    return any(not content or read.known.get(i) != content for i, content in read.recent.items())


def is_affected(read: SliceRead, changed: pa.Table, endpoint: Endpoint) -> bool:
    """
    Whether a row that changed since *read* began is in its slice now, or was when it was read.

    A list that cannot be filtered by date is affected by every change, and so is one read by
    ``updated_since``: it holds every row that changed.

    Args:
        changed: Rows that changed at *read*'s beginning or later, perhaps among earlier ones.
    """
    changed = changed.filter(pc.fill_null(changed_since(changed, read.began), True))
    if changed.num_rows == 0:
        return False
    ids = read.table.column("id").combine_chunks()
    if endpoint.window is None or pc.any(pc.is_in(changed.column("id"), value_set=ids)).as_py():
        return True
    days = changed.column(endpoint.window).to_pylist()
    return any(day is None or day in read.slice.window for day in days)


def count_changed(read: SliceRead, count: Callable[[Slice], int]) -> bool:
    """Whether the slice has another number of rows now than its pages reported."""
    return count(read.slice) != read.total


@dataclass(frozen=True, slots=True)
class Clauses:
    """The clauses of the proof. Only tests replace one, to show that it is needed."""

    pages_agree: Callable[[SliceRead], bool] = pages_agree
    changed_during_read: Callable[[SliceRead], bool] = changed_during_read
    is_affected: Callable[[SliceRead, pa.Table, Endpoint], bool] = is_affected
    count_changed: Callable[[SliceRead, Callable[[Slice], int]], bool] = count_changed


@dataclass(slots=True)
class _Attempts:
    """How often each piece of a slice was read, and which pieces were given up."""

    reads: dict[Slice, int]
    unproven: list[Slice] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    left_out: dict[Slice, int] = field(default_factory=dict)


class Prover:
    """
    Reads slices until they are proven, and splits those that keep changing.

    Args:
        reader: Reads and counts slices of the list.
        catch_up: Reads what changed since a slice's read began.
        clauses: The clauses that make up the proof.
    """

    def __init__(
        self,
        reader: SliceReader,
        catch_up: CatchUp,
        clauses: Clauses = Clauses(),
    ) -> None:
        self._reader = reader
        self._catch_up = catch_up
        self._clauses = clauses

    def prove(self, slice_: Slice, emit: Emit, first: SliceRead | None = None) -> SliceResult:
        """
        Read *slice_* until it is proven, split it until its pieces are, or give up.

        Args:
            emit: Receives every row read, including those of the catch-ups.
            first: The first read of the slice; None if that was done earlier and not proven.
        """
        attempts = _Attempts({slice_: 0 if first else 1})
        first = first or self._reader.read_all(slice_, emit)
        last = self._settle(first, attempts, emit)
        if last is not first or last.needs_proof or not self.is_consistent(last):
            pending = [last]
            while pending:
                last = pending[-1]
                # Since the first attempt: a row that it served and that left the slice before the
                # next attempt would otherwise keep its old values until the next run.
                caught_up = self._catch_up(first.began, emit)
                failed = [read for read in pending if not self._is_proven(read, caught_up)]
                again = [each for read in failed for each in self._next_slices(read, attempts)]
                pending = [
                    self._settle(self._reader.read_all(each, emit), attempts, emit)
                    for each in again
                ]
        pieces, unproven = len(attempts.reads), tuple(attempts.unproven)
        is_in_one_piece = pieces == 1 and not unproven
        rows = last.rows if is_in_one_piece else None
        left_out = sum(attempts.left_out.values())
        return SliceResult(slice_, pieces, unproven, rows, tuple(attempts.reasons), left_out)

    def is_consistent(self, read: SliceRead) -> bool:
        """Whether the pages of *read* agree with each other. If not, no catch-up is needed."""
        return self._clauses.pages_agree(read)

    def is_proven_alone(self, read: SliceRead) -> bool:
        """Whether a first read proves itself: its one page is consistent, and not oddly empty."""
        is_short = not read.needs_proof and not is_doubtfully_empty(read)
        return is_short and self.is_consistent(read)

    def is_quiet(self, read: SliceRead) -> bool:
        """Whether the pages of *read* agree, and hold no row that changed meanwhile."""
        clauses = self._clauses
        return clauses.pages_agree(read) and not (
            read.needs_proof and clauses.changed_during_read(read)
        )

    def has_changed(self, read: SliceRead, caught_up: CaughtUp) -> bool:
        """Whether a consistent slice changed during or after its read, or may have changed."""
        clauses = self._clauses
        return (
            not caught_up.is_proven
            or clauses.changed_during_read(read)
            or clauses.is_affected(read, caught_up.since(read), self._reader.endpoint)
            or clauses.count_changed(read, self._reader.count)
        )

    def _is_proven(self, read: SliceRead, caught_up: CaughtUp) -> bool:
        if not self.is_consistent(read):
            return False
        return not read.needs_proof or not self.has_changed(read, caught_up)

    def _settle(self, read: SliceRead, attempts: _Attempts, emit: Emit) -> SliceRead:
        """Repeat *read* until its pages agree with each other or its attempts are used up."""
        attempts.reads[read.slice] += 1
        last = confirm_empty(self._reader, read)
        while not self.is_consistent(last) and attempts.reads[read.slice] < ATTEMPTS:
            last = confirm_empty(self._reader, self._reader.read_all(read.slice, emit))
            attempts.reads[read.slice] += 1
        attempts.left_out[read.slice] = last.left_out
        return last

    def _next_slices(self, read: SliceRead, attempts: _Attempts) -> list[Slice]:
        """What to read instead of an unproven read: the same slice, its pieces, or nothing."""
        if attempts.reads[read.slice] < ATTEMPTS:
            return [read.slice]
        pieces = self._split(read) if read.needs_proof else []
        if not pieces:
            attempts.unproven.append(read.slice)
            attempts.reasons += filter(None, [explain_shortfall(read)])
        else:
            attempts.left_out.pop(read.slice)
        attempts.reads.update(dict.fromkeys(pieces, 0))
        return pieces

    def _split(self, read: SliceRead) -> list[Slice]:
        """The halves of a slice by date, a single day by ids; empty if it cannot be split."""
        slice_, column = read.slice, self._reader.endpoint.window
        if column is None or slice_.only is not None:
            return []
        days = pc.min_max(read.table.column(column)).as_py()
        if days["min"] is None:
            return []
        halves = halve(slice_.window, days["min"], days["max"])
        if halves is None:
            return self._split_day(slice_)
        return [replace(slice_, window=half) for half in halves if not half.is_empty]

    def _split_day(self, slice_: Slice) -> list[Slice]:
        """A single day by ids, if the rows of all ids add up to the rows of the day."""
        column = self._reader.endpoint.cut_by
        if column is None:
            return []
        ids = self._reader.source.split_ids()
        pieces = [replace(slice_, only=(column, each)) for each in ids]
        rows = {each: self._reader.count(each) for each in pieces}
        if sum(rows.values()) != self._reader.count(slice_):
            return []  # An id is not in the list of ids: its rows would be in no piece.
        return [each for each in pieces if rows[each]]
