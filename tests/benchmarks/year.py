"""
Many runs on one warehouse, with the clock moved between them: disk usage, and how long runs take.

``python -m tests.benchmarks.year --runs 300`` syncs all tables of a simulated account every hour of
the clock; ``--hours 24 --runs 365`` is a year of daily runs. In working hours some time entries and
a client change before each run. It prints a line for each block of runs, the growth per run in the
second half, and what that amounts to after the 8,760 runs of a year, by extrapolation. A fresh copy
is what ``COPY FROM DATABASE`` makes of the warehouse.

A year of hourly runs takes hours: ``--folder NAME`` keeps the warehouse and a record of the runs,
and the same command with the same folder continues after the last run, however it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from harvest_source.__main__ import DEFAULTS
from harvest_source.defaults import KEEP_RUNS_DAYS
from tests.support.lab import HOUR, Lab

A_YEAR = 24 * 365
COUNTED = ("sync_runs", "_dlt_loads", "_dlt_pipeline_state", "_dlt_version")


@dataclass(frozen=True)
class Sizes:
    """The warehouse and the working folder after a run."""

    runs: int
    database_kb: float
    fresh_kb: float
    """Size of a fresh copy of the warehouse."""
    folder_kb: float
    folder_files: float
    sync_runs: float
    dlt_loads: float
    dlt_pipeline_state: float
    dlt_version: float
    idle_s: float
    """CPU seconds of a run that loaded nothing, including the sandbox: median since last line."""
    loading_s: float
    """The same for a run that loaded rows."""
    idle_wall_s: float
    idle_written_kb: float
    loading_written_kb: float
    requests: float


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    is_loading: bool
    cpu_s: float
    wall_s: float
    written_kb: float
    requests: int


class Journal:
    """
    The runs so far, kept in two files of JSON lines beside the warehouse.

    Attributes:
        runs: The clock before each successful run, and its cost.
        sizes: The lines of the table.
    """

    def __init__(self, folder: Path) -> None:
        self._runs, self._sizes = folder / "runs.jsonl", folder / "sizes.jsonl"
        self.runs = [
            (datetime.fromisoformat(each.pop("at")), Cost(**each)) for each in _read(self._runs)
        ]
        self.sizes = [Sizes(**each) for each in _read(self._sizes)]

    def add_run(self, at: datetime, cost: Cost) -> None:
        """Record a run."""
        self.runs.append((at, cost))
        _write(self._runs, {"at": at.isoformat()} | asdict(cost))

    def add_sizes(self, sizes: Sizes) -> None:
        """Record the sizes after a block of runs."""
        self.sizes.append(sizes)
        _write(self._sizes, asdict(sizes))

    def find_costs(self) -> list[Cost]:
        """The costs of the runs since the last line of the table."""
        measured = int(self.sizes[-1].runs) if self.sizes else 0
        return [cost for _, cost in self.runs[measured:]]


def _read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _write(path: Path, record: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def read_written() -> int:
    """Bytes that this process has handed to storage."""
    text = Path("/proc/self/io").read_text()
    return int(text.partition("\nwrite_bytes: ")[2].partition("\n")[0])


def find_median(values: Iterable[float]) -> float:
    """The median of *values*, or NaN if there are none."""
    known = list(values)
    return statistics.median(known) if known else float("nan")


def measure(lab: Lab, runs: int, costs: list[Cost]) -> Sizes:
    """Sizes after *runs* runs; the last ones took *costs*."""
    fresh = lab.folder / "fresh.duckdb"
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute("CHECKPOINT")
        kept, loads, states, versions = (
            connection.execute(f"SELECT COUNT(*) FROM harvest.{name}").fetchall()[0][0]
            for name in COUNTED
        )
        connection.execute(f"ATTACH '{fresh}' AS fresh (STORAGE_VERSION 'v1.0.0')")
        connection.execute("COPY FROM DATABASE harvest_data TO fresh; DETACH fresh")
    files = [path for path in (lab.folder / "dlt").rglob("*") if path.is_file()]
    idle = [each for each in costs if not each.is_loading]
    loading = [each for each in costs if each.is_loading]
    return Sizes(
        runs,
        lab.database.stat().st_size / 1024,
        fresh.stat().st_size / 1024,
        sum(path.stat().st_size for path in files) / 1024,
        len(files),
        kept,
        loads,
        states,
        versions,
        find_median(each.cpu_s for each in idle),
        find_median(each.cpu_s for each in loading),
        find_median(each.wall_s for each in idle),
        find_median(each.written_kb for each in idle),
        find_median(each.written_kb for each in loading),
        find_median(each.requests for each in costs),
    )


def find_packages(lab: Lab) -> set[str]:
    """The loads that dlt keeps as completed; a run that loads adds one."""
    return {path.name for path in (lab.folder / "dlt").glob("pipelines/*/load/loaded/*")}


def change(lab: Lab, dice: random.Random) -> None:
    """Change what a small company changes in an hour, on weekdays from nine to five."""
    now = lab.clock()
    if now.weekday() > 4 or not 9 <= now.hour < 17:
        return
    ids = [row["id"] for row in lab.server.rows("time_entries")]
    for _ in range(3):
        lab.server.create("time_entries")
        lab.server.edit("time_entries", dice.choice(ids), notes=f"Changed at {now}")
    client = dice.choice(lab.server.rows("clients"))
    lab.server.edit("clients", client["id"], name=f"Client at {now}")


def replay(lab: Lab, journal: Journal, dice: random.Random, hours: float) -> None:
    """Repeat the changes before each run of *journal*, and set the clock to the next run."""
    for at, _ in journal.runs:
        set_clock(lab, at)
        change(lab, dice)
    if journal.runs:
        lab.rest(hours * HOUR)


def set_clock(lab: Lab, at: datetime) -> None:
    """Move the clock on to *at*, as the waits of a run did; never back."""
    lab.rest(max((at - lab.clock()).total_seconds(), 0))


def run(
    lab: Lab, journal: Journal, *, runs: int, hours: float, block: int, minutes: float
) -> Iterator[Sizes]:
    """Sync up to *runs* times, or for *minutes*; yields the sizes after each *block* of runs."""
    dice, ends = random.Random(1), time.monotonic() + 60 * minutes
    replay(lab, journal, dice, hours)
    while len(journal.runs) < runs:
        at = lab.clock()
        change(lab, dice)
        journal.add_run(at, sync_once(lab))
        lab.rest(hours * HOUR)
        number, is_late = len(journal.runs), time.monotonic() > ends
        if number == 1 or number % block == 0 or number == runs or is_late:
            journal.add_sizes(measure(lab, number, journal.find_costs()))
            yield journal.sizes[-1]
        if is_late:
            return


def sync_once(lab: Lab) -> Cost:
    """Sync once, and return the cost."""
    packages = find_packages(lab)
    began, started, written = time.process_time(), time.monotonic(), read_written()
    report = lab.sync()
    if report.status != "ok":
        raise SystemExit(f"A run failed: {report.as_dict()}")
    return Cost(
        find_packages(lab) != packages,
        time.process_time() - began,
        time.monotonic() - started,
        (read_written() - written) / 1024,
        report.requests,
    )


def extrapolate(found: list[Sizes], name: str) -> tuple[float, float]:
    """Growth per run in the second half, and the value that gives after a year of hourly runs."""
    half, last = found[len(found) // 2], found[-1]
    each = (getattr(last, name) - getattr(half, name)) / max(last.runs - half.runs, 1)
    return each, getattr(last, name) + each * (A_YEAR - last.runs)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--hours", type=float, default=1, help="between two runs, by the clock")
    parser.add_argument("--block", type=int, default=25)
    parser.add_argument("--entries", type=int, default=500)
    parser.add_argument("--keep-runs-days", type=int, default=KEEP_RUNS_DAYS)
    parser.add_argument("--minutes", type=float, default=600, help="stop then")
    parser.add_argument("--folder", type=Path, help="kept, and gone on with")
    options = parser.parse_args()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    names = [field.name for field in fields(Sizes)]
    with open_folder(options.folder) as folder, Lab(Path(folder), entries=options.entries) as lab:
        os.environ["DLT_PROJECT_DIR"] = str(folder)
        os.environ["SOURCES__HARVEST__KEEP_RUNS_DAYS"] = str(options.keep_runs_days)
        lab.stop_timers()
        journal = Journal(Path(folder))
        print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|", flush=True)
        for sizes in journal.sizes:
            print_line(sizes)
        for sizes in run(
            lab,
            journal,
            runs=options.runs,
            hours=options.hours,
            block=options.block,
            minutes=options.minutes,
        ):
            print_line(sizes)
    print_growth(journal.sizes)
    return 0


def open_folder(kept: Path | None) -> AbstractContextManager[Path | str]:
    """The folder to work in: *kept*, or one that is deleted at the end."""
    if kept is None:
        return tempfile.TemporaryDirectory()
    kept.mkdir(exist_ok=True)
    return nullcontext(kept.resolve())


def print_line(sizes: Sizes) -> None:
    """Print a line of the table."""
    print("| " + " | ".join(f"{value:,.6g}" for value in asdict(sizes).values()) + " |", flush=True)


def print_growth(found: list[Sizes]) -> None:
    """Print what the table means for a year."""
    names = [field.name for field in fields(Sizes)]
    kept = [each.database_kb for each in found[1:]] or [found[0].database_kb]
    print(f"database_kb: {min(kept):,.0f} to {max(kept):,.0f} after the first run; it is reused")
    for name in names[3:9]:
        each, year = extrapolate(found, name)
        print(f"{name}: {each:+.3f} a run, {year:,.0f} after {A_YEAR:,} runs, by extrapolation")
    early, late = found[1 if len(found) > 2 else 0], found[-1]
    for name in names[9:]:
        print(f"{name}: {getattr(early, name):,.2f} early, {getattr(late, name):,.2f} at the end")
    ratios = [each.database_kb / each.fresh_kb for each in found]
    print(f"file against a fresh copy: {min(ratios):.2f} to {max(ratios):.2f} times")


if __name__ == "__main__":
    sys.exit(main())
