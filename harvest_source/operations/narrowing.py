"""
Find the days on which a sum is wrong, so that fewer rows are read again than were added up.

A wrong hour shows only in the sum of its project and year: ten thousand rows, of which one is
wrong. The rows' figures are read first, which takes a fifth of reading whole rows. Then whole rows
are read only for days on which a row's figures differ, or for all days if no figure differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.concurrency import in_parallel
from harvest_source.errors import RemoteError
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slice_reader import SliceReader
from harvest_source.extract.slices import ALL_DAYS, Slice
from harvest_source.extract.task import build_task
from harvest_source.memory import release_memory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.deletion_search import WORKERS
from harvest_source.operations.row_differences import DAY, ID, cover_days, find_differences
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.arrow_reads import select_digests
from harvest_source.warehouse.page_digests import PageDigests

_FIGURES: Final[Mapping[str, Sequence[str]]] = {
    "time_entries": ("project__id", "rounded_hours", "billable", "billable_rate"),
    "expenses": ("project__id", "total_cost", "billable"),
}
"""Columns that make up the sums; ``updated_at`` shows whether a row has changed."""

_ONLY: Final = "only"
_CONTENT: Final = "content"


def narrow(workspace: Workspace, table: AuditedTable, slices: Sequence[Slice]) -> list[Slice]:
    """
    Choose what to read of *slices*, each of which has a wrong sum.

    A slice with more rows than a page becomes windows of the days on which a row differs. It is
    unchanged if no row differs, or if Harvest did not answer.

    Raises:
        DestinationError: The destination refused.
    """
    summed = [each for each in dict.fromkeys(slices) if each.only is not None]
    compared = _list_compared(workspace, table)
    if not summed or not compared or len({each.only and each.only[0] for each in summed}) != 1:
        return [*dict.fromkeys(slices)]
    narrowed: dict[Slice, list[Slice]] = {}
    with PageDigests() as digests:
        long = _find_long(_select(workspace, table, summed, compared, digests), table, summed)
        for each, rows in _read(workspace, table, list(long), compared):
            theirs = _digest(rows, table.endpoint.window or "", compared, digests)
            narrowed[each] = _cut(each, long[each], theirs, table.page_rows)
            release_memory()
    return [part for each in dict.fromkeys(slices) for part in narrowed.get(each) or (each,)]


def _list_compared(workspace: Workspace, table: AuditedTable) -> list[str]:
    """The columns that are compared; none if the table has no known sums."""
    name, day = table.endpoint.name, table.endpoint.window
    if name not in _FIGURES or day is None:
        return []
    columns = (day, "updated_at", *_FIGURES[name])
    return [each for each in columns if workspace.has_column(name, each)]


def _find_long(
    stored: pa.Table, table: AuditedTable, slices: Sequence[Slice]
) -> dict[Slice, pa.Table]:
    """The *slices* with more rows than a page, each with its rows here."""
    if stored.num_rows <= table.page_rows:
        return {}
    rows = {each: _choose(stored, each) for each in slices}
    return {each: some for each, some in rows.items() if some.num_rows > table.page_rows}


def _cut(slice_: Slice, ours: pa.Table, theirs: pa.Table, page_rows: int) -> list[Slice]:
    """Windows of *slice_* in which rows differ; none if they are not known."""
    found = find_differences(ours, theirs)
    windows = cover_days(found.days, _count_days(ours.column(DAY)), page_rows)
    return [replace(slice_, window=each) for each in windows if each != ALL_DAYS]


def _count_days(days: pa.ChunkedArray) -> Mapping[date | None, int]:
    """How many rows each day has."""
    counted = days.value_counts()
    values, rows = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return dict(zip(values, rows, strict=True))


def _select(
    workspace: Workspace,
    table: AuditedTable,
    slices: Sequence[Slice],
    compared: Sequence[str],
    digests: PageDigests,
) -> pa.Table:
    """Id, day, the column that *slices* filter by and a digest of *compared*, for rows here."""
    name = table.endpoint.name
    columns = [ID, table.endpoint.window or "", *{each.only[0] for each in slices if each.only}]
    with workspace.warehouse.sql() as sql:
        where = table.copy.condition_of(slices, sql.columns_of(name))
        found = select_digests(sql, name, where, columns, (compared,), digests)
    return found.rename_columns([ID, DAY, _ONLY, _CONTENT])


def _choose(stored: pa.Table, slice_: Slice) -> pa.Table:
    """The *stored* rows that are in *slice_*."""
    assert slice_.only is not None
    terms = [pc.field(_ONLY) == slice_.only[1]]
    start, end = slice_.window.start, slice_.window.end
    terms += [pc.field(DAY) >= start] if start is not None else []
    terms += [pc.field(DAY) < end] if end is not None else []
    rows = stored
    for term in terms:
        rows = rows.filter(term)
    return rows.select([ID, DAY, _CONTENT])


def _read(
    workspace: Workspace, table: AuditedTable, slices: Sequence[Slice], columns: Sequence[str]
) -> Iterator[tuple[Slice, pa.Table]]:
    """The *slices* for which Harvest answered, each with *columns* of its rows."""
    options = workspace.extraction.options
    task = build_task(table.endpoint, table.session, options, RunLog())
    read = partial(_read_one, task.build_figure_reader(columns))
    for slice_, rows in zip(slices, in_parallel(read, slices, workers=WORKERS), strict=True):
        if rows is not None:
            yield slice_, rows


def _read_one(reader: SliceReader, slice_: Slice) -> pa.Table | None:
    # Without proof: a row that is lost between two pages counts as one that differs.
    try:
        return reader.read_all(slice_).table
    except RemoteError:
        return None  # Reading its whole rows fails as well, and that is reported.


def _digest(rows: pa.Table, day: str, compared: Sequence[str], digests: PageDigests) -> pa.Table:
    """Id, day and digest of Harvest's *rows*."""
    (content,) = digests.digest(rows, [compared])
    return pa.table([rows.column(ID), rows.column(day), content], [ID, DAY, _CONTENT])
