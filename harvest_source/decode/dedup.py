"""Keeps one version of each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def keep_newest(tables: Iterable[pa.Table], key: Sequence[str]) -> pa.Table:
    """
    Concatenate *tables* and keep one row per *key*: the newest ``updated_at``, then the last read.

    The rows keep their order. Rows with a null in their key cannot be compared: all of them stay.
    """
    joined = pa.concat_tables(tables, promote_options="default").combine_chunks()
    newest = _find_newest(joined, key)
    return joined if newest is None else joined.take(newest)


def iter_newest(tables: list[pa.Table], key: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """
    The rows of :func:`keep_newest` in the same order, as tables of about *rows* rows.

    Empties *tables* and releases each one as it is used, so that no row is in memory twice.
    """
    wanted = {*key, "updated_at"}
    ranked = [
        table.select([name for name in table.column_names if name in wanted]) for table in tables
    ]
    newest = _find_newest(pa.concat_tables(ranked, promote_options="default"), key)
    del ranked
    tables.reverse()
    begin, together, size = 0, list[pa.Table](), 0
    while tables:
        table = tables.pop()
        end = begin + table.num_rows
        if newest is not None:
            here = newest.filter(pc.and_(pc.greater_equal(newest, begin), pc.less(newest, end)))
            table = table.take(pc.subtract(here, begin)) if len(here) < table.num_rows else table
        begin = end
        together.append(table)
        size += table.num_rows
        if size >= rows or not tables:
            joined = pa.concat_tables(together, promote_options="default")
            together, size = [], 0
            yield joined
            del joined


def _find_newest(joined: pa.Table, key: Sequence[str]) -> pa.Array | None:
    """The positions of the rows that :func:`keep_newest` keeps, ascending; None: it keeps all."""
    if joined.num_rows < 2 or not key or not _repeats(joined, key):
        return None
    ranked = joined.select(list(key))
    if "updated_at" in joined.column_names:
        at = joined.column("updated_at")
        ranked = ranked.append_column("at", pc.fill_null(at, pa.scalar(_LONG_AGO, at.type)))
    ranked = ranked.append_column("read", pa.array(range(joined.num_rows), pa.int64()))
    ranked = ranked.sort_by([(column, "ascending") for column in ranked.column_names])
    last = _last_of_each(ranked.select(list(key)))
    positions = ranked.column("read").filter(last).combine_chunks()
    return positions.take(pc.sort_indices(positions))


def _repeats(table: pa.Table, key: Sequence[str]) -> bool:
    if len(key) == 1:
        # A hash table would take 200 bytes per row, and eight windows may end together.
        keys = table.column(key[0]).combine_chunks()
        ordered = keys.take(pc.array_sort_indices(keys))
        return ordered.null_count > 1 or bool(pc.any(pc.equal(ordered[:-1], ordered[1:])).as_py())
    return bool(table.group_by(list(key)).aggregate([]).num_rows < table.num_rows)


def _last_of_each(keys: pa.Table) -> pa.Array:
    """True where the next row of the sorted *keys* differs, or either of the two has a null."""
    differs = pa.array([False] * (keys.num_rows - 1), pa.bool_())
    for column in keys.columns:
        here = column.combine_chunks()
        differs = pc.or_(differs, pc.fill_null(pc.not_equal(here[:-1], here[1:]), True))
    return pa.concat_arrays([differs, pa.array([True], pa.bool_())])
