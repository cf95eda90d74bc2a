"""
Compare a table's rows with Harvest's by id and day, and find the days on which they differ.

Counts are equal if one row is extra and another one is missing. A difference names its days, so
that only those are read again, and compared again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import pyarrow as pa

from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.slice_reader import add_joined
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.memory import release_memory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import ALL, Comparison
from harvest_source.operations.row_differences import (
    RowDifferences,
    cover_days,
    find_differences,
)
from harvest_source.warehouse.arrow_reads import build_keys

_PAGES: Final = 20
"""Pages after which free memory is given back."""
_ROWS: Final = 1_000_000
"""Rows that are compared at once: 12 MB on each side, and as much for sorting them."""


def read_short_list(table: AuditedTable) -> pa.Table | None:
    """
    The rows of *table* in Harvest, if one page has all of them: one request.

    Returns:
        None if there are more. Also if Harvest has none while the warehouse has some: one answer is
        not enough evidence for that.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    rows = sum(table.copy.count_days().values())
    if rows > table.page_rows:
        return None
    listed = table.reader.read_page(Slice(table.pair.root), table.page_rows)
    return None if listed is None or (rows and not listed.num_rows) else listed


def compare_ids(
    table: AuditedTable,
    changed: Sequence[ChangedRow],
    *,
    most_rows: int | None,
    within: Sequence[DateWindow] = (),
    listed: pa.Table | None = None,
) -> Comparison | None:
    """
    Compare the ids of *table* and the days of its rows with Harvest's list.

    Args:
        changed: Rows that changed since the merge: they are not compared.
        most_rows: Larger tables are not compared; None: every one is.
        within: What to compare, if everything else is known to be equal; empty: all rows.
        listed: ``id`` and ``day`` of its rows, if they were read already.

    Returns:
        None if there is nothing to compare, or if the list kept changing.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    counts = table.copy.count_days()
    if most_rows is not None and sum(counts.values()) > most_rows:
        return None
    moved = pa.array([each.there["id"] for each in changed], pa.int64())
    found, is_proven = RowDifferences(), True
    for windows in [within] if within else cut_days(table.pair.root, counts):
        some, results = _compare(table, windows, moved, listed)
        found += some
        is_proven &= all(each.proven for each in results)
        release_memory()
    if not is_proven or not (found.here or found.there or within):
        return None
    # Rows outside *within* are equal.
    return summarise_ids(table, found, sum(counts.values()) if within else None)


def summarise_ids(table: AuditedTable, found: RowDifferences, total: int | None) -> Comparison:
    """
    The comparison of a table's ids, from what was found.

    Args:
        total: The rows of the table, if only a part of it was compared and the rest is equal.
    """
    rows, other = found.figures
    here = rows if total is None else total
    return Comparison(
        account_id=table.session.account_id,
        table=table.endpoint.name,
        check="ids",
        scope=ALL,
        here=Decimal(here),
        there=Decimal(here + other - rows),
        slices=tuple(map(Slice, _choose_windows(table, found))),
    )


def _compare(
    table: AuditedTable,
    windows: Sequence[DateWindow],
    moved: pa.Array,
    listed: pa.Table | None,
) -> tuple[RowDifferences, list[ReadResult]]:
    """Compare the rows of some days; *moved* are ids that are ignored."""
    results: list[ReadResult] = []
    if listed is None:
        listed, results = _read_lists(table, map(Slice, windows or [table.pair.root]))
    stored = table.copy.keys(windows or (ALL_DAYS,))
    found = find_differences(stored, listed, moved)
    if not found.is_equal:
        # The list may have taken minutes: rows that were created meanwhile are not missing.
        later, result = _read_lists(table, [Slice(since=table.pair.since)])
        results += result
        moved = pa.concat_arrays([moved, *later.column("id").chunks])
        found = find_differences(stored, listed, moved)
    return found, results


def cut_days(
    root: DateWindow, counts: Mapping[date | None, int], most_rows: int = _ROWS
) -> list[Sequence[DateWindow]]:
    """
    Windows that are compared one after the other, of about *most_rows* rows each.

    A row that has another day in Harvest differs in both windows, as it does if all days are
    compared at once.

    Returns:
        Windows that have every day of *root* once; or one empty list, which stands for all rows,
        if they are few or one of them is undated.
    """
    if sum(counts.values()) <= most_rows or None in counts:
        return [()]
    windows: list[Sequence[DateWindow]] = []
    start, rows = root.start, 0
    for day in sorted(each for each in counts if each is not None):
        if rows and rows + counts[day] > most_rows:
            windows.append([DateWindow(start, day)])
            start, rows = day, 0
        rows += counts[day]
    return [*windows, [DateWindow(start, root.end)]]


def _choose_windows(table: AuditedTable, found: RowDifferences) -> Sequence[DateWindow]:
    """The windows of the rows that differ; the whole table if its list cannot be cut by date."""
    if found.is_equal:
        return ()
    if table.endpoint.window is None:
        return [table.pair.root]
    windows = cover_days(found.days, table.copy.count_days(), table.page_rows)
    return [table.pair.root if each == ALL_DAYS else each for each in windows]


def _read_lists(table: AuditedTable, slices: Iterable[Slice]) -> tuple[pa.Table, list[ReadResult]]:
    """``id`` and ``day`` of the rows of some lists, perhaps some of them more than once."""
    pages: list[pa.Table] = []
    results: list[ReadResult] = []
    for slice_ in slices:
        results.append(ReadResult())
        for page in _iter_keys(table.pair.reader, slice_, table.endpoint.window, results[-1]):
            add_joined(pages, page)
    return pa.concat_tables([build_keys(_NO_ROWS, None), *pages]), results


_NO_ROWS: Final = pa.table({"id": pa.array([], pa.int64())})


def _iter_keys(
    reader: ListReader, slice_: Slice, day: str | None, result: ReadResult
) -> Iterable[pa.Table]:
    for number, page in enumerate(reader.iter_tables(slice_, result), 1):
        yield build_keys(page, day)
        if number % _PAGES == 0:
            release_memory()  # Pages took megabytes, and only their ids are kept.
