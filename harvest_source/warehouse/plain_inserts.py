"""Insert rows into our own tables without a dlt load: where that works, and what they need."""

from __future__ import annotations

from typing import Final

from harvest_source.warehouse.sql import Sql

PLAIN_SQL: Final = frozenset(
    f"dlt.destinations.{name}" for name in ("duckdb", "motherduck", "postgres")
)
"""Destinations that accept a row with JSON as text in a plain INSERT, without a load."""


def find_newest_load(sql: Sql) -> str:
    """
    Find the id of the newest load, for a row that is written without a load.

    Load ids are timestamps and grow. A load has created our own tables, so there is always one.
    """
    return str(sql.find_highest(sql.schema.loads_table_name, "load_id"))
