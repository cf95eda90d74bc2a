"""
A first load and a change of 2,000 rows in several destinations: ``python -m
tests.benchmarks.destination_speed [--entries N] [NAME...]``.

Each run is a whole process that loads time entries from a sandbox in another process, without
Harvest's limit, into a real server or real files. Names are those of
``tests.support.destinations``. The memory is the sync's, not a server's. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from harvest_source.__main__ import DEFAULTS
from tests.benchmarks.place import Line, open_place
from tests.benchmarks.speed import HEAD
from tests.support.destinations import BY_NAME, Server

CHANGED = 2_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=400_000, help="time entries")
    parser.add_argument("names", nargs="*", help="left out: DuckDB and PostgreSQL")
    options = parser.parse_args()
    os.environ.update(DEFAULTS)
    print(HEAD)
    for name in options.names or ("duckdb", "postgres"):
        measure(BY_NAME[name], options.entries)


def measure(server: Server, entries: int) -> None:
    """Print the two lines of one destination."""
    if why := server.why_not():
        print(f"{server.name}: {why}")
        return
    command = [sys.executable, "-m", "tests.benchmarks.impatient_sync"]
    if server.destination != "duckdb":
        command.append(f"--destination={server.destination}")
    command.append("time_entries")
    with (
        tempfile.TemporaryDirectory() as folder,
        server.start(Path(folder)) as settings,
        open_place(entries, limit=False) as place,
    ):
        os.environ.update(settings)
        if server.format:
            os.environ["SOURCES__HARVEST__TABLE_FORMAT"] = server.format
        else:
            os.environ.pop("SOURCES__HARVEST__TABLE_FORMAT", None)
        print(Line(f"{server.name}, first load", place.run(command)), flush=True)
        idle = place.run(command)
        place.server.control("churn", edits=CHANGED, seed=0)
        moved = place.run(command)
        more = f"{moved.wall_s - idle.wall_s:.2f} s more than unchanged"
        print(Line(f"{server.name}, {CHANGED:,} changed", moved, more), flush=True)


if __name__ == "__main__":
    main()
