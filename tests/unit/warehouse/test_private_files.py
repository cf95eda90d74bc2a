"""A DuckDB file and its log are created for those who may read them, whatever the umask."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from harvest_source.dlt_internals import build_duckdb, create_duckdb_file, create_duckdb_log

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")

GROUP = 54321


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """A umask that takes nothing from any user."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file of ours."""
    path = tmp_path / "harvest_data.duckdb"
    create_duckdb_file(path)
    return path


def read_mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def find_log(database: Path) -> Path:
    """DuckDB's log beside the file."""
    return Path(f"{database}.wal")


@pytest.fixture
def pipeline(database: Path, tmp_path: Path) -> dlt.Pipeline:
    """A pipeline that writes to *database*."""
    return dlt.pipeline(
        "private",
        destination=build_duckdb(str(database)),
        dataset_name="harvest",
        pipelines_dir=str(tmp_path / "pipelines"),
    )


def test_a_file_is_private_from_its_first_byte_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that opened it before its permissions were set could read all later rows."""
    place, seen = tmp_path / "harvest_data.duckdb", list[int]()

    def link(draft: Path, place: Path) -> None:
        seen.extend((read_mode(draft), read_mode(draft.parent), place.exists()))
        shutil.move(draft, place)

    monkeypatch.setattr(os, "link", link)
    create_duckdb_file(place)
    assert seen == [0o600, 0o700, False]
    assert read_mode(place) == 0o600
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_is_private_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT: it is private as soon as DuckDB has made it."""
    place = tmp_path / "harvest_data.duckdb"

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    create_duckdb_file(place)
    assert read_mode(place) == 0o600
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_is_created_where_a_link_leads(tmp_path: Path) -> None:
    """The link stays."""
    place = tmp_path / "data" / "real.duckdb"
    place.parent.mkdir()
    link = tmp_path / "harvest_data.duckdb"
    link.symlink_to(place)
    create_duckdb_file(link)
    assert link.is_symlink()
    assert read_mode(place) == 0o600


def test_a_log_is_private_and_whole(database: Path, tmp_path: Path) -> None:
    """DuckDB writes into the log that is there, and reads it after a run that was killed."""
    with duckdb.connect(str(database)) as connection:
        create_duckdb_log(database)
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        assert read_mode(find_log(database)) == 0o600
        connection.execute("CHECKPOINT")
        assert not find_log(database).exists()
        create_duckdb_log(database)
        connection.execute("INSERT INTO t VALUES (2)")
        assert read_mode(find_log(database)) == 0o600
        killed = tmp_path / "killed.duckdb"
        shutil.copy(database, killed)
        shutil.copy(find_log(database), find_log(killed))
    with duckdb.connect(str(killed)) as connection:
        assert connection.execute("SELECT a FROM t ORDER BY a").fetchall() == [(1,), (2,)]


def test_an_empty_log_stops_no_reader(database: Path) -> None:
    """A run that was killed before it wrote anything leaves one."""
    create_duckdb_log(database)
    for read_only in (True, False):
        with duckdb.connect(str(database), read_only=read_only) as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_log_without_a_file_is_not_created(tmp_path: Path) -> None:
    """The file may have been removed."""
    create_duckdb_log(tmp_path / "gone.duckdb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_member", [True, False])
def test_a_log_is_for_the_group_of_the_file(
    database: Path, is_member: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the main group of the user, which may be that of all people."""
    owners = {str(database): GROUP, str(find_log(database)): os.getegid()}

    def chown(path: Path, _: int, group: int) -> None:
        if not is_member:
            raise PermissionError
        owners[str(path)] = group

    stat_of = Path.stat

    def read(path: Path, **named: bool) -> os.stat_result:
        found = list(stat_of(path, **named))
        found[5] = owners.get(str(path), found[5])
        return os.stat_result(found)

    database.chmod(0o640)
    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(Path, "stat", read)
    create_duckdb_log(database)
    assert owners[str(find_log(database))] == (GROUP if is_member else os.getegid())
    assert read_mode(find_log(database)) == (0o640 if is_member else 0o600)


def test_a_log_that_is_removed_during_a_transaction_is_private_again(
    database: Path, pipeline: dlt.Pipeline
) -> None:
    """DuckDB writes a transaction into the log only when it is committed."""
    with pipeline.sql_client() as client, duckdb.connect(str(database)) as other:
        client.execute_sql("CREATE TABLE t (a BIGINT)")
        with client.begin_transaction():
            client.execute_sql("INSERT INTO t VALUES (1)")
            other.execute("CHECKPOINT")
            assert not find_log(database).exists()
        assert read_mode(find_log(database)) == 0o600


@pytest.mark.parametrize("is_in_transaction", [True, False])
def test_a_log_that_another_thread_removes_is_private_again(
    database: Path, pipeline: dlt.Pipeline, is_in_transaction: bool
) -> None:
    """As while tables are copied in parallel: each large commit removes the log."""

    def write_much(client: Any) -> None:
        for _ in range(4):
            client.execute_sql("INSERT INTO large SELECT range, random() FROM range(100_000)")

    modes = set[int]()
    with pipeline.sql_client() as large, pipeline.sql_client() as small:
        large.execute_sql("CREATE TABLE large (a BIGINT, b DOUBLE); CREATE TABLE small (a BIGINT)")
        large.execute_sql("SET checkpoint_threshold = '1MiB'")
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write_much, large)
            while not writing.done():
                transaction: AbstractContextManager[Any] = (
                    small.begin_transaction() if is_in_transaction else nullcontext()
                )
                with transaction:
                    small.execute_sql("INSERT INTO small VALUES (1)")
                with suppress(FileNotFoundError):  # A large commit has just removed it.
                    modes.add(read_mode(find_log(database)))
        writing.result()
    assert modes == {0o600}
