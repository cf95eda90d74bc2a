"""
Translate errors of dlt, DuckDB and the operating system into our own.

Every failure of the destination is raised as a :class:`DestinationError` that says what became of
the data.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest_source.dlt_internals import (
    INNER_ERRORS,
    ConfigurationException,
    DestinationException,
    DestinationTransientException,
    MissingDependencyException,
    failed_to_connect,
    is_of_sqlalchemy,
)
from harvest_source.errors import (
    DISK_FULL,
    ConfigError,
    DestinationError,
    HarvestError,
    TableRefusedError,
    find_cause,
    iter_causes,
    printable,
)
from harvest_source.installation import build_install_command
from harvest_source.process_limits import explain_lack
from harvest_source.warehouse.duckdb_errors import (
    MAKE_ROOM,
    explain_damage,
    is_damaged,
    is_locked,
)
from harvest_source.warehouse.target import Target

_MACHINE: Final = (
    *DISK_FULL,
    errno.EACCES,
    errno.EROFS,
    errno.EIO,
)
"""Error numbers that concern the machine and not the rows: the same package may load later."""
_OF_SYSTEM: Final = (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException)
"""
DuckDB's errors that quote the system's words: also of a commit that it could not write, and of each
use of the file after that. Other errors may quote rows instead.
"""
_REFUSALS: Final = (
    PipelineStepFailed,
    ConfigurationException,
    DestinationException,
    MissingDependencyException,
    duckdb.Error,
    OSError,
)
"""Errors of dlt, DuckDB and the operating system, except for a connection that cannot be opened."""
_OF_NAMES: Final = frozenset({"42P01", "42703", "42804", "42809", "42883"})
"""
PostgreSQL's codes for a table or column that does not exist or is of another kind, and for types
that an expression or a function does not take.
"""
_PASSWORD: Final = re.compile(
    r"(?<=://)[^/\s@]*@|(?<=password=)\S+|"
    r"(?<=[\"'])(?<!user [\"'])[^\"'\n]+@(?=[^\"'\s]*[\"'])",
    re.IGNORECASE,
)
"""
The user and password in a URL, the password in a list of settings, and what precedes @ in a quoted
host: the rest of a password with characters that end it in a URL.
"""
_CUT_PASSWORD: Final = re.compile(r"(?<!user )[\"'][^\"'\n]+@[^\"'\s]*[\"']")
_CAUSE: Final = re.compile(r"Cause: (?P<cause>.+?)\s*\. If you are running several", re.DOTALL)
"""What made dlt fail to create a schema, before its advice about pipelines that run at once."""
_LOCKED: Final = ("due to lock timeout", "lock wait timeout exceeded", "database is locked")
"""How PostgreSQL, MySQL with MariaDB, and SQLite say that they waited for a lock in vain."""
_ENCODE: Final = (
    "Its host contains @: in an address, write special characters of the password as %40 (@), "
    "%2F (/), %23 (#) and %3F (?), or give each setting a key of its own."
)
_MARKED: Final = "Conflict on tuple deletion"
_RAISED: Final = re.compile(r"^(?:(?:\w+\.)+[A-Z]\w*|\w+(?:Error|Exception|Retry)): ", re.MULTILINE)
"""
How the last lines of a traceback begin. Exceptions with a module need no such ending: psycopg2 has
``psycopg2.errors.UndefinedTable``, and PostgreSQL's own lines begin with ``DETAIL:``.
"""


@contextmanager
def as_destination_error(target: Target, describe_kept: Callable[[], str]) -> Iterator[None]:
    """
    Turn failures of dlt and of the destination into our own errors.

    Args:
        describe_kept: Called on failure; returns a sentence that says what became of the data.

    Raises:
        HarvestError: The source raised it inside dlt; it is unchanged.
        ConfigError: The destination lacks settings, or a driver that is not installed.
        DestinationError: The destination refused for any other reason.
    """
    try:
        yield
    except Exception as error:
        is_refusal = isinstance(error, _REFUSALS) or is_of_sqlalchemy(error)
        if not is_refusal and not failed_to_connect(error):
            raise
        ours = find_cause(error, HarvestError, attributes=INNER_ERRORS)
        if ours is not None:
            raise ours from error
        unset = find_cause(error, ConfigurationException, attributes=INNER_ERRORS)
        if unset is not None:
            raise build_settings_error(target, unset) from error
        undriven = find_cause(error, MissingDependencyException, attributes=INNER_ERRORS)
        if undriven is not None:
            raise build_driver_error(target, undriven) from error
        is_step = isinstance(error, PipelineStepFailed) and error.step == "extract"
        if is_step and find_cause(error, OSError, attributes=INNER_ERRORS) is None:
            raise  # Extracting does not touch the destination: this is a bug in the source.
        raise _build_refusal(target, error, describe_kept()) from error


def is_of_names(error: BaseException) -> bool:
    """Whether a database refused a statement for the names or types in it: its tables differ."""
    return any(
        isinstance(each, duckdb.BinderException | duckdb.CatalogException)
        or getattr(each, "pgcode", None) in _OF_NAMES
        for each in iter_causes(error, attributes=INNER_ERRORS)
    )


def is_temporary(target: Target, error: Exception) -> bool:
    """Whether trying again later may help: a full disk, a lock, a network; not a bad package."""
    causes = list(iter_causes(error, attributes=INNER_ERRORS))
    if any(isinstance(each, DestinationError) or _is_of_machine(each) for each in causes):
        return True
    # dlt calls every error of a DuckDB file transient, even that of a broken package.
    return target.database is None and any(
        isinstance(each, DestinationTransientException) or failed_to_connect(each)
        for each in causes
    )


def is_out_of_memory(error: Exception) -> bool:
    """
    Whether DuckDB needed more memory than its limit allows.

    dlt retries a job, and then DuckDB complains about the marks that the first attempt left.
    """
    return any(
        isinstance(each, duckdb.OutOfMemoryException) or _is_left_over(each)
        for each in iter_causes(error, attributes=INNER_ERRORS)
    )


def build_settings_error(target: Target, error: ConfigurationException) -> ConfigError:
    """Build the error that says which settings the destination lacks, and where to put them."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    what = printable(" ".join(lines[:2]), limit=400)
    return ConfigError(
        f"Destination {target.destination} lacks settings: {what} Put them into .dlt/secrets.toml "
        f"under [destination.{target.destination}.credentials]."
    )


