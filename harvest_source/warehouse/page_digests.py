"""Digests of Arrow tables, equal to those that DuckDB computes of rows in its own tables."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import duckdb
import pyarrow as pa

from harvest_source.sql import statements
from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.sql.dialects import find_dialect
from harvest_source.sql.maintenance import quote

_PAGE: Final = "page"
_DUCKDB: Final = "duckdb"


class PageDigests(AbstractContextManager["PageDigests"]):
    """
    Computes digests of rows in memory. Close it after use. Thread-safe.

    Two digests of one DuckDB version are equal if the values and their types are; a null value has
    the same digest whatever its type.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._lock = threading.Lock()

    def digest(self, rows: pa.Table, digested: Sequence[Sequence[str]]) -> list[pa.ChunkedArray]:
        """Compute a digest per row for each of *digested*; a missing column counts as null."""
        missing = {name for each in digested for name in each} - {*rows.column_names}
        for name in missing:
            rows = rows.append_column(name, pa.nulls(rows.num_rows))
        query, _ = statements.select_digests(
            _QUOTED, find_dialect(_DUCKDB), _PAGE, EVERY_ROW, (), digested
        )
        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect(config={"threads": 1})
            self._connection.register(_PAGE, rows)
            try:
                found = self._connection.sql(query)
                read = getattr(found, "to_arrow_table", None) or found.arrow
                columns: list[pa.ChunkedArray] = read().columns
            finally:
                self._connection.unregister(_PAGE)
        return columns

    def __exit__(self, *_: object) -> None:
        with self._lock:  # A thread whose result is no longer needed may be using it.
            if self._connection is not None:
                self._connection.close()


class _Quoted:
    """Spells the names of tables in memory."""

    def table(self, name: str) -> str:
        return quote(name)

    def column(self, name: str) -> str:
        return quote(name)


_QUOTED: Final = _Quoted()
