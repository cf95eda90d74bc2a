"""Whole numbers of many rows as Arrow arrays: ids, and digests of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.dlt_internals import find_table
from harvest_source.schema.columns import Type
from harvest_source.sql import statements
from harvest_source.sql.conditions import Condition
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.sql import Sql

_ROWS: Final = 100_000
"""Rows in memory at once as objects, or of an Arrow table."""

_WIDE_ROWS: Final = 10_000
"""The same of rows with all of their columns."""

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
    digests: PageDigests,
) -> pa.Table:
    """
    The values of *columns*, whole numbers, and a digest of each of *digested* under its number.

    Two digests are equal if the values are, also one of a row that *digests* has of a page. DuckDB
    computes them where the rows are: a row has fifty columns, and to fetch them takes most of the
    time.
    """
    names = [*columns, *(str(at) for at in range(len(digested)))]
    if sql.dialect.name == _NATIVE:
        query = statements.select_digests(sql, sql.dialect, table, where, columns, digested)
        found = list(sql.iter_batches(query, _ROWS))
    else:
        wanted = list(dict.fromkeys((*columns, *(name for each in digested for name in each))))
        found = [
            pa.table([*rows.select(columns).columns, *digests.digest(rows, digested)], names)
            for rows in _iter_tables(sql, table, where, wanted)
        ]
    if not found:
        return pa.table([pa.array([], pa.int64()) for _ in names], names)
    return pa.concat_tables(each.rename_columns(names) for each in found)


def _iter_tables(
    sql: Sql, table: str, where: Condition, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Rows as Arrow tables with the types that pages have."""
    known = sql.schema.get_table_columns(find_table(sql.schema, table))
    types = [str(known[each].get("data_type")) if each in known else "" for each in columns]
    rows = sql.iter_values(table, where, columns)
    while some := list(islice(rows, _WIDE_ROWS)):
        arrays = map(_build_array, zip(*some, strict=True), types)
        yield pa.table(list(arrays), list(columns))


def _build_array(values: Sequence[Any], data_type: str) -> pa.Array:
    """The values of a column; as text if they are not what the column is declared as."""
    try:
        arrow_type = ARROW_TYPES[Type(data_type)]
        # Arrow cuts 1.5 to 1 where whole numbers are wanted.
        if arrow_type != pa.int64() or {*map(type, values)} <= {int, type(None)}:
            return pa.array(values, arrow_type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    return pa.array([None if each is None else str(each) for each in values], pa.string())


def _transpose(rows: Iterator[tuple[Any, ...]], columns: int) -> list[pa.ChunkedArray]:
    """The columns of *rows*."""
    parts: list[list[pa.Array]] = [[] for _ in range(columns)]
    while some := list(islice(rows, _ROWS)):
        for part, values in zip(parts, zip(*some, strict=True), strict=True):
            part.append(pa.array(values, pa.int64()))
    return [pa.chunked_array(part, pa.int64()) for part in parts]
