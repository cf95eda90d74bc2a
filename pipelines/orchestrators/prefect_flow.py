"""Prefect 3: one task is one sync. ``python prefect_flow.py`` runs it once."""

import os

from prefect import flow, get_run_logger, task
from prefect.states import Completed, Failed

from harvest_source import sync
from harvest_source.errors import BusyError

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")


@task(retries=0)  # A sync retries by itself.
def sync_harvest(**options):
    """Copy what changed; a table that fails fails the task, and the others are loaded."""
    logger = get_run_logger()
    try:
        report = sync(**options)
    except BusyError as busy:
        return Completed(name="Skipped", message=str(busy))
    for name, count in report.tables.items():
        logger.info(f"{name}: {count.rows} read, {count.deleted} deleted")
    if report.exit_code:
        return Failed(message=str(report.as_dict()["errors"]))
    return report.as_dict()


@flow(name="harvest")
def harvest(database: str = "harvest_data.duckdb"):
    """Give it a schedule: ``harvest.serve(cron="7 * * * *")``."""
    return sync_harvest(database=database, return_state=True)


if __name__ == "__main__":
    harvest(os.environ.get("HARVEST_DATABASE", "harvest_data.duckdb"))
