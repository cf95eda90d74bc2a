"""
What detecting deletions costs: ``python -m tests.benchmarks.deletion_cost``.

Reads 1,000,000 time entries once from a sandbox in a process of its own. Then, round by round,
deletes random rows, and a sync looks for them. Prints how many requests that takes beyond those of
the sync itself. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.sync import sync
from harvest_source.sandbox import SandboxProcess, start_process

DELETIONS = (0, 1, 7, 1000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="time entries")
    options = parser.parse_args()
    serve = ("--entries", str(options.entries), "--no-limit")
    with start_process(*serve) as server, tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DLT_DATA_DIR": f"{folder}/dlt", "RUNTIME__DLTHUB_TELEMETRY": "false"}
        run(server, Path(folder), deletes=False)
        print(f"{'deleted':>8} {'found':>8} {'requests':>9} {'seconds':>8}")
        for deletions in DELETIONS:
            measure(server, Path(folder), deletions)


def measure(server: SandboxProcess, folder: Path, deletions: int) -> None:
    """Delete some rows, look for them, and print what the search took."""
    plain = run(server, folder, deletes=False).requests
    server.control("churn", deletions=deletions, seed=deletions)
    began = time.perf_counter()
    report = run(server, folder, deletes=True)
    seconds = time.perf_counter() - began
    found = report.tables["time_entries"].deleted
    extra = report.requests - plain
    print(f"{deletions:>8,} {found:>8,} {extra:>9,} {seconds:>8.1f}", flush=True)


def run(server: SandboxProcess, folder: Path, *, deletes: bool) -> SyncReport:
    """One sync of time entries, without the rolling re-read."""
    settings: dict[str, Any] = {
        "credentials": {"access_token": server.token},
        "api_url": server.api_url,
        "id_url": server.id_url,
        "audit_requests": 0,
    }
    return sync(
        database=folder / "harvest_data.duckdb",
        account=[server.account_id],
        table=["time_entries"],
        deletes=deletes,
        settings=settings,
    )


if __name__ == "__main__":
    main()
