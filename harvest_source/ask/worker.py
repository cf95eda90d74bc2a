"""
The process that runs one statement: ``python -m harvest_source.ask.worker``.

Reads one request as JSON from stdin, writes one answer as JSON to stdout, and ends. It has no
credentials in its environment and writes no file.
:class:`~harvest_source.ask.runner.Runner` kills it when it takes too long, because interrupting a
DuckDB connection does not stop every function.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from harvest_source.ask.exchange import FAILED, MAX_SQL_BYTES, READY, REFUSED, Reply, Request
from harvest_source.ask.locked_connection import open_locked, open_warehouse
from harvest_source.ask.plain_values import to_plain
from harvest_source.ask.prepare import prepare
from harvest_source.ask.statement_guard import (
    StatementRefused,
)

_NO_VALUE: Final = (
    "A value, of a filter or an id, does not fit its column. Dates look like 2026-01-31. "
    "The types: describe_table, or harvest-source tables."
)
_TOO_LARGE: Final = "A value of the answer is too large. Cast it to text: CAST(x AS VARCHAR)."
_OVERHEAD_MB: Final = 1024
"""Address space in addition to DuckDB's memory: libraries, stacks, the answer."""


@dataclass(slots=True)
class _Cutter:
    """Shortens long texts, and remembers whether it did."""

    limit: int
    is_cut: bool = field(default=False)

    def cut(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > self.limit:
            self.is_cut = True
            return value[: self.limit]
        return value


def answer(request: Request, open_file: Callable[[Request], Any] | None = None) -> Reply:
    """
    Answer a request; expected failures become replies too.

    Args:
        open_file: Opens the warehouse; None: as the worker process does.
    """
    import duckdb

    from harvest_source.ask.explain import NotOpenedError, explain_failure

    try:
        with (open_file or _open)(request) as connection:
            return run(connection, request)
    except StatementRefused as refusal:
        return Reply(error=str(refusal), error_kind=REFUSED)
    except NotOpenedError as error:
        return Reply(error=str(error), error_kind=error.kind)
    except duckdb.Error as error:
        if request.question and isinstance(error, duckdb.ConversionException):
            return Reply(error=_NO_VALUE, error_kind=REFUSED)
        kind, message = explain_failure(Path(request.path), error, request.sql)
        return Reply(error=message, error_kind=kind)
    except OverflowError:
        # Python has no such value, as of intervals of millions of years.
        return Reply(error=_TOO_LARGE, error_kind=FAILED)
    except MemoryError:
        return Reply(error="The query needs more memory than it may use.", error_kind=FAILED)


def _open(request: Request) -> Any:
    import duckdb

    from harvest_source.ask.explain import build_opening_error

    path, limits = Path(request.path), {"memory_mb": request.memory_mb, "threads": request.threads}
    try:
        if request.reach is not None:
            return open_warehouse(path, request.schemas, **limits)
        return open_locked(path, request.schemas, **limits)
    except duckdb.Error as error:
        raise build_opening_error(path, error, wait_s=request.wait_s) from error


def run(connection: Any, request: Request) -> Reply:
    """
    Run a request on *connection*, which is already locked if the caller may read everything.

    For a limited caller, it is locked after the caller's part of the file was copied.

    Raises:
        StatementRefused: The statement was refused, and not run.
        duckdb.Error: DuckDB could not run it.
    """
    if len(request.sql.encode()) > MAX_SQL_BYTES:
        msg = f"The query is longer than {MAX_SQL_BYTES:,} bytes."
        raise StatementRefused(msg)
    prepared = prepare(connection, request)
    built, as_of = prepared.built, prepared.as_of
    cursor = connection.execute(built.sql, list(built.parameters) or None)
    columns = tuple((each[0], str(each[1])) for each in cursor.description or ())
    drawn = cursor.fetchmany(request.max_rows + 1)
    cutter = _Cutter(request.max_cell)
    rows = tuple(
        tuple(cutter.cut(to_plain(value)) for value in row) for row in drawn[: request.max_rows]
    )
    has_more = len(drawn) > request.max_rows
    tables = tuple(str(each) for each in built.tables)
    return Reply(columns, rows, has_more, cutter.is_cut, tables, as_of)


def _limit_process(request: Request) -> None:
    """Limit memory, processor time and written bytes, where the system supports it."""
    with contextlib.suppress(ImportError):
        import resource

        size = (request.memory_mb + _OVERHEAD_MB) * 1024 * 1024
        for limit, value in (
            (resource.RLIMIT_AS, size),
            # Ends the worker even if its caller is gone.
            (resource.RLIMIT_CPU, request.seconds * request.threads + 1),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, value))


def main() -> int:
    """Answer one request."""
    import duckdb  # noqa: F401  # Takes most of the start; a waiting worker has done it.

    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # The caller no longer needs an answer.
    request = Request(**json.loads(line))
    _limit_process(request)
    reply = answer(request)
    sys.stdout.buffer.write(json.dumps(asdict(reply)).encode() + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
