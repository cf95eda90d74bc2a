"""
Runs that end before their time, one way or another: Ctrl-C, a full disk, a package that is stuck.

What was loaded stays, nothing hangs, and the next run makes the tables the account's.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest

from harvest_source.errors import DestinationError
from harvest_source.operations.run_report import SyncReport
from harvest_source.sandbox import Request
from tests.integration.lab import DAY, Lab
from tests.integration.test_healing import TABLES, assert_whole, change, lab, reading, rows_read
from tests.integration.test_kills import environment

__all__ = ["lab"]

CHILD = """
import os, sys, signal
from importlib import import_module

number, (module, name, method) = int(sys.argv[1]), sys.argv[2].split(":")
if module:
    owner = getattr(import_module(module), name)
    whole = getattr(owner, method)
    def strike(*given, **options):
        setattr(owner, method, whole)
        os.kill(os.getpid(), number)
        return whole(*given, **options)
    setattr(owner, method, strike)
sys.argv[:3] = ["harvest-source"]
from harvest_source.__main__ import main
main()
"""

LOADED = "dlt.load.load:Load:complete_package"
EXTRACTED = "dlt.pipeline.pipeline:Pipeline:normalize"
MOMENTS = {
    "at the start": "harvest_source.warehouse.warehouse:Warehouse:restore",
    "between extract and normalize": EXTRACTED,
    "between normalize and load": "dlt.pipeline.pipeline:Pipeline:load",
    "while a table is copied": "dlt.load.load:Load:create_followup_jobs",
    "with every table merged": LOADED,
    "while the run is written down": "harvest_source.warehouse.warehouse:Warehouse:insert",
}


def start(lab: Lab, number: int, moment: str = "::") -> subprocess.Popen[str]:
    """``harvest-source sync`` as a process that gets signal *number* at *moment*."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            CHILD,
            str(int(number)),
            moment,
            "sync",
            f"--database={lab.database}",
            *(f"--table={table}" for table in TABLES),
        ],
        cwd=lab.folder,
        env=environment(lab),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_interrupted(child: subprocess.Popen[str]) -> None:
    """Exit 130 and a line that says what is kept; a child that hangs fails the test."""
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, (out, err)
    assert "What was loaded stays; the same command goes on from here." in err
    assert "Traceback" not in err


# Ctrl-C.


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_an_interrupt_leaves_in_order(lab: Lab, moment: str) -> None:
    """Wherever a run is: exit 130, what is kept is said, and the next run has the rest."""
    assert_interrupted(start(lab, signal.SIGINT, moment))
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.parametrize("fault", ["stall", "rate_limited", "unavailable"])
def test_an_interrupt_waits_for_nobody(lab: Lab, fault: str) -> None:
    """Not for an answer that never comes, nor for the end of a pause that Harvest asked for."""
    children: Queue[subprocess.Popen[str]] = Queue()
    waiting: list[str | None] = []

    def interrupt(request: Request) -> None:
        waiting.append(request.table)
        if len(waiting) == len(TABLES) + 1:  # The owner was asked first.
            children.get().send_signal(signal.SIGINT)

    lab.server.after_request(interrupt)
    for table in TABLES:
        lab.server.fault(fault, table=table, **({"retry_after": 600} if "rate" in fault else {}))
    child = start(lab, signal.SIGINT)
    children.put(child)
    assert_interrupted(child)
    lab.server.clear_hooks()
    lab.server.clear_faults()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


def test_an_interrupt_ends_waiting_for_a_reader(lab: Lab) -> None:
    """Who waits for somebody else's file can be told to leave, too."""
    with reading(lab):
        child = start(lab, signal.SIGINT, "harvest_source.clock:SystemClock:sleep")
        assert_interrupted(child)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


# Packages that a killed run left behind.


def kill(lab: Lab, moment: str) -> None:
    """A run that dies at *moment*."""
    child = start(lab, signal.SIGKILL, moment)
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def test_a_package_for_a_file_that_is_gone_does_not_count(lab: Lab) -> None:
    """Loading what is pending into a new file would bring its cursors, and none of the history."""
    kill(lab, EXTRACTED)
    lab.database.unlink()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


def test_a_package_for_a_newer_file_does_not_count(lab: Lab, tmp_path: Path) -> None:
    """Nor into a copy that is older than the package."""
    backup = tmp_path / "backup.duckdb"
    shutil.copy(lab.database, backup)
    assert lab.sync(*TABLES).status == "ok"
    change(lab)
    kill(lab, EXTRACTED)
    lab.rest(2 * DAY)
    shutil.copy(backup, lab.database)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


def test_a_package_waits_while_the_file_is_held(lab: Lab) -> None:
    """A lock passes: what was read stays, and is loaded without asking Harvest again."""
    kill(lab, EXTRACTED)
    with reading(lab), pytest.raises(DestinationError, match="PID"):
        lab.sync(*TABLES)
    lab.rest()
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert rows_read(report) == 0
    assert_whole(lab)


@pytest.mark.parametrize("pattern", ["*.parquet", "schema.json", "load_package_state.json"])
@pytest.mark.parametrize("content", [b"", b"half"])
def test_a_broken_package_is_given_up(lab: Lab, pattern: str, content: bytes) -> None:
    """A power cut left half a package: it never loads, and must not stand in the way for ever."""
    kill(lab, "dlt.pipeline.pipeline:Pipeline:load")
    broken = [file for file in (lab.folder / "dlt").rglob(pattern) if "load" in file.parts]
    assert broken
    for file in broken:
        file.write_bytes(content)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


# A full disk.


@contextmanager
def small_disk(folder: Path, megabytes: int = 40) -> Iterator[Path]:
    """A file system of its own."""
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
    """A file that takes all room but *leave* bytes."""
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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("leave", [0, 60_000, 200_000])
@pytest.mark.parametrize("what", ["database", "folder"])
def test_a_full_disk_is_said_so_and_heals(tmp_path: Path, what: str, leave: int) -> None:
    """Exit 6 and why, be it the database's disk or that of dlt's folder; no row is lost."""
    with small_disk(tmp_path / "small") as disk, Lab(tmp_path, invoices=15) as lab:
        if what == "database":
            lab.database = disk / "harvest.duckdb"
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
        gc.collect()  # dlt leaves the file open that it could not write.
        lab.rest()
        assert lab.sync(*TABLES).status == "ok"
        assert_whole(lab)
