"""
Rows that change without a new ``updated_at``, such as running timers, and a digest of them.

A run compares the digest with that of the run before: unchanged rows are not loaded again.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.decode.dedup import keep_newest
from harvest_source.extract.last_read import fingerprint
from harvest_source.schema.endpoint import Endpoint


def digest_rows(rows: pa.Table, endpoint: Endpoint) -> str:
    """A digest of *rows*, in whatever order they came."""
    return fingerprint(rows.sort_by([(name, "ascending") for name in endpoint.primary_key]))


def find_volatile(rows: pa.Table, endpoint: Endpoint) -> Any:
    """
    Which of *rows* may change without a new ``updated_at``, as an array of flags.

    All of them, if the column that decides it is left out of the warehouse.
    """
    flag = endpoint.volatile
    if flag is None or flag[0] not in rows.column_names:
        return pa.repeat(pa.scalar(flag is not None), rows.num_rows)
    return _is_set(rows, flag[0])


class VolatileRows:
    """
    Collects volatile rows from a read of all rows, so that the next run need not load them again.

    Collects nothing from a list that cannot have any.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._tables: list[pa.Table] = []
        self._ids = pa.array([], pa.int64())

    def add(self, rows: pa.Table) -> None:
        """Collect the volatile ones of *rows*, and later versions of rows collected before."""
        flag = self._endpoint.volatile
        if flag is None or flag[0] not in rows.column_names:
            return
        chosen = _is_set(rows, flag[0])
        if len(self._ids):
            chosen = pc.or_(chosen, pc.is_in(rows.column("id"), self._ids))
        found = rows.filter(chosen)
        if found.num_rows or not self._tables:
            self._tables.append(found)
            ids: Any = pa.concat_arrays([self._ids, found.column("id").combine_chunks()])
            self._ids = ids

    def digest(self) -> str | None:
        """A digest of the newest versions that are volatile; None: no rows were seen."""
        flag = self._endpoint.volatile
        if flag is None or not self._tables:
            return None
        newest = keep_newest(self._tables, self._endpoint.primary_key)
        return digest_rows(newest.filter(_is_set(newest, flag[0])), self._endpoint)


def _is_set(rows: pa.Table, flag: str) -> Any:
    return pc.fill_null(rows.column(flag), False)
