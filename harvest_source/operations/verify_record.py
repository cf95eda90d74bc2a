"""The row that each verification leaves in ``verify_runs``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from harvest_source._version import __version__
from harvest_source.errors import printable, store_errors
from harvest_source.load.own_tables import is_made
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.own_tables import SYNC_RUNS, VERIFY_RUNS
from harvest_source.warehouse.own_rows import insert_row, takes_inserts

_MOST_DIFFERENCES: Final = 1000
"""Differing figures that are stored at most: a table that was emptied differs everywhere."""


def record_verification(workspace: Workspace, report: VerifyReport, *, has_pending: bool) -> None:
    """
    Write the row of *report*; a failure to do so is only a warning.

    Only ``sync`` makes the table: a verification without ``--fix`` changes no tables.

    Args:
        has_pending: Whether dlt would load pending rows of an earlier run together with this row.
    """
    warehouse, log = workspace.warehouse, workspace.run_log
    if not is_made(VERIFY_RUNS, warehouse.schema):
        if is_made(SYNC_RUNS, warehouse.schema):  # Otherwise plain dlt filled the warehouse.
            log.warn(
                f"This verification is not recorded: {VERIFY_RUNS} does not exist yet. The next "
                f"sync makes it: {warehouse.target.build_command('sync')}"
            )
        return
    by_load = not takes_inserts(warehouse)
    if by_load and has_pending:
        log.warn(
            f"This verification is not recorded in {VERIFY_RUNS}: rows that an earlier run read "
            "are still waiting to be loaded."
        )
        return
    try:
        insert_row(warehouse, VERIFY_RUNS, _build_row(report, workspace.now()))
    except Exception as error:  # The figures are compared: a missing record fails nothing.
        log.warn(f"The verification could not be written to {VERIFY_RUNS}: {printable(error)}")
    if by_load:
        workspace.drop_staging()


def _build_row(report: VerifyReport, ended_at: datetime) -> dict[str, object]:
    summary, counts = report.as_dict(), report.count_states()
    return {
        "id": uuid.uuid4().hex,
        "started_at": report.as_of,
        "ended_at": ended_at,
        "status": report.status,
        "account_ids": ",".join(map(str, report.account_ids)),
        "compared": counts["ok"] + counts["differs"],
        "differing": counts["differs"],
        "not_told": counts["information"],
        "checks": summary["checks"],
        "differences": [each.as_dict() for each in report.differences[:_MOST_DIFFERENCES]],
        "errors": store_errors(summary["errors"]),
        "mended": report.mended,
        "requests": report.requests,
        "version": __version__,
    }
