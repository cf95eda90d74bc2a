"""No other user can read a row while a Python process syncs, whatever its umask and destination."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.destination_story import DestinationLab
from tests.support.destinations import BY_NAME

pytestmark = [
    pytest.mark.rare,
    pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions"),
    pytest.mark.filterwarnings(
        # As in test_destinations.
        "ignore:implicitly coercing SELECT object",
        "ignore:Coercing Subquery object",
        "ignore:Dialect sqlite.* does .not. support Decimal",
    ),
]

WITHOUT_ROWS = (".lock", ".lock.json", ".owner", ".new")
"""Ends of the names of files beside the working folders."""


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """The umask of most systems, under which a new file is for all users to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def list_reachable(folder: Path, *, by_all: bool = True) -> Iterator[Path]:
    """
    The files in *folder* and below that other users can open, while a run creates and removes them.

    Args:
        by_all: Only what a user can open who is not the owner; False: every file.
    """
    enter, read = (stat.S_IXGRP | stat.S_IXOTH, stat.S_IRGRP | stat.S_IROTH)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # The run has removed it.
                mode = entry.stat().st_mode
                if entry.is_dir():
                    if mode & enter or not by_all:
                        yield from list_reachable(Path(entry.path), by_all=by_all)
                elif mode & read or not by_all:
                    yield Path(entry.path)


@contextmanager
def watching(folder: Path, *, by_all: bool = True) -> Iterator[set[str]]:
    """Collect what :func:`list_reachable` finds at any moment, relative to *folder*."""
    seen, stop = set[str](), threading.Event()

    def watch() -> None:
        while not stop.wait(0.001):
            found = list_reachable(folder, by_all=by_all)
            seen.update(str(path.relative_to(folder)) for path in found)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


@pytest.mark.parametrize("name", ["duckdb", "sqlite", "delta"])
def test_other_users_reach_no_row(tmp_path: Path, name: str) -> None:
    """
    Packages, the database and its log are private from their first byte on.

    A lake is for others to read: its folder decides who may.
    """
    with (
        DestinationLab(tmp_path, BY_NAME[name], entries=3000) as lab,
        watching(tmp_path / "dlt", by_all=False) as packages,
        watching(tmp_path) as reachable,
    ):
        assert lab.sync().status == "ok"
        lab.rest()
        assert lab.sync(full_refresh=True).status == "ok"
        lab.verify()
    assert any(".parquet" in each or "insert_values" in each for each in packages)
    with_rows = {each for each in reachable if not each.endswith(WITHOUT_ROWS)}
    assert {each for each in with_rows if not each.startswith("lake/")} == set()
