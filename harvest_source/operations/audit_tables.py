"""The tables that an audit can compare: merged in this run, by a token that sees the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from harvest_source.api.client import find_object
from harvest_source.auth.sessions import Session
from harvest_source.extract.audit_state import AuditState, ReadWindow, load_audit_state
from harvest_source.extract.cursor import Cursor, load_cursor
from harvest_source.extract.last_read import LastRead
from harvest_source.extract.list_reader import ListReader
from harvest_source.extract.parent_sweep import SWEEP_KEY, ParentSweep
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.task import Task, build_task
from harvest_source.load.state import stored_accounts
from harvest_source.operations.day_counts import DayCounts
from harvest_source.operations.deletion_search import TablePair
from harvest_source.operations.reread_schedule import RereadCandidate
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.warehouse.stored_days import StoredDays
from harvest_source.warehouse.table_copy import TableCopy


@dataclass(frozen=True, slots=True)
class AuditedTable:
    """One table of one account that can be compared with Harvest."""

    endpoint: Endpoint
    session: Session
    audit_state: AuditState
    """When it was counted and read before."""
    copy: TableCopy
    pair: TablePair
    """The same copy, paired with the keys of Harvest's list."""
    reader: ListReader
    """Reads whole rows of that list."""

    @property
    def place(self) -> Place:
        """Table and account."""
        return self.endpoint.name, self.session.account_id

    @property
    def candidate(self) -> RereadCandidate:
        """The table as the schedule of re-reads sees it; counts its rows by day."""
        return RereadCandidate(
            self.endpoint.name,
            self.audit_state.coverage,
            DayCounts(self.copy.count_days()),
            self.endpoint.window is not None,
            self.copy.bound,
            self.page_rows,
        )

    @property
    def page_rows(self) -> int:
        """Rows that one request for this table brings."""
        return self.session.client.page_rows(self.endpoint.envelope_key or "")


def find_tables(
    workspace: Workspace, session: Session, stored: StoredDays | None = None
) -> list[AuditedTable]:
    """
    The tables of one account whose rows here and there can be compared.

    Tables are left out that failed or were skipped in this run, from which a full refresh has
    removed what Harvest no longer has, that have records that could not be loaded, that are not
    read by changes, or that a token with another visibility merged.

    Args:
        stored: Counts the tables for all accounts; None: a table is counted at each request.
    """
    log, sources = workspace.run_log, workspace.warehouse.source_state
    unsure = log.find_outdated() | log.read_by_others | log.left_out
    if workspace.extraction.options.full_refresh:
        unsure |= log.whole
    tables = []
    for endpoint in workspace.endpoints:
        place = endpoint.name, session.account_id
        if endpoint.strategy is not ReadStrategy.CHANGES or place in unsure:
            continue
        state = _find_state(sources, place)
        cursor = load_cursor(state.get("cursor"))
        if cursor is not None and cursor.is_of(session.owner.visibility):
            audit_state = load_audit_state(state.get("audit"), workspace.now())
            tables.append(_build_table(workspace, endpoint, session, cursor, audit_state, stored))
    return tables


def find_oldest_read(workspace: Workspace) -> datetime | None:
    """When the least recently read row was read; None: not known."""
    return min((read.at for read in _iter_oldest(workspace)), default=None)


def _iter_oldest(workspace: Workspace) -> Iterator[ReadWindow]:
    """The least recently read window of every table that is read by changes."""
    sources = workspace.warehouse.source_state
    for account_id in workspace.sessions.account_ids():
        for endpoint in workspace.endpoints:
            state = _find_state(sources, (endpoint.name, account_id))
            cursor = load_cursor(state.get("cursor"))
            if endpoint.strategy is not ReadStrategy.CHANGES or cursor is None:
                continue
            audit_state = load_audit_state(state.get("audit"), workspace.now())
            oldest = audit_state.coverage.oldest(cursor.covered_from)
            if oldest is not None:
                yield oldest


def find_cursor(workspace: Workspace, place: Place) -> Cursor | None:
    """How far a table was read; None when it was not, or not to its end."""
    return load_cursor(_find_state(workspace.warehouse.source_state, place).get("cursor"))


def was_read_to_end(workspace: Workspace, endpoint: Endpoint, account_id: int) -> bool:
    """Whether the state of a table shows that a run read all of it; True for reports."""
    place = endpoint.name, account_id
    if endpoint.strategy is ReadStrategy.WHOLE:
        seen = _find_state(workspace.warehouse.source_state, place).get("seen")
        return LastRead.load(seen) is not None
    has_cursor = endpoint.strategy in (ReadStrategy.CHANGES, ReadStrategy.CHILDREN)
    return not has_cursor or find_cursor(workspace, place) is not None


def awaits_children(workspace: Workspace, place: Place, parent: int) -> bool:
    """Whether no run has asked Harvest yet for the rows of the table *place* below *parent*."""
    sweep = _find_state(workspace.warehouse.source_state, place).get(SWEEP_KEY)
    return ParentSweep.load(sweep).awaits(parent)


def _find_state(sources: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    table, account_id = place
    state: Mapping[str, Any] = stored_accounts(sources, table).get(str(account_id), {})
    return state


def _build_table(
    workspace: Workspace,
    endpoint: Endpoint,
    session: Session,
    cursor: Cursor,
    audit_state: AuditState,
    stored: StoredDays | None,
) -> AuditedTable:
    options = workspace.extraction.options
    starts = [day for day in (cursor.covered_from, options.start_date) if day is not None]
    bound = max(starts, default=None) if endpoint.window else None
    copy = TableCopy(workspace.warehouse, endpoint, session.account_id, bound, stored)
    task = build_task(endpoint, session, options, RunLog())  # Its pages are not the run's progress.
    pair = _build_pair(task, cursor, copy)
    return AuditedTable(endpoint, session, audit_state, copy, pair, task.build_reader())


def _build_pair(task: Task, cursor: Cursor, copy: TableCopy) -> TablePair:
    ask = partial(fetch_record, task) if task.endpoint.by_id else None
    since = cursor.at - task.options.overlap
    return TablePair(task.endpoint, task.build_key_reader(), copy, ask, since)


def fetch_record(task: Task, record_id: int) -> Mapping[str, Any] | None:
    """The record with this id as Harvest has it now; None when Harvest answers 404."""
    return find_object(task.session.client, f"{task.endpoint.list_path}/{record_id}")
