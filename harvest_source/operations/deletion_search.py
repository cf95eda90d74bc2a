"""
Find, by counting, the rows that Harvest no longer has and those that are missing here.

Harvest deletes without a trace, but it counts: once updates are merged, the rows here minus the
rows there are the rows deleted there, in any window of days. So the totals are compared first.
Windows that differ are halved until they fit one page, and ids are read only there. Without
deletions this costs one request; *d* deletions cost about *d* times the logarithm of the number of
days.

Rows are created, moved and edited during the search. Counts only say where to look, so such a row
is never taken for a deleted one: a row counts as gone if the complete list of its day lacks it and
a request for its id is answered with 404. If that would take too many requests, a second list read
afterwards must lack it, too, no other list may have it, and it must not have changed since the
merge. Both lists cover the day that the warehouse has for the row: a row that was moved without a
new ``updated_at`` can only be found by its id. Undated rows of a long table are in no list that was
read, so each of them is requested by id, or left for the next audit if there are many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from harvest_source.concurrency import in_parallel
from harvest_source.defaults import PAGE_ROWS
from harvest_source.extract.list_reader import ListReader, ReadResult, collect_ids
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_plan import EARLIEST
from harvest_source.operations.day_counts import DayCounts
from harvest_source.schema.endpoint import Endpoint

WORKERS: Final = 4
"""Windows read in parallel."""
ASKERS: Final = 16
"""
Parallel requests whose answer is one number or one record: as many as there are tables to compare,
so that all counts together take the time of one answer, 300 ms.
"""
_BATCH: Final = 20
"""Windows whose ids are in memory at once."""
FEW: Final = 25
"""Up to this many absent rows are requested by id, because 404 is the better evidence."""


class WarehouseCopy(Protocol):
    """The warehouse's rows of one table of one account, except those dated before ``bound``."""

    @property
    def bound(self) -> date | None:
        """First day looked at; None: all days."""
        ...

    def count_days(self) -> Mapping[date | None, int]:
        """Rows by day; None stands for undated rows, or all rows of a table without dates."""
        ...

    def ids(self, windows: Sequence[DateWindow]) -> Mapping[int, date | None]:
        """Ids and days of the rows in any of *windows*; only ALL_DAYS includes undated rows."""
        ...


FetchRecord = Callable[[int], Mapping[str, Any] | None]
"""Fetches the record with this id as Harvest has it now; None when Harvest answers 404."""


@dataclass(frozen=True, slots=True)
class TablePair:
    """One table of one account, as Harvest lists it and as the warehouse has it."""

    endpoint: Endpoint
    reader: ListReader
    """Reads the keys of the table's list; it may read whole rows."""
    copy: WarehouseCopy
    """The warehouse's rows, after updates were merged."""
    fetch_record: FetchRecord | None
    """None when Harvest has no path for single records of this list."""
    since: datetime
    """A time before the merged read began: later changes may not be in the copy yet."""

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

    All windows that differ are halved together: *count* is called once for each level of halves,
    and counts one window for each cut. If counts change in the meantime, a returned window may turn
    out equal, or a differing one may be missed: the next audit finds it.

    Args:
        counted: Windows to look into, without overlaps, with the rows that Harvest has in each.
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
class SearchResult:
    """The result of comparing one table."""

    here: int
    """Rows in the warehouse."""
    there: int
    """Rows that Harvest counted, before anything was compared."""
    gone: frozenset[int] = frozenset()
    """Ids that Harvest no longer has, by the evidence that the module describes."""
    lost: tuple[Slice, ...] = ()
    """Slices to read again: rows are missing here, have another date, or are duplicated."""
    missing: int = 0
    """Rows that are missing here."""
    doubled: int = 0
    """Rows here beyond the first with the same id; :attr:`lost` covers them, too."""
    open: tuple[DateWindow, ...] = ()
    """Windows that kept changing: left for the next audit."""
    undated: int = 0
    """Rows here without a date, if Harvest has fewer or more and they are too many to ask for."""
    moved: int = 0
    """Rows that changed since they were merged."""

    @property
    def is_unexplained(self) -> bool:
        """Whether the counts differ although no difference was found."""
        found = self.gone or self.lost or self.open or self.undated or self.moved
        return self.here != self.there and not found


