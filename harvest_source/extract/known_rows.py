"""
Which rows were seen before a read began, and with what content.

Only two reads of a row show whether it changed while a list was read. Its date alone does not: a
date may be years ahead, or this machine's clock days behind, and then rows look new in every read.
A row that had the same content before the read began did not change during it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

Contents = Mapping[int, str]
"""A digest of each row's content, by id."""


class KnownRows:
    """Rows with new-looking dates that the reads of one list have seen; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contents: Contents = {}

    def snapshot(self) -> Contents:
        """What is known now; later additions do not change it."""
        with self._lock:
            return self._contents

    def add(self, contents: Contents) -> None:
        """Note what a read has seen, once it has ended."""
        if contents:
            with self._lock:
                self._contents = {**self._contents, **contents}


def changed_since(table: pa.Table, began: datetime) -> pa.ChunkedArray:
    """
    Whether each row changed at *began* or later; null where ``updated_at`` is null.

    Harvest dates changes in whole seconds.
    """
    at = table.column("updated_at")
    return pc.greater_equal(at, pa.scalar(began.replace(microsecond=0), at.type))


def digest_recent_rows(table: pa.Table, began: datetime) -> dict[int, str]:
    """
    Digests of the rows dated *began* or later, or not dated: few, unless a clock is wrong.

    Null values are left out: a column may first appear in the second of two reads.
    """
    if not {"id", "updated_at"} <= set(table.column_names):
        return {}
    looks_new = pc.fill_null(changed_since(table, began), True)
    if not pc.any(looks_new).as_py():
        return {}
    return {row["id"]: digest_row(row) for row in table.filter(looks_new).to_pylist()}


def digest_row(row: Mapping[str, object]) -> str:
    """A digest of a row's content. A null column counts like one that does not exist yet."""
    content = repr(sorted((name, value) for name, value in row.items() if value is not None))
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()


def merge_contents(into: dict[int, str], contents: Contents) -> None:
    """Add *contents*; a row that came with two different contents counts as unknown."""
    for row_id, content in contents.items():
        into[row_id] = content if into.get(row_id, content) == content else ""


def drop_known(changed: pa.Table, contents: Contents, known: Contents) -> pa.Table:
    """Drop *changed* rows whose content was already known: they have not changed since."""
    if not known:
        return changed
    ids: Iterable[int] = changed.column("id").to_pylist()
    is_news = [not contents.get(each) or contents[each] != known.get(each) for each in ids]
    return changed.filter(pa.array(is_news, pa.bool_()))
