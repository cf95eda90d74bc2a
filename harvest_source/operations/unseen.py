"""Rows that a full refresh of a part of history did not bring: gone, or dated earlier now?"""

from __future__ import annotations

from harvest_source.auth.sessions import Session
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.removals import Removal, build_removal_by_id
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.task import build_task
from harvest_source.operations.audit_tables import fetch_record
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.removal import build_condition

_ASKED = 100
"""Up to this many rows are requested by id; for more, the list of the earlier days is read."""


def without_moved_rows(workspace: Workspace, session: Session, removal: Removal) -> Removal | None:
    """
    *removal* without the rows that Harvest still has, on a day that was not read.

    Returns:
        None if no row is gone, or if that could not be determined.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    endpoint, unseen = removal.endpoint, removal.unseen
    if endpoint.window is None or unseen is None or unseen.start is None:
        return removal
    with workspace.warehouse.sql() as sql:
        found = sql.iter_values(endpoint.name, build_condition(removal), ("id",))
        ids = {row for (row,) in found}
    task = build_task(endpoint, session, workspace.extraction.options, RunLog())
    if len(ids) <= _ASKED and endpoint.by_id:
        gone = {each for each in ids if fetch_record(task, each) is None}
    else:
        result, before = ReadResult(), Slice(DateWindow(None, unseen.start))
        for page in task.build_reader().iter_tables(before, result):
            ids.difference_update(page.column("id").to_pylist())
        gone = ids if result.proven else set()
    if not gone:
        return None
    return build_removal_by_id(
        endpoint, removal.account_id, removal.reason, removal.detected_at, gone
    )
