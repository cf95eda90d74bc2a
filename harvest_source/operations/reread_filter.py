"""
Leave out rows that are read again and that the warehouse has with the same values.

Reading a year of a project again because one hour of it is wrong brings ten thousand rows, and an
audit reads rows again day by day. Loading would write each of them once more.

A row is left out if the warehouse has it once and with the same digest of all columns. Rows that
cannot be compared like this are loaded: rows that change by themselves, tables whose rows have
children or a history, which loading mends, too, and pages with values in a column that the
warehouse lacks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.extract.extraction import Batch
from harvest_source.extract.run_log import Place
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.digests import StoredRows
from harvest_source.warehouse.page_digests import PageDigests


@dataclass(slots=True)
class RereadFilter:
    """
    Leaves out of batches that an audit or a verification reads again the rows that did not change.

    The digest of all columns decides.

    Args:
        stored: By table, the rows of the slices that are read, before any of them is loaded.
        history: Tables of which every version is kept.
    """

    stored: Mapping[str, StoredRows]
    digests: PageDigests
    history: frozenset[str] = frozenset()
    _loaded: dict[Place, list[pa.ChunkedArray]] = field(default_factory=dict)
    """Ids of rows that were not left out."""

    def apply(self, batches: list[Batch]) -> list[Batch]:
        """*batches* in their order, without rows that need not be loaded; empties the list."""
        contents = self._digest(batches)
        batches.reverse()
        return list(self._iter_different(batches, contents))

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

    def _digest(self, batches: Sequence[Batch]) -> list[pa.ChunkedArray | None]:
        """The digests of each batch's rows; None if they cannot be compared."""
        contents: list[pa.ChunkedArray | None] = [None] * len(batches)
        # Pages of one table together: starting a query takes DuckDB longer than 2,000 rows do.
        alike: dict[tuple[str, pa.Schema], list[tuple[int, pa.Table]]] = defaultdict(list)
        for at, batch in enumerate(batches):
            if batch.table is not None and self._can_tell(batch.endpoint, batch.table):
                alike[batch.endpoint.name, batch.table.schema].append((at, batch.table))
        for (name, _), pages in alike.items():
            rows = pa.concat_tables([page for _, page in pages])
            (content,) = self.digests.digest(rows, [self.stored[name].columns])
            begins = 0
            for at, page in pages:
                contents[at] = content.slice(begins, page.num_rows)
                begins += page.num_rows
        return contents

    def _iter_different(
        self, batches: list[Batch], contents: list[pa.ChunkedArray | None]
    ) -> Iterator[Batch]:
        for content in contents:
            batch = batches.pop()
            if batch.table is None:
                yield batch
                continue
            rows = batch.table if content is None else self._choose(batch, batch.table, content)
            if rows.num_rows:
                place = batch.endpoint.name, batch.account_id
                self._loaded.setdefault(place, []).append(rows.column("id"))
                yield replace(batch, table=rows)

    def _choose(self, batch: Batch, rows: pa.Table, content: pa.ChunkedArray) -> pa.Table:
        stored, account_id = self.stored[batch.endpoint.name], batch.account_id
        ids = rows.column("id")
        is_same = pc.is_in(content, value_set=stored.find_contents(account_id, ids))
        # Another version of the row may be about to be loaded: then load this later one, too.
        loaded = self._loaded.get((batch.endpoint.name, account_id), ())
        for others in (ids.filter(pc.invert(is_same)), *loaded):
            if len(others):
                is_same = pc.and_not(is_same, pc.is_in(ids, value_set=others))
        return rows.filter(pc.invert(is_same))

    def _can_tell(self, endpoint: Endpoint, rows: pa.Table) -> bool:
        stored = self.stored.get(endpoint.name)
        if (
            stored is None
            or not stored.detects_changes
            or endpoint.record.children
            or not rows.num_rows
        ):
            return False
        new = set(rows.column_names) - {*stored.columns}
        is_empty = all(rows.column(name).null_count == rows.num_rows for name in new)
        return endpoint.name not in self.history and is_empty
