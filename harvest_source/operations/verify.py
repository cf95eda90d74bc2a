"""
Does the warehouse equal Harvest? Compares counts, hours and money with Harvest's own totals.

Changes no row of Harvest's tables unless asked to mend; then it reads exactly the differing parts
again. Each verification leaves a row in ``verify_runs``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harvest_source.defaults import DATASET, DUCKDB, MAX_DELETES, PIPELINE
from harvest_source.errors import ConfigError, NothingComparedError
from harvest_source.extract.run_log import Failure, Place
from harvest_source.load.settings import Hooks, RunArguments
from harvest_source.memory import tune_allocators
from harvest_source.operations.accounts import open_accounts
from harvest_source.operations.audit_tables import was_read_to_end
from harvest_source.operations.check_loaded import check_loaded, explain_incomparable
from harvest_source.operations.compare_tables import TablesComparison
from harvest_source.operations.comparisons import Comparison, State, find_places, is_to_mend
from harvest_source.operations.mending import mend
from harvest_source.operations.notifying import VerifyNotifier
from harvest_source.operations.row_removal import finish_pending_removals
from harvest_source.operations.run import Run, note_lost_sign_in, open_run
from harvest_source.operations.runs_on_record import read_runs
from harvest_source.operations.verify_record import record_verification
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.operations.workspace import Workspace, open_workspace
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from harvest_source.schema.run_record import find_never_read
from harvest_source.warehouse.lock import sync_lock
from harvest_source.warehouse.misfits import describe_misfits
from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.working_folder import claim_folder

_ROUNDS: Final = 3
"""How often differences are mended and compared again, at most."""


def verify(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    exclude: Iterable[str] = (),
    all_values: bool = False,
    fix: bool = False,
    max_deletes: str | None = None,
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> VerifyReport:
    """
    Compare tables read by changes with Harvest's own totals, and tables read whole with its lists.

    Changes in Harvest since the last sync do not count as differences. Reports have an allowance of
    their own, 100 requests in 15 minutes; each year takes one. An account that cannot be opened
    fails alone: the report names it, and the others are compared.

    Args:
        exclude: ``table.column`` names that syncs leave out, in addition to the configured ones:
            they are not compared, and mending leaves them out, too.
        all_values: Compare every value of every row, also in tables of several pages: a request for
            each page.
        fix: Read what differs again, remove what is gone, and compare again.
        max_deletes: Percentage of a table's rows that mending may remove; 20 % when None. Only with
            *fix*.

    Raises:
        ConfigError: There is no such warehouse, nothing was loaded under these names, or
            *max_deletes* has no effect.
        BusyError: A sync of this pipeline is running.
        HarvestError: No account could be opened.
    """
    if max_deletes is not None and not fix:
        msg = (
            "max_deletes has no effect here: it limits what fix removes. Add fix, or leave it out."
        )
        raise ConfigError(msg)
    tune_allocators()
    target = build_target(destination, database, dataset, pipeline)
    arguments = RunArguments(
        settings=settings,
        account=account,
        exclude=exclude,
        max_deletes=MAX_DELETES if max_deletes is None else max_deletes,
    )
    run = open_run(target, arguments, hooks)
    run.target.check_exists("to verify")
    with (
        VerifyNotifier(run.settings.recipient, target) as notifier,
        sync_lock(pipeline, claim_folder(target), now=run.started_at),
        run.sessions.in_use(),
    ):
        workspace = open_workspace(run, DEFAULT_ENDPOINTS, stays_open=True, is_verify=True)
        report = _verify(run, workspace, fix=fix, all_values=all_values)
    if why := notifier.end(report):
        run.run_log.warn(why)
    return report


def _verify(run: Run, workspace: Workspace, *, fix: bool, all_values: bool) -> VerifyReport:
    """Compare what the warehouse holds now, mend it if *fix*, and record what was found."""
    warehouse, log = workspace.warehouse, run.run_log
    warnings = warehouse.follow(workspace.endpoints if fix else ())
    check_loaded(warehouse)
    for warning in warehouse.restore(workspace.endpoints) if fix else warnings:
        log.warn(warning)
    if fix:
        finish_pending_removals(workspace)
    account_ids = open_accounts(run)
    found, is_mended = _compare(workspace, fix=fix, all_values=all_values)
    note_lost_sign_in(run, account_ids)
    report = VerifyReport(
        account_ids=account_ids,
        comparisons=tuple(found),
        run_log=log,
        requests=run.sessions.requests,
        mended=is_mended,
        all_values=all_values,
        as_of=run.started_at,
        seconds=run.hooks.clock.monotonic() - run.started_s,
        target=run.target,
    )
    record_verification(workspace, report, has_pending=bool(warnings) and not fix)
    return report


def _compare(workspace: Workspace, *, fix: bool, all_values: bool) -> tuple[list[Comparison], bool]:
    """Compare every table and mend if *fix*; returns what :func:`_mend_all` returns."""
    comparison = TablesComparison(workspace, is_thorough=fix, all_values=all_values)
    found, is_mended = comparison.run(), False
    if fix:
        found, is_mended = _mend_all(workspace, comparison, found)
    comparison.note_failures()
    for warning in describe_misfits(workspace.warehouse):
        workspace.run_log.warn(warning)
    if fix:
        workspace.drop_staging()
    _note_never_read(workspace)
    _note_nothing_compared(workspace, found)
    return found, is_mended


def _note_never_read(workspace: Workspace) -> None:
    """Record as failures the tables that runs began to read and none read to the end."""
    warehouse, log = workspace.warehouse, workspace.run_log
    unknown = [
        (endpoint.name, account_id)
        for endpoint in workspace.endpoints
        if warehouse.has_table(endpoint.name)
        for account_id in workspace.sessions.account_ids()
        if not was_read_to_end(workspace, endpoint, account_id)
    ]
    if not unknown:
        return  # The usual case. Opening a DuckDB file takes time.
    with warehouse.sql() as sql:
        never_read = find_never_read(read_runs(warehouse, sql, workspace.now()))
    for place in unknown:
        if place in never_read:
            msg = (
                "It has never been read completely, so it was not compared. To read it: "
                f"{warehouse.target.build_command('sync')}"
            )
            log.fail(*place, NothingComparedError(msg))


def _note_nothing_compared(workspace: Workspace, found: Sequence[Comparison]) -> None:
    """Record as failures the accounts of which nothing could be compared."""
    log = workspace.run_log
    told = {each.account_id for each in found} | {each.account_id for each in log.failures}
    for account_id in workspace.sessions.account_ids():
        if account_id not in told:
            why = explain_incomparable(workspace, workspace.sessions.open(account_id))
            msg = f"Nothing was compared: {why}."
            log.fail("", account_id, NothingComparedError(msg))


def _mend_all(
    workspace: Workspace, comparison: TablesComparison, found: list[Comparison]
) -> tuple[list[Comparison], bool]:
    """
    Mend what differs and compare again, until mending changes nothing more or the rounds are used.

    Reading a missing row may reveal another one that is extra. Differences that changed rows excuse
    are read once: while a timer runs, no figure distinguishes a wrong row from the timer.

    Returns:
        The comparisons as they are then, and whether there was anything to mend.
    """
    is_mended, log = False, workspace.run_log
    audit, earlier, failed = log.audit, len(log.failures), list[Failure]()
    doubtful = [each for each in found if each.is_doubtful]
    for _ in range(_ROUNDS):
        differing = [each for each in found if each.state is State.DIFFERS]
        if not differing and not doubtful:
            break
        corrected = audit.corrected
        mend(workspace, [*differing, *doubtful])
        failed += log.take_failures(earlier)  # What failed is to be compared, and mended again.
        if not differing and audit.corrected == corrected:
            break
        is_mended = True
        comparison.forget([*differing, *doubtful])
        doubtful = []
        found = comparison.run()
        if [each for each in found if each.state is State.DIFFERS] == differing:
            break
    log.failures += _find_unsettled(failed, found, comparison.failed)
    return found, is_mended


def _find_unsettled(
    failed: Sequence[Failure], found: Sequence[Comparison], uncompared: Collection[Place]
) -> list[Failure]:
    """
    The failures of mending that the last comparison does not show to be over.

    Args:
        uncompared: What the last comparison failed to compare, which is reported by itself.
    """
    compared = {place for each in found for place in find_places(each)}
    wrong = {place for each in found if is_to_mend(each) for place in find_places(each)}
    settled = (compared - wrong) | set(uncompared)
    last = {(each.table, each.account_id): each for each in failed}
    return [failure for place, failure in last.items() if place not in settled]
