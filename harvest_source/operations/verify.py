"""
Is the warehouse what Harvest has? Counts, hours and money against Harvest's own totals.

Writes nothing unless asked to mend; then it reads exactly the parts that differ again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harvest_source.defaults import DATASET, DUCKDB, MAX_DELETES, PIPELINE
from harvest_source.errors import ConfigError, ForbiddenError, RemoteError
from harvest_source.extract.run_log import RunLog
from harvest_source.load.settings import Hooks, RunArguments
from harvest_source.operations.audit import mend_account
from harvest_source.operations.audit_tables import AuditedTable, find_tables
from harvest_source.operations.changed_rows import find_changed_rows
from harvest_source.operations.compare_hours import HoursComparison
from harvest_source.operations.compare_invoices import compare_invoices
from harvest_source.operations.compare_rows import compare_rows
from harvest_source.operations.comparisons import Comparison, State
from harvest_source.operations.run import open_run
from harvest_source.operations.run_report import choose_exit_code
from harvest_source.operations.workspace import Workspace, open_workspace
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from harvest_source.warehouse.lock import only_sync
from harvest_source.warehouse.target import Target, build_target

_DIFFERENCE: Final = 5


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All comparisons, in the order they were made; after mending, those made again."""

    account_ids: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    run_log: RunLog
    requests: int
    mended: bool = False

    @property
    def differences(self) -> list[Comparison]:
        """The comparisons that are not as they should be."""
        return [each for each in self.comparisons if each.state is State.DIFFERS]

    @property
    def exit_code(self) -> int:
        """0, 5 for a difference, or the gravest error's."""
        codes = {failure.error.exit_code for failure in self.run_log.failures}
        return choose_exit_code(codes | ({_DIFFERENCE} if self.differences else set()))

    def count_states(self) -> dict[str, int]:
        """How many comparisons came to each state."""
        counts = Counter(each.state for each in self.comparisons)
        return {str(state): counts[state] for state in State}

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "ok" if self.exit_code == 0 else "error",
            "account_ids": list(self.account_ids),
            "requests": self.requests,
            "mended": self.mended,
            "compared": self.count_states(),
            "findings": [each.as_dict() for each in self.comparisons],
            "errors": [failure.as_dict() for failure in self.run_log.failures],
            "warnings": list(self.run_log.warnings),
        }


def verify(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: Sequence[int | str] = (),
    fix: bool = False,
    max_deletes: str = MAX_DELETES,
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> VerifyReport:
    """
    Compare every table that is read by changes with Harvest's own totals.

    What changed in Harvest since the last sync is no difference. Reports have an allowance of their
    own, 100 requests in 15 minutes; a year takes one.

    Args:
        fix: Read again what differs, remove what is gone, and compare once more.
        max_deletes: Percentage of a table that mending may remove.

    Raises:
        ConfigError: There is no such warehouse. Nothing was sent.
        BusyError: A sync of this pipeline is running.
        HarvestError: No account could be opened.
    """
    target = build_target(destination, database, dataset, pipeline)
    _check_exists(target)
    arguments = RunArguments(settings=settings, account=account, max_deletes=max_deletes)
    run = open_run(target, arguments, hooks)
    with only_sync(pipeline, now=run.started_at), run.sessions.in_use():
        workspace = open_workspace(run, DEFAULT_ENDPOINTS)
        warehouse, log = workspace.warehouse, run.run_log
        for warning in warehouse.restore() if fix else warehouse.follow():
            log.warn(warning)
        found = _compare_all(workspace)
        differing = [each for each in found if each.state is State.DIFFERS]
        is_mended = fix and bool(differing)
        if is_mended:
            _mend(workspace, differing)
            found = _compare_all(workspace)
        account_ids = tuple(run.sessions.account_ids())
        return VerifyReport(account_ids, tuple(found), log, run.sessions.requests, is_mended)


def _check_exists(target: Target) -> None:
    if target.database is not None and not target.database.exists():
        msg = f"There is no warehouse {target.database} to verify. Make it: harvest-source sync"
        raise ConfigError(msg)


def _compare_all(workspace: Workspace) -> list[Comparison]:
    return [
        comparison
        for session in workspace.open_sessions()
        for table in find_tables(workspace, session)
        for comparison in _compare_isolated(workspace, table)
    ]


def _compare_isolated(workspace: Workspace, table: AuditedTable) -> Iterator[Comparison]:
    """The comparisons of one table, as far as Harvest answers; what fails is in the run log."""
    name, account_id = table.endpoint.name, table.session.account_id
    try:
        yield from _compare_table(workspace, table)
    except ForbiddenError as error:
        workspace.run_log.warn(f"{name} of account {account_id} cannot be compared: {error}")
    except RemoteError as error:
        workspace.run_log.fail(name, account_id, error)


def _compare_table(workspace: Workspace, table: AuditedTable) -> Iterator[Comparison]:
    name, day_column = table.endpoint.name, table.endpoint.window
    columns = ([day_column] if day_column else []) + (
        ["project__id"] if name == "time_entries" else []
    )
    changed = find_changed_rows(workspace, table, columns)
    yield from compare_rows(table, changed)
    if name == "time_entries":
        yield from HoursComparison(workspace, table, changed).run()
    if name == "invoices":
        yield from compare_invoices(workspace, table)


def _mend(workspace: Workspace, differing: Sequence[Comparison]) -> None:
    for session in workspace.open_sessions():
        ours = [each for each in differing if each.account_id == session.account_id]
        slices: dict[str, list[Any]] = defaultdict(list)
        for each in ours:
            slices[each.table] += [part for part in each.slices if part not in slices[each.table]]
        counted = {each.table for each in ours if each.check == "rows"}
        mend_account(workspace, session, slices, counted)
