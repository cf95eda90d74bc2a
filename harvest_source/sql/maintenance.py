"""The text of statements on tables, views and keys themselves, in place of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from harvest_source.sql.conditions import Names

_LOCK_WAIT: Final = "3s"

POSTGRES_LOCK_WAIT: Final = f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"
"""
For the transaction that it stands in. A reader's open transaction holds a change of its tables
until it ends, which may be never, and the waiting change holds all later readers.
"""

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
"""Schema, name, definition and comment of people's own views, in the order they were made."""

DUCKDB_TABLES: Final = (
    "SELECT table_name FROM duckdb_tables() "
    "WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name"
)

DUCKDB_COLUMNS: Final = (
    "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database() "
    "AND schema_name = ? AND table_name = ? ORDER BY column_index"
)

DUCKDB_IN_UTC: Final = "SET TimeZone = 'UTC'"

_MAIN: Final = "main"


def rename_column(names: Names, table: str, name: str, to: str) -> str:
    """Give a column another name; its values, grants and comments stay."""
    return (
        f"ALTER TABLE {names.table(table)} RENAME COLUMN {names.column(name)} TO {names.column(to)}"
    )


def list_tables(view: str, columns: Iterable[str]) -> str:
    """
    Name and type of the tables and views in *view*, the information schema's list.

    Args:
        columns: Columns of it that have a parameter's value each.
    """
    where = " AND ".join(f"{column} = %s" for column in columns)
    return f"SELECT table_name, table_type FROM {view} WHERE {where}"  # noqa: S608 - no value in it


def list_schemas(names: Names, table: str) -> str:
    """Each schema that dlt notes in its *table* of versions."""
    return f"SELECT DISTINCT {names.column('schema_name')} FROM {names.table(table)}"  # noqa: S608 - quoted names


def drop_empty_schema(schema: str) -> str:
    """Drop a *schema*, quoted, unless anything is in it; not all dialects have the word for it."""
    return f"DROP SCHEMA {schema} RESTRICT"


def add_primary_key(names: Names, table: str, columns: Sequence[str]) -> str:
    """Make *columns* the primary key of a table."""
    return f"ALTER TABLE {names.table(table)} ADD PRIMARY KEY ({_list(names, columns)})"


def try_view(schema: str, view: str) -> str:
    """Fails in DuckDB if a view does not work; gives no row."""
    return f"SELECT * FROM {quote(schema, view)} LIMIT 0"  # noqa: S608 - quoted names


def select_from_files(files: Sequence[str], columns: Mapping[str, str | None]) -> str:
    """
    What a view in DuckDB reads from parquet files; no row without files.

    Args:
        columns: Quoted names; with the type of those that no file has, which are null.
    """
    places = (
        name if kind is None else f"CAST(NULL AS {kind}) AS {name}"
        for name, kind in columns.items()
    )
    names = ", ".join("'" + each.replace("'", "''") + "'" for each in files)
    source = f" FROM read_parquet([{names}], union_by_name = true)" if files else " WHERE 1 = 0"
    return f"SELECT {', '.join(places)}{source}"


def make_view_again(schema: str, view: str, definition: str, comment: str | None) -> list[str]:
    """Statements that make a view in DuckDB again from its own text, with its comment."""
    _, _, rest = definition.partition("CREATE VIEW ")
    # DuckDB leaves out the name of the schema that it takes by default; dlt has set another one.
    is_main = schema == _MAIN and not rest.startswith(f"{_MAIN}.")
    made = [f"CREATE OR REPLACE VIEW {f'{_MAIN}.' if is_main else ''}{rest}"]
    if comment is not None:
        text = comment.replace("'", "''")
        made.append(f"COMMENT ON VIEW {quote(schema, view)} IS '{text}'")
    return made


def _list(names: Names, columns: Iterable[str]) -> str:
    return ", ".join(map(names.column, columns))


def quote(*names: str) -> str:
    """A name as standard SQL quotes it, with the names it is qualified by."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in names)
