"""
Rows that are read again and are in the warehouse just so: not loaded.

To read a year of a project again because an hour of it is wrong brings ten thousand rows, and an
audit reads rows again day by day. Loading writes each of them once more.

A row is left out if it stands in the warehouse once and a digest of all its columns is that of the
row there. What cannot be told so is loaded: rows that change by themselves, tables whose rows have
children or a history, which loading mends too, and pages with a column that the warehouse lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.extract.extraction import Batch
from harvest_source.operations.audit_tables import Place
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.digests import StoredRows
from harvest_source.warehouse.page_digests import PageDigests


@dataclass(slots=True)
class SameRows:
    """
    Leaves out of batches what the warehouse has.

    Args:
        stored: By table, the rows of the slices that are read, before any of them is loaded.
        history: Tables of which every version is kept.
    """

    stored: Mapping[str, StoredRows]
    digests: PageDigests
    history: frozenset[str] = frozenset()
    _loaded: dict[Place, list[pa.ChunkedArray]] = field(default_factory=dict)
    """Ids of rows that were not left out."""

    def leave_out(self, batches: list[Batch]) -> list[Batch]:
        """*batches* in their order, without rows that need not be loaded; empties the list."""
        batches.reverse()
        return list(self._iter_different(batches))

    def find_loaded(self, table: str) -> list[int]:
        """The ids, in any account, of rows of *table* that were not left out."""
        return sorted(
            {
                row
                for (name, _), some in self._loaded.items()
                if name == table
                for ids in some
                for row in ids.to_pylist()
            }
        )

    def _iter_different(self, batches: list[Batch]) -> Iterator[Batch]:
        while batches:
            batch = batches.pop()
            if batch.table is None:
                yield batch
                continue
            rows = self._choose(batch.endpoint, batch.table)
            if rows.num_rows:
                place = batch.endpoint.name, batch.account_id
                self._loaded.setdefault(place, []).append(rows.column("id"))
                yield replace(batch, table=rows)

    def _choose(self, endpoint: Endpoint, rows: pa.Table) -> pa.Table:
        stored = self.stored.get(endpoint.name)
        if stored is None or not self._can_tell(endpoint, stored, rows):
            return rows
        (content,) = self.digests.digest(rows, [stored.columns])
        ids = rows.column("id")
        (account_id,) = pc.unique(rows.column(ACCOUNT_ID)).to_pylist()
        is_same = pc.is_in(content, value_set=stored.find_contents(account_id, ids))
        # Another version of the row may be on its way: then this one decides, being the later.
        loaded = self._loaded.get((endpoint.name, account_id), ())
        for others in (ids.filter(pc.invert(is_same)), *loaded):
            if len(others):
                is_same = pc.and_not(is_same, pc.is_in(ids, value_set=others))
        return rows.filter(pc.invert(is_same))

    def _can_tell(self, endpoint: Endpoint, stored: StoredRows, rows: pa.Table) -> bool:
        if not rows.num_rows or not stored.is_told or endpoint.record.children:
            return False
        new = set(rows.column_names) - {*stored.columns}
        is_empty = all(rows.column(name).null_count == rows.num_rows for name in new)
        return endpoint.name not in self.history and is_empty
