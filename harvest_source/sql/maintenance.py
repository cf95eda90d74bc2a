"""The text of statements on tables, views and keys themselves, not on their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from harvest_source.sql.conditions import Names

_LOCK_WAIT: Final = "3s"

POSTGRES_LOCK_WAIT: Final = f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"
"""
Limits the wait for locks in the current transaction. A reader's open transaction blocks a change of
its tables until it ends, which may be never, and the waiting change blocks all later readers.
"""

POSTGRES_LOCK_LIMIT: Final = (
    "SELECT set_config('lock_timeout', '60s', false) WHERE current_setting('lock_timeout') = '0'"
)
"""Limits the wait for each lock of a session, unless the user's role or address limits it."""

MYSQL_LOCK_LIMIT: Final = "SET SESSION lock_wait_timeout = LEAST(@@SESSION.lock_wait_timeout, 60)"
"""The same for locks of tables. For locks of rows, the server's own limit is 50 seconds."""

POSTGRES_KEYS: Final = """
    SELECT c.relname FROM pg_constraint k
    INNER JOIN pg_class c ON c.oid = k.conrelid
    INNER JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND k.contype = 'p'
"""
"""Each table of a schema that has a primary key."""

DUCKDB_VIEWS: Final = (
    "SELECT schema_name, view_name, sql, comment FROM duckdb_views() "
    "WHERE NOT internal AND database_name = current_database() ORDER BY view_oid"
)
"""Schema, name, definition and comment of users' own views, in the order of their creation."""

DUCKDB_TABLES: Final = (
    "SELECT table_name FROM duckdb_tables() "
    "WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name"
)

DUCKDB_SCHEMAS: Final = (
    "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE database_name = current_database()"
)

DUCKDB_COLUMNS: Final = (
    "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() "
    "AND schema_name = ? AND table_name = ? ORDER BY column_index"
)

DUCKDB_IN_UTC: Final = "SET TimeZone = 'UTC'"

_MAIN: Final = "main"

READS: Final = ("SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "EXPLAIN")
"""How statements begin that write nothing. A ``WITH`` that writes runs in a transaction."""


def rename_column(names: Names, table: str, name: str, to: str) -> str:
    """Rename a column; its values, grants and comments are kept."""
    return (
        f"ALTER TABLE {names.table(table)} RENAME COLUMN {names.column(name)} TO {names.column(to)}"
    )


def list_tables(view: str, columns: Iterable[str]) -> str:
    """
    Name and type of the tables and views in *view*, the information schema's list.

    Args:
        columns: Columns of *view* that must each equal a parameter.
    """
    where = " AND ".join(f"{column} = %s" for column in columns)
    return f"SELECT table_name, table_type FROM {view} WHERE {where}"  # noqa: S608 - no value in it


def list_schemas(names: Names, table: str) -> str:
    """Each schema that dlt records in its *table* of versions."""
    return f"SELECT DISTINCT {names.column('schema_name')} FROM {names.table(table)}"  # noqa: S608 - quoted names


def changes_rows(statement: str) -> bool:
    """Whether a *statement* of a merge changes rows: it creates and drops no table."""
    return not statement.lstrip().upper().startswith(("CREATE TABLE", "DROP TABLE"))


def drop_empty_schema(schema: str) -> str:
    """Drop a *schema*, quoted, if it is empty; not all dialects have RESTRICT."""
    return f"DROP SCHEMA {schema} RESTRICT"


def add_primary_key(names: Names, table: str, columns: Sequence[str]) -> str:
    """Make *columns* the primary key of a table."""
    return f"ALTER TABLE {names.table(table)} ADD PRIMARY KEY ({_list(names, columns)})"


def widen_mysql_text(names: Names, table: str, column: str, *, is_nullable: bool) -> str:
    """Let a text column of MySQL or MariaDB hold more than 64 kB."""
    null = "NULL" if is_nullable else "NOT NULL"
    return f"ALTER TABLE {names.table(table)} MODIFY {names.column(column)} LONGTEXT {null}"


def try_view(schema: str, view: str) -> str:
    """A query that returns no row, and fails in DuckDB if the view does not work."""
    return f"SELECT * FROM {quote(schema, view)} LIMIT 0"  # noqa: S608 - quoted names


def select_from_files(files: Sequence[str], columns: Mapping[str, str | None]) -> str:
    """
    The query of a DuckDB view that reads parquet files; it returns no row if there are no files.

    Args:
        columns: By quoted name, None, or the type of a column that no file has and that is null.
    """
    places = (
        name if kind is None else f"CAST(NULL AS {kind}) AS {name}"
        for name, kind in columns.items()
    )
    names = ", ".join("'" + each.replace("'", "''") + "'" for each in files)
    source = f" FROM read_parquet([{names}], union_by_name = true)" if files else " WHERE 1 = 0"
    return f"SELECT {', '.join(places)}{source}"


def recreate_view(schema: str, view: str, definition: str, comment: str | None) -> list[str]:
    """Statements that recreate a DuckDB view from its own text, with its comment."""
    _, _, rest = definition.partition("CREATE VIEW ")
    # The text omits the name of DuckDB's default schema; dlt's connection has another default.
    is_main = schema == _MAIN and not rest.startswith(f"{_MAIN}.")
    made = [f"CREATE OR REPLACE VIEW {f'{_MAIN}.' if is_main else ''}{rest}"]
    if comment is not None:
        text = comment.replace("'", "''")
        made.append(f"COMMENT ON VIEW {quote(schema, view)} IS '{text}'")
    return made


def _list(names: Names, columns: Iterable[str]) -> str:
    return ", ".join(map(names.column, columns))


def quote(*names: str) -> str:
    """Quote a name and its qualifiers as in standard SQL."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in names)
