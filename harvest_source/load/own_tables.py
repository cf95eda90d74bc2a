"""This package's own tables for dlt: hints, and a resource that merges rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dlt
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns
from dlt.sources import DltResource

from harvest_source.defaults import TableFormat
from harvest_source.load.hints import type_hint
from harvest_source.schema.own_tables import OWN_TABLES, OwnTable


def _build_columns(table: OwnTable) -> TTableSchemaColumns:
    hints: dict[str, TColumnSchema] = {}
    for column in table.columns:
        hint = type_hint(column.name, column.type)
        hint["description"] = column.description
        if column.name in table.required or column.name in table.key:
            hint["nullable"] = False
        if column.name in table.key:
            hint["primary_key"] = True
        hints[column.name] = hint
    return hints


COLUMNS: Final[Mapping[str, TTableSchemaColumns]] = {
    table.name: _build_columns(table) for table in OWN_TABLES
}


def build_own_resource(
    table: str, rows: list[dict[str, Any]], table_format: TableFormat | None = None
) -> DltResource:
    """A resource that merges *rows* into one of our tables; without rows it creates the table."""
    columns = COLUMNS[table]
    merge: Any = {"disposition": "merge", "strategy": "delete-insert"}
    # dlt itself has no such strategy for tables in files, and could not read one that names it.
    optional: Any = {"write_disposition": merge}
    if table_format:
        optional = {"write_disposition": "merge", "table_format": table_format}

    def draw() -> Iterator[Any]:
        yield rows or dlt.mark.materialize_table_schema()

    resource: DltResource = dlt.resource(
        draw,
        name=table,
        columns=columns,
        primary_key=[name for name, hint in columns.items() if hint.get("primary_key")],
        **optional,
    )
    return resource


def is_made(table: str, schema: dlt.Schema) -> bool:
    """Whether dlt's *schema* has one of our tables with all its columns."""
    return COLUMNS[table].keys() <= schema.tables.get(table, {"columns": {}})["columns"].keys()
