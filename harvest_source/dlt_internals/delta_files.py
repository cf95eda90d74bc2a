"""
Replace files of a Delta table with others in one commit.

deltalake's merge keeps in memory, until it ends, all rows of unchanged files as well as the new
rows: an unchanged run into 400,000 time entries took 551 MB instead of 252, and more with each
further row. This module holds 8,192 rows at a time in memory, whatever the table's size.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harvest_source.dlt_internals.delta_writer import PART, FileWriter

_WIDE_PART: Final = 8_192
"""Rows with all columns that are in memory at once; they are copied several times on their way."""
_FILE_ROWS: Final = 8 * PART
"""Rows per file. Changing one row rewrites its whole file."""
_KNOWN_FEATURES: Final = frozenset({"appendOnly", "invariants"})
"""Table features that bind a writer but do not concern what this module writes."""
_PLAIN_WRITERS: Final = 2
"""The last protocol version that has no features beyond these."""
_NAMED_FEATURES: Final = 7
"""The protocol version from which a table lists its features by name."""
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./-]+")
_PLACE: Final = "harvest_source_place"
"""Column that holds row numbers; Harvest has no column of this name."""


def cast_rows(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return *rows* with the columns and types of *schema*; missing columns are null."""
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def can_exchange(table: Any) -> bool:
    """
    Whether files of deltalake's *table* can be exchanged without features only deltalake supports.

    Those are constraint checks, the change data feed and computed columns. Also, deltalake before
    1.6.6 cannot commit file removals that another program prepared.
    """
    try:
        from deltalake.transaction import RemoveAction
    except ImportError:
        return False
    del RemoveAction
    protocol, metadata = table.protocol(), table.metadata()
    version = protocol.min_writer_version
    features = set(protocol.writer_features or ())
    named = version == _NAMED_FEATURES and features <= _KNOWN_FEATURES
    is_known = version <= _PLAIN_WRITERS or named
    fields = table.schema().fields
    has_rules = any(key.startswith("delta.") for field in fields for key in field.metadata)
    # The log encodes other file names, and lists files of other tables by their full URI.
    paths = table.get_add_actions().column("path").to_pylist()
    has_plain_paths = all(_PLAIN_PATH.fullmatch(str(each)) for each in paths)
    return is_known and has_plain_paths and not has_rules and not metadata.partition_columns


class FileExchange:
    """
    One commit that removes rows from a Delta table and adds others.

    Use it as a context manager: it deletes files that it wrote but did not try to commit. Files of
    a failed commit are left to deltalake's ``vacuum``: the store may have applied the commit and
    failed to report it.

    Args:
        table: deltalake's table, at the version that was read. Committing onto another version
            fails.
        file_system: fsspec's file system that holds the table's files.
        columns: The table's columns, with Arrow's plain types.
    """

    def __init__(self, table: Any, file_system: Any, columns: pa.Schema) -> None:
        self._table = table
        self._file_system = file_system
        self._columns = columns
        self._root = file_system._strip_protocol(unquote(table.table_uri)).rstrip("/")
        self._removed: list[str] = []
        self._written: list[FileWriter] = []
        self._is_sent = False

    def __enter__(self) -> FileExchange:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in [] if self._is_sent else self._written:
            writer.discard()
            with suppress(OSError):
                self._file_system.rm(f"{self._root}/{writer.name}")

    def remove_rows(self, file: str, places: pa.Array) -> None:
        """Replace *file* with its rows except those at *places*, which are counted from 0."""
        self._removed.append(file.removeprefix(f"{self._root}/"))
        at = 0
        for rows in self._iter_file(file):
            numbers = pa.array(range(at, at + rows.num_rows), places.type)
            at += rows.num_rows
            self.add_rows(rows.filter(pc.invert(pc.is_in(numbers, value_set=places))))

    def add_rows(self, rows: pa.Table) -> None:
        """Add *rows*, which have the columns of the table."""
        for at in range(0, rows.num_rows, _WIDE_PART):
            if not self._written or self._written[-1].rows >= _FILE_ROWS:
                self._end_file()
                name = f"part-00000-{uuid4()}-c000.snappy.parquet"
                path = f"{self._root}/{name}"
                self._written.append(
                    FileWriter(name, self._file_system.open(path, "wb"), rows.schema)
                )
            self._written[-1].write(rows.slice(at, _WIDE_PART))

    def commit(self) -> None:
        """Make all changes visible to readers at once."""
        from deltalake import CommitProperties
        from deltalake.transaction import AddAction, RemoveAction

        self._end_file()
        now = int(time.time() * 1000)
        actions = [
            *(RemoveAction(path, True, now, partition_values={}) for path in self._removed),
            *(AddAction(each.name, each.size, {}, now, True, each.stats) for each in self._written),
        ]
        self._is_sent = True
        if actions:
            self._table.create_write_transaction(
                actions,
                "append",
                self._table.schema(),
                commit_properties=CommitProperties(max_commit_retries=0),
            )
            self._table.update_incremental()

    def _end_file(self) -> None:
        if self._written:
            self._written[-1].close()

    def _iter_file(self, path: str) -> Iterator[pa.Table]:
        # Arrow's datasets keep whole row groups in memory; deltalake's hold a million rows each.
        with self._file_system.open(path, "rb") as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=_WIDE_PART):
                yield cast_rows(pa.Table.from_batches([batch]), self._columns)


def find_places(keys: pa.Table, parts: Iterator[pa.Table], by: str) -> pa.Array:
    """
    Find the numbers of the rows that have one of *keys*.

    Args:
        keys: Distinct keys, with the types of the rows.
        parts: The key columns of every row, in order.
        by: The column of *keys* with the most distinct values.
    """
    values, at = keys.column(by).combine_chunks(), 0
    found: list[pa.Array] = []
    for part in parts:
        places = pc.indices_nonzero(pc.is_in(part.column(by), value_set=values))
        if len(places):  # Most parts of a table have none.
            numbers = pc.add(places, pa.scalar(at, pa.uint64()))
            near = part.take(places).append_column(_PLACE, numbers)
            here = near.join(keys, keys.column_names, join_type="left semi")
            found += here.column(_PLACE).chunks
        at += part.num_rows
    return pa.concat_arrays([pa.array([], pa.uint64()), *found])
