"""Explains DuckDB's errors to a person, or a model, with what to try."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.ask.exchange import BUSY, FAILED, REFUSED, UNREADABLE
from harvest_source.ask.models import MART
from harvest_source.errors import printable
from harvest_source.next_command import build_command, suggest_sandbox
from harvest_source.warehouse.duckdb_errors import explain_damage, is_damaged, is_locked
from harvest_source.warehouse.duckdb_errors import explain_error as explain_opening

_OF_THE_QUERY: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
)
"""Errors raised before a row is read: they contain only words of the query."""
_QUOTING: Final = (duckdb.ConversionException, duckdb.OutOfRangeException)
"""Errors that quote a row's value in quotation marks; others may repeat it anywhere."""
_QUOTED: Final = re.compile(r"""['"`<(]|\d{4,}""")
_KEPT: Final = "Nothing was read."
_OF_MODELS: Final = (
    "If models of another version of harvest-source lack the column, build them again: "
    "harvest-source transform, with the --database, --dataset and --pipeline of your sync"
)
"""Names no path: the answer may go to another machine."""


class NotOpenedError(Exception):
    """The file cannot be opened, or is damaged; *kind* is the error kind of the reply."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def build_opening_error(path: Path, error: duckdb.Error, *, wait_s: float) -> NotOpenedError:
    """
    Build the error that says why a file cannot be opened, and what to do.

    Args:
        wait_s: How long the caller waits while other processes have the file open.
    """
    if not path.exists() and not path.is_symlink():
        command = build_command("sync", database=path)
        what = f"There is no warehouse {path}.{suggest_sandbox(path)} Fill it first: {command}"
        return NotOpenedError(UNREADABLE, what)
    kind = BUSY if is_locked(error) else UNREADABLE
    what = explain_opening(path, error, kept=_KEPT, wait_s=wait_s, only_reads=True)
    return NotOpenedError(kind, what)


def explain_failure(path: Path, error: duckdb.Error, sql: str) -> tuple[str, str]:
    """
    Return the kind of a query's error, and one line that explains it.

    Args:
        sql: The caller's statement; empty if it is not the caller's.
    """
    if is_damaged(error):
        return UNREADABLE, explain_damage(path, error, kept=_KEPT)
    if isinstance(error, duckdb.OutOfMemoryException):
        return FAILED, "The query needs more memory than it may use. Read fewer rows at a time."
    if isinstance(error, duckdb.PermissionException):
        return REFUSED, "A query may read only the warehouse's tables."
    # The lines after the first quote the query and mark a position in it.
    line = str(error).partition("\n")[0]
    if not isinstance(error, _OF_THE_QUERY):
        line = f"{_redact_values(error, line)}. TRY_CAST and TRY give null instead."
    said = printable(line, limit=300)
    if isinstance(error, duckdb.BinderException) and MART in sql:
        said = f"{said.rstrip('.!')}. {_OF_MODELS}"
    return FAILED, said


def _redact_values(error: duckdb.Error, line: str) -> str:
    """Remove values of rows from *line*: the caller may not be allowed to see them."""
    if isinstance(error, _QUOTING):
        return _QUOTED.split(line)[0].rstrip(" :")
    return line.partition(":")[0]
