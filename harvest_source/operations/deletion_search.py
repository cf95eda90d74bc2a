"""
Which rows Harvest no longer has, found by counting; and which rows are missing here.

Harvest deletes without a trace, but it counts: once updates are merged, the rows here less the rows
there are the rows deleted there, in any window of days. So the totals are compared first; windows
that differ are halved until they fit one page, and only there are ids read. Without deletions that
costs one request; *d* deletions cost about *d* times the logarithm of the number of days.

Rows are created, moved and edited while this counts. The counts only say where to look, so such a
row is never taken for a deleted one: a row counts as gone when it is missing from the complete list
of its day and asking for it by its id answers 404. Where asking would take too many requests, a
second list read afterwards must lack it too, no other list may have it, and no change since the
merge may mention it. Both lists cover the day that the warehouse has for the row: if the row had
been moved without a new ``updated_at``, only asking by id would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
"""Windows read in parallel."""
ASKERS: Final = 16
"""
Questions asked at once whose answer is one number or one record: as many as there are tables to
compare, so that with answers of 300 ms their counts take one answer's time.
"""
_BATCH: Final = 20
"""Windows whose ids are in memory at once."""
FEW: Final = 25
"""Up to so many absent rows are asked for by id, because 404 is the better evidence."""


class WarehouseCopy(Protocol):
    """The warehouse's rows of one table of one account, those dated before ``bound`` left out."""

    @property
    def bound(self) -> date | None:
        """First day looked at; None: all days."""
        ...

    def count_days(self) -> Mapping[date | None, int]:
        """Rows by day; under None the undated ones, or all rows of a table without dates."""
        ...

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        """Ids with their day, of rows in any of *windows*; undated rows are in ALL_DAYS only."""
        ...


FetchRecord = Callable[[int], Mapping[str, Any] | None]
"""Fetches the record with this id as Harvest has it now; None when Harvest answers 404."""


@dataclass(frozen=True, slots=True)
class TablePair:
    """One table of one account, as Harvest lists it and as the warehouse has it."""

    endpoint: Endpoint
    reader: ListReader
    """Reads the keys of the table's list; whole rows will do."""
    copy: WarehouseCopy
    """Updates are merged into it."""
    fetch_record: FetchRecord | None
    """None when Harvest has no path for single records of this list."""
    since: datetime
    """Before the merged read began: later changes may not be in the copy yet."""

    @property
    def root(self) -> DateWindow:
        """The days that are compared."""
        return DateWindow(start=self.copy.bound if self.endpoint.window else None)


def find_differing(
    counted: Sequence[tuple[DateWindow, int]],
    here: DayCounts,
    count: Callable[[Sequence[DateWindow]], Sequence[int]],
    *,
    page_rows: int = PAGE_ROWS,
) -> list[DateWindow]:
    """
    Find windows of at most about *page_rows* rows, or of one day, in which the counts differ.

    All windows that differ are halved at once: *count* is called once for each level of halves, and
    counts one window for each cut. If the counts move meanwhile, a window that is returned may turn
    out equal, or a differing one may be missed: the next audit finds it.

    Args:
        counted: Windows to look into, none of which overlap, with the rows Harvest has in each.
        here: Rows of the warehouse by day.
        count: Asks Harvest how many rows each of several windows has.

    Returns:
        The windows, oldest first.
    """
    found: list[DateWindow] = []
    level = list(counted)
    while level:
        cuts: list[tuple[DateWindow, DateWindow, int]] = []
        for window, there in level:
            rows = here.rows(window)
            if rows == there:
                continue
            halves = here.halve(window) if max(rows, there) > page_rows else None
            if halves is None:
                found.append(window)
            else:
                cuts.append((*halves, there))
        level = []
        in_older = count([older for older, _, _ in cuts]) if cuts else ()
        for (older, newer, there), rows in zip(cuts, in_older, strict=True):
            level += [(older, rows), (newer, max(there - rows, 0))]
    return sorted(found, key=lambda window: window.start or date.min)


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of comparing one table."""

    here: int
    """Rows in the warehouse."""
    there: int
    """Rows that Harvest counted, before anything was compared."""
    gone: frozenset[int] = frozenset()
    """Ids that Harvest no longer has, with the evidence described above."""
    lost: tuple[Slice, ...] = ()
    """What to read again: rows there are missing here, dated otherwise, or here more than once."""
    missing: int = 0
    """Rows that are missing here."""
    doubled: int = 0
    """Rows here beyond the first with the same id; they are in :attr:`lost`, too."""
    open: tuple[DateWindow, ...] = ()
    """Windows that kept changing: left for the next audit."""
    moved: int = 0
    """Rows that changed since they were merged."""

    @property
    def is_unexplained(self) -> bool:
        """Whether the counts differ although nothing was found that differs."""
        found = self.gone or self.lost or self.open or self.moved
        return self.here != self.there and not found


@dataclass(slots=True)
class _Evidence:
    """What one search has found so far."""

    absent: dict[int, DateWindow] = field(default_factory=dict)
    """Rows here that Harvest's list of their window lacks."""
    gone: set[int] = field(default_factory=set)
    """Absent rows whose id answered 404."""
    absent_twice: set[int] = field(default_factory=set)
    """Absent rows that a second list lacks too."""
    missing: dict[int, DateWindow] = field(default_factory=dict)
    """Rows in Harvest's list of a window that are not here."""
    stale: dict[int, DateWindow] = field(default_factory=dict)
    """Rows that exist, but on another day than the one stored here; with their real window."""
    doubled: dict[DateWindow, int] = field(default_factory=dict)
    """Rows here beyond the first with the same id, by window."""
    open: list[DateWindow] = field(default_factory=list)


