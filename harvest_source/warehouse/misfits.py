"""Numbers that do not fit their column: null there, exact text beside it, missing in every sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harvest_source.dlt_internals import find_root, has_received_rows
from harvest_source.errors import counted
from harvest_source.schema.columns import VARIANT, Type
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.sql.conditions import Within
from harvest_source.warehouse.warehouse import Warehouse

_NUMBERS: Final = {str(Type.DECIMAL): "decimal(38,9)", str(Type.BIGINT): "bigint"}


def describe_misfits(warehouse: Warehouse) -> list[str]:
    """
    Build warnings for people, one for each number column with values that do not fit it.

    Sends no query if no value was ever stored beside its column.

    Raises:
        DestinationError: The destination refused.
    """
    places = list(_iter_places(warehouse))
    if not places:
        return []
    with warehouse.sql() as sql:
        counts = [
            sql.count(table, Within(column + VARIANT, None, None)) for table, column in places
        ]
    return [
        f"{table}.{column}: {counted(rows, 'value')} {'does' if rows == 1 else 'do'} not fit "
        f"{_find_type(warehouse, table, column)}. The column is null there and {column}{VARIANT} "
        "has the exact text. Sums of the column leave them out."
        for (table, column), rows in zip(places, counts, strict=True)
        if rows
    ]


def _iter_places(warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """Yield tables and number columns that have a column for values that do not fit."""
    schema = warehouse.schema
    for name, table in schema.tables.items():
        if not has_received_rows(table) or find_root(schema, name) not in BY_NAME:
            continue
        for each in table["columns"]:
            column = each.removesuffix(VARIANT)
            if each != column and _find_type(warehouse, name, column):
                yield name, column


def _find_type(warehouse: Warehouse, table: str, column: str) -> str | None:
    """The name of the column's number type; None for other types and missing columns."""
    hint = warehouse.schema.tables[table]["columns"].get(column)
    return _NUMBERS.get(str(hint.get("data_type"))) if hint else None
