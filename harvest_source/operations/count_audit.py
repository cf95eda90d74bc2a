"""Compare row counts with Harvest's: which rows are gone there, which are missing here?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from harvest_source.auth.sessions import Session
from harvest_source.concurrency import in_parallel
from harvest_source.errors import RemoteError, counted
from harvest_source.extract.removals import Reason, build_removal_by_id
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.visibility import explain_hidden_rows, explain_undated
from harvest_source.load.own_tables import is_made
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.day_counts import DayCounts
from harvest_source.operations.deletion_search import (
    ASKERS,
    DeletionSearch,
    SearchResult,
    describe_slices,
)
from harvest_source.operations.row_removal import RowRemoval
from harvest_source.operations.workspace import NextCommands, Workspace
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.sql.conditions import Within

_USUAL: Final = NextCommands()
"""The commands for the default warehouse, after a sync."""

_COMPARE: Final = "--deletes"
"""The option that compares counts at once: other syncs do it once a day."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many rows a table has here and there, and the search for what makes them differ."""

    search: DeletionSearch
    here: DayCounts
    there: int | RemoteError
    """The error if Harvest did not answer."""

    def read_there(self) -> int:
        """
        How many rows Harvest has.

        Raises:
            RemoteError: Harvest did not answer.
        """
        if isinstance(self.there, RemoteError):
            raise self.there
        return self.there


@dataclass(slots=True)
class CountAudit:
    """Compares the counts of one account's tables, and removes the rows that are gone."""

    workspace: Workspace
    session: Session
    findings: dict[Place, SearchResult] = field(default_factory=dict)
    """Of the tables that could be compared."""

    def run(
        self,
        tables: Sequence[AuditedTable],
        windows: Mapping[str, Sequence[DateWindow]] = MappingProxyType({}),
    ) -> None:
        """
        Compare *tables* and remove the rows that Harvest no longer has.

        A table for which Harvest does not answer is left alone: that is a failure if the caller
        asked for the comparison (``--deletes``, ``verify --fix``), else a warning.

        Args:
            windows: By table, windows to look into regardless of the counts.

        Raises:
            DestinationError: The destination refused.
        """
        for table, counts in zip(tables, _count(tables), strict=True):
            try:
                self._compare(table, counts, windows.get(table.endpoint.name, ()))
            except RemoteError as error:
                self._report_unanswered(table, error)
        self._remove_gone([table for table in tables if table.place in self.findings])

    def find_lost(self, table: AuditedTable) -> tuple[Slice, ...]:
        """Slices of *table* in which Harvest has rows that are missing here."""
        found = self.findings.get(table.place)
        return found.lost if found else ()

    def _report_unanswered(self, table: AuditedTable, error: RemoteError) -> None:
        log = self.workspace.run_log
        if self.workspace.upkeep.deletes or self.workspace.is_verify:
            log.fail(*table.place, error)
        else:
            name, account_id = table.place
            log.warn(f"{name} was not audited in account {account_id}: {error}")

    def _compare(self, table: AuditedTable, counts: _Counts, windows: Sequence[DateWindow]) -> None:
        log, here, there = self.workspace.run_log, counts.here, counts.read_there()
        log.audit.compared += 1
        if (here.total != there or windows) and (
            reason := explain_hidden_rows(table.endpoint, table.session)
        ):
            log.warn(reason)
            return
        found = self.findings[table.place] = counts.search.run(here, there, windows)
        times = self._count_late() if found.missing else 0
        overlap = self.workspace.extraction.options.overlap
        commands = self.workspace.commands
        for warning in explain_findings(*table.place, found, overlap, times, commands=commands):
            log.warn(warning)
        if doubt := explain_doubt(*table.place, found, commands):
            log.note_unproven(*table.place, doubt)

    def _count_late(self) -> int:
        """How many runs on record found rows missing, this one included."""
        warehouse = self.workspace.warehouse
        if not is_made(SYNC_RUNS, warehouse.schema):
            return 1
        with warehouse.sql() as sql:
            return 1 + sql.count(SYNC_RUNS, Within("rows_lost", 1, None))

    def _remove_gone(self, tables: Sequence[AuditedTable]) -> None:
        going = [table for table in tables if self.findings[table.place].gone]
        if reason := explain_undated(self.session) if going else None:
            self.workspace.run_log.warn(reason)
            return
        removal, now = RowRemoval(self.workspace, _COMPARE), self.workspace.now()
        for table in going:
            gone = self.findings[table.place].gone
            rows = build_removal_by_id(
                table.endpoint, self.session.account_id, Reason.GONE, now, gone
            )
            removal.add([rows], limit=self.workspace.upkeep.max_deletes)
        self.workspace.run_log.audit.deleted += removal.execute()


