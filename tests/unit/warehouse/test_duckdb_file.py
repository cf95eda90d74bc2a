"""Opening the DuckDB file: creating it, and keeping it open."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from harvest_source.errors import DestinationError
from harvest_source.warehouse import duckdb_file, duckdb_log
from harvest_source.warehouse.duckdb_file import DuckDBFile, choose_memory
from tests.clocks import FakeClock
from tests.support.no_room import limit_file_size

KEPT = "Nothing is lost."


def file_at(path: Path) -> DuckDBFile:
    return DuckDBFile(path, FakeClock(), 5, lambda _: None)


def test_a_file_is_made_for_old_clients(tmp_path: Path) -> None:
    """Opening a missing file creates it, in the storage version that DuckDB 1.0 reads."""
    path = tmp_path / "new.duckdb"
    with file_at(path).open(KEPT) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a; CHECKPOINT")
    assert int.from_bytes(path.read_bytes()[12:20], "little") == 64


def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    """A text file is recognised by its first bytes."""
    path = tmp_path / "notes.duckdb"
    path.write_text("Notes. " * 1000)
    with pytest.raises(DestinationError, match="is not a DuckDB database"):
        file_at(path).open(KEPT)


def test_a_missing_folder_is_named_and_not_created(tmp_path: Path) -> None:
    """The error names the folder, and does not create it."""
    path = tmp_path / "nowhere" / "a.duckdb"
    with pytest.raises(DestinationError, match=r"nowhere does not exist"):
        file_at(path).open(KEPT)
    assert not path.parent.exists()
    link = tmp_path / "link.duckdb"
    link.symlink_to(path)
    with pytest.raises(DestinationError, match=r"nowhere does not exist"):
        file_at(link).open(KEPT)


@pytest.mark.parametrize("room", [0, 4096, 8192])
def test_a_file_for_which_the_disk_has_no_room_is_not_left(tmp_path: Path, room: int) -> None:
    """Its beginning would be refused by the next run, although there is room again."""
    path = tmp_path / "a.duckdb"
    with limit_file_size(room), pytest.raises(DestinationError, match=r"Could not write file"):
        file_at(path).open(KEPT)
    assert list(tmp_path.iterdir()) == []
    file_at(path).open(KEPT).close()


def test_the_file_stays_open_while_held(tmp_path: Path) -> None:
    """Other connections in this process come and go without a checkpoint of the log."""
    path = tmp_path / "a.duckdb"
    with file_at(path).held(KEPT):
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert path.with_name("a.duckdb.wal").exists()
    assert not path.with_name("a.duckdb.wal").exists()


def test_a_checked_file_stays_open_until_it_is_held(tmp_path: Path) -> None:
    """No other process can open it in between, and afterwards it is closed."""
    path = tmp_path / "a.duckdb"
    file = file_at(path)
    file.check(KEPT, stays_open=True)
    assert not opens_elsewhere(path)
    with file.held(KEPT):
        pass
    assert opens_elsewhere(path)
    file.check(KEPT, stays_open=False)
    assert opens_elsewhere(path)


def opens_elsewhere(path: Path) -> bool:
    """Whether another process can open the file for writing."""
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("is_linked", [False, True])
def test_the_file_is_written_once(tmp_path: Path, is_linked: bool) -> None:
    """While the log is kept, closing the file writes nothing into it, yet readers see all rows."""
    path = tmp_path / "a.duckdb"
    file_at(path).open(KEPT).close()
    if is_linked:
        path.with_name("b.duckdb").symlink_to(path)
        path = path.with_name("b.duckdb")
    file, before = file_at(path), path.read_bytes()
    file.log.keep()
    for number in range(3):
        with file.held(KEPT), duckdb.connect(str(path)) as connection:
            connection.execute(f"CREATE TABLE t{number} AS SELECT 1 AS a")
        assert path.read_bytes() == before
        with duckdb.connect(str(path), read_only=True) as reader:
            assert reader.execute(f"SELECT a FROM t{number}").fetchall() == [(1,)]
    file.write_log()
    assert not list(tmp_path.glob("*.wal"))
    assert path.read_bytes() != before
    with file.held(KEPT), duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE later AS SELECT 1 AS a")
    assert not list(tmp_path.glob("*.wal"))


def test_a_long_log_is_written_at_once(tmp_path: Path) -> None:
    """Opening the file reads the log, so a long one is written into the file."""
    path = tmp_path / "a.duckdb"
    file = file_at(path)
    file.log.keep()
    with file.held(KEPT), duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", [["x" * 100_000]] * 12)
    assert not path.with_name("a.duckdb.wal").exists()


def test_the_log_is_written_beside_a_connection_that_stays_open(tmp_path: Path) -> None:
    """With a notebook in the same process, the file is complete when the notebook closes it."""
    path = tmp_path / "a.duckdb"
    file = file_at(path)
    with file.open(KEPT) as notebook:
        file.log.keep()
        with file.held(KEPT):
            notebook.execute("CREATE TABLE t AS SELECT 1 AS a")
        file.write_log()
    assert not path.with_name("a.duckdb.wal").exists()


def test_a_short_log_is_left(tmp_path: Path) -> None:
    """Readers see its rows, its permissions are the file's, and a longer log is written away."""
    path = tmp_path / "a.duckdb"
    file_at(path).open(KEPT).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a VARCHAR)")
    path.chmod(0o640)
    before, log, rows = path.read_bytes(), path.with_name("a.duckdb.wal"), 0
    while True:
        file = file_at(path)
        file.log.keep()
        assert not file.log.has_changed
        with file.held(KEPT):
            with duckdb.connect(str(path)) as connection:
                connection.execute("INSERT INTO t VALUES (?)", ["x" * 10_000])
            assert file.log.has_changed
            file.log.leave()
            file.write_log()
        rows += 1
        with duckdb.connect(str(path), read_only=True) as reader:
            assert reader.execute("SELECT count(*) FROM t").fetchall() == [(rows,)]
        if not log.exists():
            break
        assert (path.read_bytes() == before, log.stat().st_mode & 0o777) == (True, 0o640)
    assert rows == 7


