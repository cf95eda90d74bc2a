"""Read windows of tables again, and count the rows that this corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.extract.audit_state import AuditState
from harvest_source.extract.options import Reread
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import Slice
from harvest_source.memory import release_memory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.loading import load_rereads
from harvest_source.operations.reread_filter import RereadFilter
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.digests import (
    StoredRows,
    compare_digests,
    find_new_rows,
    read_digests,
)
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.table_copy import TableCopy

_MOST_IDS: Final = 500
"""Rows that one statement names by their ids."""

_MOST_PARENTS: Final = 200
"""For this many rows that came back, payments and the like are read now; others await a sweep."""


@dataclass(slots=True)
class Rereading:
    """Slices of tables that one step of a run reads again together."""

    workspace: Workspace
    _rereads: dict[Place, Reread] = field(default_factory=dict)
    _read: dict[str, list[tuple[TableCopy, list[Slice]]]] = field(default_factory=dict)
    """The slices of each table, by account."""

    def add(self, table: AuditedTable, slices: Iterable[Slice], audit_state: AuditState) -> None:
        """
        Note *slices* of *table* to be read again; without any, only *audit_state* is stored.

        Args:
            audit_state: Stored with the table's cursor once all slices were read with proof.
        """
        listed = list(slices)
        self._rereads[table.place] = Reread(tuple(listed), audit_state.dump())
        if listed:
            self._read.setdefault(table.endpoint.name, []).append((table.copy, listed))

    def execute(self) -> None:
        """
        Read the slices, merge what differs, and count the corrected rows in the run's report.

        Raises:
            DestinationError: The destination refused; what was read stays pending.
        """
        if not self._rereads:
            return
        release_memory()  # The memory that choosing the slices took.
        options = self.workspace.extraction.options
        below: dict[Place, Reread] = {}
        with PageDigests() as digests:
            stored = self._digest(digests)
            reread_filter = RereadFilter(stored, digests, options.history)
            load_rereads(self.workspace, self._rereads, reread_filter.apply)
            for name, corrected in self._find_corrected(stored, reread_filter, digests).items():
                for copy, _ in self._read[name]:
                    came = find_new_rows(corrected, copy.account_id)[:_MOST_PARENTS]
                    for endpoint in self._find_below(copy) if came else ():
                        below[endpoint.name, copy.account_id] = Reread(parents=tuple(came))
        if below:
            load_rereads(self.workspace, below)

    def _digest(self, digests: PageDigests) -> dict[str, StoredRows]:
        """Digests of all rows that the slices hold now, by table."""
        exclude = self.workspace.extraction.options.exclude
        with self.workspace.warehouse.querying():
            return {
                name: read_digests(parts, digests, exclude) for name, parts in self._read.items()
            }

    def _find_corrected(
        self, stored: Mapping[str, StoredRows], reread_filter: RereadFilter, digests: PageDigests
    ) -> dict[str, pa.Table]:
        """By table, account and id of the corrected rows, which are counted in the report."""
        exclude = self.workspace.extraction.options.exclude
        report, found = self.workspace.run_log.audit, dict[str, pa.Table]()
        with self.workspace.warehouse.querying():
            for name, before in stored.items():
                report.reread += before.rows.num_rows
                # Only loaded rows have changed.
                if loaded := reread_filter.find_loaded(name):
                    ids = loaded if len(loaded) <= _MOST_IDS else None
                    after = read_digests(self._read[name], digests, exclude, ids)
                    found[name] = compare_digests(before.rows, after.rows)
        for corrected in found.values():
            report.corrected += corrected.num_rows
            report.reread += corrected.filter(pc.field("came")).num_rows
        return found

    def _find_below(self, copy: TableCopy) -> list[Endpoint]:
        """The lists below the rows of *copy* that this run has read: a row may return with some."""
        outdated = self.workspace.run_log.find_outdated()
        return [
            each
            for each in self.workspace.endpoints
            if each.parent_table == copy.endpoint.name
            and (each.name, copy.account_id) not in outdated
        ]
