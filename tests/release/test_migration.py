"""A warehouse that an earlier version wrote: ``python -m pytest -m release -n 0 -s``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.sandbox import SandboxProcess, start_process
from tests.release.environments import install
from tests.support.children import REPOSITORY
from tests.support.command import build_environment, build_settings, clean_environment

pytestmark = pytest.mark.release

EARLIER = "49fe92a"
"""The commit whose warehouse is migrated: its columns, models and own tables differ."""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with the earlier version, and with the DuckDB of its time."""
    place = tmp_path_factory.mktemp("earlier")
    archive: list[str | Path] = [
        "git",
        "-C",
        REPOSITORY,
        "archive",
        "--output",
        place / "tree.tar",
        EARLIER,
    ]
    if not shutil.which("uv") or subprocess.run(archive, check=False).returncode:
        pytest.skip(f"There is no uv, or no commit {EARLIER} in this clone.")
    (place / "tree").mkdir()
    shutil.unpack_archive(place / "tree.tar", place / "tree")
    return install(place / "env", Path(sys.executable), place / "tree")


@pytest.fixture
def server() -> Iterator[SandboxProcess]:
    """A simulated account that both versions read."""
    with start_process("--entries", "300", "--data", "varied", "--no-limit") as server:
        yield server


def run(python: Path, server: SandboxProcess, folder: Path, *arguments: str) -> Any:
    """Run a command of one version in *folder*; return its report."""
    environment = {**clean_environment(), **build_environment(folder)}
    environment |= build_settings(server)  # type: ignore[arg-type]
    environment.pop("PYTHONPATH")
    done = subprocess.run(
        [python, "-m", "harvest_source", *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


def read(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Read the warehouse; the earlier version gave its file another name."""
    (file,) = folder.glob("*.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute(f"USE {file.stem}.harvest")
        return connection.execute(query).fetchall()


def test_a_warehouse_of_an_earlier_version(
    earlier: Path, server: SandboxProcess, tmp_path: Path
) -> None:
    """The first sync continues from its cursors: no row is duplicated or lost, verify is clean."""
    old = run(earlier, server, tmp_path, "sync")
    rows = "SELECT id, spent_date, hours, notes FROM time_entries WHERE NOT is_running ORDER BY 1"
    before = read(tmp_path, rows)
    client = server.control("rows", table="clients")[0]["id"]
    server.control("edit", table="clients", record_id=client, name="Renamed")
    new = run(Path(sys.executable), server, tmp_path, "sync")
    assert read(tmp_path, rows) == before
    assert read(tmp_path, f"SELECT name FROM clients WHERE id = {client}") == [("Renamed",)]
    counted = {name: report["rows"] for name, report in new["tables"].items()}
    print(f"\nearlier: {old['requests']} requests; now: {new['requests']}, {new['warnings']}")
    assert counted["time_entries"] < len(before) / 10, "cursors are carried over"
    assert new["status"] == "ok"
    runs = read(tmp_path, "SELECT status FROM sync_runs ORDER BY started_at")
    assert runs == [("ok",), ("ok",)]
    found = run(Path(sys.executable), server, tmp_path, "verify")
    assert found["status"] == "ok"
    print(f"verify: {found['compared']}")
