"""
The steps of a sync once its accounts are open: load, remove, audit, record the run.

Imported by :func:`harvest_source.operations.sync.sync` while Harvest answers the first request,
because it needs Arrow, DuckDB and all of dlt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

from harvest_source.auth.sessions import Session
from harvest_source.dlt_internals import build_load_id
from harvest_source.errors import DestinationError, HarvestError, RemoteError, printable
from harvest_source.extract.removals import Reason, Removal, Unseen
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.visibility import explain_hidden_rows, explain_undated
from harvest_source.operations.audit import run_audit
from harvest_source.operations.exclusion_marks import note_excluded_columns
from harvest_source.operations.list_sizes import ListSizes, count_list_sizes
from harvest_source.operations.loading import load_tables
from harvest_source.operations.lost_elements import delete_lost_elements_below
from harvest_source.operations.row_removal import RowRemoval, finish_pending_removals
from harvest_source.operations.run_end import finish, write_log, write_run
from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.unseen import without_moved_rows
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.sql.conditions import Within
from harvest_source.warehouse.comments import write_comments
from harvest_source.warehouse.exclusion import empty_excluded
from harvest_source.warehouse.keys import add_keys
from harvest_source.warehouse.loads import read_load_ids
from harvest_source.warehouse.misfits import describe_misfits
from harvest_source.warehouse.own_repair import fill_own_tables
from harvest_source.warehouse.repair import fill_parent_keys

_LOOKED_BACK: Final = timedelta(days=35)
"""How far back the previous run is looked for."""


@dataclass(frozen=True, slots=True)
class SyncSteps:
    """
    What a sync does with an open warehouse.

    Attributes:
        restored: Warnings and row counts of lists from :meth:`restore`, or the error it met.
    """

    workspace: Workspace
    restored: Future[tuple[list[str], ListSizes]] = field(default_factory=Future)

    @contextmanager
    def written_once(self) -> Iterator[None]:
        """Write to a DuckDB file once for all steps; a failure to do so is only a warning."""
        file = self.workspace.warehouse.file
        if file is None:
            yield
            return
        file.log.keep()
        try:
            yield
        finally:
            write_log(self.workspace, file)

    def restore(self) -> None:
        """
        Bring the warehouse up to date, while Harvest answers the first requests.

        :meth:`execute` reports a failure, so that a refused sign-in is reported first.
        """
        warehouse = self.workspace.warehouse
        try:
            with warehouse.held():  # A DuckDB file is opened once for both.
                warnings = warehouse.restore(self.workspace.endpoints)
                list_sizes = count_list_sizes(warehouse, self.workspace.endpoints)
            self.restored.set_result((warnings, list_sizes))
        except HarvestError as error:
            self.restored.set_exception(error)

    def execute(self) -> list[HarvestError]:
        """Run every step in order; returns the failures that belong to no single table."""
        workspace = self.workspace
        warehouse = workspace.warehouse
        try:
            warnings, list_sizes = self.restored.result()
            for warning in warnings:
                workspace.run_log.warn(warning)
            note_excluded_columns(workspace)
            for warning in empty_excluded(warehouse, workspace.extraction.options.exclude):
                workspace.run_log.warn(warning)
            finish_pending_removals(workspace)
            is_full, began = workspace.extraction.options.full_refresh, build_load_id()
            earlier = read_load_ids(warehouse) if is_full else frozenset()
            load_tables(workspace, self._complete_tables, list_sizes)
            self._complete_load()
            if is_full:
                self._remove_unseen(read_load_ids(warehouse) - earlier, began)
            run_audit(workspace)
            for warning in describe_misfits(warehouse):
                workspace.run_log.warn(warning)
            warehouse.clear_follow_up()
        except DestinationError as error:
            return [error]
        return []

    def _complete_load(self) -> None:
        """Add the tables, keys, values and comments that a load leaves out; opens the file once."""
        warehouse = self.workspace.warehouse
        needs_follow_up = warehouse.needs_follow_up
        with warehouse.held() if needs_follow_up else nullcontext():
            warehouse.make_child_tables(self.workspace.endpoints)
            if needs_follow_up:
                with warehouse.sql() as sql:
                    fill_parent_keys(sql)
                self._fill_own_tables()
                self._write_comments()

    def _complete_tables(self) -> None:
        """
        Make child tables and comments during a first read, whose end then need not wait for them.

        A step that fails here is tried again after the last load.
        """
        with suppress(DestinationError):
            self.workspace.warehouse.make_child_tables(self.workspace.endpoints)
            write_comments(self.workspace.warehouse)

    def _fill_own_tables(self) -> None:
        """Refill columns of our own tables that were dropped; a failure is only a warning."""
        try:
            with self.workspace.warehouse.sql() as sql:
                fill_own_tables(sql)
        except Exception as error:  # A foreign table of that name must not fail Harvest's tables.
            self.workspace.run_log.warn(
                f"Missing values in {SYNC_RUNS}, deleted_records or a history could not be filled "
                f"in: {printable(error)}"
            )

    def finish(self, report: SyncReport) -> SyncReport:
        """Record the run and tidy up, as :func:`run_end.finish` does."""
        return finish(self.workspace, report)

    def read_earlier_status(self, report: SyncReport) -> str | None:
        """The status of the previous run; None if there is none or it is not known."""
        warehouse = self.workspace.warehouse
        if report.errors or not warehouse.has_table(SYNC_RUNS):
            return None
        earlier = Within("started_at", report.started_at - _LOOKED_BACK, report.started_at)
        with warehouse.sql() as sql:
            rows = sql.select(SYNC_RUNS, earlier, ("started_at", "status"))
        last = max(rows, key=lambda row: str(row["started_at"]), default=None)
        return None if last is None else str(last["status"])

    def write_refused_run(self, report: SyncReport) -> None:
        """Write the row of a run that ended before :meth:`execute`."""
        if self.restored.exception():
            return  # The refused sign-in is reported; the warehouse can wait for the next run.
        write_run(self.workspace, report)
        self.workspace.drop_staging()  # In a new warehouse, dlt has made it for the row.

    def _write_comments(self) -> None:
        """Write comments and keys; a warehouse that refuses them is complete without them."""
        try:
            write_comments(self.workspace.warehouse)
            for warning in add_keys(self.workspace.warehouse):
                self.workspace.run_log.warn(warning)
        except DestinationError as error:
            self.workspace.run_log.warn(
                f"The comments and keys of tables and columns could not be written. {error}"
            )

    def _remove_unseen(self, load_ids: Iterable[str], began: str) -> None:
        """
        After a full refresh, remove the rows that no load has brought since it began.

        Args:
            load_ids: The loads of this run, and of any other run that has loaded in the meantime.
            began: A load id from before the first load. Rows with a later one stay: they may be
                loaded between an interrupted removal and its completion.
        """
        log, removal = self.workspace.run_log, RowRemoval(self.workspace, "--full-refresh")
        start = self.workspace.extraction.options.start_date
        unseen = Unseen(tuple(sorted(load_ids)), began, start)
        now, limit = self.workspace.now(), self.workspace.upkeep.max_deletes
        brought = find_fully_read(log)
        for account_id in sorted({account_id for _, account_id in brought}):
            for endpoint in self._find_complete(account_id):
                if (endpoint.name, account_id) in brought:
                    rows = Removal(endpoint, account_id, Reason.UNSEEN, now, unseen=unseen)
                    self._add_unseen(removal, rows, limit)
        removal.execute()
        # The log of another file, written into a restored one, can leave some.
        delete_lost_elements_below(self.workspace.warehouse, sorted(brought))

    def _add_unseen(self, removal: RowRemoval, rows: Removal, limit: Decimal) -> None:
        """Note *rows* for removal, except those that Harvest has on days that were not read."""
        session = self.workspace.sessions.open(rows.account_id)
        try:
            gone = without_moved_rows(self.workspace, session, rows)
        except RemoteError as error:
            self.workspace.run_log.fail(*rows.place, error)
            return
        if gone is not None:
            removal.add([gone], limit=limit)

    def _find_complete(self, account_id: int) -> list[Endpoint]:
        """The tables in which a row that did not come is gone, and not hidden from this token."""
        session, log = self.workspace.sessions.open(account_id), self.workspace.run_log
        if not session.owner.is_administrator:
            log.warn(
                f"Nothing was removed from account {account_id}: only an administrator's token "
                "sees enough rows to tell which were deleted."
            )
            return []
        if reason := explain_undated(session):
            log.warn(reason)
            return []
        return [endpoint for endpoint in self.workspace.endpoints if self._shows(endpoint, session)]

    def _shows(self, endpoint: Endpoint, session: Session) -> bool:
        reason = explain_hidden_rows(endpoint, session)
        if reason:
            self.workspace.run_log.warn(reason)
        return reason is None


def find_fully_read(log: RunLog) -> set[Place]:
    """
    The tables, by account, for which a run's loads brought every row that Harvest has.

    If the destination refuses a table, its package is given up and the other rows are read again.
    So a table may first be read whole and then fail, and a thread of the first read may note a
    table as whole after its package was given up.
    """
    unproven = {(each.table, each.account_id) for each in log.unproven}
    return log.whole - log.find_outdated() - unproven
