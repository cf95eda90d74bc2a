"""A copy of the DuckDB file for readers."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import IO, Any

import duckdb
import pytest

from harvest_source.errors import ConfigError, DestinationError
from harvest_source.warehouse.publishing import check_publishable, publish
from harvest_source.warehouse.target import Target
from tests.clocks import FakeClock
from tests.support.holders import reading


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A file with one table, whose row is only in the log."""
    database = tmp_path / "harvest_data.duckdb"
    write(database, 1)
    return Target(database=database)


def write(database: Path, value: int) -> None:
    """Add a row."""
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (value INTEGER)")
        connection.execute("INSERT INTO t VALUES (?)", [value])


def read(path: Path) -> list[int]:
    """The rows of a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM t").fetchall()]


def test_a_copy_is_complete_and_read_only(target: Target, tmp_path: Path) -> None:
    """It has every row, needs no log, is read-only, and is alone in its folder."""
    place = tmp_path / "new" / "readers.duckdb"
    found = publish(target, place)
    assert read(place) == [1]
    assert found.size == place.stat().st_size
    assert stat.S_IMODE(place.stat().st_mode) == 0o444
    assert list(place.parent.iterdir()) == [place]


def test_new_folders_of_a_copy_are_for_readers(target: Target, tmp_path: Path) -> None:
    """A run creates its own files for those who may read the warehouse; the copy is for others."""
    place = tmp_path / "new" / "below" / "readers.duckdb"
    before = os.umask(0o077)
    try:
        publish(target, place)
    finally:
        os.umask(before)
    folders = (place.parent, place.parent.parent)
    assert [stat.S_IMODE(each.stat().st_mode) for each in folders] == [0o755, 0o755]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize("mode", [0o440, 0o400, 0o444])
def test_a_copy_is_for_those_who_could_read_the_last_one(
    target: Target, tmp_path: Path, mode: int
) -> None:
    """A copy that was taken from other users stays so; the group of readers is kept, too."""
    place = tmp_path / "readers.duckdb"
    publish(target, place)
    place.chmod(mode)
    if os.geteuid() == 0:
        os.chown(place, -1, 54321)
    before = place.stat()
    assert target.database is not None
    write(target.database, 2)
    publish(target, place)
    after = place.stat()
    assert (read(place), stat.S_IMODE(after.st_mode)) == ([1, 2], mode)
    if mode & stat.S_IRGRP:
        assert after.st_gid == before.st_gid


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_others_cannot_read_a_copy_that_is_being_written(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy may be meant for some users only."""
    seen = list[int]()

    def copy(_: IO[bytes], draft: IO[bytes], __: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(draft.fileno()).st_mode))

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    publish(target, tmp_path / "readers.duckdb")
    assert seen == [0o600]


def test_a_reader_keeps_the_copy_that_it_has_open(target: Target, tmp_path: Path) -> None:
    """The next copy replaces it in one step; a reader of the earlier copy continues."""
    assert target.database is not None
    place = tmp_path / "readers.duckdb"
    publish(target, place)
    with duckdb.connect(str(place), read_only=True) as reader:
        write(target.database, 2)
        publish(target, place)
        assert reader.execute("SELECT COUNT(*) FROM t").fetchall() == [(1,)]
    assert read(place) == [1, 2]


@pytest.mark.parametrize("wait_s", [0, 5])
def test_a_reader_of_the_warehouse_is_waited_for(
    target: Target, tmp_path: Path, wait_s: int
) -> None:
    """The wait is the one that was set, and then the reader is named."""
    assert target.database is not None
    place, clock = tmp_path / "readers.duckdb", FakeClock()
    with reading(target.database) as reader, pytest.raises(DestinationError) as caught:
        publish(target, place, wait_s=wait_s, clock=clock)
    assert f"(PID {reader.pid})" in str(caught.value)
    assert (sum(clock.slept), place.exists()) == (wait_s, False)


def test_a_log_of_an_earlier_copy_is_not_replayed(target: Target, tmp_path: Path) -> None:
    """A log beside the copy would belong to another file."""
    log = tmp_path / "readers.duckdb.wal"
    log.write_bytes(b"of another file")
    publish(target, tmp_path / "readers.duckdb")
    assert not log.exists()


def test_a_copy_that_fails_leaves_the_one_before(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk affects neither the earlier copy nor the warehouse, and leaves no draft."""
    place = tmp_path / "readers.duckdb"
    publish(target, place)

    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fill)
    with pytest.raises(DestinationError, match=r"No space left on device.*Nothing was published"):
        publish(target, place)
    assert read(place) == [1]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]  # noqa: PTH208


def test_unusable_places_for_a_copy_are_refused(target: Target, tmp_path: Path) -> None:
    """A destination without a file, a folder, and the warehouse itself are refused at once."""
    assert target.database is not None
    link = tmp_path / "link.duckdb"
    link.symlink_to(target.database)
    for place, words in (
        (tmp_path, "is a folder"),
        (target.database, "is the warehouse itself"),
        (link, "is the warehouse itself"),
    ):
        with pytest.raises(ConfigError, match=words):
            check_publishable(target, place)
    unusable: tuple[Any, ...] = (5, b"x", "", "x" * 300)
    for each in unusable:
        with pytest.raises(ConfigError, match="--publish"):
            check_publishable(target, each)
    with pytest.raises(ConfigError, match="copies a DuckDB file"):
        check_publishable(Target("postgres"), tmp_path / "x.duckdb")


def test_a_file_that_is_no_earlier_copy_is_not_replaced(target: Target, tmp_path: Path) -> None:
    """Earlier copies are read-only DuckDB files; a file named by mistake may be a warehouse."""
    notes, pipe, other = (tmp_path / name for name in ("notes.txt", "pipe", "other.duckdb"))
    notes.write_text("Notes")
    os.mkfifo(pipe)
    write(other, 7)
    for place, words in ((notes, "not a DuckDB file"), (pipe, "not a DuckDB file"), (other, "a-w")):
        with pytest.raises(ConfigError, match=words):
            check_publishable(target, place)
    assert read(other) == [7]
    other.chmod(0o444)
    assert check_publishable(target, other) == other
    (tmp_path / "empty.duckdb").touch()
    for name in ("empty.duckdb", "none.duckdb"):
        assert check_publishable(target, tmp_path / name) == tmp_path / name
    publish(target, other)
    assert check_publishable(target, other) == other


def test_a_copy_on_a_share_without_permissions_is_replaced(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There every file can be written to, also an earlier copy."""
    place = tmp_path / "readers.duckdb"
    publish(target, place)
    place.chmod(0o755)
    with pytest.raises(ConfigError, match="a-w"):
        check_publishable(target, place)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    assert check_publishable(target, place) == place
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "harvest_data.duckdb",
        "readers.duckdb",
    ]