def _count(tables: Sequence[AuditedTable]) -> Iterator[_Counts]:
    """Count *tables* here, then all of them there at once; no table waits for another's answer."""
    searches = [DeletionSearch(each.pair, page_rows=each.page_rows) for each in tables]
    here = [search.count_here() for search in searches]  # Only this thread may query the warehouse.
    there = list(in_parallel(_try_to_count, searches, workers=ASKERS))
    return map(_Counts, searches, here, there)


def _try_to_count(search: DeletionSearch) -> int | RemoteError:
    try:
        return search.count_there()
    except RemoteError as error:
        return error


def explain_findings(
    table: str,
    account_id: int,
    found: SearchResult,
    overlap: timedelta,
    times: int,
    *,
    commands: NextCommands = _USUAL,
) -> list[str]:
    """
    Messages for the user about one table's comparison; none if nothing needs to be explained.

    Args:
        overlap: Time before its cursor that each run reads again.
        times: Runs that found rows missing, this one included.
    """
    place = f"{table} of account {account_id}"
    messages = []
    if found.missing:
        messages.append(
            f"{place} lacked {counted(found.missing, 'row')} that Harvest has and that have not "
            f"changed since a run should have read them ({describe_slices(found.lost)}). This run "
            "reads that part again. Either another program deleted the rows here, or Harvest "
            "returned them later than their updated_at, by more than the overlap of "
            f"{overlap.total_seconds():.0f} s. This happened in {counted(times, 'run')}; if it "
            f"happens often, set overlap = {_advise_overlap(overlap)} under [sources.harvest]."
        )
    if found.open:
        windows = describe_slices([Slice(window) for window in found.open])
        later = "" if commands.is_verify else "A sync compares it again in a day. "
        messages.append(
            f"{place} kept changing while it was compared with Harvest ({windows}). Nothing was "
            f"removed there. {later}To compare it now: {commands.repeat(_COMPARE)}"
        )
    if found.undated:
        messages.append(
            f"{place} has {counted(found.undated, 'row')} without a date, not as many as Harvest. "
            "No list has those alone, and they are too many to ask for one by one, so nothing was "
            f"removed among them. To read the whole table again: {commands.read_whole(table)}"
        )
    return messages


def _advise_overlap(overlap: timedelta) -> int:
    """The overlap to set, in seconds: an hour, or twice the one that was too short."""
    return max(3600, 2 * int(overlap.total_seconds()))


def explain_doubt(
    table: str, account_id: int, found: SearchResult, commands: NextCommands = _USUAL
) -> str:
    """Why a run cannot confirm that a table equals Harvest's; empty when it can."""
    has = (
        f"{table} of account {account_id} has {counted(found.here, 'row')} and Harvest counts "
        f"{found.there:,}"
    )
    if found.doubled:
        return (
            f"{has}: the warehouse had {counted(found.doubled, 'row')} more than once. This run "
            "reads that part again and removes the duplicates. Another program has written to the "
            "warehouse, or this is a bug: please report it."
        )
    if found.is_unexplained:
        return (
            f"{has}, but their lists agree. Nothing was changed. To read the whole table again: "
            f"{commands.read_whole(table)}"
        )
    return ""
