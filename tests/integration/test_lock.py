"""One sync at a time for each pipeline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harvest_source.errors import BusyError
from harvest_source.warehouse.lock import only_sync
from tests.integration.conftest import OpenLab

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from harvest_source.warehouse.lock import only_sync
with only_sync("harvest", now=datetime(2026, 6, 17, 12, tzinfo=UTC), folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

StartHolder = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def start_holder() -> Iterator[StartHolder]:
    """Start processes that hold the lock of a folder until they are killed."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_sync_stands_back_and_names_the_first(
    open_lab: OpenLab, start_holder: StartHolder
) -> None:
    """It sends nothing, changes nothing, ends with 7, and says whom to wait for."""
    lab = open_lab()
    holder = start_holder(lab.folder / "dlt" / "pipelines")
    with pytest.raises(BusyError, match=rf"process {holder.pid} on .*2026-06-17 12:00:00") as told:
        lab.sync("clients")
    assert told.value.exit_code == 7
    assert list(lab.server.requests) == []
    assert not lab.database.exists()


def test_the_lock_of_a_killed_process_is_taken_over(
    tmp_path: Path, start_holder: StartHolder
) -> None:
    """What a SIGKILL leaves behind, lock file and holder's file, bars nobody."""
    holder = start_holder(tmp_path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "harvest.lock.json").exists()
    with only_sync("harvest", now=NOW, folder=tmp_path):
        pass
    assert not (tmp_path / "harvest.lock.json").exists()


def test_pipelines_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """The lock is one pipeline's, and it is free again afterwards."""
    with (
        only_sync("one", now=NOW, folder=tmp_path),
        only_sync("other", now=NOW, folder=tmp_path),
        pytest.raises(BusyError),
        only_sync("one", now=NOW, folder=tmp_path),
    ):
        pytest.fail("two hold one lock")
    with only_sync("one", now=NOW, folder=tmp_path):
        pass


def test_an_unreadable_holder_still_bars(tmp_path: Path, start_holder: StartHolder) -> None:
    """The lock decides, not what is written beside it."""
    start_holder(tmp_path)
    (tmp_path / "harvest.lock.json").write_text("{")
    with (
        pytest.raises(BusyError, match="another process"),
        only_sync("harvest", now=NOW, folder=tmp_path),
    ):
        pytest.fail("two hold one lock")
