"""End a sync: write its row, drop dlt's staging dataset, and shrink the DuckDB file."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import replace

from harvest_source._version import __version__
from harvest_source.errors import DestinationError, printable, store_errors
from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.failures import is_of_names
from harvest_source.warehouse.own_rows import insert_row
from harvest_source.warehouse.run_retention import forget_old_runs
from harvest_source.warehouse.shrinking import is_worth_shrinking, shrink


def finish(workspace: Workspace, report: SyncReport) -> SyncReport:
    """
    Write the run's row, drop what dlt leaves behind, and delete the records of old runs.

    The report that is returned has one more error if the destination has refused the row of a run
    that loaded and removed nothing: whether it takes any row is then not known.

    A DuckDB file is opened once for all of this.

    If a run has written nothing else, its row stays in the log beside the file. The file is shrunk
    once a day, by a run with an audit; another run shrinks it only if much more of it is free.
    """
    warehouse, file = workspace.warehouse, workspace.warehouse.file
    is_audit = workspace.run_log.audit.was_due
    # A run that was refused may have lost dlt's working folder, which knows the tables.
    is_first = _is_refused(report) or not warehouse.has_table(SYNC_RUNS)
    has_changed = is_audit or (file is not None and file.log.has_changed)
    is_open = True
    with ExitStack() as stack:
        if file is not None:
            try:
                stack.enter_context(warehouse.held())
            except DestinationError:
                is_open = False
                file.stop_waiting()  # The steps below then fail at once, each with a warning.
        if not _is_refused(report):
            _forget_old_runs(workspace)
        refusal = write_run(workspace, report)
        if refusal is not None:
            report = replace(report, errors=(*report.errors, refusal))
        if not _is_refused(report):
            workspace.drop_staging()
        if file is not None:
            if not has_changed:
                file.log.leave()
            write_log(workspace, file)
    if has_changed and is_open:  # DuckDB reports free space only after it reopened the file.
        _shrink(workspace, is_daily=is_audit and not is_first)
    return report


def write_run(workspace: Workspace, report: SyncReport) -> DestinationError | None:
    """
    Write the run's row into ``sync_runs``.

    A failure to do so is only a warning, unless the run has written nothing else.

    Returns:
        Why the destination refused the only row of the run; None otherwise.
    """
    if _is_refused(report):
        return None
    try:
        insert_row(workspace.warehouse, SYNC_RUNS, _build_row(report))
    except Exception as error:
        if (
            isinstance(error, DestinationError)
            and not is_of_names(error)
            and not _has_written(workspace, report)
        ):
            return error
        # The rows are loaded, or only this table differs: a missing record fails nothing.
        report.run_log.warn(f"The run could not be written to {SYNC_RUNS}: {printable(error)}")
    return None


def _has_written(workspace: Workspace, report: SyncReport) -> bool:
    """
    Whether the destination has taken a load, or a removal of rows, in this run.

    Rows that were read and are in the warehouse already are not loaded again.
    """
    removed = any(count.deleted for count in report.tables.values())
    return workspace.warehouse.has_loaded or removed


def write_log(workspace: Workspace, file: DuckDBFile) -> None:
    """Write the run's changes into *file*; a failure to do so is only a warning."""
    try:
        file.write_log()
    except DestinationError as error:
        workspace.run_log.warn(str(error))


def _forget_old_runs(workspace: Workspace) -> None:
    """Delete the records of old runs and loads; a failure to do so is only a warning."""
    days = workspace.upkeep.keep_runs_days
    try:
        forget_old_runs(workspace.warehouse, days, now=workspace.now())
    except Exception as error:  # They only take space.
        workspace.run_log.warn(
            f"Rows of {SYNC_RUNS}, verify_runs or dlt's loads older than {days} days could not be "
            f"deleted: {printable(error)}"
        )


def _shrink(workspace: Workspace, *, is_daily: bool) -> None:
    """Give unused space of the file back; a failure to do so is only a warning."""
    file, dataset = workspace.warehouse.file, workspace.warehouse.dataset
    if file is None or not workspace.upkeep.shrinks_file:
        return
    try:
        if is_worth_shrinking(file, dataset, is_daily=is_daily):
            workspace.run_log.given_back = shrink(file, dataset)
    except Exception as error:  # The file only takes more space than it needs.
        workspace.run_log.warn(
            f"{file.path} could not be made smaller: {printable(error)}. The file is complete. To "
            'keep syncs from shrinking it, set shrink_file = "never".'
        )


def _is_refused(report: SyncReport) -> bool:
    """Whether the destination has already refused something in this run."""
    return any(isinstance(error, DestinationError) for error in report.errors)


def _build_row(report: SyncReport) -> dict[str, object]:
    summary = report.as_dict()
    return {
        "id": uuid.uuid4().hex,
        "started_at": report.started_at,
        "ended_at": report.ended_at,
        "status": report.status,
        "account_ids": ",".join(map(str, report.account_ids)),
        "tables": summary["tables"],
        "errors": store_errors(summary["errors"]),
        "requests": report.requests,
        "version": __version__,
        "rows_deleted": sum(report.run_log.deleted.values()),
        **report.run_log.audit.run_values(),
    }
