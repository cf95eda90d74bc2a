"""
The steps of a run once its accounts are open: load, remove what is gone, write down what happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal

from harvest_source._version import __version__
from harvest_source.auth.sessions import Sessions
from harvest_source.errors import DestinationError, GuardError, HarvestError, printable
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.visibility import may_hide
from harvest_source.load.history import TableHistory
from harvest_source.load.own_tables import SYNC_RUNS
from harvest_source.load.packages import PackageBuilder
from harvest_source.load.settings import Settings
from harvest_source.operations.audit import Audit, AuditOptions, build_audit_options
from harvest_source.operations.run_report import SyncReport
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.comments import write_comments
from harvest_source.warehouse.history_end import end_versions
from harvest_source.warehouse.removal import RowsToDelete, find, remove, rows_to_delete_of_emptied
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Steps:
    """All that a run does with open accounts."""

    warehouse: Warehouse
    reading: Extraction
    endpoints: tuple[Endpoint, ...]
    audit: AuditOptions

    @property
    def run_log(self) -> RunLog:
        """What the run writes down."""
        return self.reading.run_log

    def execute(self) -> list[HarvestError]:
        """Load, then remove; returns what failed for all tables together."""
        try:
            for warning in self.warehouse.restore():
                self.run_log.warn(warning)
            loaded = self._load()
            self.warehouse.make_child_tables(self.endpoints)
            if self.warehouse.owes:
                self._describe()
            self._remove_emptied()
            if self.reading.options.full_refresh:
                self._remove_unseen(loaded)
            Audit(self.warehouse, self.reading, self.endpoints, self.audit).run()
            self._end_versions()
            self.warehouse.settle()
        except DestinationError as error:
            return [error]
        return []

    def _load(self) -> list[str]:
        """Read everything and load it package by package; returns the ids of the packages."""
        options, warehouse = self.reading.options, self.warehouse
        packer = PackageBuilder(
            self.endpoints,
            options.exclude,
            warehouse.schema,
            warehouse.source_state,
            options.history,
        )
        feeds = packer.build_feeds(self.reading.sessions.account_ids())
        loaded: list[str] = []
        with closing(self.reading.iter_packages(feeds)) as packages:
            for batches in packages:
                loaded += warehouse.load(packer.build_source(batches))
        if packer.has_unmade:
            loaded += warehouse.load(packer.build_source([]))
        return loaded

    def _end_versions(self) -> None:
        """What was removed from a table holds no longer in its history."""
        options = self.reading.options
        lost = {table for (table, _), rows in self.run_log.deleted.items() if rows}
        gone = [TableHistory(e) for e in self.endpoints if e.name in lost & options.history]
        if gone:
            end_versions(self.warehouse, gone, now=options.clock.now())

    def _describe(self) -> None:
        """Comments are a courtesy: a warehouse that refuses them is in order otherwise."""
        try:
            write_comments(self.warehouse)
        except DestinationError as error:
            self.run_log.warn(f"Tables and columns could not be given their comments. {error}")

    def _remove_emptied(self) -> None:
        """Lists read whole that have no rows left: a merge has nothing to say that with."""
        self._remove(rows_to_delete_of_emptied(self.run_log.emptied), None)

    def _remove_unseen(self, loaded: Iterable[str]) -> None:
        """After a full refresh: rows that Harvest no longer has."""
        seen, start = tuple(loaded), self.reading.options.start_date
        self._remove(
            [
                RowsToDelete(endpoint, account_id, seen, start if endpoint.window else None)
                for account_id in sorted({account_id for _, account_id in self.run_log.whole})
                for endpoint in self._telling(account_id)
                if (endpoint.name, account_id) in self.run_log.whole
            ],
            self.audit.limit,
        )

    def _telling(self, account_id: int) -> list[Endpoint]:
        """The tables whose rows would be seen if they were there: fewer are evidence."""
        session = self.reading.sessions.open(account_id)
        if not session.owner.is_administrator:
            self.run_log.warn(
                f"Nothing was removed from account {account_id}: only an administrator's token "
                "sees enough to tell what is gone."
            )
            return []
        hidden = {e.name: why for e in self.endpoints if (why := may_hide(e, session))}
        for why in hidden.values():
            self.run_log.warn(why)
        return [endpoint for endpoint in self.endpoints if endpoint.name not in hidden]

    def _remove(self, dooms: Iterable[RowsToDelete], limit: Decimal | None) -> None:
        found = []
        for doomed in dooms:
            try:
                rows = find(self.warehouse, doomed, limit=limit)
            except GuardError as error:
                self.run_log.fail(doomed.endpoint.name, doomed.account_id, error)
                continue
            if rows:
                found.append((doomed, rows))
        now = self.reading.options.clock.now()
        remove(self.warehouse, found, now=now, keeping=self.audit.keeping)
        for doomed, rows in found:
            self.run_log.add_deleted(doomed.endpoint.name, doomed.account_id, len(rows))

    def write_refused_run(self, report: SyncReport) -> None:
        """:func:`write_run` for a run that has not come to the warehouse yet."""
        try:
            self.warehouse.restore()
        except HarvestError:
            return  # The sign-in is what people have to mend first.
        self.write_run(report)

    def write_run(self, report: SyncReport) -> None:
        """Write the run's row into ``sync_runs``; failing to is a warning, never a failure."""
        if any(isinstance(error, DestinationError) for error in report.errors):
            return
        summary = report.as_dict()
        row = {
            "id": uuid.uuid4().hex,
            "started_at": report.started_at,
            "ended_at": report.ended_at,
            "status": report.status,
            "account_ids": ",".join(map(str, report.account_ids)),
            "tables": summary["tables"],
            "errors": summary["errors"],
            "requests": report.requests,
            "version": __version__,
            **report.run_log.audit.run_values(),
        }
        try:
            self.warehouse.insert(SYNC_RUNS, row)
        except Exception as error:  # Everything else is done: no reason left to fail.
            report.run_log.warn(f"The run could not be written to {SYNC_RUNS}: {printable(error)}")


def build_steps(
    target: Target,
    endpoints: tuple[Endpoint, ...],
    settings: Settings,
    sessions: Sessions,
    run_log: RunLog,
    *,
    package_rows: int,
    deletes: bool | None,
    limit: Decimal,
) -> Steps:
    """
    Open the warehouse and put together what the run needs.

    Raises:
        ConfigError: No such destination.
        DestinationError: It cannot be opened.
    """
    warehouse = Warehouse(
        target,
        clock=settings.options.clock,
        wait_s=settings.destination_wait_s,
        on_warning=run_log.warn,
    )
    reading = Extraction(sessions, settings.options, run_log, package_rows=package_rows)
    return Steps(warehouse, reading, endpoints, build_audit_options(settings, deletes, limit))
