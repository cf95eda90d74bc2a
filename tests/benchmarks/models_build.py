"""
How long the models take: ``python -m tests.benchmarks.models_build``.

Syncs the simulated consultancy into a new DuckDB file, adds copies of its people with their entries
and rates until there are as many entries as asked for, and runs ``harvest-source transform``
on it, in an environment of its own with the extra ``dbt`` (made by pip or uv). Prints one table:
the first build and a second one on top of it, with the memory of the largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from harvest_source.sandbox import SandboxProcess, start_process
from tests.support.children import REPOSITORY
from tests.support.environments import make_dbt_environment

STEP = 10**11
"""Above every id of the sandbox."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=500_000, help="Time entries.")
    parser.add_argument("--duckdb", default="", help="Version of DuckDB, such as <2.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_dbt_environment(
            folder / "env", *([f"duckdb{options.duckdb}"] if options.duckdb else [])
        )
        environment = {**os.environ, "DLT_DATA_DIR": str(folder / "dlt")}
        with start_process("--no-limit") as server:
            sync(server, folder, environment)
        entries = multiply(folder, options.entries)
        raw = size(folder)
        print("| Build | Entries | Wall | CPU | Peak of one process | File |")
        print("|---|---|---|---|---|---|")
        print(f"| before | {entries:,} | | | | {raw:,.0f} MB |")
        for build in ("first", "second"):
            wall_s, cpu_s, peak_mb = transform(python, folder, environment)
            print(
                f"| {build} | {entries:,} | {wall_s:.1f} s | {cpu_s:.1f} s | "
                f"{peak_mb:,.0f} MB | {size(folder):,.0f} MB |"
            )


def size(folder: Path) -> float:
    """Size of the file in megabytes."""
    return (folder / "harvest_data.duckdb").stat().st_size / 1e6


def multiply(folder: Path, entries: int) -> int:
    """Add copies of all people, their entries and rates; return the new number of entries."""
    people = {"users": "id", "time_entries": "user__id", "cost_rates": "user_id"}
    with duckdb.connect(str(folder / "harvest_data.duckdb")) as connection:
        count = "SELECT COUNT(*) FROM harvest.time_entries"
        (begun,) = connection.execute(count).fetchall()[0]
        for copy in range(1, -(-entries // begun)):
            for table, person in people.items():
                changed = {"id", person}
                new = ", ".join(f"{each} + {copy * STEP} AS {each}" for each in sorted(changed))
                connection.execute(
                    f"INSERT INTO harvest.{table} SELECT * REPLACE ({new}) "
                    f"FROM harvest.{table} WHERE id < {STEP}"
                )
        (found,) = connection.execute(count).fetchall()[0]
    return int(found)


def sync(server: SandboxProcess, folder: Path, environment: dict[str, str]) -> None:
    """Fill the file."""
    settings = {
        "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": server.token,
        "SOURCES__HARVEST__ACCOUNT_ID": str(server.account_id),
        "SOURCES__HARVEST__API_URL": server.api_url,
        "SOURCES__HARVEST__ID_URL": server.id_url,
    }
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.impatient_sync"],
        check=True,
        cwd=folder,
        env={**environment, **settings, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
    )


def transform(
    python: Path, folder: Path, environment: dict[str, str]
) -> tuple[float, float, float]:
    """Build once; return wall seconds, CPU seconds, and megabytes of the largest process."""
    begun, said = time.monotonic(), folder / "report.json"
    command = [str(python), "-m", "harvest_source", "transform", "--json"]
    command += ["--database", str(folder / "harvest_data.duckdb")]
    with said.open("w") as output:
        child = subprocess.Popen(command, env=environment, stdout=output)
    _, status, usage = os.wait4(child.pid, 0)  # Covers only this child and dbt below it.
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, json.loads(said.read_text())["errors"]
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
