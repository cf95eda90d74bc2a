"""
How fast the connector is, in every relevant case: ``python -m tests.benchmarks.speed``.

The sandbox has a process of its own. Each measured run is a whole process, including interpreter
start, that loads into a new DuckDB file unless stated otherwise. Prints one table. Arguments name
what to measure; the default is everything except the longest. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from harvest_source.sandbox import SandboxProcess
from tests.benchmarks.agency import agency, agency_limited
from tests.benchmarks.place import ALLOWED, WINDOW_S, Line, open_place
from tests.benchmarks.replay import replaying
from tests.benchmarks.sync_speed import LIBRARIES, Measured, build_command
from tests.benchmarks.upkeep import upkeep

BASELINE = [sys.executable, "-m", "tests.benchmarks.baseline_sync"]
HEAD = f"{'':34} {'rows':>10} {'requests':>8} {'wall s':>7} {'rows/s':>8} {'CPU s':>6} {'MB':>6}"


def limited(entries: int) -> Iterator[Line]:
    """With Harvest's limit and 300 ms per request; only the limiter should take time."""
    with open_place(entries, limit=True, latency_ms=300) as place:
        began = datetime.datetime.now(datetime.UTC)
        run = place.run(build_command(True, False))
        asked = place.requests()
    pages = [each["bytes"] for each in asked]
    full = sum(each > 0.9 * max(pages) for each in pages) / len(pages)
    refused = sum(each["status"] == 429 for each in asked)
    # The last request may go when the first request of its window has left the window.
    floor_s = (len(asked) - 1) // ALLOWED * WINDOW_S
    yield Line(
        f"limit on, 300 ms, {entries:,}",
        run,
        f"limiter {floor_s:.1f} s, {run.wall_s - floor_s:+.1f} s; "
        f"{full:.0%} full pages; {refused} x 429; {explain_rest(asked, began, run.wall_s)}",
    )


def explain_rest(
    asked: Sequence[Mapping[str, Any]], began: datetime.datetime, wall_s: float
) -> str:
    """
    What a run needs beyond its limiter: four parts that add up to it.

    The limiter's time is that of whole windows. The last request takes the place of one of the
    first window, and so waits as long after the start as that one did.
    """
    sent = [datetime.datetime.fromisoformat(each["time"]) for each in asked]
    seconds = sorted((each - began).total_seconds() for each in sent)
    windows, at = divmod(len(seconds) - 1, ALLOWED)
    place_s, last_s = seconds[at], seconds[-1]
    return (
        f"first request {seconds[0]:.1f} s after the start, "
        f"number {at + 1} of its window {place_s - seconds[0]:.1f} s after that, "
        f"last request {last_s - place_s - windows * WINDOW_S:.1f} s after its turn, "
        f"end {wall_s - last_s:.1f} s after it"
    )


def unlimited(entries: int, runs: int, baseline_rows: int) -> Iterator[Line]:
    """Without limit: the speed of the connector and of the baseline, in turn."""
    ours, theirs = [], []
    for _ in range(runs):
        with open_place(entries, limit=False) as place:
            ours.append(place.run(build_command(False, False)))
        with open_place(baseline_rows, limit=False) as place:
            theirs.append(place.run(BASELINE))
    us, them = median(ours), median(theirs)
    yield Line(f"no limit, {entries:,}, median of {runs}", us, spread(ours))
    yield Line("baseline: dlt rest_api, parquet", them, spread(theirs))
    yield Line("  times the baseline", replace(us, rows=0), f"{us.rate / them.rate:.1f} x")


def free(entries: int, runs: int) -> Iterator[Line]:
    """Without limit, and without the cost of making the answers; see ``replay``."""
    with open_place(entries, limit=False) as place, replaying(place.server) as server:
        command = build_command(False, False)
        found, served_s = [], 0.0
        for number in range(runs + 1):
            with tempfile.TemporaryDirectory() as folder:
                before = server.read_cpu_s()
                run = replace(place, server=server, folder=Path(folder)).run(command)
                if number:  # The first run has the sandbox make the answers.
                    found.append(run)
                    served_s = max(served_s, server.read_cpu_s() - before)
    notes = f"answers given again, for {served_s:.1f} CPU s of another process; {spread(found)}"
    yield Line(f"answers ready, {entries:,}, median of {runs}", median(found), notes)


