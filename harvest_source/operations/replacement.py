"""
Before a package is loaded, remove the rows that it replaces: their lists are empty or shorter now.

dlt's merge replaces a list that was read whole and does not report the rows that vanish with it. So
they are removed first, in the same way as all rows: counted, guarded, recorded, pending until done.
If the guard refuses, neither rows nor state of that table are loaded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harvest_source.extract.extraction import Batch
from harvest_source.extract.removals import PENDING_REMOVALS, Reason, Removal, load_pending_removals
from harvest_source.extract.run_log import Place
from harvest_source.operations.row_removal import RowRemoval
from harvest_source.operations.workspace import Workspace
from harvest_source.warehouse.removal import PORTION, build_condition
from harvest_source.warehouse.sql import Sql


@dataclass(slots=True)
class Replacement:
    """Clears the way for the packages of one run, one after another."""

    workspace: Workspace
    _refused: set[Place] = field(default_factory=set)

    def remove_replaced_rows(self, batches: Sequence[Batch]) -> list[Batch]:
        """
        Remove the rows that the lists in *batches* no longer have.

        Returns:
            The batches to load, in order: without tables that the guard refused in this run or that
            are in doubt, and with states that have no pending removal.

        Raises:
            DestinationError: The destination refused.
        """
        # Most packages have nothing to remove, and opening and closing the file takes time.
        if not any(_may_remove(each) for each in batches):
            return [each for each in batches if not self._is_kept(_place(each))]
        removal = RowRemoval(self.workspace)
        with self.workspace.warehouse.held():
            for place, removals in self._find_removals(batches).items():
                guarded = [each for each in removals if each.reason is not Reason.COVERED]
                if not removal.add(guarded, limit=self.workspace.upkeep.max_deletes):
                    self._refused.add(place)
                    continue
                covered = [each for each in removals if each.reason is Reason.COVERED]
                removal.add(covered, limit=None)
        removal.execute()
        return [
            _without_pending_removals(each) for each in batches if not self._is_kept(_place(each))
        ]

    def _is_kept(self, place: Place) -> bool:
        """Whether a table's rows stay unchanged: the guard refused, or the table is in doubt."""
        return place in self._refused or self.workspace.run_log.is_doubtful(*place)

    def _find_removals(self, batches: Sequence[Batch]) -> dict[Place, list[Removal]]:
        found: dict[Place, list[Removal]] = defaultdict(list)
        for batch in batches:
            place = _place(batch)
            if place in self._refused or not self.workspace.warehouse.has_table(place[0]):
                continue
            if batch.state is not None and PENDING_REMOVALS in batch.state:
                pending = load_pending_removals(batch.endpoint, batch.account_id, batch.state)
                # A later state of the same read also has the pending removals of an earlier one.
                replaced = [each for each in found[place] if each.reason is Reason.REPLACED]
                found[place] = [*replaced, *pending]
            if _replaces(batch):
                found[place] += self._find_replaced(batch)
        return {place: removals for place, removals in found.items() if removals}

    def _find_replaced(self, batch: Batch) -> Iterator[Removal]:
        """The rows here that belong to the lists of *batch* and that it does not bring again."""
        endpoint, table = batch.endpoint, batch.table
        assert table is not None
        brought = set(_rows_of(table, endpoint.primary_key))
        columns, now = endpoint.sublist_columns, self.workspace.now()
        lists = tuple(dict.fromkeys(_rows_of(table, columns))) if columns else ()
        whole = Removal(endpoint, batch.account_id, Reason.REPLACED, now, columns, lists)
        with self.workspace.warehouse.sql() as sql:
            here = _read_keys(sql, whole)
        if gone := here - brought:
            values = tuple(sorted(gone, key=repr))
            yield replace(whole, columns=endpoint.primary_key, values=values)


def _place(batch: Batch) -> Place:
    return batch.endpoint.name, batch.account_id


def _may_remove(batch: Batch) -> bool:
    return _has_pending_removals(batch) or _replaces(batch)


def _has_pending_removals(batch: Batch) -> bool:
    """Whether a read found rows to remove that are not removed yet."""
    return batch.state is not None and PENDING_REMOVALS in batch.state


def _replaces(batch: Batch) -> bool:
    """Whether the rows of *batch* replace lists; a single object has only one row."""
    has_lists = batch.endpoint.cursor is None and bool(batch.endpoint.primary_key)
    return batch.table is not None and has_lists


def _rows_of(table: Any, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table.column(name).to_pylist() for name in columns), strict=True)


def _read_keys(sql: Sql, whole: Removal) -> set[tuple[Any, ...]]:
    endpoint = whole.endpoint
    return {
        tuple(key)
        for portion in whole.split(PORTION)
        for key in sql.iter_values(endpoint.name, build_condition(portion), endpoint.primary_key)
    }


def _without_pending_removals(batch: Batch) -> Batch:
    """*batch* with a state that has no pending removals: they have been carried out."""
    if batch.state is None or PENDING_REMOVALS not in batch.state:
        return batch
    return replace(batch, state={k: v for k, v in batch.state.items() if k != PENDING_REMOVALS})
