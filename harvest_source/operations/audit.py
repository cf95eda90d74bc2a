"""
The daily audit: are the rows those that Harvest has? Runs after updates were merged.

Compares counts, finds deleted rows and takes them out, reads again what was lost, and rolls through
history: the windows that were read longest ago are read again, within a share of the allowance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from harvest_source.auth.sessions import Session, parse_owner
from harvest_source.defaults import AUDIT_REQUESTS
from harvest_source.errors import GuardError, HarvestError, ResponseError, counted
from harvest_source.extract.audit_state import Audited, load_audited
from harvest_source.extract.cursor import Cursor, load_cursor
from harvest_source.extract.extraction import Extraction
from harvest_source.extract.list_reader import ListReader
from harvest_source.extract.options import Reread
from harvest_source.extract.run_log import AuditReport, RunLog
from harvest_source.extract.slices import Slice
from harvest_source.extract.strategies import Task, build_task
from harvest_source.extract.visibility import may_hide
from harvest_source.load.packages import PackageBuilder
from harvest_source.load.settings import Settings
from harvest_source.load.state import stored_accounts
from harvest_source.operations.day_counts import DayCounts
from harvest_source.operations.deletion_search import Findings, Search, count_parts
from harvest_source.operations.reread_schedule import RereadCandidate, is_due, plan_rereads
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.warehouse.removal import (
    Keeping,
    RowsToDelete,
    find,
    forget,
    guard,
    remove,
    restore,
    rows_to_delete_by_id,
)
from harvest_source.warehouse.table_copy import Digest, TableCopy, count_corrected
from harvest_source.warehouse.warehouse import Warehouse

_NOT_FOUND: Final = 404

Place = tuple[str, int]
"""A table and an account."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How the truth is kept."""

    deletes: bool | None = None
    """Look for deleted rows: None once a day, True now, False not."""
    limit: Decimal = Decimal("0.2")
    """Share of a table that may go."""
    requests: int = AUDIT_REQUESTS
    """Pages read again a day, for each account."""
    keeping: Keeping = field(default_factory=Keeping)


def build_audit_options(settings: Settings, deletes: bool | None, limit: Decimal) -> AuditOptions:
    """From the configuration, and what the caller says on top."""
    upkeep = settings.upkeep
    keeping = Keeping(upkeep.keep_deleted_days, upkeep.keep_content)
    return AuditOptions(deletes, limit, upkeep.audit_requests, keeping)


@dataclass(frozen=True, slots=True)
class AuditedTable:
    """One table of one account, to be compared."""

    endpoint: Endpoint
    session: Session
    audited: Audited
    copy: TableCopy
    reader: ListReader
    since: datetime
    """Changes from then on may not be merged yet."""
    search: Search

    @property
    def place(self) -> Place:
        return self.endpoint.name, self.session.account_id


