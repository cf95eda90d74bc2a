"""
The text of the statements that change or check a warehouse; ``ask`` and ``pages`` have their own.

There are few kinds, without correlation and column ordinals, so that every dialect of
:mod:`harvest_source.sql.dialects` supports each. Tables and columns are given by our own names,
which the destination's :class:`Names` spells; values are parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from harvest_source.sql.conditions import Condition, Names, OneOf, Rendered, Value
from harvest_source.sql.dialects import Dialect

NO_LIMIT: Final = ("", "")


def select(
    names: Names,
    table: str,
    where: Condition,
    columns: Sequence[str],
    *,
    order_by: Iterable[str] = (),
    descending: bool = False,
    limit: tuple[str, str] = NO_LIMIT,
) -> Rendered:
    """
    The values of *columns*, row by row.

    Args:
        order_by: Columns that sort the rows.
        limit: The texts after SELECT and at the end that limit the rows; dlt supplies both.
    """
    condition, values = where.render(names)
    top, last = limit
    direction = " DESC" if descending else ""
    order = ", ".join(f"{names.column(each)}{direction}" for each in order_by)
    parts = (
        f"SELECT {top}" if top else "SELECT",
        _list(names, columns),
        f"FROM {names.table(table)} WHERE {condition}",
        f"ORDER BY {order}" if order else "",
        last,
    )
    return " ".join(filter(None, parts)), values


def select_digests(
    names: Names,
    dialect: Dialect,
    table: str,
    where: Condition,
    columns: Sequence[str],
    digested: Sequence[Sequence[str]],
) -> Rendered:
    """The values of *columns*, and after them a digest of each of *digested*, row by row."""
    condition, values = where.render(names)
    digests = (dialect.digest.format(columns=_list(names, each)) for each in digested)
    listed = ", ".join((*map(names.column, columns), *digests))
    return f"SELECT {listed} FROM {names.table(table)} WHERE {condition}", values  # noqa: S608 - quoted names


def select_distinct(names: Names, table: str, where: Condition, columns: Sequence[str]) -> Rendered:
    """Each combination of values of *columns* once."""
    condition, values = where.render(names)
    text = f"SELECT DISTINCT {_list(names, columns)} FROM {names.table(table)} WHERE {condition}"  # noqa: S608 - quoted names
    return text, values


def count(names: Names, table: str, where: Condition) -> Rendered:
    """How many rows fulfil the condition."""
    condition, values = where.render(names)
    return f"SELECT COUNT(*) FROM {names.table(table)} WHERE {condition}", values  # noqa: S608 - quoted names


def count_qualified(name: str) -> Rendered:
    """How many rows a table has, given its full name, quoted."""
    return f"SELECT COUNT(*) FROM {name}", []  # noqa: S608 - quoted names


def count_by(names: Names, table: str, where: Condition, columns: Sequence[str]) -> Rendered:
    """Each combination of values of *columns*, and in a last column how many rows have it."""
    condition, values = where.render(names)
    group = _list(names, columns)
    text = f"SELECT {group}, COUNT(*) FROM {names.table(table)} WHERE {condition} GROUP BY {group}"  # noqa: S608 - quoted names
    return text, values


def insert(names: Names, table: str, columns: Sequence[str], rows: int) -> str:
    """Insert *rows* rows; the parameters are their values, row by row."""
    row = f"({', '.join(['%s'] * len(columns))})"
    return (
        f"INSERT INTO {names.table(table)} ({_list(names, columns)}) "  # noqa: S608 - quoted names
        f"VALUES {', '.join([row] * rows)}"
    )


def update(
    names: Names, dialect: Dialect, table: str, changes: Mapping[str, Value], where: Condition
) -> Rendered:
    """Set the columns of *changes* in every row that fulfils the condition."""
    condition, values = where.render(names)
    text = dialect.update.format(
        table=names.table(table),
        changes=", ".join(f"{names.column(name)} = %s" for name in changes),
        condition=condition,
    )
    return text, [*changes.values(), *values]


def assign(
    names: Names,
    dialect: Dialect,
    table: str,
    column: str,
    by: str,
    values: Mapping[Any, Value],
) -> Rendered:
    """
    Set *column* in every row whose column *by* is a key of *values*, to that key's value.

    A join or a correlated subquery would need another form in some dialects.
    """
    condition, keys = OneOf(by, list(values)).render(names)
    branches = " ".join(["WHEN %s THEN %s"] * len(values))
    text = dialect.update.format(
        table=names.table(table),
        changes=f"{names.column(column)} = CASE {names.column(by)} {branches} END",
        condition=condition,
    )
    return text, [*(each for pair in values.items() for each in pair), *keys]


def delete(names: Names, dialect: Dialect, table: str, where: Condition) -> Rendered:
    """Delete every row that fulfils the condition."""
    condition, values = where.render(names)
    return dialect.delete.format(table=names.table(table), condition=condition), values


def set_comments(
    names: Names, dialect: Dialect, table: str, comments: Mapping[str, str]
) -> Iterator[str]:
    """
    Set the comments of columns, and of the table under the name ``""``, if the dialect can.

    Each text may be sent separately. None has parameters.
    """
    texts = _iter_comments(names, dialect, table, comments)
    if dialect.many:
        texts = filter(None, (";".join(texts),))
    yield from texts


def _iter_comments(
    names: Names, dialect: Dialect, table: str, comments: Mapping[str, str]
) -> Iterable[str]:
    for column, text in comments.items():
        form = dialect.column_comment if column else dialect.table_comment
        if form:
            yield form.format(
                table=names.table(table),
                column=names.column(column) if column else "",
                text=dialect.quote_text(text),
            )


def _list(names: Names, columns: Sequence[str]) -> str:
    return ", ".join(map(names.column, columns))


# Statements on a DuckDB file itself, sent by DuckDB's own client.

DUCKDB_READ_SHARE: Final = "SELECT current_setting('threads'), current_setting('memory_limit')"
DUCKDB_SET_THREADS: Final = "SET threads = {}"
DUCKDB_SET_MEMORY: Final = "SET memory_limit = '{}'"


def restore_memory(limit: str) -> str:
    """
    The statement that restores the memory *limit* that DuckDB reported, such as ``1.3 GiB``.

    DuckDB cuts its report off after the first decimal: it reports a limit of 1.5 GB as 1.3 GiB, and
    would report one of 1.3 GiB as 1.2. With half a unit of that decimal added, it reports the same
    value again, however often. It reports no limit in petabytes, which it does not accept as input.
    """
    number, _, unit = limit.partition(" ")
    return DUCKDB_SET_MEMORY.format("-1" if unit == "PiB" else f"{float(number) + 0.05:.2f}{unit}")


DUCKDB_CHECKPOINT: Final = "SET enable_progress_bar = false; CHECKPOINT"
"""Without the progress bar that DuckDB 1.4 draws on standard output after two seconds."""

DUCKDB_GIVE_BACK: Final = "SET allocator_background_threads = true"
"""
Return free memory to the system, because other libraries in the process need it. By default DuckDB
keeps it for its own next statement.
"""

DUCKDB_WHOLE_METADATA: Final = "SET GLOBAL experimental_metadata_reuse = false"
"""
Rewrite all of a file's metadata. DuckDB 1.5 reuses parts of it by default: once tables were
dropped, no DuckDB before 1.4 can open the file any more ("Failed to load metadata pointer").
"""

DUCKDB_JOIN: Final = "SET GLOBAL max_vacuum_tasks = {}"
"""
How many times a checkpoint joins row groups of a table that fit into fewer groups. By default
DuckDB joins all that it finds: packages of another size than its row groups are then written
several times, 28 GB for a full refresh of ten million entries. Without joining, the few rows of
each run would keep their own block.
"""
DUCKDB_JOIN_ALL: Final = "RESET GLOBAL max_vacuum_tasks"

DUCKDB_KEEP_LOG: Final = "PRAGMA disable_checkpoint_on_shutdown"
DUCKDB_WRITE_LOG: Final = "PRAGMA enable_checkpoint_on_shutdown"

DUCKDB_HAS_TABLE: Final = (
    "SELECT COUNT(*) FROM duckdb_tables() WHERE database_name = current_database() "
    "AND lower(schema_name) = lower(?) AND table_name = ?"
)

DUCKDB_UNIQUE_INDEXES: Final = (
    "SELECT index_name FROM duckdb_indexes() WHERE database_name = current_database() "
    "AND lower(schema_name) = lower(?) AND table_name = ? AND is_unique"
)

DUCKDB_SCHEMAS_WITH: Final = (
    "SELECT table_schema FROM information_schema.tables WHERE table_name = ?"
)
