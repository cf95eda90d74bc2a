"""
Compare every value of every row with Harvest's list, in tables of several pages.

The list is read as a sync would read it: a request for each page. Rows are compared by digests, and
value by value only where the digests differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.errors import counted
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.volatile_rows import find_volatile
from harvest_source.memory import release_memory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.changed_rows import ChangedRow, find_changed_rows, select_rows
from harvest_source.operations.compare_ids import cut_days, summarise_ids
from harvest_source.operations.compare_values import (
    ValuesBuilder,
    find_days,
    find_values,
    list_compared_columns,
)
from harvest_source.operations.comparisons import ALL, UNDATED_IN_LONG_TABLE, Comparison
from harvest_source.operations.row_differences import (
    DAY,
    ID,
    RowDifferences,
    count_set,
    find_differences,
    leave_out,
)
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.arrow_reads import build_keys, select_digests
from harvest_source.warehouse.page_digests import PageDigests

INCOMPLETE: Final = "Harvest's list could not be read completely: "
"""How the excuse of a table begins whose list could not be read completely."""
_CHANGING: Final = "it kept changing"

_ROWS: Final = 500_000
"""Rows whose digests are in memory at once: 32 bytes on each side."""
_PAGES: Final = 20
"""Pages whose digests are computed at once: to start a query takes as long as to digest a page."""
_CHECKED: Final = 10_000
"""Rows of some days that are compared value by value. Of further ones the digests decide."""
_BATCH: Final = 500
"""Rows that are compared value by value at once: a row takes ten kilobytes as a dictionary."""

_NUL: Final = "\0"
_SURE: Final = "sure"
_SILENT: Final = "silent"
_IS_COMPARED: Final = "is_compared"

_VERDICTS: Final = pa.schema(
    [
        (ID, pa.int64()),
        (DAY, pa.date32()),
        *((each, pa.bool_()) for each in (_IS_COMPARED, _SURE, _SILENT)),
    ]
)
"""
A row of Harvest's list: whether the warehouse has it and it does not change by itself; and whether
the digests of its columns, and of those that Harvest changes silently, are equal.
"""


@dataclass(slots=True)
class _Found:
    """What differs on some days."""

    ids: RowDifferences = field(default_factory=RowDifferences)
    equal: int = 0
    """Rows that both sides have, with the same values."""
    differing: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The columns in which rows differ, by id."""
    days: dict[int, Sequence[date | None]] = field(default_factory=dict)
    """The days that each of these rows has on either side, by id."""
    others: list[date | None] = field(default_factory=list)
    """The day of each further row that differs."""
    silent: list[date | None] = field(default_factory=list)
    """The day of each row that differs only in columns that Harvest changes silently."""
    gaps: list[str] = field(default_factory=list)
    """Why lists could not be read completely."""

    def add(self, other: _Found) -> None:
        """Add what differs on other days."""
        self.ids += other.ids
        self.equal += other.equal
        self.differing |= other.differing
        self.days |= other.days
        self.others += other.others
        self.silent += other.silent
        self.gaps += other.gaps


@dataclass(slots=True)
class _Listed:
    """Harvest's rows of some days, compared with the stored ones by digests."""

    results: list[ReadResult] = field(default_factory=list)
    verdicts: list[pa.Table] = field(default_factory=lambda: [_VERDICTS.empty_table()])
    """Some rows may be in it more than once."""
    differing: list[pa.Table] = field(default_factory=list)
    """The whole rows of which the digests differ, as many as are compared value by value."""

    def find_gaps(self) -> list[str]:
        """Why lists could not be read completely; empty if they were."""
        gaps = [each for each in self.results if each.unproven]
        return [reason for each in gaps for reason in each.reasons or [_CHANGING]]

    def unite_verdicts(self, moved: pa.Array) -> pa.Table:
        """Each row once, without those that *moved*: only these come in several versions."""
        rows = leave_out(pa.concat_tables(self.verdicts), moved)
        names = [each for each in rows.column_names if each != ID]
        once = rows.group_by(ID, use_threads=False).aggregate([(each, "min") for each in names])
        return once.select([ID, *(f"{each}_min" for each in names)]).rename_columns([ID, *names])

    def iter_differing(self, moved: pa.Array) -> Iterator[pa.Table]:
        """The rows whose digests differ, each once, without those that *moved*."""
        for rows in self.differing:
            left = leave_out(rows, moved)
            moved = pa.concat_arrays([moved, *left.column(ID).chunks])
            for at in range(0, left.num_rows, _BATCH):
                yield left.slice(at, _BATCH)