class Audit:
    """
    The audit of one run.

    Args:
        reading: Of the run: tables that failed or were skipped in it are left alone.
        endpoints: The tables of the run.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        reading: Extraction,
        endpoints: Sequence[Endpoint],
        options: AuditOptions,
    ) -> None:
        self._warehouse = warehouse
        self._reading = reading
        self._sessions = reading.sessions
        self._ledger = reading.run_log
        self._endpoints = endpoints
        self._options = options
        self._now = reading.options.clock.now()
        self._states = warehouse.source_state
        self._again: dict[Place, Reread] = {}
        self._before: dict[Place, tuple[TableCopy, list[Slice], dict[int, Digest]]] = {}
        self.report = reading.run_log.audit

    def run(self) -> AuditReport:
        """
        Do what is due. What fails is in the ledger; nothing is removed on its account.

        Raises:
            DestinationError: The destination refused.
        """
        for account_id in self._sessions.account_ids():
            self._run_account(self._sessions.open(account_id))
        self._read_again()
        if self._warehouse.owes:
            restore(self._warehouse, self._endpoints, now=self._now)
        forget(self._warehouse, self._options.keeping, now=self._now)
        self.report.oldest_read_at = min(
            (seen.at for look in self._stored() if (seen := _oldest(look))), default=None
        )
        return self.report

    # What is due.

    def _run_account(self, session: Session) -> None:
        looks = self.looks(session)
        counted: dict[Place, tuple[DayCounts, int]] = {}
        findings: dict[Place, Findings] = {}
        if self._may_delete(session):
            due = [look for look in looks if self._is_count_due(look)]
            for look in due:
                self._try(look, partial(self._compare, counted, findings))
            self._remove_gone(session, [each for each in due if each.place in findings], findings)
        self._plan(looks, findings)

    def looks(self, session: Session) -> list[AuditedTable]:
        """The tables that can be compared: merged, and by the one who merges now."""
        return [look for each in self._endpoints if (look := self._look(each, session))]

    def mend(
        self, session: Session, parts: Mapping[str, Sequence[Slice]], counted: Collection[str]
    ) -> None:
        """
        Read *parts* again, by table; and look for rows that are gone or lost in tables *counted*.

        Raises:
            DestinationError: The destination refused.
        """
        looks = [look for look in self.looks(session) if look.endpoint.name in {*parts, *counted}]
        findings: dict[Place, Findings] = {}
        if counted and self._may_delete(session):
            for look in looks:
                if look.endpoint.name in counted:
                    self._try(look, partial(self._compare, {}, findings))
            found = [look for look in looks if look.place in findings]
            self._remove_gone(session, found, findings)
        for look in looks:
            lost = findings[look.place].lost if look.place in findings else ()
            again = dict.fromkeys((*parts.get(look.endpoint.name, ()), *lost))
            self._schedule(look, list(again), look.audited)
        self._read_again()

    def _schedule(self, look: AuditedTable, parts: list[Slice], audited: Audited) -> None:
        """Have *parts* read again, and *audited* stored once they were."""
        self._again[look.place] = Reread(tuple(parts), audited.dump())
        if parts:
            self._before[look.place] = (look.copy, parts, look.copy.digests(parts))

    def _look(self, endpoint: Endpoint, session: Session) -> AuditedTable | None:
        """A table that was merged in this run, by whoever merged it last time."""
        place = endpoint.name, session.account_id
        failed = {(each.table, each.account_id) for each in self._ledger.failures}
        skipped = {(each.table, each.account_id) for each in self._ledger.skipped}
        unsure = failed | skipped | self._ledger.whole | self._ledger.strangers
        if endpoint.way is not ReadStrategy.CHANGES or place in unsure:
            return None
        state = self._state(place)
        cursor = load_cursor(state.get("cursor"))
        if cursor is None or cursor.visibility != session.owner.visibility:
            return None
        return self._build_look(endpoint, session, cursor, load_audited(state.get("audit")))

    def _build_look(
        self, endpoint: Endpoint, session: Session, cursor: Cursor, audited: Audited
    ) -> AuditedTable:
        options = self._reading.options
        starts = [day for day in (cursor.covered_from, options.start_date) if day is not None]
        bound = max(starts, default=None) if endpoint.window else None
        copy = TableCopy(self._warehouse, endpoint, session.account_id, bound)
        task = build_task(endpoint, session, options, RunLog())
        reader, since = task.build_reader(), cursor.at - options.overlap
        ask = partial(_ask, task) if endpoint.by_id else None
        search = Search(reader, endpoint, copy, ask, since=since, bound=bound)
        return AuditedTable(endpoint, session, audited, copy, reader, since, search)

    def _state(self, place: Place) -> Mapping[str, Any]:
        table, account_id = place
        accounts = stored_accounts(self._states, table)
        state: Mapping[str, Any] = accounts.get(str(account_id), {})
        return state

    def _stored(self) -> Iterable[tuple[Audited, date | None]]:
        for account_id in self._sessions.account_ids():
            for endpoint in self._endpoints:
                state = self._state((endpoint.name, account_id))
                cursor = load_cursor(state.get("cursor"))
                if endpoint.way is ReadStrategy.CHANGES and cursor is not None:
                    yield load_audited(state.get("audit")), cursor.covered_from

    def _may_delete(self, session: Session) -> bool:
        if self._options.deletes is False:
            return False
        if session.owner.is_administrator:
            return True
        if self._options.deletes:
            self._ledger.warn(
                f"Deleted rows of account {session.account_id} were not looked for: only an "
                "administrator's token sees enough to tell what is gone."
            )
        return False

    def _is_count_due(self, look: AuditedTable) -> bool:
        return bool(self._options.deletes) or is_due(look.audited.counted_at, self._now)

    def _try(self, look: AuditedTable, work: Callable[[AuditedTable], None]) -> None:
        """What Harvest does not answer spoils one table; asked for by name, it is a failure."""
        try:
            work(look)
        except HarvestError as error:
            if error.exit_code not in (3, 4):
                raise
            if self._options.deletes:
                self._ledger.fail(*look.place, error)
            else:
                self._ledger.warn(f"{look.endpoint.name} was not audited: {error}")

    # Counts.

    def _compare(
        self,
        counted: dict[Place, tuple[DayCounts, int]],
        findings: dict[Place, Findings],
        look: AuditedTable,
    ) -> None:
        here, there = counted[look.place] = look.search.count()
        self.report.compared += 1
        if here.total != there and (why := may_hide(look.endpoint, look.session)):
            self._ledger.warn(why)
            return
        findings[look.place] = found = look.search.run(here, there)
        self._tell(look, found)

    def _tell(self, look: AuditedTable, found: Findings) -> None:
        what = f"{look.endpoint.name} of account {look.session.account_id}"
        if found.missing:
            self._ledger.warn(
                f"{what} lacked {counted(found.missing, 'row')} that Harvest has and that had not "
                f"changed since they should have been read ({count_parts(found.lost)}). That part "
                "is read again now. If this happens without anybody having changed the warehouse, "
                "report it: it is a bug."
            )
        if found.open:
            windows = count_parts(map(Slice, found.open))
            self._ledger.warn(
                f"{what} kept changing while it was compared with Harvest ({windows}). Nothing was "
                "removed there; the next run looks again."
            )
        if found.is_unexplained:
            self._ledger.warn(
                f"{what} has {counted(found.here, 'row')} and Harvest counts {found.there:,}, but "
                "their lists agree. Nothing was changed. To read it all: harvest-source sync "
                f"--table {look.endpoint.name} --full-refresh"
            )

    # Removal.

    def _remove_gone(
        self, session: Session, looks: Sequence[AuditedTable], findings: Mapping[Place, Findings]
    ) -> None:
        going = [look for look in looks if findings[look.place].gone]
        if not going or not self._is_still_the_same(session):
            return
        found: list[tuple[RowsToDelete, list[dict[str, Any]]]] = []
        for look in going:
            gone = findings[look.place]
            try:
                guard(look.endpoint, len(gone.gone), gone.here, self._options.limit)
            except GuardError as error:
                self._ledger.fail(*look.place, error)
                continue
            for doomed in self._doom(look, sorted(gone.gone)):
                found.append((doomed, find(self._warehouse, doomed, limit=None)))
        found = [(doomed, rows) for doomed, rows in found if rows]
        remove(self._warehouse, found, now=self._now, keeping=self._options.keeping)
        for doomed, rows in found:
            self._ledger.add_deleted(doomed.endpoint.name, doomed.account_id, len(rows))
            self.report.deleted += len(rows)

    def _doom(self, look: AuditedTable, gone: Sequence[int]) -> list[RowsToDelete]:
        """The rows, and those of other tables that hang below them."""
        below = [
            endpoint
            for endpoint in ENDPOINTS
            if endpoint.parent is not None
            and endpoint.parent.endpoint == look.endpoint.name
            and self._warehouse.has_table(endpoint.name)
        ]
        dooms = rows_to_delete_by_id(look.endpoint, look.session.account_id, "id", gone)
        for endpoint in below:
            assert endpoint.parent is not None
            dooms += rows_to_delete_by_id(
                endpoint, look.session.account_id, endpoint.parent.key, gone
            )
        return dooms

    def _is_still_the_same(self, session: Session) -> bool:
        """A role that shrinks while we look makes rows disappear, and 404s of them."""
        try:
            owner = parse_owner(session.client.fetch_object("users/me"))
        except HarvestError as error:
            self._ledger.warn(f"Nothing was removed from account {session.account_id}: {error}")
            return False
        if owner.visibility == session.owner.visibility:
            return True
        self._ledger.warn(
            f"Nothing was removed from account {session.account_id}: the token's owner has other "
            "roles than when the run began, and may see fewer rows."
        )
        return False

    # Reading again.

    def _plan(self, looks: Sequence[AuditedTable], findings: Mapping[Place, Findings]) -> None:
        """What to read again of one account, and what to remember of its tables."""
        due = all(is_due(look.audited.reread_at, self._now) for look in looks)
        held = [
            RereadCandidate(
                look.endpoint.name,
                look.audited.coverage,
                DayCounts(look.copy.count_days()),
                look.endpoint.window is not None,
                look.copy.bound,
            )
            for look in looks
            if due and self._options.requests
        ]
        chosen, coverage = plan_rereads(held, self._options.requests, self._now)
        for look in looks:
            name, found = look.endpoint.name, findings.get(look.place)
            rolling = [Slice(window) for table, window in chosen if table == name]
            lost = [part for part in (found.lost if found else ()) if part not in rolling]
            if found is None and not rolling:
                continue
            audited = Audited(
                coverage.get(name, look.audited.coverage),
                self._now if found is not None else look.audited.counted_at,
                self._now if rolling else look.audited.reread_at,
            )
            self._schedule(look, [*rolling, *lost], audited)
            self.report.lost += found.missing if found else 0

    def _read_again(self) -> None:
        """Read what was chosen and merge it; remember that it was read, and what was counted."""
        if not self._again:
            return
        names = {name for name, _ in self._again}
        options = replace(self._reading.options, again=self._again, full_refresh=False)
        reading, warehouse = replace(self._reading, options=options), self._warehouse
        endpoints = [endpoint for endpoint in self._endpoints if endpoint.name in names]
        packer = PackageBuilder(
            endpoints,
            options.exclude,
            warehouse.schema,
            warehouse.source_state,
            options.history,
        )
        feeds = packer.build_feeds(self._sessions.account_ids())
        wanted = [feed for feed in feeds if (feed.endpoint.name, feed.account_id) in self._again]
        with closing(reading.iter_packages(wanted)) as packages:
            for batches in packages:
                warehouse.load(packer.build_source(batches))
        self._states = warehouse.source_state
        for copy, parts, before in self._before.values():
            after = copy.digests(parts)
            self.report.reread += len(after)
            self.report.corrected += count_corrected(before, after)


def _ask(task: Task, row: int) -> Mapping[str, Any] | None:
    try:
        return task.session.client.fetch_object(f"{task.endpoint.list_path}/{row}")
    except ResponseError as error:
        if error.status == _NOT_FOUND:
            return None
        raise


def _oldest(stored: tuple[Audited, date | None]) -> Any:
    audited, bound = stored
    return audited.coverage.oldest(bound)
