"""
How long questions take on 500,000 time entries: ``python -m tests.benchmarks.asking``.

Prints the median and the worst of 100 calls, with a new worker process for each: cold, when the
worker first imports Python and DuckDB, and warm, when a worker is ready as in a server. Between two
calls on a warm server it pauses until the next worker is ready, because an agent thinks for longer
than that. The processor time is the worker's, including its start: it varies less on a busy machine
than the wall time does.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from harvest_source import ask
from harvest_source.ask import Answer, Runner
from tests.support.questions import make_warehouse

ENTRIES = 500_000
PAUSE_S = 0.5
"""Pause between two calls on a warm server."""


def build_warehouse(folder: Path, entries: int) -> Path:
    """The small warehouse with many time entries of 50 people, 200 projects and three years."""
    path = make_warehouse(folder / "warehouse.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM harvest.time_entries")
        connection.execute(
            "INSERT INTO harvest.time_entries BY NAME SELECT 1000001 AS account_id, range AS id, "
            "DATE '2023-01-01' + CAST(range % 1096 AS INTEGER) AS spent_date, "
            "range % 50 AS user__id, 'Person ' || range % 50 AS user__name, "
            "range % 200 AS project__id, 'Project ' || range % 200 AS project__name, "
            "range % 12 AS task__id, 'Task ' || range % 12 AS task__name, "
            "range % 40 AS client__id, 'Client ' || range % 40 AS client__name, "
            "['EUR', 'USD'][range % 2 + 1] AS client__currency, (range % 32) / 4 AS hours, "
            "(range % 32) / 4 AS rounded_hours, range % 3 > 0 AS billable, 100 AS billable_rate, "
            "false AS is_billed, 'Note ' || range AS notes, now() AS updated_at "
            f"FROM range({entries})"
        )
    return path


def measure(name: str, runs: int, pause: float, call: Callable[[], Answer]) -> None:
    """Print one line with the median and the worst; *pause* is the seconds between two calls."""
    call()
    taken, used = [], []
    for _ in range(runs):
        time.sleep(pause)
        began, before = time.perf_counter(), _read_processor_time()
        call()
        taken.append(time.perf_counter() - began)
        used.append(_read_processor_time() - before)
    middle, worst = statistics.median(taken), max(taken)
    print(
        f"{name:34} median {middle * 1000:5.0f} ms   worst {worst * 1000:5.0f} ms   "
        f"processor {statistics.median(used) * 1000:4.0f} ms"
    )


def _read_processor_time() -> float:
    """CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Build the warehouse and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--callers", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = build_warehouse(Path(folder), given.entries)
        print(f"{given.entries:,} time entries, DuckDB {duckdb.__version__}, {given.runs} calls")
        for state, is_warm in (("cold", False), ("warm", True)):
            runner = Runner(path, keeps_one_ready=is_warm)
            measure(
                f"list_records, {state}",
                given.runs,
                PAUSE_S if is_warm else 0,
                lambda runner=runner: ask.list_records(  # type: ignore[misc]
                    "time_entries",
                    where=["user__id=7", "spent_date>=2025-01-01"],
                    order=["-spent_date"],
                    limit=100,
                    warehouse=runner,
                ),
            )
            measure(
                f"sum_time by client and month, {state}",
                given.runs,
                PAUSE_S if is_warm else 0,
                lambda runner=runner: ask.sum_time(["client", "month"], warehouse=runner),  # type: ignore[misc]
            )
            runner.close()
        measure_at_once(path, given.callers)


def measure_at_once(path: Path, callers: int) -> None:
    """Print how long *callers* wait that ask at the same time, and what the workers use."""
    runner = Runner(path)
    taken: list[float] = []

    def ask_once(number: int) -> None:
        began = time.perf_counter()
        if number % 2:
            ask.sum_time(["client", "month"], warehouse=runner)
        else:
            ask.list_records("time_entries", where=[f"user__id={number}"], warehouse=runner)
        taken.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask_once, args=(number,)) for number in range(callers)]
    before = _read_processor_time()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{callers} callers at once".ljust(34),
        f"median {statistics.median(taken) * 1000:5.0f} ms   worst {max(taken) * 1000:5.0f} ms   "
        f"processor {(_read_processor_time() - before) / callers * 1000:4.0f} ms each, "
        f"{runner.limits.at_once} workers at most, {peak:.0f} MB the largest",
    )


if __name__ == "__main__":
    main()
