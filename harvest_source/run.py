"""
One whole run: read every table, load it, remove what is gone, write down what happened.

Returns a report and prints nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from harvest_source import __version__
from harvest_source.api.http import Exchange
from harvest_source.audit import Audit, AuditOptions, build_audit_options
from harvest_source.clock import Clock, SystemClock
from harvest_source.comments import write_comments
from harvest_source.credentials import WAIT_S
from harvest_source.endings import end_versions
from harvest_source.endpoints import Endpoint
from harvest_source.errors import (
    ConfigError,
    DestinationError,
    GuardError,
    HarvestError,
    printable,
)
from harvest_source.feeds import PACKAGE_ROWS, Reading
from harvest_source.history import Versions
from harvest_source.ledger import Ledger, Progress
from harvest_source.lock import only_sync
from harvest_source.own_tables import SYNC_RUNS
from harvest_source.packages import Packer
from harvest_source.reading import WORKERS
from harvest_source.removal import Doomed, doom_emptied, find, remove
from harvest_source.reports import SyncReport, count_tables
from harvest_source.sessions import Sessions
from harvest_source.settings import resolve_settings
from harvest_source.sight import may_hide
from harvest_source.signin import Surroundings
from harvest_source.source import (
    Settings,
    build_connection,
    build_options,
    build_upkeep,
    choose_endpoints,
    parse_exclude,
    watch,
)
from harvest_source.warehouse import DUCKDB, Target, Warehouse


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a caller may watch or replace."""

    clock: Clock = field(default_factory=SystemClock)
    on_progress: Callable[[Progress], None] | None = None
    on_response: Callable[[Exchange], None] | None = None
    package_rows: int = PACKAGE_ROWS
    """Rows of one load, about: less needs less memory and more time."""
    workers: int = WORKERS
    """Windows of one table read at once: less needs less memory, and keeps progress sooner."""


