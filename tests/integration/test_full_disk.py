"""A full disk: the run says so, and loses no row once there is room again."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harvest_source.errors import DestinationError
from harvest_source.operations.run_report import SyncReport
from tests.support.four_tables import TABLES, assert_whole, change
from tests.support.lab import Lab


@contextmanager
def small_disk(folder: Path, megabytes: int = 40) -> Iterator[Path]:
    """A small file system."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"]
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Write a file that leaves *leave* bytes free."""
    room = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - leave)))
    return ballast


def sync_in_trouble(lab: Lab) -> SyncReport | DestinationError:
    """A run that may fail as a whole."""
    try:
        return lab.sync(*TABLES)
    except DestinationError as error:
        return error


@pytest.mark.rare
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "leave", [60_000, *(pytest.param(room, marks=pytest.mark.slow) for room in (0, 200_000))]
)
@pytest.mark.parametrize("what", ["database", "folder"])
def test_a_full_disk_is_reported_and_loses_no_row(tmp_path: Path, what: str, leave: int) -> None:
    """The run exits with 6 and the reason, for either disk that is full, and loses no row."""
    with small_disk(tmp_path / "small") as disk, Lab(tmp_path, invoices=15) as lab:
        if what == "database":
            lab.database = disk / "harvest_data.duckdb"
        else:
            (tmp_path / "dlt").symlink_to(disk)
        lab.stop_timers()
        assert lab.sync(*TABLES).status == "ok"
        change(lab)
        for table in TABLES:
            lab.server.edit_many(table, [row["id"] for row in lab.server.rows(table)])
        lab.rest()
        ballast = fill(disk, leave)
        ended = sync_in_trouble(lab)
        if isinstance(ended, DestinationError) or ended.errors:
            (error,) = [ended] if isinstance(ended, DestinationError) else ended.errors
            assert error.exit_code == 6
            assert "No space left on device" in str(error)
            assert "Traceback" not in str(error)
        else:
            assert leave, "there was no room at all"
        ballast.unlink()
        gc.collect()  # dlt does not close the file that it could not write.
        lab.rest()
        assert lab.sync(*TABLES).status == "ok"
        assert_whole(lab)


@pytest.mark.rare
def test_a_first_run_with_a_full_disk_for_dlts_folder_asks_for_room(tmp_path: Path) -> None:
    """The message asks for room, not for permissions, and the same run then succeeds."""
    with small_disk(tmp_path / "small") as disk, Lab(tmp_path, invoices=5) as lab:
        (tmp_path / "dlt").symlink_to(disk)
        ballast = fill(disk, 0)
        with pytest.raises(DestinationError, match="Make room on") as caught:
            lab.sync(*TABLES)
        assert "writable" not in str(caught.value)
        ballast.unlink()
        assert lab.sync(*TABLES).status == "ok"
        assert_whole(lab)
