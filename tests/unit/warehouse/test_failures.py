"""Errors of dlt, DuckDB and the system, translated to our errors by type."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.configuration.exceptions import ConfigurationValueError
from dlt.common.destination.exceptions import (
    DestinationTerminalException,
    DestinationTransientException,
)
from dlt.destinations.exceptions import DatabaseTerminalException, DatabaseTransientException
from dlt.load.exceptions import LoadClientJobRetry
from dlt.pipeline.exceptions import PipelineStepFailed
from sqlalchemy.exc import NoSuchModuleError

from harvest_source.errors import ConfigError, DestinationError, HarvestError, ServerError
from harvest_source.warehouse.failures import as_destination_error, is_temporary
from harvest_source.warehouse.target import Target

FILE = Target(database=Path("w.duckdb"))
REMOTE = Target("postgres")
KEPT = "The rows wait."


def step_failed(cause: BaseException, step: Any = "load") -> PipelineStepFailed:
    """The error that ``Pipeline.run`` raises around *cause*."""

    class Pipeline:
        pipeline_name = "harvest"
        has_pending_data = False

    pipeline: Any = Pipeline()
    nothing: Any = None
    error = PipelineStepFailed(pipeline, step, nothing, cause, nothing)
    error.__cause__ = cause
    return error


def job_failed(cause: BaseException) -> PipelineStepFailed:
    """The error of a load job that gave up, as dlt reports it: with a traceback in its message."""
    text = f"Traceback (most recent call last):\n  File ...\nduckdb.Error: {cause}"
    return step_failed(LoadClientJobRetry("1", "job", 5, 5, text, cause))


def translate(error: BaseException, target: Target = FILE) -> BaseException:
    """The error that leaves the warehouse when *error* is raised in it."""
    try:
        with as_destination_error(target, lambda: KEPT):
            raise error
    except BaseException as raised:
        return raised


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException("IO Error: Could not write"),
        duckdb.OutOfMemoryException("Out of Memory Error"),
        DatabaseTerminalException(duckdb.ConstraintException("NOT NULL")),
        OSError(errno.EIO, "Input/output error"),
        job_failed(DatabaseTransientException(duckdb.BinderException("no column"))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_of_the_destination_is_a_destination_error(error: BaseException) -> None:
    """The result is a DestinationError with the file, and with what became of the data."""
    raised = translate(error)
    assert isinstance(raised, DestinationError)
    assert "w.duckdb" in str(raised)
    assert KEPT in str(raised)
    assert "Traceback" not in str(raised)
    assert raised.__cause__ is error


def test_our_own_errors_are_raised_unchanged() -> None:
    """An error that the source raised while dlt read rows from it is raised itself."""
    ours = ServerError("Harvest gave up", path="/v2/clients")
    assert translate(step_failed(ours, "extract")) is ours


def test_missing_settings_are_a_configuration_error() -> None:
    """The exit code is 2, and the error says where the settings belong."""
    raised = translate(step_failed(ConfigurationValueError("no password")), REMOTE)
    assert isinstance(raised, ConfigError)
    assert "[destination.postgres.credentials]" in str(raised)


def test_a_bug_in_the_source_stays_a_bug() -> None:
    """An extraction error that is neither ours nor the disk's is not the destination's."""
    error = step_failed(KeyError("id"), "extract")
    assert translate(error) is error


def test_a_full_disk_while_extracting_is_a_destination_error() -> None:
    """dlt writes what it extracts into its folder."""
    raised = translate(step_failed(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "extract"))
    assert isinstance(raised, DestinationError)
    assert "Make room on that disk" in str(raised)


UNWRITTEN = (
    duckdb.TransactionException(
        "TransactionContext Error: Failed to commit: Could not write file "
        f'"w.duckdb.wal": {os.strerror(errno.ENOSPC)}'
    ),
    duckdb.FatalException(
        "FATAL Error: Failed: database has been invalidated because of a previous fatal error.\n"
        f'Original error: "Could not write file "w.duckdb.wal": {os.strerror(errno.ENOSPC)}"'
    ),
)
"""What DuckDB says of a commit for which the disk has no room, and of each later connection."""


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException(f"IO Error: Could not write file: {os.strerror(errno.ENOSPC)}"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        job_failed(
            DatabaseTransientException(duckdb.IOException(f"IO Error: {os.strerror(errno.ENOSPC)}"))
        ),
        *(job_failed(DatabaseTransientException(each)) for each in UNWRITTEN),
    ],
    ids=["DuckDB", "the system", "a load job", "a commit", "after a commit"],
)
def test_a_full_disk_is_named(error: BaseException) -> None:
    """The message quotes the system and says what to do, wherever the error came from."""
    message = str(translate(error))
    assert os.strerror(errno.ENOSPC) in message
    assert "Make room on that disk" in message


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException(f"IO Error: Could not write file: {os.strerror(errno.EDQUOT)}"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    ],
    ids=["DuckDB", "the system"],
)
def test_an_exhausted_quota_is_named_like_a_full_disk(error: BaseException) -> None:
    """A user whose share of the disk is used up has to make room too."""
    message = str(translate(error))
    assert os.strerror(errno.EDQUOT) in message
    assert "Make room on that disk" in message


def test_too_few_threads_are_named() -> None:
    """A load that cannot start its threads names the limit of the process."""
    error = translate(step_failed(RuntimeError("can't start new thread")))
    assert f"{KEPT} Not enough memory or threads" in str(error)


def test_only_the_message_at_the_end_of_a_traceback_is_shown() -> None:
    """Of a job's traceback, only the message at its end is shown."""
    raised = str(translate(job_failed(duckdb.BinderException("column x is unknown"))))
    assert "refused: column x is unknown. " in raised


