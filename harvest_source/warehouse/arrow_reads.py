"""Read what is compared for many rows, as Arrow tables: ids with their days, and digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.dlt_internals import find_table
from harvest_source.schema.columns import Type
from harvest_source.sql import statements
from harvest_source.sql.conditions import AllOf, Condition, InTable, Rendered
from harvest_source.warehouse.failures import is_out_of_memory
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.sql import Sql

_ROWS: Final = 100_000
"""Rows in memory at once as objects, and rows of an Arrow table."""

_WIDE_ROWS: Final = 10_000
"""The same for rows with all of their columns."""

_THREAD_BYTES: Final = 24 * 1024 * 1024
"""
Memory for each DuckDB thread that reads scattered rows: a block of 256 KB for each of fifty
columns, and the same again. With 16 MB DuckDB 1.5.6 runs out of memory.
"""

_NATIVE: Final = "duckdb"
"""The dialect that returns results as Arrow tables directly, without building rows."""


_KEYS: Final = pa.schema([("id", pa.int64()), ("day", pa.date32())])


def select_keys(sql: Sql, table: str, where: Condition, day: str | None) -> pa.Table:
    """
    Select ``id`` and ``day`` of rows; a million rows take 12 MB.

    Args:
        day: The date column; None: every ``day`` is null.
    """
    names = ("id", day) if day is not None else ("id",)
    if sql.dialect.name == _NATIVE:
        found = list(sql.iter_arrow(table, where, names, _ROWS))
    else:
        found = [
            pa.table(dict(zip(names, map(pa.array, zip(*some, strict=True)), strict=True)))
            for some in _iter_lists(sql.iter_values(table, where, names))
        ]
    if not found:
        return _KEYS.empty_table()
    return pa.concat_tables(build_keys(each, day) for each in found)


def build_keys(rows: pa.Table, day: str | None) -> pa.Table:
    """``id`` and ``day`` of *rows*, as :func:`select_keys` returns them."""
    days = rows.column(day) if day is not None else pa.nulls(rows.num_rows, pa.date32())
    return pa.table([rows.column("id"), days], ["id", "day"]).cast(_KEYS)


def _iter_lists(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while some := list(islice(rows, _ROWS)):
        yield some


def select_digests(
    sql: Sql,
    table: str,
    where: Condition,
    columns: Sequence[str],
    digested: Sequence[Sequence[str]],
    digests: PageDigests,
) -> pa.Table:
    """
    Select *columns*, which hold integers, and a digest of each of *digested*, named by its index.

    Two digests are equal if their values are, also if *digests* computed one of them for a page's
    row. DuckDB computes digests itself: a row has fifty columns, and fetching them would take most
    of the time.

    Args:
        where: Condition on rows of a table that has ``id``.
    """
    names = [*columns, *(str(at) for at in range(len(digested)))]
    if sql.dialect.name == _NATIVE:
        # DuckDB's scan cannot filter by alternatives (OR) and would read all columns of all rows.
        # So the ids are found first, which are one column.
        where = AllOf(where, InTable("id", table, "id", where))
        query = statements.select_digests(sql, sql.dialect, table, where, columns, digested)
        found = _read_in_little_memory(sql, query)
    else:
        wanted = list(dict.fromkeys((*columns, *(name for each in digested for name in each))))
        found = [
            pa.table([*rows.select(columns).columns, *digests.digest(rows, digested)], names)
            for rows in _iter_tables(sql, table, where, wanted)
        ]
    if not found:
        types = [pa.int64()] * len(columns) + [pa.uint64()] * len(digested)
        return pa.table([pa.array([], each) for each in types], names)
    return pa.concat_tables(each.rename_columns(names) for each in found)


def _read_in_little_memory(sql: Sql, query: Rendered) -> list[pa.Table]:
    """
    Read a whole result while DuckDB keeps few of the blocks that it has read.

    A few rows of all years are scattered over the whole table. By default DuckDB keeps what it has
    read, up to its memory limit, even for digests of ten rows, and saves no processor time by it.
    """
    ((threads, limit),) = sql.fetch(statements.DUCKDB_READ_SHARE)
    little = f"{int(threads) * _THREAD_BYTES // 1024}KiB"
    try:
        sql.execute((statements.DUCKDB_SET_MEMORY.format(little), []))
        return list(sql.iter_batches(query, _ROWS))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    finally:
        sql.execute((statements.restore_memory(limit), []))
    return list(sql.iter_batches(query, _ROWS))


def _iter_tables(
    sql: Sql, table: str, where: Condition, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield rows as Arrow tables with the types that pages have."""
    known = sql.schema.get_table_columns(find_table(sql.schema, table))
    types = [str(known[each].get("data_type")) if each in known else "" for each in columns]
    rows = sql.iter_values(table, where, columns)
    while some := list(islice(rows, _WIDE_ROWS)):
        arrays = map(_build_array, zip(*some, strict=True), types)
        yield pa.table(list(arrays), list(columns))


def _build_array(values: Sequence[Any], data_type: str) -> pa.Array:
    """Build an array of a column's values; as text if they do not fit the declared type."""
    try:
        arrow_type = ARROW_TYPES[Type(data_type)]
        # Arrow truncates 1.5 to 1 when it builds integers.
        if arrow_type != pa.int64() or {*map(type, values)} <= {int, type(None)}:
            return pa.array(values, arrow_type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    return pa.array([None if each is None else str(each) for each in values], pa.string())
