"""One sync at a time for each pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvest_source.errors import BusyError
from harvest_source.warehouse.lock import only_sync
from tests.support.holders import HELD_SINCE, syncing
from tests.support.labs import OpenLab


def test_a_second_sync_stands_back_and_names_the_first(open_lab: OpenLab) -> None:
    """It sends nothing, changes nothing, ends with 7, and says whom to wait for."""
    lab = open_lab()
    with syncing(lab.folder / "dlt" / "pipelines") as holder:
        named = rf"process {holder.pid} on .*2026-06-17 12:00:00"
        with pytest.raises(BusyError, match=named) as told:
            lab.sync("clients")
    assert told.value.exit_code == 7
    assert list(lab.server.requests) == []
    assert not lab.database.exists()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    """What a SIGKILL leaves behind, lock file and holder's file, bars no later run."""
    with syncing(tmp_path) as holder:
        holder.kill()
        holder.wait()
    assert (tmp_path / "harvest.lock.json").exists()
    with only_sync("harvest", now=HELD_SINCE, folder=tmp_path):
        pass
    assert not (tmp_path / "harvest.lock.json").exists()


def test_pipelines_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """The lock is one pipeline's, and it is free again afterwards."""
    with (
        only_sync("one", now=HELD_SINCE, folder=tmp_path),
        only_sync("other", now=HELD_SINCE, folder=tmp_path),
        pytest.raises(BusyError),
        only_sync("one", now=HELD_SINCE, folder=tmp_path),
    ):
        pytest.fail("two hold one lock")
    with only_sync("one", now=HELD_SINCE, folder=tmp_path):
        pass


def test_an_unreadable_holder_still_bars(tmp_path: Path) -> None:
    """The lock decides, not what is written beside it."""
    with syncing(tmp_path):
        (tmp_path / "harvest.lock.json").write_text("{")
        with (
            pytest.raises(BusyError, match="another process"),
            only_sync("harvest", now=HELD_SINCE, folder=tmp_path),
        ):
            pytest.fail("two hold one lock")
