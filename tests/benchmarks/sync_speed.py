"""
How fast a first sync is, end to end: ``python -m tests.benchmarks.sync_speed``.

A sandbox runs in a process of its own, and ``harvest-source sync`` in another, measured including
interpreter start, loads into a new DuckDB file. Harvest's limit is off on both sides (see
``impatient_sync``) unless ``--limit`` turns it on. Prints one table. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from harvest_source.sandbox import SandboxProcess, start_process

ROOT = Path(__file__).parents[2]
LIBRARIES = ("dlt", "duckdb", "pyarrow", "httpx", "msgspec")


@dataclass(frozen=True)
class Measured:
    """What one sync of all time entries took."""

    rows: int
    requests: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    written_mb: float = 0
    """Megabytes that the process wrote to disk; zero where the system does not count them."""

    @property
    def rate(self) -> float:
        """Rows per second of wall time."""
        return self.rows / self.wall_s


def main() -> None:
    """Measure and print."""
    options = build_parser().parse_args()
    serve = ["--entries", str(options.entries), "--latency-ms", str(options.latency_ms)]
    if not options.limit:
        serve.append("--no-limit")
    runs: dict[Path, list[Measured]] = {code: [] for code in options.code or [ROOT]}
    for _ in range(options.runs):
        for code, done in runs.items():
            with start_process(*serve) as server, tempfile.TemporaryDirectory() as folder:
                command = build_command(options.limit, options.all)
                done.append(measure(server, Path(folder), command, code))
    for code, done in runs.items():
        print_table(done, str(code) if options.code else "")
    print_versions()


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200_000, help="time entries")
    parser.add_argument("--latency-ms", type=float, default=0, help="of each answer")
    parser.add_argument("--limit", action="store_true", help="with Harvest's 100 requests in 15 s")
    parser.add_argument("--runs", type=int, default=3, help="each with a new account and database")
    parser.add_argument("--all", action="store_true", help="every table, not time entries alone")
    parser.add_argument(
        "--code", type=Path, action="append", help="a checkout to measure in turn with others"
    )
    return parser


def build_command(limit: bool, every_table: bool) -> list[str]:
    """The sync to measure: the command itself, or one that does not wait for the limit."""
    if limit:
        tables = [] if every_table else ["--table", "time_entries"]
        return [sys.executable, "-m", "harvest_source", "sync", "--json", *tables]
    tables = [] if every_table else ["time_entries"]
    return [sys.executable, "-m", "tests.benchmarks.impatient_sync", *tables]


def measure(
    server: SandboxProcess, folder: Path, command: list[str], code: Path = ROOT
) -> Measured:
    """
    Run *command* in *folder*, in a process of its own.

    Args:
        code: The checkout whose ``harvest_source`` it imports.
    """
    # pip also compiles what it installs.
    compileall.compile_dir(code / "harvest_source", quiet=1)
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",  # Otherwise every run would spend seconds compiling dlt.
        "PYTHONPATH": str(code),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "SOURCES__HARVEST__API_URL": server.api_url,
        "SOURCES__HARVEST__ID_URL": server.id_url,
        "SOURCES__HARVEST__ACCOUNT_ID": ",".join(map(str, server.account_ids)),
        "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": server.token,
    }
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = child.stdout.read()
    # wait4 counts only this child; RUSAGE_CHILDREN would count the sandbox too.
    _, status, used = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"The sync ended with exit code {child.returncode}: {said.decode()}")
    report = json.loads(said)
    return Measured(
        rows=sum(table["rows"] for table in report["tables"].values()),
        requests=report["requests"],
        wall_s=wall_s,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=peak_mb(used),
        written_mb=used.ru_oublock * 512 / 1e6,
    )


def peak_mb(used: resource.struct_rusage) -> float:
    """The largest resident size; kilobytes on Linux, bytes on macOS."""
    return used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def print_table(runs: list[Measured], name: str) -> None:
    """Print a line for each run, and one with the medians."""
    if name:
        print(name)
    print(f"{'':8} {'rows':>9} {'requests':>8} {'wall s':>7} {'rows/s':>8} {'CPU s':>6} {'MB':>6}")
    for number, run in enumerate(runs, 1):
        print_line(f"run {number}", run)
    middle = Measured(
        rows=runs[0].rows,
        requests=round(statistics.median(run.requests for run in runs)),
        wall_s=statistics.median(run.wall_s for run in runs),
        cpu_s=statistics.median(run.cpu_s for run in runs),
        peak_mb=statistics.median(run.peak_mb for run in runs),
    )
    print_line("median", middle)


def print_versions() -> None:
    """Print the versions and cores that the runs used."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"Python {platform.python_version()}, {libraries}; {os.cpu_count()} cores")


def print_line(name: str, run: Measured) -> None:
    """Print one row of the table."""
    print(
        f"{name:8} {run.rows:>9,} {run.requests:>8,} {run.wall_s:>7.2f} {run.rate:>8,.0f} "
        f"{run.cpu_s:>6.2f} {run.peak_mb:>6,.0f}"
    )


if __name__ == "__main__":
    main()
