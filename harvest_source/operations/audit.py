"""
The daily audit: does the warehouse have the rows that Harvest has? Runs after updates were merged.

It compares counts, removes rows that Harvest deleted, and reads rows that are missing here again.
It also rolls through history: the windows that were read longest ago are read again, within a share
of the request allowance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from harvest_source.auth.sessions import Session
from harvest_source.extract.audit_state import AuditState
from harvest_source.extract.schedule import is_due
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations.audit_tables import (
    AuditedTable,
    find_oldest_read,
    find_tables,
)
from harvest_source.operations.count_audit import CountAudit
from harvest_source.operations.narrowing import narrow
from harvest_source.operations.orphan_removal import OrphanRemoval
from harvest_source.operations.reread import Rereading
from harvest_source.operations.reread_schedule import plan_rereads
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.deleted_records import mark_returned
from harvest_source.warehouse.removal import forget_records
from harvest_source.warehouse.stored_days import StoredDays


def run_audit(workspace: Workspace) -> None:
    """
    Audit what is due for every account, and write the result to the run log.

    Failures are recorded in the run log; nothing is removed because of a failure.

    Raises:
        DestinationError: The destination refused.
    """
    now, warehouse = workspace.now(), workspace.warehouse
    rereading = Rereading(workspace)
    stored = StoredDays(warehouse, workspace.sessions.account_ids())
    audits = [
        _AccountAudit(workspace, session, rereading, now, stored)
        for session in workspace.open_sessions()
    ]
    # One connection reads the rows of all accounts; none is open while Harvest is asked.
    with warehouse.querying():
        for audit in audits:
            audit.read_stored()
    for audit in audits:
        audit.compare()
    with warehouse.querying():
        for audit in audits:
            audit.schedule()
    rereading.execute()
    keep_days = workspace.upkeep.keep_deleted_days
    if warehouse.needs_follow_up or keep_days is not None:
        with warehouse.sql() as sql:
            if warehouse.needs_follow_up:
                mark_returned(sql, workspace.endpoints, now=now)
            forget_records(sql, keep_days, now=now)
    workspace.run_log.audit.oldest_read_at = find_oldest_read(workspace)


def mend_account(
    workspace: Workspace,
    session: Session,
    slices: Mapping[str, Sequence[Slice]],
    counted: Mapping[str, Sequence[DateWindow]],
    orphaned: Sequence[str] = (),
) -> None:
    """
    Read *slices* (by table) again; in the tables *counted*, look for rows that are gone or missing.

    Args:
        counted: By table, the windows to look into; none: where the counts differ.
        orphaned: Tables with rows that have no parent: those rows are removed.

    Raises:
        DestinationError: The destination refused.
    """
    rereading = Rereading(workspace)
    audit = _AccountAudit(workspace, session, rereading, workspace.now())
    audit.mend(slices, counted, orphaned)
    rereading.execute()


@dataclass(slots=True)
class _AccountAudit:
    """The audit of one account: its steps in order, or :meth:`mend` instead."""

    workspace: Workspace
    session: Session
    rereading: Rereading
    now: datetime
    """When the audit began: stored as the time of all that it does, since it precedes all of it."""
    stored: StoredDays | None = None
    """Counts the rows of all accounts."""
    _tables: list[AuditedTable] = field(default_factory=list)
    _due: list[AuditedTable] = field(default_factory=list)
    """The tables whose counts are compared."""
    _counts: CountAudit = field(init=False)
    _orphans: OrphanRemoval = field(init=False)

    def __post_init__(self) -> None:
        self._counts = CountAudit(self.workspace, self.session)
        self._orphans = OrphanRemoval(self.workspace, self.session, self.now)

    def read_stored(self) -> None:
        """Read what the warehouse has; sends nothing to Harvest."""
        self._tables = find_tables(self.workspace, self.session, self.stored)
        if self._may_delete():
            self._due = [table for table in self._tables if self._is_count_due(table)]
            for table in self._due:
                table.copy.count_days()
            self._orphans.read_stored([table.endpoint.name for table in self._due])

    def compare(self) -> None:
        """Compare the counts that are due with Harvest's, and remove what is gone there."""
        audit = self.workspace.run_log.audit
        deleted = audit.deleted
        self._counts.run(self._due)
        self._orphans.run()
        if self.stored is not None and audit.deleted != deleted:
            self.stored.forget()

    def mend(
        self,
        slices: Mapping[str, Sequence[Slice]],
        counted: Mapping[str, Sequence[DateWindow]],
        orphaned: Sequence[str],
    ) -> None:
        """Do what :func:`mend_account` does, except for the reading."""
        tables = [
            table
            for table in find_tables(self.workspace, self.session)
            if table.endpoint.name in {*slices, *counted}
        ]
        counts = self._counts
        if counted and self._may_delete():
            counts.run([table for table in tables if table.endpoint.name in counted], counted)
        if orphaned and self._may_delete():
            self._orphans.mend(orphaned)
        for table in tables:
            narrowed = narrow(self.workspace, table, slices.get(table.endpoint.name, ()))
            again = (*narrowed, *counts.find_lost(table))
            self.rereading.add(table, dict.fromkeys(again), table.audit_state)

    def _may_delete(self) -> bool:
        """Whether this token sees enough to tell a deleted row from a hidden one."""
        deletes = self.workspace.upkeep.deletes
        if deletes is False:
            return False
        if self.session.owner.is_administrator:
            return True
        if deletes:
            self.workspace.run_log.note_unproven(
                "",
                self.session.account_id,
                f"Deleted rows of account {self.session.account_id} were not searched for: only "
                "an administrator's token sees enough rows to tell which were deleted. Use an "
                "administrator's token, or leave out --deletes.",
            )
        return False

    def _is_count_due(self, table: AuditedTable) -> bool:
        if self.workspace.upkeep.deletes:
            return True
        return is_due(table.audit_state.counted_at, self.now)

    def schedule(self) -> None:
        """Choose what to read again, and what to store for each table once that was read."""
        tables, counts = self._tables, self._counts
        now, requests = self.now, self.workspace.upkeep.audit_requests
        older = [table for table in tables if table.place not in self.workspace.run_log.whole]
        due = all(is_due(table.audit_state.reread_at, now) for table in older)
        candidates = [table.candidate for table in older if due and requests]
        chosen, coverage = plan_rereads(candidates, requests, now)
        for table in tables:
            name, found = table.endpoint.name, counts.findings.get(table.place)
            rolling = [Slice(window) for chosen_name, window in chosen if chosen_name == name]
            if found is None and not rolling:
                continue
            audit_state = AuditState(
                coverage.get(name, table.audit_state.coverage),
                table.audit_state.counted_at if found is None else now,
                now if rolling else table.audit_state.reread_at,
            )
            again = dict.fromkeys((*rolling, *counts.find_lost(table)))
            self.rereading.add(table, again, audit_state)
            self.workspace.run_log.audit.lost += found.missing if found else 0
