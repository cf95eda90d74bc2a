"""
Which rows Harvest no longer has, by arithmetic; and which we lack.

Harvest deletes without a trace, but it counts: once updates are merged, rows here less rows there
are rows deleted there, in any window of days. So the total is compared; windows that differ are
halved until they fit one page; only there are ids read. No deletion costs one request, ``d`` of
them about ``d`` times the logarithm of history.

Things move while we count. What keeps a row that was created, moved or edited meanwhile from being
taken for a deleted one is not the counts, which only say where to look. A row counts as gone when
it is missing from the list of its day, read complete, and asking for it by its id says 404. Where
that would take too many requests, a second list taken afterwards has to lack it, too, it must be in
no other list, and no change since the merge may mention it. Both lists are of the days that the
warehouse knows the row by: were it moved without a new ``updated_at``, only asking would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from harvest_source.concurrency import in_parallel
from harvest_source.defaults import PAGE_ROWS
from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_plan import EARLIEST
from harvest_source.operations.day_counts import DayCounts
from harvest_source.schema.endpoint import Endpoint

WORKERS: Final = 4
_LEAVES: Final = 20
"""Windows whose ids are in memory at once."""
FEW: Final = 25
"""Rows of a table that are worth asking for one by one: 404 is the better evidence."""


class WarehouseCopy(Protocol):
    """What the warehouse has of one table of one account, not looking beyond the bound."""

    def count_days(self) -> Mapping[date | None, int]:
        """Rows by day; under None those without one, or all rows of a table without dates."""
        ...

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        """Ids with their day, of rows in any of *windows*; rows without a day are in ALL_DAYS."""
        ...


Ask = Callable[[int], Mapping[str, Any] | None]
"""The record with this id as Harvest has it now; None when it says 404."""


def differing(
    window: DateWindow,
    here: DayCounts,
    there: int,
    count: Callable[[DateWindow], int],
    *,
    page_rows: int = PAGE_ROWS,
) -> Iterator[DateWindow]:
    """
    Windows of at most about *page_rows* rows, or of one day, in which the counts differ.

    Asks *count* once per cut. Counts that moved meanwhile send us to windows where nothing is to be
    found, or past some where something is: that is found the next time.

    Args:
        there: Rows that Harvest has in *window*.
    """
    rows = here.rows(window)
    if rows == there:
        return
    halves = here.halve(window) if max(rows, there) > page_rows else None
    if halves is None:
        yield window
        return
    older, newer = halves
    in_older = count(older)
    yield from differing(older, here, in_older, count, page_rows=page_rows)
    yield from differing(newer, here, max(there - in_older, 0), count, page_rows=page_rows)


@dataclass(frozen=True, slots=True)
class Findings:
    """What comparing one table has come to."""

    here: int
    there: int
    """Rows that Harvest counted, before anything was compared."""
    gone: frozenset[int] = frozenset()
    """Ids that Harvest no longer has; sure."""
    lost: tuple[Slice, ...] = ()
    """What to read again: Harvest has rows there that we lack, or have otherwise."""
    missing: int = 0
    """Rows that we lack."""
    open: tuple[DateWindow, ...] = ()
    """Windows that kept moving: left for the next time."""
    moved: int = 0
    """Rows that changed since they were merged."""

    @property
    def is_unexplained(self) -> bool:
        """The counts differ, and nothing that could be looked at does."""
        found = self.gone or self.lost or self.open or self.moved
        return self.here != self.there and not found


@dataclass(slots=True)
class _Notes:
    """What is known so far."""

    absent: dict[int, DateWindow] = field(default_factory=dict)
    """Not in the list of their window."""
    gone: set[int] = field(default_factory=set)
    """Asked for by id: 404."""
    absent_twice: set[int] = field(default_factory=set)
    missing: dict[int, DateWindow] = field(default_factory=dict)
    stale: dict[int, DateWindow] = field(default_factory=dict)
    """Rows that stand, but not on the day we have for them."""
    open: list[DateWindow] = field(default_factory=list)


class Search:
    """
    Compares one table of one account with Harvest.

    Args:
        reader: Of the table's list.
        endpoint: Which table.
        copy: What the warehouse has of it, updates merged.
        ask: Asks for one record; None when the list has no such path.
        since: Before the merge's read began: changes from then on are taken into account.
        bound: First day looked at; None: all.
        workers: Windows read at once.
    """

    def __init__(
        self,
        reader: ListReader,
        endpoint: Endpoint,
        copy: WarehouseCopy,
        ask: Ask | None,
        *,
        since: datetime,
        bound: date | None = None,
        page_rows: int = PAGE_ROWS,
        workers: int = WORKERS,
    ) -> None:
        self._reader = reader
        self._endpoint = endpoint
        self._copy = copy
        self._ask = ask
        self._since = since
        self._root = DateWindow(start=bound if endpoint.window else None)
        self._page_rows = page_rows
        self._workers = workers

    def count(self) -> tuple[DayCounts, int]:
        """Rows here by day, and rows there: one request."""
        return DayCounts(self._copy.count_days()), self._count(self._root)

    def run(self, here: DayCounts, there: int) -> Findings:
        """
        Look for what makes the counts differ.

        Raises:
            HarvestError: Harvest did not answer. Nothing is known then.
        """
        if here.total == there:
            return Findings(here.total, there)
        notes = _Notes()
        windows = list(self._differing(here, there, notes))
        for at in range(0, len(windows), _LEAVES):
            self._compare(windows[at : at + _LEAVES], notes)
        self._confirm(notes)
        return self._conclude(here, there, notes)

    def _count(self, window: DateWindow) -> int:
        return self._reader.count(Slice(window))

    def _differing(self, here: DayCounts, there: int, notes: _Notes) -> Iterator[DateWindow]:
        root, size = self._root, self._page_rows
        if self._endpoint.window is None or max(here.total, there) <= size:
            yield root
        elif not here.undated:
            yield from differing(root, here, there, self._count, page_rows=size)
        else:
            # Rows without a day are in the total and in no window: both halves must be asked for.
            halves = here.halve(root) or root.cut_at(EARLIEST)
            counts = [self._count(half) for half in halves]
            for half, rows in zip(halves, counts, strict=True):
                yield from differing(half, here, rows, self._count, page_rows=size)
            if there - sum(counts) != here.undated:
                self._compare_undated(notes)

    def _compare_undated(self, notes: _Notes) -> None:
        undated = [row for row, day in self._copy.ids([ALL_DAYS]).items() if day is None]
        if len(undated) > FEW or self._ask is None:
            notes.open.append(ALL_DAYS)
        else:
            notes.absent |= dict.fromkeys(undated, ALL_DAYS)

    def _compare(self, windows: Sequence[DateWindow], notes: _Notes) -> None:
        """Read the ids of each of *windows*, and note those that are on one side only."""
        here = self._copy.ids(windows)
        lists = self._list_all(windows)
        for window, listed in zip(windows, lists, strict=True):
            if listed is None:
                notes.open.append(window)
                continue
            ours = {row for row, day in here.items() if window == ALL_DAYS or day in window}
            notes.missing |= dict.fromkeys(listed - ours, window)
            notes.absent |= dict.fromkeys(ours - listed, window)

    def _confirm(self, notes: _Notes) -> None:
        """Get the second evidence: the few are asked for, the many looked for in a second list."""
        absent = {row: at for row, at in notes.absent.items() if row not in notes.missing}
        if self._ask is not None and len(absent) <= FEW:
            for row in absent:
                self._ask_for(row, notes)
            return
        windows = list(dict.fromkeys(absent.values()))
        lists = self._list_all(windows)
        for window, listed in zip(windows, lists, strict=True):
            if listed is None:
                notes.open.append(window)
            else:
                notes.absent_twice |= {row for row, at in absent.items() if at == window} - listed

    def _list_all(self, windows: Sequence[DateWindow]) -> Iterator[set[int] | None]:
        if self._workers == 1:
            return map(self._list, windows)
        return in_parallel(self._list, windows, workers=self._workers)

    def _list(self, window: DateWindow) -> set[int] | None:
        """All ids in *window*; None when the list kept moving. More may be in, never fewer."""
        outcome = ReadResult()
        ids = _ids(self._reader, Slice(window), outcome)
        return ids if outcome.proven else None

    def _ask_for(self, row: int, notes: _Notes) -> None:
        if self._ask is None:
            return
        record = self._ask(row)
        if record is None:
            notes.gone.add(row)
        else:
            notes.stale[row] = _day_of(record, self._endpoint)

    def _conclude(self, here: DayCounts, there: int, notes: _Notes) -> Findings:
        """Leave out what changed since the merge: the next run merges it."""
        outcome = ReadResult()
        moved = _ids(self._reader, Slice(since=self._since), outcome)
        if not outcome.proven:
            return Findings(
                here.total,
                there,
                gone=frozenset(notes.gone),
                open=(*notes.open, self._root),
                moved=len(moved),
            )
        missing = {row: window for row, window in notes.missing.items() if row not in moved}
        stale = {row: window for row, window in notes.stale.items() if row not in moved}
        windows = dict.fromkeys((*missing.values(), *stale.values()))
        return Findings(
            here.total,
            there,
            gone=frozenset(notes.gone | (notes.absent_twice - moved)),
            lost=tuple(map(Slice, windows)),
            missing=len(missing),
            open=tuple(notes.open),
            moved=len(moved),
        )


def _ids(reader: ListReader, part: Slice, outcome: ReadResult) -> set[int]:
    ids: set[int] = set()
    for table in reader.iter_tables(part, outcome):
        ids.update(table.column("id").to_pylist())
    return ids


def _day_of(record: Mapping[str, Any], endpoint: Endpoint) -> DateWindow:
    """The window of the one day that *record* is dated; all days when it is not."""
    try:
        day = date.fromisoformat(str(record[endpoint.window or ""]))
    except (KeyError, ValueError):
        return ALL_DAYS
    return DateWindow(day, None if day == date.max else day + timedelta(days=1))


def count_parts(parts: Iterable[Slice]) -> str:
    """``2 windows, the first 2024-01-01 to 2024-01-09``, for messages."""
    windows = list(parts)
    if len(windows) == 1:
        return str(windows[0])
    return f"{len(windows)} windows, the first {windows[0]}"
