"""
Run the fleet's schedule once, with Dagster in its own environment.

``python fleet_worker.py FILE WORKERS ACCOUNT...`` prints a line of JSON when each account's run has
ended. Each of *WORKERS* processes runs one account after the other, as Dagster's run workers do.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from runpy import run_path
from typing import Any

import dagster as dg


def run(file: str, account: str) -> dict[str, Any]:
    """Run one partition; return its status, as Dagster records it."""
    began = time.monotonic()
    definitions = run_path(file)
    with dg.DagsterInstance.get() as instance:
        job = definitions["defs"].resolve_job_def("harvest_fleet")
        result = job.execute_in_process(
            partition_key=account, instance=instance, raise_on_error=False
        )
        record = instance.get_run_by_id(result.run_id)
        status = record.status.value if record else "?"
    return {"account": account, "status": status, "seconds": round(time.monotonic() - began, 2)}


def main() -> None:
    """Ask the schedule which runs it requests, and run them."""
    file, workers, *accounts = sys.argv[1:]
    definitions = run_path(file)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("harvest_accounts", accounts)
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=definitions["defs"].get_repository_def(),
            scheduled_execution_time=datetime.now(UTC),
        )
        tick = definitions["hourly"].evaluate_tick(context)
    wanted = [str(request.partition_key) for request in tick.run_requests]
    with ProcessPoolExecutor(int(workers), mp_context=get_context("spawn")) as pool:
        for ended in as_completed([pool.submit(run, file, account) for account in wanted]):
            print("ENDED", json.dumps(ended.result()), flush=True)


if __name__ == "__main__":
    main()
