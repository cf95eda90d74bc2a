"""Opening the DuckDB file: waiting for it, and why it cannot be opened."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from harvest_source.errors import DestinationError
from harvest_source.warehouse.duckdb_file import (
    DuckDBFile,
    explain_error,
    find_holder,
    is_locked,
)
from tests.clocks import FakeClock

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
"""What DuckDB 1.0.0, 1.4.5 and 1.5.6 say of a file that 2.0.1 made, by the newest they read."""
OLDER = (
    "Trying to read a database file with version number 43, but we can only read versions between "
    "64 and 68.\nThe database file was created with an older version of DuckDB."
)


def file_at(path: Path) -> DuckDBFile:
    return DuckDBFile(path, FakeClock(), 5, lambda _: None)


def explain(error: duckdb.Error, path: Path) -> str:
    """The message for an error that DuckDB raised."""
    return explain_error(path, error, wait_s=5, kept=KEPT)


def test_a_file_is_made_for_old_clients(tmp_path: Path) -> None:
    """Opening one that is not there makes it, in the storage version that DuckDB 1.0 reads."""
    path = tmp_path / "new.duckdb"
    with file_at(path).open(KEPT) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a; CHECKPOINT")
    assert int.from_bytes(path.read_bytes()[12:20], "little") == 64


@pytest.mark.parametrize("text", [LOCKED, WINDOWS_LOCKED])
def test_the_holder_is_named(text: str, tmp_path: Path) -> None:
    """Who has the file, what became of the data, and the setting to wait for longer."""
    error = duckdb.IOException(text)
    assert is_locked(error)
    message = explain(error, tmp_path / "a.duckdb")
    assert "(PID 4711)" in message
    assert KEPT in message
    assert "destination_wait" in message


def test_a_holder_that_is_not_said() -> None:
    """DuckDB cannot always tell who has the file."""
    assert find_holder(duckdb.IOException("Could not set lock on file")) == "another process"


@pytest.mark.parametrize("newest", NEWER)
def test_a_newer_file_is_called_that(newest: int, tmp_path: Path) -> None:
    """Both versions and what to install; not that it is no database."""
    message = explain(duckdb.IOException(NEWER[newest]), tmp_path / "a.duckdb")
    assert "was made by a newer DuckDB" in message
    assert duckdb.__version__ in message
    assert f"reads up to {newest}" in message
    assert message.endswith("--upgrade duckdb")


def test_an_older_file_is_called_that(tmp_path: Path) -> None:
    """A file from before storage was stable."""
    message = explain(duckdb.IOException(OLDER), tmp_path / "a.duckdb")
    assert "made by a DuckDB older than 0.10" in message


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    """A text is no database, by its first bytes."""
    path = tmp_path / "notes.duckdb"
    path.write_text("Notes. " * 1000)
    with pytest.raises(DestinationError, match="is not a DuckDB database"):
        file_at(path).open(KEPT)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """It is named, and not made."""
    path = tmp_path / "nowhere" / "a.duckdb"
    with pytest.raises(DestinationError, match=r"nowhere does not exist"):
        file_at(path).open(KEPT)
    assert not path.parent.exists()


def test_the_file_stays_open_while_held(tmp_path: Path) -> None:
    """Connections of others in this process come and go without writing the log away."""
    path = tmp_path / "a.duckdb"
    with file_at(path).held(KEPT):
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert path.with_name("a.duckdb.wal").exists()
    assert not path.with_name("a.duckdb.wal").exists()
