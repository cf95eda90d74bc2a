"""
One whole run: read what changed, merge it, remove what is gone. Returns a report, prints nothing.

Arrow and DuckDB are imported only after Harvest was asked who the token's owner is: importing them
takes about as long as the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest_source.concurrency import run_ahead
from harvest_source.config.parse import parse_tables
from harvest_source.defaults import DATASET, DUCKDB, MAX_DELETES, PIPELINE
from harvest_source.errors import ConfigError, DestinationError, HarvestError
from harvest_source.load.settings import Hooks, RunArguments
from harvest_source.memory import tune_allocators
from harvest_source.operations.accounts import open_accounts
from harvest_source.operations.notifying import RunNotifier
from harvest_source.operations.run import Run, note_lost_sign_in, open_run
from harvest_source.operations.run_report import SyncReport, build_report
from harvest_source.process_limits import check_address_space
from harvest_source.schema.endpoint import Endpoint
from harvest_source.startup import without_gc
from harvest_source.warehouse.lock import sync_lock
from harvest_source.warehouse.target import Target, build_target
from harvest_source.warehouse.working_folder import claim_folder

if TYPE_CHECKING:
    from harvest_source.operations.sync_steps import SyncSteps

__all__ = ["Hooks", "sync"]


def sync(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    table: Iterable[str] = (),
    since: Any = None,
    full_refresh: bool = False,
    all_children: bool = False,
    deletes: bool | None = None,
    max_deletes: str = MAX_DELETES,
    exclude: Iterable[str] = (),
    take_over: bool = False,
    publish: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> SyncReport:
    """
    Copy the accounts into the warehouse, table by table.

    A table that fails keeps its cursor and the others continue; the report says which and why.

    Args:
        destination: Any dlt destination's name.
        database: DuckDB file; ``harvest_data.duckdb`` when None. Only with DuckDB.
        dataset: Schema that holds the tables.
        pipeline: dlt pipeline that keeps the cursors.
        account: Accounts to read, instead of the configured ones.
        table: Tables to read; empty: all that are on by default.
        since: ``start_date`` of this run.
        full_refresh: Ignore cursors, read everything, merge it, remove rows that were not seen.
        all_children: Request the messages, payments and rates of every invoice, estimate and
            person now, instead of some per run.
        deletes: Look for deleted rows: None once a day, True now, False never.
        max_deletes: Percentage of a table's rows that one removal may delete.
        exclude: ``table.column`` names to leave out, in addition to the configured ones.
        take_over: Make the warehouse this pipeline's if it belongs to another one.
        publish: Where to put a copy of the DuckDB file for readers, if everything was read.
        settings: Keys of ``[sources.harvest]`` that override the configuration.
        hooks: Clock and callbacks.

    Raises:
        ConfigError: The settings cannot work, or the warehouse belongs to another pipeline.
            No table was read, nothing changed.
        DestinationError: The warehouse cannot be opened. No table was read.
        BusyError: Another sync of this pipeline is running. Nothing was sent.
        ResourceError: The process may have too little memory. Nothing was sent.
        HarvestError: No account could be opened. No table was touched.
    """
    if full_refresh and deletes is False:
        msg = (
            "full_refresh removes the rows that it did not see, which deletes=False forbids. Leave "
            "one of them out."
        )
        raise ConfigError(msg)
    check_address_space()
    tune_allocators()
    endpoints = parse_tables(table)
    arguments = RunArguments(
        settings=settings,
        account=account,
        since=since,
        exclude=exclude,
        full_refresh=full_refresh,
        all_children=all_children,
        deletes=deletes,
        max_deletes=max_deletes,
    )
    target = build_target(destination, database, dataset, pipeline)
    place = None if publish is None else _check_publishable(target, publish)
    run = open_run(replace(target, takes_over=take_over), arguments, hooks)
    with (
        RunNotifier(run.settings.recipient, target) as notifier,
        sync_lock(pipeline, claim_folder(target), now=run.started_at),
        run.sessions.in_use(),
    ):
        notifier.begin()
        report, earlier = _run(run, endpoints)
        if place is not None:
            report = _publish(run, report, place)
        if why := notifier.end(report, earlier):
            run.run_log.warn(why)
        return report


def _check_publishable(target: Target, place: str | Path) -> Path:
    from harvest_source.warehouse.publishing import check_publishable

    return check_publishable(target, place)


def _publish(run: Run, report: SyncReport, place: Path) -> SyncReport:
    """Copy the file for readers if everything was read; a failed copy is the report's error."""
    if report.status != "ok":
        return report
    from harvest_source.warehouse.publishing import publish

    try:
        wait_s = run.settings.destination_wait_s
        publish(run.target, place, wait_s=wait_s, clock=run.hooks.clock)
    except DestinationError as error:
        return replace(report, errors=(error,))
    return replace(report, published=place)


def _run(run: Run, endpoints: tuple[Endpoint, ...]) -> tuple[SyncReport, str | None]:
    """The report, and the previous run's status if an address is to be notified."""
    needs_company = any(each.needs_company for each in endpoints)
    with run_ahead(partial(_open_accounts, run, needs_company)) as opening:
        steps = _build_steps(run, endpoints)
        with steps.written_once():
            steps.restore()
            return _take_steps(run, endpoints, steps, opening)


def _take_steps(
    run: Run, endpoints: tuple[Endpoint, ...], steps: SyncSteps, opening: Future[tuple[int, ...]]
) -> tuple[SyncReport, str | None]:
    try:
        account_ids = opening.result()
    except HarvestError as error:
        chosen = run.settings.connection.account_ids
        # Failures that the run log lists account by account are not reported twice.
        errors = () if run.run_log.failures else (error,)
        steps.write_refused_run(build_report(run, chosen, errors=errors))
        raise
    refusals = steps.execute()
    note_lost_sign_in(run, account_ids)
    report = build_report(run, account_ids, endpoints, refusals)
    if not report.errors:
        target = replace(run.target, dataset=steps.workspace.warehouse.dataset)
        report = replace(report, target=target)
    earlier = steps.read_earlier_status(report) if run.settings.recipient else None
    return steps.finish(report), earlier


def _build_steps(run: Run, endpoints: tuple[Endpoint, ...]) -> SyncSteps:
    with without_gc():
        from harvest_source.operations.sync_steps import SyncSteps
        from harvest_source.operations.workspace import open_workspace
    run.hooks.on_imported()
    return SyncSteps(open_workspace(run, endpoints, stays_open=True))


def _open_accounts(
    run: Run, with_company: bool, is_cancelled: Callable[[], bool]
) -> tuple[int, ...]:
    """
    Open every account as :func:`open_accounts` does, and note tokens that may see only a part.

    Raises:
        HarvestError: No account can be opened.
    """
    account_ids = open_accounts(run, is_cancelled, with_company=with_company)
    for account_id in run.sessions.account_ids():  # Without those that failed.
        owner = run.sessions.open(account_id, cancelled=is_cancelled).owner
        if not owner.is_administrator:
            roles = ", ".join(owner.access_roles) or "no role"
            run.run_log.partial_roles[account_id] = roles
            run.run_log.warn(_explain_partial(account_id, roles))
    return account_ids


def _explain_partial(account_id: int, roles: str) -> str:
    return (
        f"The token for account {account_id} is not an administrator's (roles: {roles}). "
        "time_entries, expenses, projects and users may be partial: Harvest leaves out what this "
        "token may not see, without saying so."
    )
