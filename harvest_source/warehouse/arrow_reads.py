"""Whole numbers of many rows as Arrow arrays: ids, and digests of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from harvest_source.sql import statements
from harvest_source.sql.conditions import Condition
from harvest_source.warehouse.sql import Sql

_ROWS: Final = 100_000
"""Rows in memory at once as objects, or of an Arrow table."""

_NATIVE: Final = "duckdb"
"""The dialect whose results are Arrow's without a detour by rows."""


def select_ids(sql: Sql, table: str, where: Condition) -> pa.ChunkedArray:
    """The ids of rows, a million of them in 8 MB."""
    if sql.dialect.name != _NATIVE:
        return _transpose(sql.iter_values(table, where, ("id",)), 1)[0]
    parts = [
        each.column(0).cast(pa.int64()) for each in sql.iter_arrow(table, where, ("id",), _ROWS)
    ]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.int64())


def select_digests(
    sql: Sql,
    table: str,
    where: Condition,
    columns: Sequence[str],
    digested: Sequence[Sequence[str]],
) -> list[pa.ChunkedArray]:
    """
    The values of *columns*, whole numbers, and a digest of each of *digested*: an array each.

    Two digests of one process are equal if the values are. The destination computes them where it
    can: a row has fifty columns, and to fetch them takes most of the time.
    """
    width = len(columns) + len(digested)
    if not sql.dialect.digest:
        return _transpose(_iter_digested(sql, table, where, columns, digested), width)
    query = statements.select_digests(sql, sql.dialect, table, where, columns, digested)
    if sql.dialect.name != _NATIVE:
        return _transpose(sql.iter_rows(query, table, (*columns, *("" for _ in digested))), width)
    found = list(sql.iter_batches(query, _ROWS))
    return pa.concat_tables(found).columns if found else _transpose(iter(()), width)


def _iter_digested(
    sql: Sql,
    table: str,
    where: Condition,
    columns: Sequence[str],
    digested: Sequence[Sequence[str]],
) -> Iterator[tuple[Any, ...]]:
    """The same of a destination that computes no digests, row by row."""
    names = [name for each in digested for name in each]
    for row in sql.iter_values(table, where, (*columns, *names)):
        values = map(str, row[len(columns) :])
        digests = (hash(tuple(islice(values, len(each)))) for each in digested)
        yield (*row[: len(columns)], *digests)


def _transpose(rows: Iterator[tuple[Any, ...]], columns: int) -> list[pa.ChunkedArray]:
    """The columns of *rows*."""
    parts: list[list[pa.Array]] = [[] for _ in range(columns)]
    while some := list(islice(rows, _ROWS)):
        for part, values in zip(parts, zip(*some, strict=True), strict=True):
            part.append(pa.array(values, pa.int64()))
    return [pa.chunked_array(part, pa.int64()) for part in parts]