def test_a_drivers_exception_ends_a_traceback_without_error_in_its_name() -> None:
    """PostgreSQL's exceptions are named after its conditions; its own lines end no traceback."""
    text = (
        "Traceback (most recent call last):\n  File ...\npsycopg2.errors.UndefinedTable: no such\n"
        "Traceback (most recent call last):\n  File ...\n"
        'dlt.destinations.exceptions.DatabaseUndefinedRelation: relation "x" is unknown\n'
        "DETAIL: none"
    )
    raised = str(translate(step_failed(LoadClientJobRetry("1", "job", 5, 5, text, OSError()))))
    assert 'refused: relation "x" is unknown DETAIL: none' in raised
    assert "Traceback" not in raised


def open_connection(error: BaseException) -> None:
    """Fail as dlt's method of this name does."""
    raise error


def refuse_connection(text: str) -> str:
    """The message if the driver says *text* while a connection is opened."""
    with pytest.raises(DestinationError) as caught, as_destination_error(REMOTE, lambda: KEPT):
        open_connection(RuntimeError(text))
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'could not translate host name "s3cret@db.example" to address',
        "Can't connect to MySQL server on 's3cret@db.example' (Name or service not known)",
    ],
)
def test_the_end_of_a_password_is_not_shown_as_a_host(text: str) -> None:
    """``/`` and ``#`` end a password in an address; what follows them is parsed as the host."""
    raised = refuse_connection(text)
    assert "s3cret" not in raised
    assert "***db.example" in raised
    assert "write special characters of the password as %40" in raised


def test_a_user_may_have_a_name_with_an_at_sign() -> None:
    """A user's name is no password."""
    raised = refuse_connection('password authentication failed for user "me@corp"')
    assert '"me@corp"' in raised
    assert "special characters" not in raised


def test_a_missing_right_is_named_with_the_statement_that_grants_it() -> None:
    """dlt's advice about pipelines that run at once is left out."""
    text = (
        "dlt cannot create the dataset of schema `harvest`. Cause: permission denied for database "
        "w . If you are running several pipelines that load to the same dataset, retry."
    )
    raised = str(translate(DestinationTerminalException(text), REMOTE))
    assert "refused: permission denied for database w. " in raised
    assert "GRANT CREATE ON DATABASE" in raised


def test_an_address_with_an_unknown_driver_is_a_refusal() -> None:
    """SQLAlchemy raises its own exception, which dlt does not wrap."""
    raised = translate(NoSuchModuleError("Can't load plugin: sqlalchemy.dialects:nodb"), REMOTE)
    assert isinstance(raised, DestinationError)
    assert "such as mysql+pymysql" in str(raised)


PASSING = [
    DestinationError("in use"),
    MemoryError(),
    duckdb.OutOfMemoryException("Out of Memory Error: could not allocate"),
    duckdb.IOException('IO Error: Could not set lock on file "w.duckdb"'),
    *(OSError(number, os.strerror(number)) for number in (errno.ENOSPC, errno.EACCES, errno.EROFS)),
    *(
        duckdb.IOException(f"IO Error: Cannot open file: {os.strerror(number)}")
        for number in (errno.ENOSPC, errno.EACCES, errno.EIO)
    ),
    *UNWRITTEN,
]
LASTING = [
    duckdb.ConversionException(f"Could not convert '{os.strerror(errno.ENOSPC)}' to INT64"),
    duckdb.InvalidInputException("No magic bytes found at end of file"),
    duckdb.IOException('IO Error: No files found that match the pattern "a.parquet"'),
    FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)),
    KeyError("schema"),
    DestinationTerminalException(),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
@pytest.mark.parametrize("wrap", [lambda error: error, job_failed], ids=["bare", "in a job"])
def test_a_temporary_failure_keeps_the_package(error: Exception, wrap: Any) -> None:
    """A lock, memory or a disk's state may pass: the package stays and is retried."""
    assert is_temporary(FILE, wrap(error))
    assert is_temporary(REMOTE, wrap(error))


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_a_permanent_failure_drops_the_package(error: Exception) -> None:
    """A broken package stays broken: it is given up, and its rows are read again."""
    assert not is_temporary(FILE, step_failed(error))
    assert not is_temporary(REMOTE, step_failed(error))


def test_transient_errors_count_for_servers_only() -> None:
    """dlt calls every error of a DuckDB file transient, even for a broken package."""
    error = step_failed(DestinationTransientException())
    assert is_temporary(REMOTE, error)
    assert not is_temporary(FILE, error)


def test_every_error_of_ours_is_a_harvest_error() -> None:
    """Callers catch one type."""
    raised = translate(duckdb.IOException("x"))
    assert isinstance(raised, HarvestError)
