"""The surroundings of a benchmark: a sandbox in its own process, and a folder to sync into."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest_source.sandbox import start_process
from tests.benchmarks.sync_speed import ROOT, Measured, measure

ALLOWED, WINDOW_S = 97, 15.4
"""How many requests the limiter lets through, and in how many seconds."""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    name: str
    run: Measured
    notes: str = ""

    def __str__(self) -> str:
        run = self.run
        return (
            f"{self.name:34} {run.rows:>10,} {run.requests:>8,} {run.wall_s:>7.2f} "
            f"{run.rate:>8,.0f} {run.cpu_s:>6.2f} {run.peak_mb:>6,.0f}  {self.notes}"
        )


@dataclass(frozen=True)
class Place:
    """A sandbox and a folder to sync into."""

    server: Any
    """A ``SandboxProcess``, or a server in front of one."""
    folder: Path
    code: Path = ROOT
    """The checkout that is measured."""

    def run(self, command: list[str]) -> Measured:
        """Run *command* as a whole process, and measure it."""
        self.server.control("reset_requests")
        return measure(self.server, self.folder, command, self.code)

    def requests(self) -> list[dict[str, Any]]:
        """The requests that the last run sent to the sandbox."""
        found: list[dict[str, Any]] = self.server.control("requests")
        return [each for each in found if "_sandbox" not in each["path"]]


@contextmanager
def open_place(
    entries: int,
    *,
    limit: bool,
    latency_ms: float = 0,
    accounts: int = 1,
    code: Path = ROOT,
) -> Iterator[Place]:
    """New accounts of *entries* time entries each, and a new folder."""
    sizes = {"entries": entries, "latency-ms": latency_ms, "accounts": accounts}
    serve = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
    with (
        start_process(*serve, *([] if limit else ["--no-limit"])) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Place(server, Path(folder), code)
