"""
Write one file of a Delta table with Arrow, a part at a time, with its statistics for Delta's log.
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
"""Rows of a few columns that are in memory at once; also the rows of a row group."""


class FileWriter:
    """
    One file that is being written.

    Attributes:
        name: The file's name.
        rows: The number of rows written so far.
        size: The file's size in bytes, once it is closed.
        stats: The statistics for Delta's log as JSON, once the file is closed.
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
        """Add rows. They are encoded immediately, into a row group that stays open for more."""
        for batch in rows.to_batches():
            self._parquet.write_batch(batch, row_group_size=PART)
        self.rows += rows.num_rows

    def close(self) -> None:
        """
        Finish the file, if it is open.

        Raises:
            OSError: The file could not be written completely.
        """
        if self.stats:
            return
        self._parquet.close()
        self.size = self._sink.tell()
        self._stack.close()
        self.stats = json.dumps(build_stats(self._metadata[0]))

    def discard(self) -> None:
        """Close the file, which may be incomplete. Raises nothing."""
        with suppress(Exception):  # Perhaps a full disk, which an earlier write has reported.
            self._stack.close()


def build_stats(metadata: Any) -> dict[str, Any]:
    """
    Build a file's statistics for Delta's log, by which readers can skip the file.

    Args:
        metadata: Arrow's metadata of the file.

    Returns:
        Bounds of integers, dates and timestamps, which are exact as JSON; texts and decimals have
        none. Null counts where every row group has one.
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
    """The smallest and the largest value of a column, as JSON; None if they are not exact."""
    known = [each for each in stats if each.has_min_max]
    empty = [each for each in stats if not each.has_min_max and each.num_values]
    if empty or not known:
        return None
    try:
        values = min(each.min for each in known), max(each.max for each in known)
    except (ValueError, OverflowError):  # A year that Python cannot represent.
        return None
    least, most = map(_as_json, values)
    return None if least is None or most is None else (least, most)


def _as_json(value: Any) -> Any:
    """A bound as Delta writes it; None for a type whose bounds may be inexact."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int) and not isinstance(value, bool) else None