def test_a_load_that_writes_into_the_file_counts_as_a_change(tmp_path: Path) -> None:
    """A load that writes into the file leaves no log."""
    path = tmp_path / "a.duckdb"
    file_at(path).open(KEPT).close()
    file = file_at(path)
    file.log.keep()
    with file.held(KEPT), duckdb.connect(str(path)):
        pass
    assert not file.log.has_changed
    with file.held(KEPT), duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a; CHECKPOINT")
    assert not path.with_name("a.duckdb.wal").exists()
    assert file.log.has_changed


@pytest.mark.parametrize("limit", ["1.5GB", "700MB", "-1"])
def test_a_notebook_keeps_its_settings(tmp_path: Path, limit: str) -> None:
    """DuckDB truncates decimals when it reports its limit, and has a word for no limit."""
    path = tmp_path / "a.duckdb"
    settings = (
        "SELECT current_setting('memory_limit'), current_setting('threads'), "
        "current_setting('max_vacuum_tasks')"
    )
    with file_at(path).open(KEPT) as notebook:
        notebook.execute(f"SET memory_limit = '{limit}'; SET threads = 3")
        before = notebook.execute(settings).fetchall()
        for _ in range(3):
            with file_at(path).held(KEPT):
                assert notebook.execute(settings).fetchall() != before
        assert notebook.execute(settings).fetchall() == before


@pytest.mark.parametrize(
    ("module", "refused"),
    [(duckdb_log, "DUCKDB_CHECKPOINT"), (duckdb_file, "DUCKDB_JOIN_ALL")],
    ids=["log", "setting"],
)
def test_a_notebook_keeps_its_settings_if_a_statement_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, refused: str
) -> None:
    """The disk may be full, and not every DuckDB has every setting: the others are restored."""
    monkeypatch.setattr(module, refused, "RESET GLOBAL nonsense")
    settings = "SELECT current_setting('memory_limit'), current_setting('threads')"
    with file_at(tmp_path / "a.duckdb").open(KEPT) as notebook:
        notebook.execute("SET memory_limit = '700MB'; SET threads = 3; CREATE TABLE t (a INTEGER)")
        before = notebook.execute(settings).fetchall()
        with file_at(tmp_path / "a.duckdb").held(KEPT):
            assert notebook.execute(settings).fetchall() != before
        assert notebook.execute(settings).fetchall() == before


