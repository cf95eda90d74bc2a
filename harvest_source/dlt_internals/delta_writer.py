"""
One file of a Delta table, written with Arrow a part at a time, and what Delta's log says of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

PART: Final = 32_768
"""Rows of a few columns in memory at once, and of a row group."""


class FileWriter:
    """
    One file that is being written.

    Attributes:
        name: Of the file.
        rows: How many it has.
        size: Bytes, once it is closed.
        stats: What Delta's log says of it, once it is closed.
    """

    def __init__(self, name: str, sink: Any, columns: pa.Schema) -> None:
        self.name = name
        self.rows = self.size = 0
        self.stats = ""
        self._metadata: list[Any] = []
        self._stack = ExitStack()
        self._sink = self._stack.enter_context(sink)
        self._parquet = self._stack.enter_context(
            pq.ParquetWriter(sink, columns, metadata_collector=self._metadata)
        )

    def write(self, rows: pa.Table) -> None:
        """Add rows, which are encoded at once: a row group waits for more of them."""
        for batch in rows.to_batches():
            self._parquet.write_batch(batch, row_group_size=PART)
        self.rows += rows.num_rows

    def close(self) -> None:
        """
        End the file, if it is open.

        Raises:
            OSError: It could not be written to its end.
        """
        if self.stats:
            return
        self._parquet.close()
        self.size = self._sink.tell()
        self._stack.close()
        self.stats = json.dumps(build_stats(self._metadata[0]))

    def discard(self) -> None:
        """Let go of the file, which may be incomplete. Raises nothing."""
        with suppress(Exception):  # A full disk, perhaps, which was said before.
            self._stack.close()


def build_stats(metadata: Any) -> dict[str, Any]:
    """
    What Delta's log says of a file, by which readers pass it over.

    Args:
        metadata: Arrow's, of the file.

    Returns:
        Bounds of whole numbers, days and instants, which are exact as JSON; texts and decimals have
        none. Counts of nulls where every row group has one.
    """
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    for place in range(metadata.num_columns):
        columns = [group.column(place) for group in groups]
        name, stats = columns[0].path_in_schema, [each.statistics for each in columns]
        if any(each is None or not each.has_null_count for each in stats):
            continue
        nulls[name] = sum(each.null_count for each in stats)
        bounds = _find_bounds(stats)
        if bounds is not None:
            least[name], most[name] = bounds
    return {
        "numRecords": metadata.num_rows,
        "minValues": least,
        "maxValues": most,
        "nullCount": nulls,
    }


def _find_bounds(stats: Sequence[Any]) -> tuple[Any, Any] | None:
    """The least and the largest value of a column, as JSON; None: they cannot be told exactly."""
    known = [each for each in stats if each.has_min_max]
    empty = [each for each in stats if not each.has_min_max and each.num_values]
    if empty or not known:
        return None
    try:
        values = min(each.min for each in known), max(each.max for each in known)
    except (ValueError, OverflowError):  # A year that Python does not have.
        return None
    least, most = map(_as_json, values)
    return None if least is None or most is None else (least, most)


def _as_json(value: Any) -> Any:
    """A bound as Delta writes it; None for a type of which it may be inexact."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int) and not isinstance(value, bool) else None
