"""The text of statements that move a DuckDB table's rows within its file."""

from __future__ import annotations

from typing import Final

ROOM: Final = (
    "SELECT database_name, block_size, used_blocks FROM pragma_database_size() "
    "WHERE database_name = current_database()"
)
"""Used blocks, not free ones: DuckDB also counts blocks that it has cut off the file as free."""

TABLES: Final = """
    SELECT
        schema_name,
        table_name,
        estimated_size,
        lower(schema_name) = lower(?)
        AND NOT EXISTS (
            SELECT 1 FROM duckdb_indexes() AS i
            WHERE i.database_name = t.database_name AND i.table_oid = t.table_oid
        )
        AND NOT EXISTS (
            SELECT 1 FROM duckdb_constraints() AS c
            WHERE c.database_name = t.database_name AND c.table_oid = t.table_oid
            AND c.constraint_type NOT IN ('NOT NULL', 'CHECK')
        )
        AND NOT EXISTS (
            SELECT 1 FROM duckdb_columns() AS c
            WHERE c.database_name = t.database_name AND c.table_oid = t.table_oid
            AND lower(c.column_name) = 'rowid'
        )
    FROM duckdb_tables() AS t WHERE database_name = current_database() AND NOT temporary
"""
"""
All tables, their rows including deleted ones whose space is not free yet, and whether a table's
rows may be moved: only if it is in the given schema and has no key.

On each insertion DuckDB also checks a key against rows that the same transaction has deleted.
"""

LARGE_TABLES: Final = """
    SELECT schema_name, table_name, estimated_size FROM duckdb_tables()
    WHERE database_name = current_database() AND NOT temporary
        AND lower(schema_name) = lower(?) AND estimated_size >= ?
"""
"""Tables of a schema with at least a given number of rows, including deleted ones."""

GROUPS: Final = """
    SELECT
        row_group_id,
        max(block_id),
        count(DISTINCT block_id) FILTER (WHERE block_id >= 0),
        sum("count") FILTER (WHERE column_id = 0 AND segment_type <> 'VALIDITY')
    FROM pragma_storage_info(?) WHERE persistent GROUP BY row_group_id ORDER BY row_group_id
"""
"""A table's row groups: number, last block, blocks, rows including deleted ones."""


def count_rows(table: str) -> str:
    """The number of rows of a *table*, quoted."""
    return f"SELECT count(*) FROM {table}"  # noqa: S608 - quoted names


def find_last_row_id(table: str) -> str:
    """The largest row id of a *table*, quoted; null if it has no row."""
    return f"SELECT max(rowid) FROM {table}"  # noqa: S608 - quoted names


def count_between(table: str) -> str:
    """The number of rows of a *table*, quoted, between two row ids."""
    return f"{count_rows(table)} WHERE {_between(1)}"


def find_missing(table: str) -> str:
    """
    The longest gaps in the row ids of a *table*, quoted: the id after the gap, and its length.

    DuckDB reads rows in the order of their ids, so that the window needs no sorting and no memory.
    """
    before = "lag(rowid, 1, -1) OVER ()"
    return (
        f"SELECT place, missing FROM (SELECT rowid AS place, rowid - {before} - 1 AS missing "  # noqa: S608 - quoted names
        f"FROM {table}) WHERE missing > 0 ORDER BY missing DESC LIMIT ?"
    )


def copy_rows(table: str, ranges: int) -> str:
    """Insert the rows of a *table*, quoted, in *ranges* ranges of ids again, with new later ids."""
    return f"INSERT INTO {table} SELECT * FROM {table} WHERE {_between(ranges)}"  # noqa: S608 - quoted names


def delete_rows(table: str, ranges: int) -> str:
    """Delete the rows of a *table*, quoted, in *ranges* ranges of ids."""
    return f"DELETE FROM {table} WHERE {_between(ranges)}"  # noqa: S608 - quoted names


def _between(ranges: int) -> str:
    return " OR ".join(["rowid BETWEEN ? AND ?"] * ranges)
