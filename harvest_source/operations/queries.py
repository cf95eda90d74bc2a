"""Queries of the warehouse by which operations compare it with Harvest."""

from __future__ import annotations

from typing import Any

from harvest_source.warehouse.warehouse import Warehouse


def select_rows(warehouse: Warehouse, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """
    The rows of *query* as dictionaries.

    Args:
        query: Names tables in braces, ``{invoices}``, and parameters as ``%s``.

    Raises:
        DestinationError: The destination refused.
    """
    with warehouse.sql() as client:
        for name in warehouse.schema.tables:
            query = query.replace(f"{{{name}}}", client.make_qualified_table_name(name))
        with client.execute_query(query, *parameters) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