class DeletionSearch:
    """
    Compares one table of one account with Harvest.

    Args:
        page_rows: Rows that one request brings.
        workers: Windows read in parallel; 1 asks for everything in this thread.
    """

    def __init__(
        self, table: TablePair, *, page_rows: int = PAGE_ROWS, workers: int = WORKERS
    ) -> None:
        self._table = table
        self._reader, self._copy = table.reader, table.copy
        self._page_rows, self._workers = page_rows, workers
        self._askers = 1 if workers == 1 else ASKERS

    def count_here(self) -> DayCounts:
        """Rows here by day."""
        return DayCounts(self._copy.count_days())

    def count_there(self) -> int:
        """Rows there: one request."""
        return self._reader.count(Slice(self._table.root))

    def run(self, here: DayCounts, there: int, windows: Sequence[DateWindow] = ()) -> Findings:
        """
        Look for what makes the counts differ.

        Args:
            windows: Where to look, whatever the counts say: one row too many and one too few leave
                the total as it was. Without any, the counts say it.

        Raises:
            HarvestError: Harvest did not answer. Nothing is known then.
        """
        found = _Evidence()
        if not windows:
            if here.total == there:
                return Findings(here.total, there)
            windows = self._find_differing(here, there, found)
        for at in range(0, len(windows), _BATCH):
            self._compare(windows[at : at + _BATCH], here, found)
        self._confirm(found)
        return self._conclude(here, there, found)

    def _count(self, windows: Sequence[DateWindow]) -> list[int]:
        """Rows there in each of *windows*: one request for each, several at once."""
        slices = list(map(Slice, windows))
        return list(in_parallel(self._reader.count, slices, workers=self._askers))

    def _find_differing(self, here: DayCounts, there: int, found: _Evidence) -> list[DateWindow]:
        root, size = self._table.root, self._page_rows
        if self._table.endpoint.window is None or max(here.total, there) <= size:
            return [root]
        if not here.undated:
            return find_differing([(root, there)], here, self._count, page_rows=size)
        # Undated rows are in the total and in no window, so the count of one half does not follow
        # from the other's: both are asked for.
        halves = here.halve(root) or root.cut_at(EARLIEST)
        counts = self._count(halves)
        counted = list(zip(halves, counts, strict=True))
        windows = find_differing(counted, here, self._count, page_rows=size)
        if there - sum(counts) != here.undated:
            self._compare_undated(found)
        return windows

    def _compare_undated(self, found: _Evidence) -> None:
        """No list holds undated rows alone, so the only evidence is to ask for each by id."""
        undated = [row for row, day in self._copy.ids([ALL_DAYS]).items() if day is None]
        if len(undated) > FEW or self._table.fetch_record is None:
            found.open.append(ALL_DAYS)
        else:
            found.absent |= dict.fromkeys(undated, ALL_DAYS)

    def _compare(self, windows: Sequence[DateWindow], counts: DayCounts, found: _Evidence) -> None:
        """Read the ids of each of *windows*, and note those that are on one side only."""
        here = self._copy.ids(windows)
        for window, listed in self._iter_lists(windows):
            if listed is None:
                found.open.append(window)
                continue
            ours = {row for row, day in here.items() if window == ALL_DAYS or day in window}
            rows = counts.total if window == ALL_DAYS else counts.rows(window)
            if rows > len(ours):
                found.doubled[window] = rows - len(ours)
            found.missing |= dict.fromkeys(listed - ours, window)
            found.absent |= dict.fromkeys(ours - listed, window)

    def _confirm(self, found: _Evidence) -> None:
        """Get the second evidence: ask for a few by id, look for many in a second list."""
        absent = {row: at for row, at in found.absent.items() if row not in found.missing}
        if self._table.fetch_record is not None and len(absent) <= FEW:
            self._ask_for(list(absent), self._table.fetch_record, found)
            return
        for window, listed in self._iter_lists(list(dict.fromkeys(absent.values()))):
            if listed is None:
                found.open.append(window)
            else:
                found.absent_twice |= {row for row, at in absent.items() if at == window} - listed

    def _iter_lists(
        self, windows: Sequence[DateWindow]
    ) -> Iterator[tuple[DateWindow, set[int] | None]]:
        lists = in_parallel(self._list_ids, windows, workers=self._workers)
        return zip(windows, lists, strict=True)

    def _list_ids(self, window: DateWindow) -> set[int] | None:
        """All ids in *window*, perhaps more and never fewer; None when the list kept changing."""
        result = ReadResult()
        ids = _read_ids(self._reader, Slice(window), result)
        return ids if result.proven else None

    def _ask_for(self, rows: Sequence[int], fetch_record: FetchRecord, found: _Evidence) -> None:
        records = in_parallel(fetch_record, rows, workers=self._askers)
        for row, record in zip(rows, records, strict=True):
            if record is None:
                found.gone.add(row)
            else:
                found.stale[row] = _find_day(record, self._table.endpoint)

    def _conclude(self, here: DayCounts, there: int, found: _Evidence) -> Findings:
        """Leave out what changed since the merge: the next run merges it."""
        result = ReadResult()
        moved = _read_ids(self._reader, Slice(since=self._table.since), result)
        so_far = Findings(
            here.total, there, frozenset(found.gone), open=tuple(found.open), moved=len(moved)
        )
        if not result.proven:
            # Which rows changed is not known: only the ids that answered 404 are sure.
            return replace(so_far, open=(*found.open, self._table.root))
        missing = {row: window for row, window in found.missing.items() if row not in moved}
        stale = {row: window for row, window in found.stale.items() if row not in moved}
        windows = dict.fromkeys((*missing.values(), *stale.values(), *found.doubled))
        return replace(
            so_far,
            gone=so_far.gone | (found.absent_twice - moved),
            lost=tuple(map(Slice, windows)),
            missing=len(missing),
            doubled=sum(found.doubled.values()),
        )


def _read_ids(reader: ListReader, part: Slice, result: ReadResult) -> set[int]:
    ids: set[int] = set()
    for table in reader.iter_tables(part, result):
        ids.update(table.column("id").to_pylist())
    return ids


def _find_day(record: Mapping[str, Any], endpoint: Endpoint) -> DateWindow:
    """The window of the one day on which *record* is dated; all days when it is undated."""
    try:
        day = date.fromisoformat(str(record[endpoint.window or ""]))
    except (KeyError, ValueError):
        return ALL_DAYS
    return DateWindow(day, None if day == date.max else day + timedelta(days=1))


def describe_slices(slices: Sequence[Slice]) -> str:
    """``2 windows, the first 2024-01-01 to 2024-01-09``, for messages; at least one slice."""
    if len(slices) == 1:
        return str(slices[0])
    return f"{len(slices)} windows, the first {slices[0]}"
