"""Keeps one version of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def keep_newest(tables: Iterable[pa.Table], key: Sequence[str]) -> pa.Table:
    """
    Concatenate *tables* and keep one row per *key*: the newest ``updated_at``, then the last read.

    The rows keep their order. Rows with a null in their key cannot be told apart: all of them stay.
    """
    joined = pa.concat_tables(tables, promote_options="default").combine_chunks()
    if joined.num_rows < 2 or not key or not _repeats(joined, key):
        return joined
    ranked = joined.select(list(key))
    if "updated_at" in joined.column_names:
        at = joined.column("updated_at")
        ranked = ranked.append_column("at", pc.fill_null(at, pa.scalar(_LONG_AGO, at.type)))
    ranked = ranked.append_column("read", pa.array(range(joined.num_rows), pa.int64()))
    ranked = ranked.sort_by([(column, "ascending") for column in ranked.column_names])
    last = _last_of_each(ranked.select(list(key)))
    positions = ranked.column("read").filter(last)
    return joined.take(positions.take(pc.sort_indices(positions)))


def _repeats(table: pa.Table, key: Sequence[str]) -> bool:
    if len(key) == 1:
        column = table.column(key[0])
        return bool(pc.count_distinct(column, mode="all").as_py() < table.num_rows)
    return bool(table.group_by(list(key)).aggregate([]).num_rows < table.num_rows)


def _last_of_each(keys: pa.Table) -> pa.Array:
    """True where the next row of the sorted *keys* differs, or either of the two has a null."""
    differs = pa.array([False] * (keys.num_rows - 1), pa.bool_())
    for column in keys.columns:
        here = column.combine_chunks()
        differs = pc.or_(differs, pc.fill_null(pc.not_equal(here[:-1], here[1:]), True))
    return pa.concat_arrays([differs, pa.array([True], pa.bool_())])