def build_driver_error(target: Target, error: MissingDependencyException) -> ConfigError:
    """Build the error that names the missing libraries, and the command that installs them."""
    return ConfigError(
        f"Destination {target.destination} needs libraries that are not installed here. Nothing "
        f"was read and nothing changed. Install them: {build_install_command(error.dependencies)}"
    )


def build_table_refusal(
    target: Target, error: BaseException, table: str, *, root: str, remedy: str
) -> TableRefusedError:
    """
    Build the error that says that the destination refused the rows of one table.

    Args:
        root: The main table of *table*, or *table* itself.
        remedy: What to do: a sentence.
    """
    words = _last_words(str(_find_inner(error))).partition(" . The job has")[0]
    words = words if words.endswith((".", "!", "?")) else f"{words}."
    return TableRefusedError(
        f"The destination ({target}) refused {table}: {words} Its rows and its cursor are "
        f"unchanged; the next run reads it again. {remedy}",
        table=root,
    )


def _is_of_machine(error: BaseException) -> bool:
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or _is_left_over(error):
        return True
    if is_locked(error) or is_damaged(error):
        return True
    if isinstance(error, _OF_SYSTEM):
        return any(_says(error, number) for number in _MACHINE)
    return isinstance(error, OSError) and error.errno in _MACHINE


def _is_left_over(error: BaseException) -> bool:
    """
    Whether rows are marked as deleted by a statement that failed and was rolled back.

    DuckDB (1.5.6 and 2.0.1) leaves such marks when it runs out of memory; no other process can have
    left them, because this one has the file exclusively. Reopening the file removes them.
    """
    return isinstance(error, duckdb.TransactionException) and _MARKED in str(error)


def _says(error: BaseException, number: int) -> bool:
    """Whether *error* is the system's error *number*: DuckDB only quotes the system's words."""
    return os.strerror(number) in str(error)


def _build_refusal(target: Target, error: BaseException, kept: str) -> DestinationError:
    cause = _find_inner(error)
    if target.database is None and failed_to_connect(cause):
        is_cut = _CUT_PASSWORD.search(str(cause)) is not None
        hint = f" {_ENCODE}" if is_cut else ""
        return DestinationError(
            f"No connection to the destination ({target}): {_last_words(str(cause))} {kept} Check "
            "that the server runs, and host, port, database, username and password under "
            f"[destination.{target.destination}.credentials] in .dlt/secrets.toml, or in the "
            f"environment (DESTINATION__{target.destination.upper()}__CREDENTIALS).{hint}"
        )
    for each in iter_causes(error, attributes=INNER_ERRORS):
        if target.database is not None and is_damaged(each):
            return DestinationError(explain_damage(target.database, each, kept=kept))
    causes = iter_causes(error, attributes=INNER_ERRORS)
    full = next((each for each in causes if _is_disk_full(each)), None)
    what = f"The destination ({target}) refused: {_last_words(str(full or cause))}"
    if full is not None:
        return DestinationError(f"{what} {kept} {MAKE_ROOM}")
    if remedy := explain_lack(cause) or _find_remedy(target, str(cause)):
        return DestinationError(f"{what} {kept} {remedy}")
    return DestinationError(f"{what} {kept}")


def _find_remedy(target: Target, text: str) -> str:
    """What to do about a refusal of a server, if that is known."""
    if "Can't load plugin" in text:
        return (
            "Check the database and driver at the beginning of the address, such as "
            f"mysql+pymysql, under [destination.{target.destination}.credentials]."
        )
    if any(words in text.lower() for words in _LOCKED):
        return "Another session locks a table that this run needs. End it there, then run again."
    if target.destination == "postgres" and "permission denied" in text:
        return (
            f"A sync needs a user that owns schema {target.dataset} and its tables and may create "
            "schemas, for example: GRANT CREATE ON DATABASE name TO user. A reader's rights "
            "suffice for status, export and report."
        )
    if target.database is not None and "Permission denied" in text:
        folder = printable(target.database.absolute().parent)
        return f"Give this user the right to write in {folder}: DuckDB keeps a log beside the file."
    return ""


def _find_inner(error: BaseException) -> BaseException:
    """The error that made a step of dlt's pipeline fail; *error* itself if it is no step's."""
    while isinstance(error, PipelineStepFailed) and error.exception is not None:
        error = error.exception
    return error


def _is_disk_full(error: BaseException) -> bool:
    if isinstance(error, _OF_SYSTEM):
        return any(_says(error, number) for number in DISK_FULL)
    return isinstance(error, OSError) and error.errno in DISK_FULL


def _last_words(text: str) -> str:
    """Extract the message of a failed job from the traceback that dlt reports."""
    found = list(_RAISED.finditer(text))
    if found and "Traceback" in text:
        text = text[found[-1].end() :]
    if cause := _CAUSE.search(text):
        text = cause["cause"]
    line = printable(_PASSWORD.sub("***", text), limit=300)
    return line if line.endswith((".", "!", "?")) else f"{line}."
