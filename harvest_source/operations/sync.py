"""
One whole run. Returns a report and prints nothing.

Knows neither Arrow nor the warehouse until Harvest has been asked who we are: their libraries are
imported while it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harvest_source.auth.sessions import Sessions
from harvest_source.concurrency import run_ahead
from harvest_source.config.parse import parse_tables
from harvest_source.defaults import MAX_DELETES
from harvest_source.errors import HarvestError
from harvest_source.extract.run_log import RunLog
from harvest_source.load.settings import Hooks, RunArguments, build_settings
from harvest_source.operations.run_report import RunRecord, SyncReport
from harvest_source.startup import without_gc
from harvest_source.warehouse.lock import only_sync
from harvest_source.warehouse.target import DUCKDB, build_target

__all__ = ["Hooks", "sync"]


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
    max_deletes: str = MAX_DELETES,
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
        DestinationError: The warehouse cannot be opened. No table was asked for.
        BusyError: Another sync of this pipeline is running. Nothing was sent.
        HarvestError: No account could be opened. No table was touched.
    """
    hooks = hooks or Hooks()
    run_log = RunLog(on_progress=hooks.on_progress)
    record = RunRecord(hooks.clock, run_log)
    endpoints = parse_tables(table)
    target = build_target(destination, database, dataset, pipeline)
    arguments = RunArguments(
        settings=settings,
        account=account,
        since=since,
        exclude=exclude,
        full_refresh=full_refresh,
        deletes=deletes,
        max_deletes=max_deletes,
    )
    resolved = build_settings(arguments, hooks, run_log)
    sessions = Sessions(resolved.connection)
    with (
        only_sync(pipeline, now=record.started_at),
        sessions.in_use(),
        run_ahead(partial(_open_accounts, sessions, run_log)) as opening,
    ):
        with without_gc():
            from harvest_source.operations.steps import build_steps
        hooks.on_imported()
        steps = build_steps(
            target,
            endpoints,
            resolved,
            sessions,
            run_log,
            package_rows=hooks.package_rows,
            deletes=resolved.upkeep.deletes,
            limit=resolved.upkeep.max_deletes,
        )
        try:
            account_ids = opening.result()
        except HarvestError as error:
            chosen = resolved.connection.account_ids
            refused = record.close(sessions, chosen, errors=() if run_log.failures else (error,))
            steps.write_refused_run(refused)
            raise
        report = record.close(sessions, account_ids, endpoints, steps.execute())
        steps.write_run(report)
        return report


def _open_accounts(
    sessions: Sessions, run_log: RunLog, is_dropped: Callable[[], bool]
) -> tuple[int, ...]:
    """Open every account; those that cannot be opened fail alone, unless they all do."""
    account_ids = sessions.account_ids()
    failures: list[HarvestError] = []
    for account_id in account_ids:
        try:
            owner = sessions.open(account_id, cancelled=is_dropped).owner
        except HarvestError as error:
            failures.append(error)
            run_log.fail("", account_id, error)
            sessions.give_up(account_id)
            continue
        if not owner.is_administrator:
            roles = ", ".join(owner.access_roles) or "none"
            run_log.warn(
                f"The token for account {account_id} is not an administrator's (roles: {roles}). "
                "time_entries, expenses, projects and users may be partial: Harvest leaves out "
                "what it may not see without saying so."
            )
    if len(failures) == len(account_ids):
        raise failures[0]
    return account_ids
