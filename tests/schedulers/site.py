"""What a scheduler's test works in: a sandbox, a volume that is kept, and a disk that is wiped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harvest_source.sandbox import SandboxProcess
from tests.support.children import REPOSITORY
from tests.support.command import build_settings, clean_environment

FILES = REPOSITORY / "pipelines" / "orchestrators"
COMMAND = Path(sys.executable).with_name("harvest-source")
QUIET = 30
"""A run without changes sends fewer requests than this, as the documents say."""


@dataclass
class Site:
    """
    One machine with a scheduler.

    Attributes:
        server: The sandbox, in its own process.
        folder: Contains the volume and the disk.
    """

    server: SandboxProcess
    folder: Path

    @property
    def volume(self) -> Path:
        """The folder that is kept between runs."""
        return self.folder / "volume"

    @property
    def disk(self) -> Path:
        """Empty each time: dlt's working folder, the home and the framework's own files."""
        return self.folder / "disk"

    @property
    def database(self) -> Path:
        """The warehouse, on the volume."""
        return self.volume / "harvest_data.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process: the token, the places, and no telemetry."""
        return {
            **clean_environment(),
            **build_settings(self.server),  # type: ignore[arg-type]
            "HOME": str(self.disk),
            "DLT_DATA_DIR": str(self.disk / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "DO_NOT_TRACK": "1",
            "NO_PROXY": "127.0.0.1",
            "HARVEST_HOME": str(self.volume),
            "HARVEST_DATABASE": str(self.database),
        }

    def wipe(self) -> None:
        """Replace the disk with an empty one."""
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir(parents=True)
        self.volume.mkdir(exist_ok=True)

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """
        Run a command on the disk until it ends; ``-s`` shows its output.

        Args:
            more: Variables of its environment; an empty value removes the variable.
        """
        done = subprocess.run(
            [str(each) for each in command],
            cwd=self.disk,
            env={name: text for name, text in {**self.environment, **more}.items() if text},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        print(f"\n$ {' '.join(map(str, command))}\n{done.stdout}")
        return done

    def count_requests(self) -> int:
        """The number of requests since the last call."""
        counted = sum(self.server.control("stats")["requests"].values())
        self.server.control("reset_requests")
        return int(counted)

    def query(self, query: str) -> list[tuple[object, ...]]:
        """The rows that the warehouse returns."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("USE harvest")
            return connection.execute(query).fetchall()

    def hold(self) -> subprocess.Popen[str]:
        """Start a process that holds the pipeline's lock, as a running sync does."""
        code = (
            "from harvest_source.warehouse.lock import sync_lock\n"
            "from harvest_source.dlt_internals import find_pipelines_folder\n"
            "from datetime import UTC, datetime\n"
            "with sync_lock('harvest', find_pipelines_folder(), now=datetime.now(UTC)):\n"
            "    print('held', flush=True); input()"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        return holder


def check_nothing_twice(site: Site, first: int, second: int) -> None:
    """Check two runs on empty disks: the second read from the cursors, and sent few requests."""
    runs = site.query("SELECT status, requests, tables FROM sync_runs ORDER BY started_at")
    print(f"{first} requests on the first disk, {second} on the second: {[r[:2] for r in runs]}")
    assert [status for status, *_ in runs[-2:]] == ["ok", "ok"]
    assert second < QUIET < first
    entries = int(str(site.query("SELECT COUNT(*) FROM time_entries")[0][0]))
    assert entries == site.server.control("count", table="time_entries")
    # A running timer changes every second.
    running = [
        row for row in site.server.control("rows", table="time_entries") if row["is_running"]
    ]
    assert json.loads(str(runs[-1][2]))["time_entries"]["rows"] == len(running) < entries