class AllValuesComparison:
    """
    The comparison of all ids and values of one table.

    Args:
        changed: Rows that changed since the merge: they are not compared.
        digests: Computes digests of Harvest's rows.
    """

    def __init__(
        self,
        workspace: Workspace,
        table: AuditedTable,
        changed: Iterable[ChangedRow],
        digests: PageDigests,
    ) -> None:
        self._workspace = workspace
        self._table = table
        self._digests = digests
        self._moved = _find_ids(changed)
        columns = list_compared_columns(workspace, table.endpoint)
        self._sure = [each.name for each in columns if not each.changes_silently]
        self._silent = [each.name for each in columns if each.changes_silently]

    def run(self, within: Sequence[DateWindow] = ()) -> Iterator[Comparison]:
        """
        Compare every row, or the rows of some windows.

        Args:
            within: What to compare, if everything else is known to be equal; empty: all rows.

        Raises:
            HarvestError: Harvest did not answer, or the destination refused.
        """
        counts = self._table.copy.count_days()
        total, found = sum(counts.values()), _Found()
        for windows in [within] if within else cut_days(self._table.pair.root, counts, _ROWS):
            found.add(self._compare(windows))
            release_memory()
        if found.gaps:
            excuse = INCOMPLETE + "; ".join(dict.fromkeys(found.gaps))
            yield ValuesBuilder(self._table).build(ALL, 0, total, excuse)
            return
        yield summarise_ids(self._table, found.ids, total if within else None)
        # Rows outside *within* are equal.
        others = total - found.ids.here - found.ids.doubled if within else 0
        yield from self._build(found, found.equal + max(others, 0))

    def _build(self, found: _Found, equal: int) -> Iterator[Comparison]:
        builder = ValuesBuilder(self._table)
        yield builder.build(ALL, equal, equal)
        yield from builder.name_rows(found.differing, found.days)
        if found.others:
            rows = len(found.others)
            yield builder.build(counted(rows, "further row"), 0, rows, days=found.others)
        if found.silent:
            rows = len(found.silent)
            scope = f"{counted(rows, 'row')}: {', '.join(self._silent)}"
            yield builder.build(scope, 0, rows, UNDATED_IN_LONG_TABLE, found.silent)

    def _compare(self, windows: Sequence[DateWindow]) -> _Found:
        """Compare the rows of some *windows*; without windows, all rows."""
        slices = [Slice(each) for each in windows or [self._table.pair.root]]
        stored = self._select(slices)
        listed = self._read(slices, stored)
        found, wrong = self._judge(stored, listed)
        if not found.ids.is_equal or found.silent or wrong.num_rows:
            # The list may have taken minutes: rows that changed meanwhile do not differ.
            later = find_changed_rows(self._workspace, self._table, ())
            self._moved = pa.concat_arrays([self._moved, _find_ids(later)])
            found, wrong = self._judge(stored, listed)
        self._check(wrong, listed, found)
        return found

    def _select(self, slices: Sequence[Slice]) -> pa.Table:
        """The id, the day and the digests of the stored rows."""
        name, day = self._table.endpoint.name, self._table.endpoint.window
        columns = [ID] if day is None else [ID, day]
        with self._workspace.warehouse.sql() as sql:
            where = self._table.copy.condition_of(slices, sql.columns_of(name))
            found = select_digests(sql, name, where, columns, self._groups, self._digests)
        keys = build_keys(found, day)
        return keys.append_column(_SURE, found["0"]).append_column(_SILENT, found["1"])

    @property
    def _groups(self) -> tuple[Sequence[str], Sequence[str]]:
        """The columns of the two digests. A digest needs a column: the id is always equal."""
        return self._sure, self._silent or [ID]

    def _read(self, slices: Sequence[Slice], stored: pa.Table) -> _Listed:
        """Read Harvest's rows, and compare them with *stored* by digests."""
        listed, ids = _Listed(), stored.column(ID).combine_chunks()
        kept = 0
        for slice_ in slices:
            listed.results.append(ReadResult())
            pages = self._table.reader.iter_tables(slice_, listed.results[-1])
            while some := list(islice(pages, _PAGES)):
                rows = self._join(some)
                verdicts = self._compare_digests(rows, stored, ids)
                listed.verdicts.append(verdicts)
                if kept < _CHECKED:
                    differing = rows.filter(_differs(verdicts)).slice(0, _CHECKED - kept)
                    kept += differing.num_rows
                    listed.differing += [differing] if differing.num_rows else []
                release_memory()  # Pages took megabytes, and only their digests are kept.
        return listed

    def _join(self, pages: Sequence[pa.Table]) -> pa.Table:
        """What is compared of some *pages*."""
        flag = self._table.endpoint.volatile
        wanted = {ID, *self._sure, *self._silent, *([flag[0]] if flag else ())}
        parts = [page.select([n for n in page.column_names if n in wanted]) for page in pages]
        rows = pa.concat_tables(parts, promote_options="default").combine_chunks()
        for name in self._sure:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows))
        return rows

    def _compare_digests(self, rows: pa.Table, stored: pa.Table, ids: pa.Array) -> pa.Table:
        place = pc.index_in(rows.column(ID), value_set=ids)
        here = [stored.column(each).take(place) for each in (_SURE, _SILENT)]
        equal = self._equals(rows, here)
        is_equal = all(pc.all(each).as_py() for each in equal)
        if not is_equal and (storable := _leave_out_nul(rows)) is not rows:
            # A destination that cannot store NUL has the texts without it.
            equal = [*map(pc.or_, equal, self._equals(storable, here))]
        keys = build_keys(rows, self._table.endpoint.window)
        is_volatile = find_volatile(rows, self._table.endpoint)
        is_compared = pc.and_not(pc.is_valid(place), is_volatile)
        return pa.table([*keys.columns, is_compared, *equal], schema=_VERDICTS)

    def _equals(self, rows: pa.Table, here: Sequence[pa.Array]) -> list[pa.ChunkedArray]:
        """Which *rows* have the digests *here*, of each group of columns."""
        digests = self._digests.digest(rows, self._groups)
        return [pc.fill_null(pc.equal(*each), False) for each in zip(digests, here, strict=True)]

    def _judge(self, stored: pa.Table, listed: _Listed) -> tuple[_Found, pa.Table]:
        """
        What differs according to the digests, without the rows that moved.

        Returns:
            What was found, and the rows to compare value by value.
        """
        keys = pa.concat_tables(listed.verdicts).select([ID, DAY])
        found = _Found(gaps=listed.find_gaps())
        found.ids = find_differences(stored.select([ID, DAY]), keys, self._moved)
        rows = listed.unite_verdicts(self._moved)
        rows = rows.filter(rows.column(_IS_COMPARED))
        sure, silent = rows.column(_SURE), rows.column(_SILENT)
        found.equal = count_set(pc.and_(sure, silent))
        found.silent = rows.filter(pc.and_not(sure, silent)).column(DAY).to_pylist()
        return found, rows.filter(pc.invert(sure))

    def _check(self, wrong: pa.Table, listed: _Listed, found: _Found) -> None:
        """Compare the rows that are *wrong* by their digests value by value, as far as kept."""
        day, checked = self._table.endpoint.window, list[int]()
        with self._workspace.warehouse.sql() as sql:
            is_exact = sql.dialect.is_typed
        for rows in listed.iter_differing(self._moved):
            there = {row[ID]: row for row in rows.to_pylist()}
            here = select_rows(self._workspace, self._table, list(there), self._sure)
            values = find_values(here, there, self._sure, is_exact=is_exact)
            found.equal += values.equal
            found.differing |= values.differing
            found.days |= find_days(values.differing, (here, there), day)
            checked += there
        found.others = leave_out(wrong, pa.array(checked, pa.int64())).column(DAY).to_pylist()


def _differs(verdicts: pa.Table) -> pa.ChunkedArray:
    """Which rows the warehouse has with other values."""
    return pc.and_not(verdicts.column(_IS_COMPARED), verdicts.column(_SURE))


def _leave_out_nul(rows: pa.Table) -> pa.Table:
    """*rows* without NUL characters in their texts; the same object if they have none."""
    for place, field_ in enumerate(rows.schema):
        if pa.types.is_string(field_.type):
            texts = rows.column(place)
            if pc.any(pc.match_substring(texts, _NUL)).as_py():
                rows = rows.set_column(place, field_, pc.replace_substring(texts, _NUL, ""))
    return rows


def _find_ids(changed: Iterable[ChangedRow]) -> pa.Array:
    return pa.array([each.there[ID] for each in changed], pa.int64())
