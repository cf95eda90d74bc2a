"""Why a DuckDB file cannot be opened or read, from each DuckDB version's messages."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest

from harvest_source.errors import DestinationError
from harvest_source.warehouse.duckdb_errors import (
    explain_error,
    find_holder,
    is_damaged,
    is_locked,
)
from harvest_source.warehouse.failures import as_destination_error, is_temporary
from harvest_source.warehouse.target import Target

KEPT = "Nothing is lost."
LOCKED = (
    'IO Error: Could not set lock on file "/w/a.duckdb": Conflicting lock is held in '
    "/usr/bin/python3.11 (PID 4711). See also https://duckdb.org/docs/connect/concurrency"
)
WINDOWS_LOCKED = (
    'IO Error: Cannot open file "c:\\\\a.duckdb": The process cannot access the file because it is '
    "being used by another process. File is already open in C:\\\\python.exe (PID 4711)"
)
NEWER = {
    64: "Trying to read a database file with version number 999, but we can only read version 64.",
    67: "Trying to read a database file with version number 999, but we can only read versions "
    "between 64 and 67.",
    68: "Trying to read a database file with version number 69, but we can only read versions "
    "between 64 and 68.\nThe database file was created with a newer version of DuckDB.",
}
"""Messages of DuckDB 1.0.0, 1.4.5 and 1.5.6 on a file from 2.0.1, by the newest they read."""
OLDER = (
    "Trying to read a database file with version number 43, but we can only read versions between "
    "64 and 68.\nThe database file was created with an older version of DuckDB."
)


def explain(error: duckdb.Error, path: Path) -> str:
    """The message for an error that DuckDB raised."""
    return explain_error(path, error, wait_s=5, kept=KEPT)


@pytest.mark.parametrize("text", [LOCKED, WINDOWS_LOCKED])
def test_the_process_that_holds_the_file_is_named(text: str, tmp_path: Path) -> None:
    """The message says who has the file, what became of the data, and how to wait for longer."""
    error = duckdb.IOException(text)
    assert is_locked(error)
    message = explain(error, tmp_path / "a.duckdb")
    assert "(PID 4711)" in message
    assert KEPT in message
    assert "destination_wait" in message


@pytest.mark.parametrize("why", ["No space left on device", os.strerror(errno.EDQUOT)])
def test_a_full_disk_needs_room(why: str, tmp_path: Path) -> None:
    """The next step is to make room, not to name another file; also if a quota is used up."""
    path = tmp_path / "a.duckdb"
    text = f'IO Error: Could not write file "{path}": {why}'
    message = explain(duckdb.IOException(text), path)
    assert message.endswith(f"{KEPT} Make room on that disk, then run again.")


def test_an_unknown_holder_is_called_another_process() -> None:
    """DuckDB cannot always tell which process has the file."""
    assert find_holder(duckdb.IOException("Could not set lock on file")) == "another process"


@pytest.mark.parametrize("newest", NEWER)
def test_a_file_from_a_newer_duckdb_is_reported_as_such(newest: int, tmp_path: Path) -> None:
    """The error has both versions and what to install; it does not deny that it is a database."""
    message = explain(duckdb.IOException(NEWER[newest]), tmp_path / "a.duckdb")
    assert "was made by a newer DuckDB" in message
    assert duckdb.__version__ in message
    assert f"reads up to {newest}" in message
    assert message.endswith("--upgrade duckdb")


def test_a_file_from_an_older_duckdb_is_reported_as_such(tmp_path: Path) -> None:
    """The file is from before DuckDB's storage format was stable."""
    message = explain(duckdb.IOException(OLDER), tmp_path / "a.duckdb")
    assert "made by a DuckDB older than 0.10" in message


@pytest.mark.parametrize(
    "text",
    [
        "Corrupt database file: computed checksum 1 does not match stored checksum 2 in block 7",
        'IO Error: Could not read enough bytes from file "/w/a.duckdb": attempted to read 3288',
        'Failure while replaying WAL file "/w/a.duckdb.wal": Corrupt WAL file',
        # A log beside another file, in DuckDB 2 and before.
        'IO Error: Failure while replaying WAL file "/w/a.duckdb.wal": This WAL was created for '
        "this database file, but the WAL checkpoint iteration does not match the database file.",
        "IO Error: This WAL was created for this database file, but the WAL checkpoint iteration "
        "does not match the database file.",
        'TransactionContext Error: Failure while replaying WAL file "/w/a.duckdb.wal": Conflict on '
        "tuple deletion!",
    ],
)
def test_damage_found_while_reading_has_a_remedy(text: str) -> None:
    """A block is read long after opening; the error says what is kept and how to move the file."""
    target, error = Target(database=Path("a.duckdb")), duckdb.IOException(text)
    assert is_damaged(error)
    assert is_temporary(target, error)
    with (
        pytest.raises(DestinationError, match=r"Nothing is lost.*mv a\.duckdb\S* a\.duckdb\S*"),
        as_destination_error(target, lambda: KEPT),
    ):
        raise error


def test_only_duckdbs_own_errors_count_as_lock_or_damage() -> None:
    """Only DuckDB's own errors count: a person's note may contain the same words."""
    error = ValueError("Could not set lock on file. Corrupt database file")
    assert not is_locked(error)
    assert not is_damaged(error)
