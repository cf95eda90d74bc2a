"""No file with rows has more permissions than the warehouse, also while a run writes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from harvest_source.cli.file_modes import choose_umask, private_files
from harvest_source.sandbox import Sandbox
from tests.support.command import build_settings, start_command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")

Start = Callable[..., Sandbox]


@pytest.mark.parametrize(
    ("mode", "umask"),
    [(0o600, 0o077), (0o640, 0o027), (0o660, 0o007), (0o644, 0o022), (0o400, 0o077)],
)
def test_files_are_for_those_who_read_the_warehouse(mode: int, umask: int) -> None:
    """Who may read the file may also enter new folders, and write only if the file allows it."""
    assert choose_umask(mode) == umask


@pytest.mark.parametrize(
    ("destination", "expected"), [("duckdb", 0o077), ("postgres", 0o002), ("filesystem", 0o002)]
)
def test_the_umask_is_restored(tmp_path: Path, destination: str, expected: int) -> None:
    """Files of a lake are for others to read, so its umask stays."""
    before = os.umask(0o002)
    try:
        with private_files(destination, tmp_path / "new.duckdb"):
            within = os.umask(0o077)
            os.umask(within)
        after = os.umask(0o077)
    finally:
        os.umask(before)
    assert (within, after) == (expected, 0o002)


def test_a_umask_that_allows_less_is_kept(tmp_path: Path) -> None:
    """A group that may read the file does not read more than the user lets it."""
    database = tmp_path / "shared.duckdb"
    database.touch()
    database.chmod(0o664)
    before = os.umask(0o077)
    try:
        with private_files("duckdb", database):
            within = os.umask(0o077)
            os.umask(within)
    finally:
        os.umask(before)
    assert within == 0o077


def list_files(folder: Path) -> list[Path]:
    """The files in *folder* and below, while others create and remove folders."""
    return [Path(top, name) for top, _, names in os.walk(folder) for name in names]


@pytest.mark.thorough
def test_rows_are_private_while_a_run_writes_them(start: Start, folder: Path) -> None:
    """Packages and DuckDB's log exist only for moments, so this looks again and again."""
    server = start(entries=6000)
    child = start_command("sync", folder=folder, settings=build_settings(server))
    seen: dict[str, int] = {}
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(child.communicate)
        while not ended.done():
            for path in list_files(folder):
                with suppress(OSError):  # The run has removed it.
                    seen[path.name] = seen.get(path.name, 0) | stat.S_IMODE(path.stat().st_mode)
    assert child.wait() == 0
    assert {name: oct(mode) for name, mode in seen.items() if mode & 0o077} == {}
    assert any(name.endswith(".wal") for name in seen)
    assert any(name.endswith(".parquet") for name in seen)
