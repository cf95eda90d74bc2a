"""
Compare lists below a parent, row by row: the messages of an invoice, the rates of a person.

Harvest has no totals for them, so each list takes a request. If there are many lists, only a part
is compared, a different one each day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

from harvest_source.concurrency import in_parallel
from harvest_source.errors import ResponseError
from harvest_source.extract.cursor import Cursor
from harvest_source.extract.run_log import RunLog
from harvest_source.extract.task import build_task
from harvest_source.extract.visibility import explain_off
from harvest_source.operations.audit_tables import (
    AuditedTable,
    awaits_children,
    find_cursor,
)
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import (
    AT_ONCE,
    CHANGED,
    UNASKED,
    Comparison,
    choose_for_day,
)
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID, Column
from harvest_source.schema.endpoint import Endpoint
from harvest_source.sql.conditions import AllOf, Equals, OneOf
from harvest_source.sql.values import as_instant
from harvest_source.warehouse.removal import find_below

LISTS: Final = 25
"""Lists of one table compared per day: for five tables, the requests Harvest allows in 20 s."""
LISTS_TO_MEND: Final = 200
"""The same if differences are mended."""

Rows = Sequence[Mapping[str, Any]]
"""The rows of a list; in the warehouse some may be duplicated."""


@dataclass(frozen=True, slots=True)
class ListsComparison:
    """
    The lists below the rows of one table of one account.

    Args:
        changed: Parents that changed since the merge: the next sync brings them and their lists.
        most: Lists of each table that are compared.
    """

    workspace: Workspace
    table: AuditedTable
    changed: Sequence[ChangedRow]
    most: int

    def run(self) -> Iterator[Comparison]:
        """
        Compare every list, or as many as are compared in a day.

        Raises:
            HarvestError: Harvest did not answer, or the destination refused.
        """
        lists = list(self._find_below())
        parents = sorted(self.table.copy.keys().column("id").to_pylist()) if lists else []
        chosen = choose_for_day(parents, self.most, self.workspace.now().date())
        with self.workspace.warehouse.querying():
            stored = [self._read_here(below, chosen) for below, _ in lists]
        for (below, cursor), here in zip(lists, stored, strict=True):
            found = in_parallel(partial(self._read_there, below), chosen, workers=AT_ONCE)
            for parent, there in zip(chosen, found, strict=True):
                if there is not None:
                    yield self._compare(below, cursor, parent, here.get(parent, ()), there)
            if len(chosen) < len(parents):
                yield self._note_others(below, len(parents) - len(chosen))

    def _find_below(self) -> Iterator[tuple[Endpoint, Cursor]]:
        """The child tables of which this token sees the same as the token that read them."""
        session, chosen = self.table.session, set(self.workspace.endpoints)
        for below in find_below(self.workspace.warehouse.schema, self.table.endpoint):
            cursor = find_cursor(self.workspace, (below.name, session.account_id))
            if below not in chosen or cursor is None or explain_off(below, session):
                continue
            if cursor.is_of(session.owner.visibility):
                yield below, cursor

    def _columns(self, below: Endpoint) -> list[Column]:
        """The columns that are compared: not excluded, and not stored as a table of an array."""
        has = self.workspace.has_column
        return [each for each in below.record.columns if has(below.name, each.name)]

    def _read_here(self, below: Endpoint, parents: Sequence[int]) -> Mapping[int, Rows]:
        assert below.parent is not None
        key, columns = below.parent.key, self._columns(below)
        account = Equals(ACCOUNT_ID, self.table.session.account_id)
        found: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        with self.workspace.warehouse.sql() as sql:
            where = AllOf(account, OneOf(key, parents))
            for row in sql.select(below.name, where, (key, *(each.name for each in columns))):
                found[row[key]].append(_pick(row, columns))
        return found

    def _read_there(self, below: Endpoint, parent: int) -> Rows | None:
        """The rows of one list; None: Harvest has no such list."""
        session, columns = self.table.session, self._columns(below)
        task = build_task(below, session, self.workspace.extraction.options, RunLog())
        pages = session.client.iter_pages(
            below.path.format(parent=parent), key=below.envelope_key or ""
        )
        try:
            tables = [task.decoder.decode(page.rows) for page in pages]
        except ResponseError as error:
            if error.status in below.absent:
                return None
            raise
        rows = {row["id"]: row for table in tables for row in table.to_pylist()}
        return [_pick(row, columns) for row in rows.values()]

    def _compare(
        self, below: Endpoint, cursor: Cursor, parent: int, here: Rows, there: Rows
    ) -> Comparison:
        assert below.parent is not None
        ours, theirs = ({row["id"]: row for row in rows} for rows in (here, there))
        same = sum(1 for key, row in ours.items() if theirs.get(key) == row)
        differs = same != max(len(here), len(there))
        return Comparison(
            account_id=self.table.session.account_id,
            table=below.name,
            check="list",
            scope=f"{below.parent.key.removesuffix('_id')} {parent}",
            here=Decimal(len(here)),
            # If the numbers are equal, rows may still be different ones, or have other values.
            there=Decimal(len(there) if len(there) != len(here) else same),
            excuse=self._explain(below, parent, cursor) if differs else "",
            children=((below.name, parent),),
        )

    def _explain(self, below: Endpoint, parent: int, cursor: Cursor) -> str:
        """Why a list may differ legitimately: it was not read yet, or its parent changed since."""
        place = below.name, self.table.session.account_id
        if awaits_children(self.workspace, place, parent):
            return UNASKED
        if any(each.there["id"] == parent for each in self.changed):
            return CHANGED
        of_parent = AllOf(Equals(ACCOUNT_ID, self.table.session.account_id), Equals("id", parent))
        with self.workspace.warehouse.sql() as sql:
            found = list(sql.iter_values(self.table.endpoint.name, of_parent, ("updated_at",)))
        changed_at = as_instant(found[0][0]) if found else None
        is_newer = changed_at is not None and changed_at > cursor.at
        return "its parent changed after it was read" if is_newer else ""

    def _note_others(self, below: Endpoint, lists: int) -> Comparison:
        """A comparison that says how many *lists* were not requested."""
        return Comparison(
            account_id=self.table.session.account_id,
            table=below.name,
            check="list",
            scope=f"{lists:,} others",
            here=Decimal(0),
            there=Decimal(lists),
            excuse="not compared today: each day compares other lists",
        )


def _pick(row: Mapping[str, Any], columns: Sequence[Column]) -> Mapping[str, Any]:
    return {each.name: row[each.name] for each in columns}