MB = 1024 * 1024
LITTLE = 8 * MB
TOO_MUCH = "SELECT len(list(hash(i))) FROM range(2_000_000) AS t(i)"
"""Needs a list of two million numbers, which DuckDB cannot spill to disk."""


def read_limit(path: Path) -> str:
    with duckdb.connect(str(path)) as connection:
        ((limit,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
        return str(limit)


@pytest.mark.parametrize(
    ("available", "megabytes"),
    [(None, 80), (64, 80), (512, 80), (600, 124), (1024, 160), (24_000, 160)],
)
def test_duckdbs_memory_follows_the_limit_of_the_process(
    available: int | None, megabytes: int
) -> None:
    """A small container leaves little for DuckDB; a large machine leaves enough."""
    here = None if available is None else available * MB
    assert choose_memory(here) == megabytes * MB


def test_memory_is_bounded_while_the_file_is_held(tmp_path: Path) -> None:
    """A notebook's connection gets its earlier limit back afterwards."""
    path = tmp_path / "a.duckdb"
    file = replace(file_at(path), memory=LITTLE)
    with duckdb.connect(str(path)) as notebook:
        notebook.execute("SET memory_limit = '1GiB'")
        with file.held(KEPT):
            assert read_limit(path) == "8.0 MiB"
        assert read_limit(path) == "1.0 GiB"


def test_the_bound_can_be_lifted(tmp_path: Path) -> None:
    """It rises a little, then to a large machine's, then ends; later statements keep it."""
    path = tmp_path / "a.duckdb"
    file = replace(file_at(path), memory=LITTLE)
    with file.held(KEPT), duckdb.connect(str(path)) as connection:
        with pytest.raises(duckdb.OutOfMemoryException):
            connection.execute(TOO_MUCH)
        for limit in ("96.0 MiB", "112.0 MiB", "160.0 MiB"):
            assert file.raise_memory_limit(KEPT)
            assert read_limit(path) == limit
        assert file.raise_memory_limit(KEPT)
        assert connection.execute(TOO_MUCH).fetchall()
    assert not file.raise_memory_limit(KEPT)
    with file.held(KEPT):
        assert read_limit(path) not in {"8.0 MiB", "160.0 MiB"}


def test_the_log_is_written_while_memory_is_bounded(tmp_path: Path) -> None:
    """It is not left to the last connection that closes, which has no limit."""
    path = tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as notebook:
        with file_at(path).held(KEPT), duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert not path.with_name("a.duckdb.wal").exists()
        assert notebook.execute("SELECT a FROM t").fetchall() == [(1,)]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_the_log_of_a_run_that_ended_early_is_made_private(tmp_path: Path) -> None:
    """DuckDB goes on writing it, with the permissions that it has."""
    path = tmp_path / "a.duckdb"
    file_at(path).open(KEPT).close()
    code = (
        "import duckdb, os, sys; os.umask(0o022); connection = duckdb.connect(sys.argv[1]); "
        "connection.execute('CREATE TABLE t AS SELECT 1 AS a'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    log, left = path.with_name("a.duckdb.wal"), path.with_name("a.duckdb.wal.recovery")
    left.touch(0o644)
    assert stat.S_IMODE(log.stat().st_mode) == 0o644
    with file_at(path).open(KEPT) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("*.wal*")}
    assert set(modes.values()) == {0o600}, modes


def test_the_log_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    """A run that was refused because the file is in use does not wait for it again."""
    path = tmp_path / "a.duckdb"
    file = file_at(path)
    file.open(KEPT).close()
    file.log.keep()
    log = path.with_name("a.duckdb.wal")
    log.write_text("Not a log: opening the file fails on it.")
    file.write_log()
    assert log.read_text().startswith("Not a log")
