"""
Leave out rows that the wide overlap brings again and that are unchanged in the warehouse.

Once a day a table's changes of 25 hours are read again, for edits that were committed long after
their ``updated_at``. Harvest has no filter for those alone, and counts at two times do not
distinguish an edit that came late from one that left, so all changes are read. A row with the
``updated_at`` that the warehouse has is not a late edit, unless it changes without a new
``updated_at``, as a running timer does, or changed twice in one second. So timers are loaded, and
so are rows within the ordinary overlap, which exists for edits in the same second. That leaves two
edits in one second of which one was committed minutes after the other. The audit finds those: it
reads every row again in turn and compares all of its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.errors import HarvestError
from harvest_source.extract.cursor import WIDE_OVERLAP, load_cursor
from harvest_source.extract.extraction import Batch
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.run_log import Place
from harvest_source.extract.schedule import is_due, is_implausible
from harvest_source.extract.visibility import sees_the_same
from harvest_source.extract.volatile_rows import find_volatile
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.sql.conditions import AllOf, Equals, Within
from harvest_source.sql.values import as_instant

_SECOND: Final = timedelta(seconds=1)
_KEY: Final = ("id", "updated_at")
_INSTANT: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class OverlapFilter:
    """
    Leaves out of a run's batches the rows of the wide overlap that did not change.

    Id and ``updated_at`` decide.

    Attributes:
        before: By table and account, when the ordinary overlap begins. All rows of tables that are
            not listed are loaded.
    """

    workspace: Workspace
    before: Mapping[Place, datetime]
    _known: dict[Place, pa.Table] = field(default_factory=dict)

    def apply(self, batches: list[Batch]) -> list[Batch]:
        """*batches* in their order, without rows that need not be loaded."""
        if not self.before:
            return batches
        with self.workspace.warehouse.querying():  # One connection for all tables and accounts.
            return list(self._iter_changed(batches))

    def _iter_changed(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        for batch in batches:
            place = batch.endpoint.name, batch.account_id
            if batch.table is None or place not in self.before:
                yield batch
            elif (rows := self._choose(place, batch.endpoint, batch.table)).num_rows:
                yield replace(batch, table=rows)

    def _choose(self, place: Place, endpoint: Endpoint, rows: pa.Table) -> pa.Table:
        at = rows.column("updated_at")
        is_early = pc.fill_null(pc.less(at, pa.scalar(self.before[place], at.type)), False)
        is_early = pc.and_(is_early, pc.invert(find_volatile(rows, endpoint)))
        if not pc.any(is_early).as_py():
            return rows
        known = self._find_known(place)
        here = rows.select(list(_KEY)).append_column("early", is_early)
        here = here.append_column("place", pa.array(range(rows.num_rows), pa.int64()))
        same = here.filter(pc.field("early")).join(known, list(_KEY), join_type="left semi")
        places = same.column("place").combine_chunks()
        return rows.filter(pc.invert(pc.is_in(here.column("place"), value_set=places)))

    def _find_known(self, place: Place) -> pa.Table:
        """Id and ``updated_at`` of the warehouse's rows from the period that is read again."""
        if place not in self._known:
            table, account_id = place
            until = self.before[place]
            where = AllOf(
                Equals(ACCOUNT_ID, account_id),
                Within("updated_at", until - WIDE_OVERLAP, until),
            )
            ids, instants = list[int](), list[datetime | None]()
            with self.workspace.warehouse.sql() as sql:
                for row, at in sql.iter_values(table, where, _KEY):
                    ids.append(row)
                    instants.append(as_instant(at))
            self._known[place] = pa.table(
                {"id": pa.array(ids, pa.int64()), "updated_at": pa.array(instants, _INSTANT)}
            )
        return self._known[place]


def prepare_overlap_filter(workspace: Workspace, feeds: Sequence[TableFeed]) -> OverlapFilter:
    """
    Find what need not be loaded of *feeds*.

    All rows of a table are loaded if it is read whole, or by a token that may see other rows or
    values than the token before it: those come with an old ``updated_at``.
    """
    options, now = workspace.extraction.options, workspace.now()
    before: dict[Place, datetime] = {}
    for feed in () if options.full_refresh else feeds:
        cursor, name = load_cursor(feed.state.get("cursor")), feed.endpoint.name
        if (
            cursor is None
            or feed.endpoint.strategy is not ReadStrategy.CHANGES
            or is_implausible(cursor.at, now)
            or not is_due(cursor.wide_at, now)
            or not workspace.warehouse.has_table(name)
        ):
            continue
        try:
            session = workspace.sessions.open(feed.account_id)
        except HarvestError:
            continue
        if session.managed_scope == cursor.managed and sees_the_same(
            session.owner.visibility, cursor.visibility
        ):
            before[name, feed.account_id] = cursor.at - options.overlap - _SECOND
    return OverlapFilter(workspace, before)
