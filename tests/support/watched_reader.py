"""The list reader on the model, with a record of its steps and parts of the proof switched off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from harvest_source.extract.known_rows import KnownRows
from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.proof import (
    CaughtUp,
    Clauses,
    Prover,
    changed_during_read,
    count_changed,
    is_affected,
    pages_agree,
)
from harvest_source.extract.slice_reader import (
    Emit,
    ListClient,
    ListPage,
    ListSource,
    SliceRead,
    SliceReader,
    TooLong,
)
from harvest_source.extract.slices import ALL_DAYS, Slice
from harvest_source.extract.window_counts import WindowCounter
from harvest_source.extract.window_plan import LAST_ROWS, WindowSettings
from harvest_source.schema.endpoint import Endpoint
from tests.support.model import DAYS, FIRST_DAY, USERS, ModelPage, decode


@dataclass(frozen=True, slots=True)
class Watch:
    """The clauses of the proof that are switched off, and a record of the reader's steps."""

    without: frozenset[str] = frozenset()
    """Some of ``totals``, ``ids``, ``news``, ``catch-up``, ``count``."""
    branches: Counter[str] = field(default_factory=Counter)
    """How often each branch of the reader ran."""
    totals: list[int | None] = field(default_factory=list)
    """The total that every page reported."""
    caught_up: list[tuple[int, bool]] = field(default_factory=list)
    """For each catch-up: the number of changes before it began, and whether it was proven."""

    def build_clauses(self) -> Clauses:
        """The clauses of the proof without those switched off; each objection is counted."""
        return Clauses(
            self._pages_agree, self._changed_during_read, self._is_affected, self._count_changed
        )

    def _pages_agree(self, read: SliceRead) -> bool:
        if "ids" in self.without and read.needs_proof:
            return read.total is not None
        agree = pages_agree(read)
        self.branches["pages disagree"] += not agree
        return agree

    def _changed_during_read(self, read: SliceRead) -> bool:
        found = "news" not in self.without and changed_during_read(read)
        self.branches["news on a page"] += found
        return found

    def _is_affected(self, read: SliceRead, changed: pa.Table, endpoint: Endpoint) -> bool:
        found = "catch-up" not in self.without and is_affected(read, changed, endpoint)
        self.branches["news in the catch-up"] += found
        return found

    def _count_changed(self, read: SliceRead, count: Callable[[Slice], int]) -> bool:
        found = "count" not in self.without and count_changed(read, count)
        self.branches["another count afterwards"] += found
        return found


class WatchedSliceReader(SliceReader):
    """Records the total that every page reports."""

    def __init__(self, source: ListSource, today: date, watch: Watch, known: KnownRows) -> None:
        super().__init__(source, today=today, known=known)
        self._watch = watch

    def _iter_pages(self, slice_: Slice, most_rows: int | None) -> Generator[ListPage, None, None]:
        pages: Iterable[ListPage] = super()._iter_pages(slice_, most_rows)
        if "totals" in self._watch.without:  # As if every page reported the last total.
            pages = list(pages)
            last = pages[-1].total_entries
            pages = [ModelPage(page.rows, last, page.began) for page in pages]
        for page in pages:
            self._watch.totals.append(page.total_entries)
            yield page


class WatchedProver(Prover):
    """Counts what follows an unproven read."""

    def __init__(
        self,
        reader: SliceReader,
        catch_up: Callable[[datetime, Emit], CaughtUp],
        watch: Watch,
    ) -> None:
        super().__init__(reader, catch_up, watch.build_clauses())
        self._branches = watch.branches

    def _next_slices(self, read: SliceRead, attempts: Any) -> list[Slice]:
        slices = super()._next_slices(read, attempts)
        self._branches["read again"] += slices == [read.slice]
        self._branches["given up as unproven"] += not slices
        self._branches["halved by date"] += len(slices) > 1 and slices[0].only is None
        return slices

    def _split_day(self, slice_: Slice) -> list[Slice]:
        slices = super()._split_day(slice_)
        self._branches["a day cut by id"] += bool(slices)
        self._branches["a day not cut: ids do not add up"] += not slices
        return slices


class WatchedCounter(WindowCounter):
    """Counts plans."""

    def __init__(self, reader: SliceReader, settings: WindowSettings, watch: Watch) -> None:
        super().__init__(reader, settings)
        self._branches = watch.branches

    def plan(self, size: int, found: TooLong) -> list[Slice]:
        slices = super().plan(size, found)
        self._branches["planned"] += 1
        self._branches["planned again: far too long"] += found.slice.window != ALL_DAYS
        return slices


class WatchedReader(ListReader):
    """
    The list reader, with a record of the branches that ran.

    The readers of its catch-ups are not watched and use every clause.

    Args:
        users: The ids known for splitting a day.
        without: Clauses of the proof to switch off, as in :class:`Watch`.
    """

    def __init__(
        self,
        client: ListClient,
        endpoint: Endpoint,
        *,
        long_rows: int,
        window_rows: int,
        last_rows: float = LAST_ROWS,
        users: Sequence[int] = USERS,
        without: frozenset[str] = frozenset(),
        branches: Counter[str] | None = None,
    ) -> None:
        source = ListSource(client, endpoint, decode, split_ids=lambda: users)
        last_day = FIRST_DAY + timedelta(days=DAYS - 1)
        settings = WindowSettings(last_day, long_rows, window_rows, last_rows)
        super().__init__(source, settings)
        self.watch = Watch(without, Counter[str]() if branches is None else branches)
        self.slices = WatchedSliceReader(source, last_day, self.watch, self._reader.known)
        self._reader = self.slices
        self._prover = WatchedProver(self.slices, self.catch_up, self.watch)
        self._counter = WatchedCounter(self.slices, settings, self.watch)
        self.changes: Callable[[], int] = int
        """The number of changes that the world has seen."""

    def catch_up(self, began: datetime, emit: Emit) -> CaughtUp:
        known = self.changes()
        caught_up = super().catch_up(began, emit)
        self.watch.caught_up.append((known, caught_up.is_proven))
        self.watch.branches["caught up"] += 1
        self.watch.branches["catch-up not exact"] += not caught_up.is_proven
        return caught_up

    def _finish(
        self, slice_: Slice, deferred: Sequence[SliceRead], result: ReadResult
    ) -> Generator[pa.Table, None, None]:
        proven, branches = len(result.done), self.watch.branches
        yield from super()._finish(slice_, deferred, result)
        branches["several proven by the last catch-up"] += len(deferred) > 1
        branches["one proven by the last catch-up"] += len(deferred) == 1
        branches["unproven by the last catch-up"] += len(result.done) < proven + len(deferred)
