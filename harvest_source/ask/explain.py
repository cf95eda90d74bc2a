"""Errors of DuckDB in words that tell a person, or a model, what to try."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.ask.exchange import BUSY, FAILED, MISSING, REFUSED
from harvest_source.errors import printable

_OF_THE_QUERY: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)
"""Errors that were made before a row was read: they hold words of the query alone."""
_QUOTED: Final = re.compile(r"""['"`<(]|\d{4,}""")
_LOCKED: Final = ("conflicting lock", "set lock on file", "used by another process")


def explain_error(path: Path, error: duckdb.Error) -> tuple[str, str]:
    """The kind of an error, and one line that says what to do."""
    text = str(error)
    if any(words in text.lower() for words in _LOCKED):
        return BUSY, f"{path.name} is in use by a process that writes it. Try again in a moment."
    if not path.exists():
        return MISSING, f"There is no warehouse {path}. Fill it first: harvest-source sync"
    if isinstance(error, duckdb.OutOfMemoryException):
        return FAILED, "The query needs more memory than it may have. Read fewer rows at a time."
    if isinstance(error, duckdb.PermissionException):
        return REFUSED, "A query may not reach anything but the warehouse's tables."
    # What stands behind the first line quotes the query and points into it.
    line = text.partition("\n")[0]
    if not isinstance(error, _OF_THE_QUERY):
        # Such an error may quote a value of a row, which is not ours to say: cut before it.
        line = _QUOTED.split(line)[0].rstrip(" :") + ". TRY_CAST and TRY give null instead."
    return FAILED, printable(line, limit=300)
