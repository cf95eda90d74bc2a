"""Destinations by name, their clients, what they raise, and interrupts while they write."""

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

from harvest_source.dlt_internals.open_tables import OpenTables
from harvest_source.errors import find_cause

# The exceptions above have no documented home. When one goes: dlt's next base class will do, as
# long as missing settings and refusals of the destination can be distinguished.


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
Attributes in which dlt's exceptions keep the exception that they stand for, beside ``__cause__``.

That of ``PipelineStepFailed`` is documented; those of load jobs and of SQL clients are not. Without
them: the message, which quotes the inner traceback.
"""

_STATEMENT: Final = 4 * 1024 * 1024
"""Bytes of the longest statement for PostgreSQL; dlt fills half of it with rows."""


def find_failed_table(error: BaseException) -> str | None:
    """
    dlt's name of the table whose job made a load fail; None when it was no job.

    Without ``LoadClientJobException``: the job's name, which the message quotes.
    """
    job = find_cause(error, LoadClientJobException, attributes=INNER_ERRORS)
    name = getattr(job, "job_id", None)
    return None if name is None else str(name).partition(".")[0]


def find_destination(name: str) -> Any | None:
    """
    dlt's destination called *name*, with its settings not resolved yet; None if there is none.

    Of ``filesystem``, under whichever name, our :class:`OpenTables`. Statements for PostgreSQL are
    shorter than dlt's of 32 MB, each of which is in memory three times. Without ``from_reference``:
    pass the name to ``dlt.pipeline`` and catch its error.
    """
    try:
        found: Any = Destination.from_reference(name)
    except (UnknownDestinationModule, DestinationException, ImportError):
        return None
    if type(found) is dlt.destinations.postgres:
        found.caps_params.setdefault("max_query_length", _STATEMENT)
    if type(found) is not dlt.destinations.filesystem or found.is_hf:
        return found
    own: Any = OpenTables()
    own.config_params = dict(found.config_params)
    own.caps_params = dict(found.caps_params)
    return own


def failed_to_connect(error: BaseException) -> bool:
    """
    Whether *error* was raised while a connection to the destination was being opened.

    dlt wraps what a database's driver raises, except there, and each driver has exceptions of its
    own. Without ``open_connection``: whatever its clients' method of that purpose is called.
    """
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "open_connection" for frame, _ in frames)


def supports_merge(destination: Any, strategy: str) -> bool:
    """Whether a destination can merge by *strategy*. Without it: a list of names of ours."""
    return strategy in (destination.capabilities().supported_merge_strategies or ())


def find_merge_strategies(destination: Any, table: Any) -> tuple[str, ...]:
    """
    The merge strategies that a destination has for *table*, its table format considered.

    Without the selector of ``capabilities``: a list of names of ours.
    """
    capabilities = destination.capabilities()
    found = capabilities.supported_merge_strategies or ()
    select = capabilities.merge_strategies_selector
    return tuple(select(found, table_schema=table) if select else found)


def limit_clause(client: SqlClient, rows: int) -> tuple[str, str]:
    """
    What stands after SELECT and at a query's end, so that at most *rows* rows come.

    Without ``_limit_clause_sql``: fetch as many rows and close the cursor.
    """
    top, last = client._limit_clause_sql(rows)
    return top, last


@contextmanager
def delaying_interrupts() -> Iterator[None]:
    """
    Let Ctrl-C end the run once what is being written is written.

    dlt by itself would only not begin the next job, call that a failed load, and forget the signal
    after the last job. Without ``signals``: a handler of our own for SIGINT and SIGTERM.

    Raises:
        KeyboardInterrupt: At the end, if a signal came meanwhile.
    """
    with signals.intercepted_signals():
        try:
            yield
        finally:
            if signals.was_signal_received():
                raise KeyboardInterrupt
