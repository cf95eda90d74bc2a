"""How dlt rewrites the name of a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from harvest_source.errors import printable
from harvest_source.sql.maintenance import DUCKDB_SCHEMAS

if TYPE_CHECKING:
    import duckdb

_PLAIN: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SHORT: Final = 60
"""Length in characters of names that dlt shortens for no destination; PostgreSQL allows 63."""


def explain_other_name(dataset: str, find_name: Callable[[], str]) -> str:
    """
    Warn of a name that dlt rewrites, since queries need the new one; empty if dlt keeps the name.

    Args:
        find_name: Returns the name in the destination. Called only for a name that is not plain,
            because dlt has to build a client for it, which takes a part of a run without changes.
    """
    is_plain = _PLAIN.fullmatch(dataset) and len(dataset) <= _SHORT
    if is_plain or (name := find_name()) == dataset:
        return ""
    return (
        f"dlt names dataset {printable(dataset, limit=80)} {name} in the destination: write "
        f"{name}.time_entries in queries, or choose a short name of lower-case letters, digits and "
        "_ with --dataset."
    )


def find_rewritten(dataset: str) -> str:
    """The name that dlt makes of a dataset's in a DuckDB file; empty if dlt keeps the name."""
    if _PLAIN.fullmatch(dataset):
        return ""
    # Imported here: processes that answer questions use this module, and start without dlt.
    from harvest_source.dlt_internals import normalize_name

    name = normalize_name(dataset)
    return "" if name == dataset else name


def choose_schema(connection: duckdb.DuckDBPyConnection, dataset: str) -> str:
    """
    Choose the schema of a dataset in a DuckDB file: dlt may have rewritten the name.

    Returns:
        *dataset* if it has tables there, or if neither it nor the name that dlt makes of it has.
    """
    return choose_existing(connection, dataset, find_rewritten(dataset))


def choose_existing(connection: duckdb.DuckDBPyConnection, dataset: str, rewritten: str) -> str:
    """
    Choose between a dataset's name and the one that dlt makes of it, as :func:`choose_schema` does.

    Args:
        rewritten: Empty if dlt keeps the name.
    """
    if not rewritten:
        return dataset
    schemas = {name for (name,) in connection.execute(DUCKDB_SCHEMAS).fetchall()}
    return rewritten if dataset not in schemas and rewritten in schemas else dataset
