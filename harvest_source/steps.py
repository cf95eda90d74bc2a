"""
The steps of a run once its accounts are open: load, remove what is gone, write down what happened.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal

from harvest_source import __version__
from harvest_source.arguments import Settings
from harvest_source.audit import Audit, AuditOptions, build_audit_options
from harvest_source.comments import write_comments
from harvest_source.endings import end_versions
from harvest_source.endpoints import Endpoint
from harvest_source.errors import DestinationError, GuardError, HarvestError, printable
from harvest_source.feeds import Reading
from harvest_source.history import Versions
from harvest_source.ledger import Ledger
from harvest_source.own_tables import SYNC_RUNS
from harvest_source.packages import Packer
from harvest_source.removal import Doomed, doom_emptied, find, remove
from harvest_source.reports import SyncReport
from harvest_source.sessions import Sessions
from harvest_source.sight import may_hide
from harvest_source.targets import Target
from harvest_source.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Steps:
    """All that a run does with open accounts."""

    warehouse: Warehouse
    reading: Reading
    endpoints: tuple[Endpoint, ...]
    audit: AuditOptions

    @property
    def ledger(self) -> Ledger:
        """What the run writes down."""
        return self.reading.ledger

    def execute(self) -> list[HarvestError]:
        """Load, then remove; returns what failed for all tables together."""
        try:
            for warning in self.warehouse.restore():
                self.ledger.warn(warning)
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
        packer = Packer(
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
        lost = {table for (table, _), rows in self.ledger.deleted.items() if rows}
        gone = [Versions(e) for e in self.endpoints if e.name in lost & options.history]
        if gone:
            end_versions(self.warehouse, gone, now=options.clock.now())

    def _describe(self) -> None:
        """Comments are a courtesy: a warehouse that refuses them is in order otherwise."""
        try:
            write_comments(self.warehouse)
        except DestinationError as error:
            self.ledger.warn(f"Tables and columns could not be given their comments. {error}")

    def _remove_emptied(self) -> None:
        """Lists read whole that have no rows left: a merge has nothing to say that with."""
        self._remove(doom_emptied(self.ledger.emptied), None)

    def _remove_unseen(self, loaded: Iterable[str]) -> None:
        """After a full refresh: rows that Harvest no longer has."""
        seen, start = tuple(loaded), self.reading.options.start_date
        self._remove(
            [
                Doomed(endpoint, account_id, seen, start if endpoint.window else None)
                for account_id in sorted({account_id for _, account_id in self.ledger.whole})
                for endpoint in self._telling(account_id)
                if (endpoint.name, account_id) in self.ledger.whole
            ],
            self.audit.limit,
        )

    def _telling(self, account_id: int) -> list[Endpoint]:
        """The tables whose rows would be seen if they were there: fewer are evidence."""
        session = self.reading.sessions.open(account_id)
        if not session.owner.is_administrator:
            self.ledger.warn(
                f"Nothing was removed from account {account_id}: only an administrator's token "
                "sees enough to tell what is gone."
            )
            return []
        hidden = {e.name: why for e in self.endpoints if (why := may_hide(e, session))}
        for why in hidden.values():
            self.ledger.warn(why)
        return [endpoint for endpoint in self.endpoints if endpoint.name not in hidden]

    def _remove(self, dooms: Iterable[Doomed], limit: Decimal | None) -> None:
        found = []
        for doomed in dooms:
            try:
                rows = find(self.warehouse, doomed, limit=limit)
            except GuardError as error:
                self.ledger.fail(doomed.endpoint.name, doomed.account_id, error)
                continue
            if rows:
                found.append((doomed, rows))
        now = self.reading.options.clock.now()
        remove(self.warehouse, found, now=now, keeping=self.audit.keeping)
        for doomed, rows in found:
            self.ledger.add_deleted(doomed.endpoint.name, doomed.account_id, len(rows))

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
            **report.ledger.audit.run_values(),
        }
        try:
            self.warehouse.insert(SYNC_RUNS, row)
        except Exception as error:  # Everything else is done: no reason left to fail.
            report.ledger.warn(f"The run could not be written to {SYNC_RUNS}: {printable(error)}")


def build_steps(
    target: Target,
    endpoints: tuple[Endpoint, ...],
    settings: Settings,
    sessions: Sessions,
    ledger: Ledger,
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
        on_warning=ledger.warn,
    )
    reading = Reading(sessions, settings.options, ledger, package_rows=package_rows)
    return Steps(warehouse, reading, endpoints, build_audit_options(settings, deletes, limit))
