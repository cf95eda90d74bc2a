"""Statements that copy a parquet file into a DuckDB table, and check whether its rows are new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

DUCKDB_READ_LOG_LIMIT: Final = "SELECT current_setting('checkpoint_threshold')"
DUCKDB_SET_LOG_LIMIT: Final = "SET GLOBAL checkpoint_threshold = '{}'"


def build_count(file: str) -> str:
    """Count the rows of the *file*, which DuckDB reads from the file's footer."""
    return f"SELECT COUNT(*) FROM {_read(file)}"  # noqa: S608 - a quoted path


def build_repeated_keys(file: str, keys: Sequence[str]) -> str:
    """
    Return a row if some key is in the *file* more than once.

    Args:
        keys: Names of the columns, quoted.
    """
    columns = ", ".join(keys)
    return (
        f"SELECT 1 FROM {_read(file)} "  # noqa: S608 - quoted names
        f"GROUP BY {columns} HAVING COUNT(*) > 1 LIMIT 1"
    )


def build_known_keys(file: str, table: str, keys: Sequence[str]) -> str:
    """Return a row if the *table*, named in full, has a key that the *file* has."""
    same = " AND ".join(f"here.{key} = there.{key}" for key in keys)
    return (
        f"SELECT 1 FROM {table} AS here WHERE EXISTS "  # noqa: S608 - quoted names
        f"(SELECT 1 FROM {_read(file)} AS there WHERE {same}) LIMIT 1"
    )


def build_copy(file: str, table: str) -> str:
    """Copy the *file* into the *table*, named in full, matching columns by name."""
    return f"INSERT INTO {table} BY NAME SELECT * FROM {_read(file)}"  # noqa: S608 - quoted names


def _read(file: str) -> str:
    path = file.replace("'", "''")
    return f"read_parquet('{path}', union_by_name = true)"