def sync(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = "harvest",
    pipeline: str = "harvest",
    account: Sequence[int | str] = (),
    table: Sequence[str] = (),
    since: Any = None,
    full_refresh: bool = False,
    deletes: bool | None = None,
    max_deletes: str = "20%",
    exclude: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> SyncReport:
    """
    Copy the accounts into the warehouse, table by table.

    A table that fails keeps its cursor and the others go on; the report says which and why.

    Args:
        destination: Any dlt destination's name.
        database: DuckDB file; ``harvest.duckdb`` when None. Only with DuckDB.
        account: Accounts to read, in place of the configured ones.
        table: Tables to read; empty: all.
        since: ``start_date`` of this run.
        full_refresh: Forget cursors, read everything, merge, remove what was not seen.
        deletes: Look for deleted rows: None once a day, True now, False not.
        max_deletes: Share of a table that a removal may take.
        exclude: ``table.column`` to leave out, beside the configured ones.
        settings: Keys of ``[sources.harvest]`` that win over the configuration.
        hooks: Clock and callbacks.

    Raises:
        ConfigError: Nothing was sent, nothing changed.
        DestinationError: The warehouse cannot be opened. Nothing was sent.
        BusyError: Another sync of this pipeline is running. Nothing was sent.
        HarvestError: No account could be opened. No table was touched.
    """
    hooks = hooks or Hooks()
    ledger = Ledger(on_progress=hooks.on_progress)
    record = _Record(hooks.clock, ledger)
    limit = parse_share(max_deletes)
    endpoints = choose_endpoints(table)
    target = build_target(destination, database, dataset, pipeline)
    said = {"account_id": list(account) or None, "start_date": since}
    resolved = build_settings(
        {**(settings or {}), **{name: value for name, value in said.items() if value is not None}},
        exclude=exclude,
        full_refresh=full_refresh,
        hooks=hooks,
        ledger=ledger,
    )
    sessions = Sessions(resolved.connection)
    with only_sync(pipeline, now=record.started_at), sessions.in_use():
        warehouse = Warehouse(
            target,
            clock=hooks.clock,
            wait_s=resolved.destination_wait_s,
            on_warning=ledger.warn,
        )
        try:
            account_ids = _open_accounts(sessions, ledger)
        except HarvestError as error:
            chosen = resolved.connection.account_ids
            refused = record.close(sessions, chosen, errors=() if ledger.failures else (error,))
            _write_refused_run(warehouse, refused)
            raise
        reading = Reading(sessions, resolved.options, ledger, package_rows=hooks.package_rows)
        run = _Run(warehouse, reading, endpoints, build_audit_options(resolved, deletes, limit))
        errors = run.execute()
        report = record.close(sessions, account_ids, endpoints, errors)
        write_run(warehouse, report)
        return report


class _Record:
    """One run from its first moment on."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self.started_at, self._began = clock.now(), clock.monotonic()
        self._clock, self._ledger = clock, ledger

    def close(
        self,
        sessions: Sessions,
        account_ids: tuple[int, ...],
        endpoints: Iterable[Endpoint] = (),
        errors: Iterable[HarvestError] = (),
    ) -> SyncReport:
        """The report of the run, which ends now."""
        return SyncReport(
            account_ids=account_ids,
            started_at=self.started_at,
            ended_at=self._clock.now(),
            seconds=self._clock.monotonic() - self._began,
            requests=sessions.requests,
            tables=count_tables(self._ledger, endpoints),
            ledger=self._ledger,
            errors=tuple(errors),
        )


def build_target(
    destination: str, database: str | Path | None, dataset: str, pipeline: str
) -> Target:
    """
    Check where the tables are to go.

    Raises:
        ConfigError: A file for a destination that has none.
    """
    if destination != DUCKDB:
        if database is not None:
            msg = (
                f"--database names a DuckDB file; the destination is {destination[:80]}. Leave it "
                "out, and put that destination's credentials into .dlt/secrets.toml."
            )
            raise ConfigError(msg)
        return Target(destination, None, dataset, pipeline)
    return Target(destination, Path(database or "harvest.duckdb"), dataset, pipeline)


def build_settings(
    overrides: Mapping[str, Any],
    *,
    exclude: Sequence[str] = (),
    full_refresh: bool = False,
    hooks: Hooks,
    ledger: Ledger,
) -> Settings:
    """
    Everything known of Harvest, from the configuration and what the caller says on top.

    Raises:
        ConfigError: Something that cannot work. Nothing was sent.
    """
    config = resolve_settings(overrides)
    options = build_options(
        start_date=config.start_date,
        overlap=config.overlap,
        exclude=config.exclude,
        include=config.include,
        full_walk=config.full_walk,
        history=config.history,
        full_refresh=full_refresh,
        isolate=True,
        clock=hooks.clock,
    )
    around = Surroundings(hooks.clock, on_warning=ledger.warn, on_response=hooks.on_response)
    connection = build_connection(config, watch(config, around))
    exclude_all = options.exclude | parse_exclude(list(exclude))
    return Settings(
        connection,
        replace(options, exclude=exclude_all, workers=hooks.workers),
        build_upkeep(config),
        destination_wait_s=check_wait(config.destination_wait),
    )


def parse_share(value: str) -> Decimal:
    """
    A percentage as people write it: ``20%`` or ``20``. Returns a share from 0 to 1.

    Raises:
        ConfigError: Not a percentage.
    """
    try:
        share = Decimal(value.strip().removesuffix("%").strip()) / 100
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        msg = f"--max-deletes is not a percentage: {value[:40]!r}. Write it as 20%."
        raise ConfigError(msg)
    return share


def check_wait(seconds: int) -> int:
    """
    How long to wait for a DuckDB file that another process holds.

    Raises:
        ConfigError: Less than nothing.
    """
    if seconds < 0:
        msg = f"destination_wait is {seconds} s. Set it to 0 or more, or leave it out ({WAIT_S})."
        raise ConfigError(msg)
    return seconds


def _open_accounts(sessions: Sessions, ledger: Ledger) -> tuple[int, ...]:
    """Open every account; those that cannot be opened fail alone, unless they all do."""
    account_ids = sessions.account_ids()
    failures: list[HarvestError] = []
    for account_id in account_ids:
        try:
            owner = sessions.open(account_id).owner
        except HarvestError as error:
            failures.append(error)
            ledger.fail("", account_id, error)
            sessions.give_up(account_id)
            continue
        if not owner.is_administrator:
            roles = ", ".join(owner.access_roles) or "none"
            ledger.warn(
                f"The token for account {account_id} is not an administrator's (roles: {roles}). "
                "time_entries, expenses, projects and users may be partial: Harvest leaves out "
                "what it may not see without saying so."
            )
    if len(failures) == len(account_ids):
        raise failures[0]
    return account_ids


@dataclass(frozen=True, slots=True)
class _Run:
    """The steps between opened accounts and a report."""

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
            if loaded:
                self._describe()
            self._remove_emptied()
            if self.reading.options.full_refresh:
                self._remove_unseen(loaded)
            Audit(self.warehouse, self.reading, self.endpoints, self.audit).run()
            self._end_versions()
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


def _write_refused_run(warehouse: Warehouse, report: SyncReport) -> None:
    """:func:`write_run` for a run that has not come to the warehouse yet."""
    try:
        warehouse.restore()
    except HarvestError:
        return  # The sign-in is what people have to mend first.
    write_run(warehouse, report)


def write_run(warehouse: Warehouse, report: SyncReport) -> None:
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
        warehouse.insert(SYNC_RUNS, row)
    except Exception as error:  # Everything else is done: no reason left to fail.
        report.ledger.warn(f"The run could not be written to {SYNC_RUNS}: {printable(error)}")