def unchanged(latency_ms: float, runs: int) -> Iterator[Line]:
    """All default tables of the default account, when nothing has changed."""
    with open_place(5000, limit=False, latency_ms=latency_ms) as place:
        stop_timers(place.server)
        command = build_command(True, True)
        place.run(command)
        found = [place.run(command) for _ in range(runs)]
    yield Line(f"unchanged, {latency_ms:.0f} ms, median of {runs}", median(found), spread(found))


def changed(entries: int, runs: int) -> Iterator[Line]:
    """2,000 changed entries in a table of *entries*, compared with a run without changes."""
    with open_place(entries, limit=False) as place:
        stop_timers(place.server)
        command = build_command(False, False)
        yield Line(f"first sync, {entries:,}", place.run(command))
        idle = [place.run(command) for _ in range(runs)]
        moved = []
        for seed in range(runs):
            place.server.control("churn", edits=2000, seed=seed)
            moved.append(place.run(command))
    more = median(moved).wall_s - median(idle).wall_s
    name = f"2,000 changed in {entries:,}, of {runs}"
    yield Line(name, median(moved), f"{more:.2f} s more than unchanged; {spread(moved)}")


def huge() -> Iterator[Line]:
    """Ten million entries, without limit."""
    with open_place(10_000_000, limit=False) as place:
        run = place.run(build_command(False, False))
        with duckdb.connect(str(place.folder / "harvest_data.duckdb"), read_only=True) as database:
            query = "SELECT count(*), count(DISTINCT id) FROM harvest.time_entries"
            found = database.execute(query).fetchall()[0]
    yield Line("no limit, 10,000,000", run, f"in the table: {found[0]:,}, distinct {found[1]:,}")


def stop_timers(server: SandboxProcess) -> None:
    """Stop running timers, whose hours would change with every second."""
    for entry in server.control("rows", table="time_entries") if server_is_small(server) else ():
        if entry["is_running"]:
            # Not touched, because runs read a row again for five minutes after its change.
            fields = {"is_running": False, "timer_started_at": None, "touch": False}
            server.control("edit", table="time_entries", record_id=entry["id"], **fields)


def server_is_small(server: SandboxProcess) -> bool:
    """Whether there are few enough entries to fetch them all and look for timers."""
    return int(server.control("count", table="time_entries")) <= 50_000


def median(runs: list[Measured]) -> Measured:
    """The median of each figure, except that memory is the largest."""
    return Measured(
        rows=runs[0].rows,
        requests=round(statistics.median(run.requests for run in runs)),
        wall_s=statistics.median(run.wall_s for run in runs),
        cpu_s=statistics.median(run.cpu_s for run in runs),
        peak_mb=max(run.peak_mb for run in runs),
    )


def spread(runs: list[Measured]) -> str:
    """The fastest and the slowest wall time."""
    return f"{min(run.wall_s for run in runs):.2f} to {max(run.wall_s for run in runs):.2f} s"


SCENARIOS: dict[str, Callable[[Sequence[str]], Iterator[Line]]] = {
    "unchanged": lambda _: unchanged(0, 5),
    "unchanged-300ms": lambda _: unchanged(300, 5),
    "no-limit": lambda _: unlimited(400_000, 3, 100_000),
    "free": lambda _: free(400_000, 3),
    "limit-400k": lambda _: limited(400_000),
    "limit-1m": lambda _: limited(1_000_000),
    "changed-50k": lambda _: changed(50_000, 3),
    "changed-5m": lambda _: changed(5_000_000, 3),
    "10m": lambda _: huge(),
    "agency": lambda _: agency(),
    "agency-limited": lambda _: agency_limited(BASELINE),
    "upkeep": upkeep,
}
"""What can be measured, by name; each function gets the remaining options."""

LONGEST = {"changed-5m", "10m", "upkeep"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*SCENARIOS, []], help="left out: the shorter")
    options, more = parser.parse_known_args()
    chosen = options.what or [each for each in SCENARIOS if each not in LONGEST]
    if more and chosen != ["upkeep"]:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    print(HEAD)
    for name in chosen:
        for line in SCENARIOS[name](more):
            print(line, flush=True)
    print(describe_versions())


def describe_versions() -> str:
    """Two lines: date and commit, then Python, libraries and cores."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit or 'unknown'}\n"
        f"Python {platform.python_version()}, {libraries}; {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
