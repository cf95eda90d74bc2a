"""Opening the DuckDB file: making it, and keeping it open."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from harvest_source.errors import DestinationError
from harvest_source.warehouse.duckdb_file import DuckDBFile
from tests.clocks import FakeClock

KEPT = "Nothing is lost."


def file_at(path: Path) -> DuckDBFile:
    return DuckDBFile(path, FakeClock(), 5, lambda _: None)


def test_a_file_is_made_for_old_clients(tmp_path: Path) -> None:
    """Opening one that is not there makes it, in the storage version that DuckDB 1.0 reads."""
    path = tmp_path / "new.duckdb"
    with file_at(path).open(KEPT) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a; CHECKPOINT")
    assert int.from_bytes(path.read_bytes()[12:20], "little") == 64


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
