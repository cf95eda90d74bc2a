"""The scripts to copy work as they stand: settings from the environment, a sandbox for Harvest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from harvest_source.sandbox import Sandbox
from tests.cli.command import build_environment, build_settings, clean_environment
from tests.docs.generate import REPOSITORY

PIPELINES = REPOSITORY / "pipelines"
LONGEST = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    """A small account."""
    with Sandbox(entries=80, limit=False).start() as running:
        yield running


def run_script(
    server: Sandbox, folder: Path, *command: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run *command* in *folder*, as somebody whose account *server* simulates."""
    settings = {**build_environment(folder), **build_settings(server), **environment}
    return subprocess.run(
        command,
        cwd=folder,
        env={**clean_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )


def count(database: Path, table: str) -> int:
    """Rows of *table* in dataset ``harvest`` of *database*."""
    with duckdb.connect(str(database), read_only=True) as connection:
        name = f"{database.stem}.harvest.{table}"
        found = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
    return int(found[0]) if found else 0


@pytest.mark.parametrize("script", sorted(PIPELINES.glob("*.py")), ids=lambda path: path.name)
def test_scripts_are_short(script: Path) -> None:
    """A script to copy is read in half a minute."""
    assert len(script.read_text().splitlines()) < LONGEST


def test_first_sync(server: Sandbox, tmp_path: Path) -> None:
    """Everything lands in ``harvest.duckdb``; the script tells of each table and exits 0."""
    done = run_script(server, tmp_path, sys.executable, str(PIPELINES / "first_sync.py"))
    assert done.returncode == 0, done.stderr
    assert "time_entries                     80 read" in done.stdout
    assert count(tmp_path / "harvest.duckdb", "time_entries") == 80


def test_first_sync_tells_of_failures(server: Sandbox, tmp_path: Path) -> None:
    """A table that fails is named, and the exit code is the command's."""
    with Sandbox(entries=10, limit=False).start() as broken:
        broken.fault("missing_key", table="projects")
        done = run_script(broken, tmp_path, sys.executable, str(PIPELINES / "first_sync.py"))
    assert done.returncode == 4
    assert "projects failed: " in done.stdout


def test_one_table(server: Sandbox, tmp_path: Path) -> None:
    """Time entries alone, by plain dlt, and a question answered; again without growing."""
    for _ in range(2):
        done = run_script(server, tmp_path, sys.executable, str(PIPELINES / "one_table.py"))
        assert done.returncode == 0, done.stderr
        assert len([line for line in done.stdout.splitlines() if line.endswith(" h")]) == 3
    assert count(tmp_path / "hours.duckdb", "time_entries") == 80


def test_another_destination_by_name(server: Sandbox, tmp_path: Path) -> None:
    """The destination named lands the same tables; its settings are dlt's own."""
    script = str(PIPELINES / "another_destination.py")
    bucket = tmp_path / "bucket"
    done = run_script(
        server,
        tmp_path,
        *(sys.executable, script, "filesystem"),
        DESTINATION__FILESYSTEM__BUCKET_URL=bucket.as_uri(),
    )
    assert done.returncode == 0, done.stderr
    with duckdb.connect() as connection:
        files = str(bucket / "harvest" / "time_entries" / "*.parquet")
        found = connection.execute("SELECT COUNT(*) FROM read_parquet(?)", [files]).fetchone()
    assert found == (80,)


def test_the_cron_line(server: Sandbox, tmp_path: Path) -> None:
    """cron's command, run by a shell as cron would, syncs and appends its report to the log."""
    lines = (PIPELINES / "harvest.cron").read_text().splitlines()
    [line] = [line for line in lines if line[:1].isdigit()]
    *when, command = line.split(maxsplit=5)
    assert len(when) == 5
    home = tmp_path / "harvest"
    (home / ".venv" / "bin").mkdir(parents=True)
    entry = home / ".venv" / "bin" / "harvest-source"
    entry.write_text(f'#!/bin/sh\nexec {sys.executable} -m harvest_source "$@"\n')
    entry.chmod(0o755)
    done = run_script(server, tmp_path, "/bin/sh", "-c", command, HOME=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / "sync.log").read_text().splitlines()[-1].startswith("ok: ")
    assert count(home / "harvest.duckdb", "time_entries") == 80


def test_the_settings_to_copy_are_read(server: Sandbox, tmp_path: Path) -> None:
    """``.dlt/config.toml`` and the filled-in example of secrets work as they stand."""
    (tmp_path / ".dlt").mkdir()
    config = (REPOSITORY / ".dlt" / "config.toml").read_text()
    (tmp_path / ".dlt" / "config.toml").write_text(config)
    example = (REPOSITORY / ".dlt" / "example.secrets.toml").read_text()
    assert "1234567.pt.your-token" in example
    filled = example.replace("1234567.pt.your-token", server.token)
    (tmp_path / ".dlt" / "secrets.toml").write_text(filled)
    settings = build_settings(server)
    del settings["SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"]
    done = subprocess.run(
        [sys.executable, "-m", "harvest_source", "sync", "--table", "roles", "--json"],
        cwd=tmp_path,
        env={**clean_environment(), **build_environment(tmp_path), **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
