"""
How long the app takes to show a large warehouse: ``python -m tests.benchmarks.app_speed FILE``.

FILE is a warehouse with models, such as ``harvest-source sync --sandbox`` and ``transform
--sandbox`` make. Copies of all people and their hours are added to the marts of a copy of FILE
until it has the number of time entries asked for. Needs the extra ``app``, and chromium. Prints the
wall time from entering the address until every section is shown, and from a click on a client to
the new figures, and the CPU time of the server for each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.support.app import WHOLE, choose, wait_for
from tests.support.chromium import open_page

STEP = 10_000_000_000
"""Above every id of the sandbox."""
MARTS = (
    *("people", "hours_daily", "utilization_daily", "utilization_weekly", "utilization_monthly"),
    *("missing_time", "time_entries", "data_quality"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--entries", type=int, default=500_000, help="Time entries.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database = Path(shutil.copy(options.file, Path(name) / "warehouse.duckdb"))
        entries, client = multiply(database, options.entries)
        command = [sys.executable, "-m", "harvest_source", "app", "--json", "--port", "0"]
        with subprocess.Popen(
            [*command, "--database", str(database)], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                measure(json.loads(server.stdout.readline())["url"], server.pid, entries, client)
            finally:
                server.terminate()


def measure(url: str, pid: int, entries: int, client: str) -> None:
    """Open the app twice and click once; one line for each."""
    print("| Entries | What | Wall | CPU of the server |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder)) as page:
        page.show(1440)
        for what in ("first page", "second page", "a client chosen"):
            begun, used = time.monotonic(), read_cpu(pid)
            if what == "a client chosen":
                choose(page, 0, client)
                wait_for(page, f"only {client}")
            else:
                page.go(url)
                page.until(WHOLE)
            wall_s, cpu_s = time.monotonic() - begun, read_cpu(pid) - used
            print(f"| {entries:,} | {what} | {wall_s:.1f} s | {cpu_s:.1f} s |", flush=True)


def multiply(database: Path, entries: int) -> tuple[int, str]:
    """Add copies of people and their rows; return the number of entries and a client's name."""
    with duckdb.connect(str(database)) as connection:
        count = "SELECT COUNT(*) FROM harvest_models.harvest__time_entries"
        (begun,) = connection.execute(count).fetchall()[0]
        for mart in MARTS:
            table = f"harvest_models.harvest__{mart}"
            connection.execute(
                f"INSERT INTO {table} SELECT * EXCLUDE (n) REPLACE (user_id + n * {STEP} AS "
                f"user_id) FROM {table}, range(1, {-(-entries // begun)}) AS copies(n)"
            )
        (found,) = connection.execute(count).fetchall()[0]
        (client,) = connection.execute(
            "SELECT client_name FROM harvest_models.harvest__hours_daily "
            "GROUP BY ALL ORDER BY SUM(hours) DESC LIMIT 1"
        ).fetchall()[0]
    return int(found), str(client)


def read_cpu(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
