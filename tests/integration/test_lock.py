"""One sync at a time for each pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.errors import BusyError, DestinationError
from harvest_source.warehouse.lock import sync_lock
from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.working_folder import claim_folder
from tests.support.holders import HELD_SINCE, syncing
from tests.support.labs import OpenLab


def test_a_second_sync_stands_back_and_names_the_first(open_lab: OpenLab) -> None:
    """A second sync sends and changes nothing, exits with 7, and names the running one."""
    lab = open_lab()
    with syncing(lab.folder / "dlt" / "pipelines") as holder:
        named = rf"process {holder.pid} on .*2026-06-17 12:00:00"
        with pytest.raises(BusyError, match=named) as told:
            lab.sync("clients")
    assert told.value.exit_code == 7
    assert list(lab.server.requests) == []
    assert not lab.database.exists()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    """The lock file and holder's file that a SIGKILL leaves behind block no later run."""
    with syncing(tmp_path) as holder:
        holder.kill()
        holder.wait()
    assert (tmp_path / "harvest.lock.json").exists()
    with sync_lock("harvest", tmp_path, now=HELD_SINCE):
        pass
    assert not (tmp_path / "harvest.lock.json").exists()


def test_pipelines_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """Each pipeline has its own lock, which is free again afterwards."""
    with (
        sync_lock("one", tmp_path, now=HELD_SINCE),
        sync_lock("other", tmp_path, now=HELD_SINCE),
        pytest.raises(BusyError),
        sync_lock("one", tmp_path, now=HELD_SINCE),
    ):
        pytest.fail("two hold one lock")
    with sync_lock("one", tmp_path, now=HELD_SINCE):
        pass


def test_an_unreadable_holder_file_does_not_open_the_lock(tmp_path: Path) -> None:
    """The lock decides, not the holder's file beside it."""
    with syncing(tmp_path):
        (tmp_path / "harvest.lock.json").write_text("{")
        with (
            pytest.raises(BusyError, match="another process"),
            sync_lock("harvest", tmp_path, now=HELD_SINCE),
        ):
            pytest.fail("two hold one lock")


def test_syncs_into_two_files_do_not_bar_each_other(open_lab: OpenLab) -> None:
    """Both are pipeline "harvest" on one machine, but each file has its own lock and cursors."""
    lab = open_lab()
    lab.sync("clients")
    other = lab.folder / "other.duckdb"
    with syncing(lab.folder / "dlt" / "pipelines"):
        report = lab.sync("clients", database=other)
    assert report.status == "ok"
    before = len(lab.server.requests)
    assert lab.sync("clients").tables["clients"].rows == 0
    assert lab.sync("clients", database=other).tables["clients"].rows == 0
    assert len(lab.server.requests) > before


def test_a_file_keeps_its_working_folder_until_it_is_deleted(data_dir: Path) -> None:
    """A name's first file gets dlt's own folder; another gets it only once that file is gone."""
    first, second = (build_target("duckdb", data_dir / f"{n}.duckdb", "harvest", "p") for n in "ab")
    assert claim_folder(first) == data_dir / "pipelines"
    (data_dir / "a.duckdb").touch()
    apart = claim_folder(second)
    assert apart != data_dir / "pipelines"
    assert claim_folder(first) == data_dir / "pipelines"
    (data_dir / "a.duckdb").unlink()
    with syncing(data_dir / "pipelines", "p"):
        assert claim_folder(second) == apart  # The running sync recreates the file.
    assert claim_folder(second) == data_dir / "pipelines"
    (data_dir / "b.duckdb").touch()
    assert claim_folder(first) != data_dir / "pipelines"


def test_a_folder_that_cannot_be_written_is_refused(data_dir: Path) -> None:
    """The error is short and names the variable; there is no traceback."""
    (data_dir / "pipelines").touch()
    with pytest.raises(DestinationError, match="DLT_DATA_DIR"):
        claim_folder(build_target("duckdb", data_dir / "a.duckdb", "harvest", "p"))


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate data folder for dlt."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    return tmp_path
