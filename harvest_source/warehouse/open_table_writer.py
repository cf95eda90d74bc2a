"""
Change and delete rows of Delta and Iceberg tables, which have no statements for it.

The writer reads the rows and replaces them by their keys, one commit per portion of rows. Changes
of several tables are no transaction; :mod:`harvest_source.warehouse.removal` can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa

from harvest_source.dlt_internals import find_open_table, find_row_key, find_table
from harvest_source.sql.conditions import Condition, OneOf, Value
from harvest_source.sql.values import as_json_text
from harvest_source.warehouse.sql import Sql

_ROWS: Final = 100_000
"""Rows in memory at once."""


class OpenTableWriter:
    """Changes rows by commits."""

    def insert(self, sql: Sql, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        open_table = find_open_table(sql.client, find_table(sql.schema, table))
        known = open_table.columns
        columns = {
            name: pa.array([as_json_text(row[name]) for row in rows], known.field(name).type)
            for name in rows[0]
        }
        open_table.replace(None, pa.table(columns))

    def update(self, sql: Sql, table: str, changes: Mapping[str, Value], where: Condition) -> None:
        def change(rows: pa.Table) -> pa.Table:
            for name, value in changes.items():
                rows = _set(rows, name, [value] * rows.num_rows)
            return rows

        self._rewrite(sql, table, where, change)

    def assign(
        self, sql: Sql, table: str, column: str, by: str, values: Mapping[Any, Value]
    ) -> None:
        def change(rows: pa.Table) -> pa.Table:
            return _set(rows, column, [values[key] for key in rows.column(by).to_pylist()])

        if values:
            self._rewrite(sql, table, OneOf(by, list(values)), change)

    def delete(self, sql: Sql, table: str, where: Condition) -> None:
        name = find_table(sql.schema, table)
        key = find_row_key(sql.schema, name)
        open_table = find_open_table(sql.client, name)
        for rows in sql.iter_arrow(table, where, key, _ROWS):
            open_table.replace(rows, None)

    @contextmanager
    def transaction(self, sql: Sql) -> Iterator[None]:  # noqa: ARG002
        yield

    def _rewrite(self, sql: Sql, table: str, where: Condition, change: Any) -> None:
        name = find_table(sql.schema, table)
        key = find_row_key(sql.schema, name)
        open_table = find_open_table(sql.client, name)
        for rows in sql.iter_arrow(table, where, sql.columns_of(table), _ROWS):
            open_table.replace(rows.select(key), change(rows))


BY_COMMITS: Final = OpenTableWriter()


def _set(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, name, pa.array(values, rows.schema.field(at).type))
