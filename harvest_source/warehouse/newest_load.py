"""What a row of ours needs that comes into the warehouse without a load of dlt."""

from __future__ import annotations

from typing import Final

from harvest_source.warehouse.sql import Sql

PLAIN_SQL: Final = frozenset(
    f"dlt.destinations.{name}" for name in ("duckdb", "motherduck", "postgres")
)
"""Destinations that take a row with JSON as text by a plain INSERT, without a load."""


def find_newest_load(sql: Sql) -> str:
    """
    The id of the newest load, for a row that is written without one. Load ids are times and grow.

    Our own tables are made by a load, so there is one.
    """
    return str(sql.find_last(sql.schema.loads_table_name, "load_id"))
