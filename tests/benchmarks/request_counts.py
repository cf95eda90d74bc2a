"""
Requests of an unchanged run and of a daily audit, by the sandbox's own count.

    python -m tests.benchmarks.request_counts [--python PATH]...

Each PATH is the Python of an environment with some version of harvest-source, so that versions can
be compared; the default is this one. The sandbox of this version serves all of them at the same
times: a first run, one an hour later, and one a day after that.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.support.simulation import DAY, HOUR, Simulation

CHILD = """
import sys
from datetime import datetime
try:
    from harvest_source.operations.sync import Hooks, sync
except ImportError:  # Before the move into rooms.
    from harvest_source.run import Hooks, sync

class Clock:
    def now(self): return datetime.fromisoformat(sys.argv[1])
    def monotonic(self): return 0.0
    def sleep(self, seconds): pass

address, token = sys.argv[3:5]
settings = {"credentials": {"access_token": token}, "api_url": address, "id_url": address}
given = {"database": sys.argv[2], "account": [1000001], "settings": settings}
report = sync(**given, hooks=Hooks(clock=Clock()))
assert report.exit_code == 0, report.as_dict()
"""
"""What each environment runs: one sync at a given time."""

ENTRIES = 5_000
WAITS = {"first": 0.0, "unchanged": HOUR, "a day later": DAY}
"""Seconds to wait before each run."""


def count(python: str) -> dict[str, Counter[str]]:
    """Requests of each run by table."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, Simulation(entries=ENTRIES) as lab:
        lab.stop_timers()
        lab.rest()
        for name, wait in WAITS.items():
            lab.rest(wait)
            lab.server.reset_requests()
            address, token = lab.server.api_url, lab.token
            arguments = [lab.clock().isoformat(), str(Path(folder, "w.duckdb")), address, token]
            environment = {
                "DLT_DATA_DIR": folder,
                "DLT_PROJECT_DIR": folder,
                "HOME": folder,
                "RUNTIME__DLTHUB_TELEMETRY": "false",
                "RUNTIME__LOG_LEVEL": "CRITICAL",
            }
            subprocess.run(
                [python, "-c", CHILD, *arguments], check=True, cwd=folder, env=environment
            )
            found[name] = Counter(dict(lab.server.requests.counts()))
    return found


def main() -> None:
    """Print a line for each environment, and by how much it exceeds the first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--python", action="append", metavar="PATH")
    base: dict[str, int] = {}
    for python in parser.parse_args().python or [sys.executable]:
        runs = count(str(Path(python).absolute()))
        sums = {name: sum(counts.values()) for name, counts in runs.items()}
        base = base or sums
        line = ", ".join(f"{name} {n} ({n / base[name] - 1:+.0%})" for name, n in sums.items())
        print(f"{python}: {line}")


if __name__ == "__main__":
    main()