@dataclass(slots=True)
class _Evidence:
    """What one search has found so far."""

    absent: dict[int, DateWindow] = field(default_factory=dict)
    """Rows here that Harvest's list of their window lacks."""
    unlisted: list[int] = field(default_factory=list)
    """Undated rows here of which no list was read: only a request for each id is evidence."""
    gone: set[int] = field(default_factory=set)
    """Absent rows whose id answered 404."""
    absent_twice: set[int] = field(default_factory=set)
    """Absent rows that a second list lacks too."""
    missing: dict[int, DateWindow] = field(default_factory=dict)
    """Rows in Harvest's list of a window that are not here."""
    stale: dict[int, DateWindow] = field(default_factory=dict)
    """Rows that Harvest dates on another day than the one stored here, with their real window."""
    doubled: dict[DateWindow, int] = field(default_factory=dict)
    """Rows here beyond the first with the same id, by window."""
    open: list[DateWindow] = field(default_factory=list)
    undated: int = 0
    """Undated rows of which some differ, and which are too many to ask for."""


class DeletionSearch:
    """
    Compares one table of one account with Harvest.

    Args:
        page_rows: Rows that one request brings.
        workers: Windows read in parallel; 1: all requests are made in this thread.
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

    def run(self, here: DayCounts, there: int, windows: Sequence[DateWindow] = ()) -> SearchResult:
        """
        Look for what makes the counts differ.

        Args:
            windows: Where to look regardless of the counts: one extra row and one missing row leave
                the total unchanged. Empty: where the counts differ.

        Raises:
            HarvestError: Harvest did not answer, so nothing is known.
        """
        found = _Evidence()
        if not windows:
            if here.total == there:
                return SearchResult(here.total, there)
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
        # Undated rows are in the total but in no window, so the count of one half does not follow
        # from the other's: both are requested.
        halves = here.halve(root) or root.cut_at(EARLIEST)
        counts = self._count(halves)
        counted = list(zip(halves, counts, strict=True))
        windows = find_differing(counted, here, self._count, page_rows=size)
        if there - sum(counts) != here.undated:
            self._compare_undated(found)
        return windows

    def _compare_undated(self, found: _Evidence) -> None:
        """No list has undated rows alone, so the only evidence is a request for each id."""
        undated = [row for row, day in self._copy.ids([ALL_DAYS]).items() if day is None]
        if len(undated) > FEW or self._table.fetch_record is None:
            found.undated = len(undated)
        else:
            found.unlisted += undated

    def _compare(self, windows: Sequence[DateWindow], counts: DayCounts, found: _Evidence) -> None:
        """Read the ids of each of *windows* and note those that are on one side only."""
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
        """Get further evidence: request few rows by id, look for many in a second list."""
        absent = {row: at for row, at in found.absent.items() if row not in found.missing}
        if self._table.fetch_record is not None:
            asked = [row for row in found.unlisted if row not in found.missing]
            if len(absent) <= FEW:
                asked += absent
                absent = {}
            self._ask_for(asked, self._table.fetch_record, found)
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
        ids = collect_ids(self._reader, Slice(window), result)
        return ids if result.proven else None

    def _ask_for(self, rows: Sequence[int], fetch_record: FetchRecord, found: _Evidence) -> None:
        records = in_parallel(fetch_record, rows, workers=self._askers)
        for row, record in zip(rows, records, strict=True):
            if record is None:
                found.gone.add(row)
            else:
                found.stale[row] = _find_day(record, self._table.endpoint)

    def _conclude(self, here: DayCounts, there: int, found: _Evidence) -> SearchResult:
        """The findings without rows that changed since the merge: the next run merges those."""
        result = ReadResult()
        moved = collect_ids(self._reader, Slice(since=self._table.since), result)
        so_far = SearchResult(
            here.total,
            there,
            frozenset(found.gone),
            open=tuple(found.open),
            undated=found.undated,
            moved=len(moved),
        )
        if not result.proven:
            # Which rows changed is not known: only the ids that answered 404 are certain.
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
