"""What a scheduler's test works in: a sandbox, a volume that is kept, and a disk that vanishes."""

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
"""Requests that a run without changes stays below, as the documents say."""


@dataclass
class Site:
    """
    One machine with a scheduler.

    Attributes:
        server: The sandbox, in a process of its own.
        folder: For everything.
    """

    server: SandboxProcess
    folder: Path

    @property
    def volume(self) -> Path:
        """Is kept between runs."""
        return self.folder / "volume"

    @property
    def disk(self) -> Path:
        """Is empty each time: dlt's working folder, the home and the framework's own files."""
        return self.folder / "disk"

    @property
    def database(self) -> Path:
        """The warehouse, on the volume."""
        return self.volume / "harvest_data.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """Of every process: the token, the places, and no telemetry."""
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
        """Throw the disk away, and give an empty one."""
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir(parents=True)
        self.volume.mkdir(exist_ok=True)

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """
        A command on the disk, to its end; its output is shown with ``-s``.

        Args:
            more: Variables of its environment; an empty one is taken away.
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
        """Requests since the last time this was called."""
        counted = sum(self.server.control("stats")["requests"].values())
        self.server.control("reset_requests")
        return int(counted)

    def query(self, query: str) -> list[tuple[object, ...]]:
        """What the warehouse gives."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("USE harvest")
            return connection.execute(query).fetchall()

    def hold(self) -> subprocess.Popen[str]:
        """A process that holds the pipeline's lock, as a sync at work does."""
        code = (
            "from harvest_source.warehouse.lock import only_sync\n"
            "from harvest_source.dlt_internals import find_pipelines_folder\n"
            "from datetime import UTC, datetime\n"
            "with only_sync('harvest', find_pipelines_folder(), now=datetime.now(UTC)):\n"
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
    """After two runs on empty disks: the second read from the cursors, and asked little."""
    runs = site.query("SELECT status, requests, tables FROM sync_runs ORDER BY started_at")
    print(f"{first} requests on the first disk, {second} on the second: {[r[:2] for r in runs]}")
    assert [status for status, *_ in runs[-2:]] == ["ok", "ok"]
    assert second < QUIET < first
    entries = int(str(site.query("SELECT COUNT(*) FROM time_entries")[0][0]))
    assert entries == site.server.control("count", table="time_entries")
    # A running timer changes with each second.
    running = [
        row for row in site.server.control("rows", table="time_entries") if row["is_running"]
    ]
    assert json.loads(str(runs[-1][2]))["time_entries"]["rows"] == len(running) < entries
