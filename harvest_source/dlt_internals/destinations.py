"""Find destinations by name; their clients and errors; and interrupts while they write."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import dlt
from dlt.common.configuration.exceptions import ConfigurationException as ConfigurationException
from dlt.common.destination import Destination
from dlt.common.destination.client import JobClientBase
from dlt.common.destination.exceptions import DestinationException as DestinationException
from dlt.common.destination.exceptions import (
    DestinationTransientException as DestinationTransientException,
)
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException as MissingDependencyException
from dlt.common.runtime import signals
from dlt.destinations.sql_client import SqlClientBase
from dlt.load.exceptions import LoadClientJobException

from harvest_source.dlt_internals.mysql_texts import use_long_texts
from harvest_source.dlt_internals.open_tables import OpenTables
from harvest_source.errors import find_cause
from harvest_source.termination import build_interrupt

# The exceptions above have no documented home. When dlt removes one, its next base class will do,
# as long as missing settings and errors of the destination can be distinguished.


SqlClient: TypeAlias = SqlClientBase[Any]
"""What ``Pipeline.sql_client()`` returns. The method is documented, its type has no public name."""

JobClient: TypeAlias = JobClientBase
"""What ``Pipeline.destination_client()`` returns."""

INNER_ERRORS: Final = (
    "exception",
    "client_exception",
    "job_exception",
    "dbapi_exception",
    "inner_exc",
)
"""
Attributes in which dlt's exceptions keep the exception that they wrap, besides ``__cause__``.

The attribute of ``PipelineStepFailed`` is documented; those of load jobs and of SQL clients are
not. Without them: the message, which quotes the inner traceback.
"""

_STATEMENT: Final = 4 * 1024 * 1024
"""Maximum length of a statement for PostgreSQL, in bytes; dlt fills half of it with rows."""


def find_failed_table(error: BaseException) -> str | None:
    """
    dlt's name of the table whose job made a load fail; None if no job caused the failure.

    Without ``LoadClientJobException``: the job's name, which the message quotes.
    """
    job = find_cause(error, LoadClientJobException, attributes=INNER_ERRORS)
    name = getattr(job, "job_id", None)
    return None if name is None else str(name).partition(".")[0]


def find_destination(name: str) -> Any | None:
    """
    Find dlt's destination called *name*, its settings not resolved yet; None if there is none.

    ``filesystem``, under whichever name, becomes our :class:`OpenTables`, ``sqlalchemy`` our
    :class:`PrivateSqlite`, and ``postgres`` our :class:`PatientPostgres`. Statements for PostgreSQL
    are limited to 4 MB: dlt's have up to 32 MB, each held in memory three times. Texts in MySQL and
    MariaDB are long. Without ``from_reference``: pass the name to ``dlt.pipeline`` and catch its
    error.
    """
    try:
        found: Any = Destination.from_reference(name)
    except (UnknownDestinationModule, DestinationException, ImportError):
        return None
    own: Any
    if type(found) is dlt.destinations.postgres:
        from harvest_source.dlt_internals.lock_waits import PatientPostgres

        found.caps_params.setdefault("max_query_length", _STATEMENT)
        own = PatientPostgres()
    elif type(found) is dlt.destinations.sqlalchemy:
        # Imported here: its class needs all of dlt's destinations, which DuckDB's commands skip.
        from harvest_source.dlt_internals.sqlite_client import PrivateSqlite

        use_long_texts(found)
        own = PrivateSqlite()
    elif type(found) is dlt.destinations.filesystem and not found.is_hf:
        own = OpenTables()
    else:
        return found
    own.config_params = dict(found.config_params)
    own.caps_params = dict(found.caps_params)
    return own


def failed_to_connect(error: BaseException) -> bool:
    """
    Whether *error* was raised while a connection to the destination was being opened.

    dlt wraps the exceptions of a database driver everywhere except there, and each driver has its
    own exceptions. Without ``open_connection``: the name of the method that then opens connections.
    """
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "open_connection" for frame, _ in frames)


def is_of_sqlalchemy(error: BaseException) -> bool:
    """
    Whether SQLAlchemy raised *error* about an address or its driver.

    dlt wraps only what it raises about a statement. SQLAlchemy may not be installed, so the class
    is known by its module.
    """
    return type(error).__module__ == "sqlalchemy.exc"


def supports_merge(destination: Any, strategy: str) -> bool:
    """Whether a destination supports a merge *strategy*. Without it: our own list of names."""
    return strategy in (destination.capabilities().supported_merge_strategies or ())


def find_merge_strategies(destination: Any, table: Any) -> tuple[str, ...]:
    """
    The merge strategies that a destination supports for *table*, given the table's format.

    Without the selector of ``capabilities``: our own list of names.
    """
    capabilities = destination.capabilities()
    found = capabilities.supported_merge_strategies or ()
    select = capabilities.merge_strategies_selector
    return tuple(select(found, table_schema=table) if select else found)


def limit_clause(client: SqlClient, rows: int) -> tuple[str, str]:
    """
    The text after SELECT and the text at the end of a query that limit it to *rows* rows.

    Without ``_limit_clause_sql``: fetch that many rows and close the cursor.
    """
    top, last = client._limit_clause_sql(rows)
    return top, last


@contextmanager
def delaying_interrupts() -> Iterator[None]:
    """
    Delay Ctrl-C and SIGTERM until the current write is complete, then end the run.

    dlt by itself would only skip the next job and report a failed load; after the last job it
    forgets the signal. Without ``signals``: our own handler for SIGINT and SIGTERM.

    Raises:
        KeyboardInterrupt: A signal came meanwhile; :class:`Terminated` if it was SIGTERM. Raised
            at the end of the block.
    """
    with signals.intercepted_signals():
        try:
            yield
        finally:
            if signals.was_signal_received():
                raise build_interrupt(signals._received_signal)
