"""Find what a person changed that makes the warehouse refuse a table, and how to undo it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.dlt_internals import INNER_ERRORS
from harvest_source.errors import find_cause, iter_causes, printable
from harvest_source.sql.statements import DUCKDB_UNIQUE_INDEXES

_COLUMN: Final = re.compile(r"source column (?P<column>\w+)")
"""How DuckDB names the column that a value does not fit."""

_UNIQUE: Final = re.compile(r'duplicate key value violates unique constraint "(?P<name>[^"]+)"')
"""How PostgreSQL refuses a duplicate row, in every version and with any client."""


def find_remedy(error: BaseException, database: Path | None, dataset: str, table: str) -> str:
    """
    Explain how *table* can be loaded again, with the statement; a general hint if that is unknown.

    Args:
        database: The DuckDB file; None for another destination.
    """
    place = f"{dataset}.{table}"
    misfit = find_cause(error, duckdb.ConversionException, attributes=INNER_ERRORS)
    if misfit is not None and (found := _COLUMN.search(str(misfit))):
        column = found["column"]
        return (
            f"The type of column {column} does not match Harvest's field of that name: was it "
            "added or changed by hand? Rename it, and the next run makes the column again: ALTER "
            f"TABLE {place} RENAME COLUMN {column} TO my_{column}"
        )
    doubled = find_cause(error, duckdb.ConstraintException, attributes=INNER_ERRORS)
    if doubled is not None and database is not None:
        indexes = [f"DROP INDEX {dataset}.{name};" for name in _find_indexes(database, place)]
        if indexes:
            return (
                "It has a unique index of your own, which fails when a merge deletes and inserts "
                f"a row in one transaction. Drop it: {' '.join(indexes)}"
            )
    if database is None and (refused := _find_refusal(error)):
        return (
            f"It has a unique index or constraint of your own, {refused}. Drop it: DROP INDEX "
            f"{dataset}.{refused}; or, if it is a constraint: ALTER TABLE {place} DROP CONSTRAINT "
            f"{refused};"
        )
    return (
        f"If {place} was changed by hand, undo that, or drop it: the next run makes it again and "
        f"reads it from the beginning. DROP TABLE {place}"
    )


def _find_refusal(error: BaseException) -> str | None:
    """The unique index or constraint that a server names in its refusal."""
    texts = map(str, iter_causes(error, attributes=INNER_ERRORS))
    found = next(filter(None, map(_UNIQUE.search, texts)), None)
    return printable(found["name"], limit=80) if found else None


def _find_indexes(database: Path, place: str) -> list[str]:
    dataset, _, table = place.partition(".")
    with duckdb.connect(str(database)) as connection:
        found = connection.execute(DUCKDB_UNIQUE_INDEXES, [dataset, table]).fetchall()
    return [printable(name, limit=80) for (name,) in found]
