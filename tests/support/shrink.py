"""A DuckDB file with much free space, and a process that shrinks it until it is killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import duckdb

from harvest_source.clock import SystemClock
from harvest_source.warehouse import shrinking
from harvest_source.warehouse.duckdb_file import DuckDBFile

ROWS = 150_000
_FREED = 1_000_000
"""Rows of a table that is dropped: they precede the others in the file."""
_CHANGES = ("BEGIN", "INSERT", "DELETE", "COMMIT", "SET enable_progress_bar = false; CHECKPOINT")


def file_at(path: Path) -> DuckDBFile:
    return DuckDBFile(path, SystemClock(), 5, lambda _: None)


def build(path: Path, made: str) -> DuckDBFile:
    """A file with much free space before the tables that *made* makes, from a table ``rows``."""
    file = file_at(path)
    with file.open("") as connection:
        connection.execute(
            f"""
            CREATE SCHEMA harvest; CREATE SCHEMA own;
            CREATE TABLE own.first AS SELECT i AS id FROM range(10) AS r(i); CHECKPOINT;
            CREATE TABLE freed AS SELECT hash(i) AS a FROM range({_FREED}) AS r(i);
            CREATE TABLE rows AS SELECT i AS id, hash(i) AS a FROM range({ROWS}) AS r(i);
            {made};
            DROP TABLE rows; CHECKPOINT; DROP TABLE freed; CHECKPOINT
            """
        )
    return file


class _Struck:
    """A connection that kills its process at a statement that changes the file."""

    left = 0
    delay_s = 0.0

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, query: str, parameters: Any = None) -> Any:
        if query.startswith(_CHANGES):
            _Struck.left -= 1
            if not _Struck.left and not self.delay_s:
                os.kill(os.getpid(), signal.SIGKILL)
            if not _Struck.left:  # There is no handler, so the system ends the process.
                signal.setitimer(signal.ITIMER_REAL, self.delay_s)
        return self._connection.execute(query, parameters)

    def __enter__(self) -> _Struck:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def shrink_struck() -> None:
    """Arguments: the file, the number of the change to strike, and the delay in seconds."""
    path, _Struck.left, _Struck.delay_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    whole: Any = DuckDBFile._open
    opened: Any = lambda file: _Struck(whole(file))  # noqa: E731 - in place of a method
    vars(shrinking)["_WORTH_BYTES"] = 1 << 20
    setattr(DuckDBFile, "_open", opened)  # noqa: B010 - a method of a frozen class
    print(shrinking.shrink(file_at(path), "harvest"))
