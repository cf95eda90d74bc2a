"""The text of statements that move a DuckDB table's rows within its file."""

from __future__ import annotations

from typing import Final

ROOM: Final = (
    "SELECT database_name, block_size, used_blocks FROM pragma_database_size() "
    "WHERE database_name = current_database()"
)
"""DuckDB counts blocks that it has cut off as free ones."""

TABLES: Final = """
    SELECT
        schema_name,
        table_name,
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
All tables, and whether a table's rows may be moved: it is in the given schema and has no key.

Each insertion of DuckDB checks a key against the rows that the transaction has deleted, too.
"""

GROUPS: Final = """
    SELECT
        row_group_id,
        max(block_id),
        count(DISTINCT block_id) FILTER (WHERE block_id >= 0),
        sum("count") FILTER (WHERE column_id = 0 AND segment_type <> 'VALIDITY')
    FROM pragma_storage_info(?) WHERE persistent GROUP BY row_group_id ORDER BY row_group_id
"""
"""Groups of a table's rows: number, last block, blocks, rows with those that were deleted."""


def copy_rows(table: str) -> str:
    """Add the rows of a *table*, quoted, between two row ids once more, with later ids."""
    return f"INSERT INTO {table} SELECT * FROM {table} WHERE rowid BETWEEN ? AND ?"  # noqa: S608 - quoted names


def delete_rows(table: str) -> str:
    """Delete the rows of a *table*, quoted, between two row ids."""
    return f"DELETE FROM {table} WHERE rowid BETWEEN ? AND ?"  # noqa: S608 - quoted names
