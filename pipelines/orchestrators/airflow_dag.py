"""Airflow 3: one task is one sync, by the Python of an environment of its own."""

import os
from datetime import UTC, datetime

from airflow.sdk import dag, task

PYTHON = os.environ.get("HARVEST_PYTHON", "/srv/harvest/.venv/bin/python")
"""An environment with harvest-source: Airflow's constraints do not bind it."""
DATABASE = os.environ.get("HARVEST_DATABASE", "/srv/harvest/harvest_data.duckdb")


@dag(
    schedule="7 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
)
def harvest():
    """Copy what changed."""

    # A sync retries by itself. It exits with 7 when the run before is still at work.
    @task.external_python(python=PYTHON, expect_airflow=False, skip_on_exit_code=7, retries=0)
    def sync_harvest(options: dict) -> dict:
        import os
        import sys

        os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
        from harvest_source import sync
        from harvest_source.errors import BusyError

        try:
            report = sync(**options)
        except BusyError as busy:
            print(busy)
            sys.exit(busy.exit_code)
        for name, count in report.tables.items():
            print(f"{name}: {count.rows} read, {count.deleted} deleted")
        if report.exit_code:
            raise RuntimeError(report.as_dict()["errors"])
        return report.as_dict()

    sync_harvest({"database": DATABASE})


harvest()
