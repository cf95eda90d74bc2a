"""
Compare tables that are read whole, such as ``roles``: rows, ids and values, with Harvest's list.

Harvest does not say which of their rows changed since the last sync. The remembered digest of the
list shows whether any did: if the list is unchanged, the warehouse must equal it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from harvest_source.auth.sessions import Session
from harvest_source.extract.last_read import LastRead, count_elements, fingerprint
from harvest_source.extract.replaced_lists import read_list
from harvest_source.extract.run_log import Place, RunLog
from harvest_source.extract.task import Task
from harvest_source.extract.visibility import explain_off, sees_the_same
from harvest_source.operations.compare_values import find_values, name_row
from harvest_source.operations.comparisons import ALL, CHANGED, Comparison
from harvest_source.operations.loading import create_builder
from harvest_source.operations.row_differences import find_differences
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import ReadStrategy
from harvest_source.sql.conditions import Equals
from harvest_source.warehouse.arrow_reads import build_keys, select_keys


@dataclass(slots=True)
class WholeTable:
    """
    One table of one account that is read whole.

    Attributes:
        task: Reads its list as a sync does.
        before: What is remembered of the list.
    """

    workspace: Workspace
    task: Task
    before: LastRead
    _rows: dict[str, int] = field(default_factory=dict)
    """How many rows the table and the tables of its arrays have here."""
    _keys: pa.Table | None = None
    _values: Sequence[Mapping[str, Any]] = ()

    @property
    def place(self) -> Place:
        """Table and account."""
        return self.task.key

    def read_stored(self) -> None:
        """
        Read what the warehouse has; sends nothing to Harvest.

        Raises:
            DestinationError: The destination refused.
        """
        endpoint, warehouse = self.task.endpoint, self.workspace.warehouse
        of_account = Equals(ACCOUNT_ID, self.task.session.account_id)
        with warehouse.sql() as sql:
            for name in filter(warehouse.has_table, (endpoint.name, *endpoint.child_tables)):
                self._rows[name] = sql.count(name, of_account)
            if "id" in endpoint.primary_key:
                self._keys = select_keys(sql, endpoint.name, of_account, None)
            self._values = sql.select(endpoint.name, of_account, self._columns)

    @property
    def _columns(self) -> list[str]:
        """The declared columns that are not excluded, and not stored as a table of an array."""
        endpoint, has = self.task.endpoint, self.workspace.has_column
        return [each.name for each in endpoint.columns if has(endpoint.name, each.name)]

    def compare(self) -> Iterator[Comparison]:
        """
        Compare the rows, their ids, the number of elements of their arrays, and all values.

        If the list changed since it was loaded, other ids are excused and no values are compared.

        Raises:
            HarvestError: Harvest did not answer, or its list could not be read whole.
        """
        name, listed = self.task.endpoint.name, read_list(self.task)
        is_changed = fingerprint(listed) != self.before.digest
        loaded = {name: self.before.rows, **self.before.elements}
        there = {name: listed.num_rows, **count_elements(self.task.endpoint, listed)}
        for table, here in self._rows.items():
            if table in there:
                # Another number of rows than was loaded is wrong, whatever changed since.
                is_excused = is_changed and here == loaded.get(table, here)
                yield self._build(table, "rows", here, there[table], is_excused=is_excused)
        if self._keys is not None:
            rows, other = find_differences(self._keys, build_keys(listed, None)).figures
            yield self._build(name, "ids", rows, other, is_excused=is_changed)
        if not is_changed:
            yield from self._compare_values(listed)

    def _compare_values(self, listed: pa.Table) -> Iterator[Comparison]:
        """Compare the rows that both sides have, column by column; each that differs is named."""
        name, columns = self.task.endpoint.name, self._columns
        here = {row.get("id"): row for row in self._values}
        there = {row.get("id"): row for row in listed.select(columns).to_pylist()}
        found = find_values(here, there, columns)
        yield self._build(name, "values", found.equal, found.equal)
        for key, names in found.differing.items():
            yield self._build(name, "values", 0, 1, scope=name_row(key, names))

    def _build(
        self,
        table: str,
        check: str,
        here: int,
        there: int,
        *,
        scope: str = ALL,
        is_excused: bool = False,
    ) -> Comparison:
        return Comparison(
            account_id=self.task.session.account_id,
            table=table,
            check=check,
            scope=scope,
            here=Decimal(here),
            there=Decimal(there),
            excuse=CHANGED if is_excused else "",
        )


def find_whole_tables(workspace: Workspace, session: Session) -> list[WholeTable]:
    """An account's tables that are read whole, if this token sees the same as their reader did."""
    found: list[WholeTable] = []
    for feed in create_builder(workspace).build_feeds([session.account_id]):
        before = LastRead.load(feed.state.get("seen"))
        if (
            feed.endpoint.strategy is not ReadStrategy.WHOLE
            or before is None
            or not workspace.warehouse.has_table(feed.endpoint.name)
            or explain_off(feed.endpoint, session)
            or not sees_the_same(before.by, session.owner.visibility)
        ):
            continue
        options = workspace.extraction.options
        # Its pages are not the run's progress.
        task = Task(feed.endpoint, session, feed.decoder, {}, options, RunLog())
        found.append(WholeTable(workspace, task, before))
    return found
