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

A token that may not see all values of earlier tokens' rows replaces no unchanged row at all: hidden
rates arrive as null. What it leaves out wrongly, an edit in the same second as one that was loaded,
comes when a token that sees everything reads history again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.auth.sessions import Session
from harvest_source.errors import HarvestError
from harvest_source.extract.cursor import WIDE_OVERLAP, Cursor, load_cursor
from harvest_source.extract.exclusion import excluded_columns, load_excluded
from harvest_source.extract.extraction import Batch
from harvest_source.extract.reading_order import TableFeed
from harvest_source.extract.run_log import Place
from harvest_source.extract.schedule import is_due, is_implausible
from harvest_source.extract.volatile_rows import find_volatile
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.sql.conditions import AllOf, Condition, Equals, Within
from harvest_source.sql.values import as_instant

_SECOND: Final = timedelta(seconds=1)
_KEY: Final = ("id", "updated_at")
_INSTANT: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Period:
    """Of which ``updated_at`` unchanged rows are left out."""

    since: datetime | None
    """From when on rows are looked up in the warehouse; None: all of them."""
    until: datetime | None
    """Rows of this time and later are loaded; None: no row is too late."""
    is_hidden: bool = False
    """Whether values may be hidden from the token, so that older rows are looked up, too."""

    def lacks(self, oldest: datetime) -> bool:
        """Whether rows as old as *oldest* are to be left out, too, and were not looked up."""
        return self.is_hidden and self.since is not None and oldest < self.since


@dataclass(frozen=True, slots=True)
class OverlapFilter:
    """
    Leaves out of a run's batches rows that did not change since they were loaded.

    Id and ``updated_at`` decide.

    Attributes:
        periods: By table and account, of which time such rows are left out. All rows of tables that
            are not listed are loaded.
    """

    workspace: Workspace
    periods: Mapping[Place, Period]
    _known: dict[Place, tuple[Period, pa.Table]] = field(default_factory=dict)

    def apply(self, batches: list[Batch]) -> list[Batch]:
        """*batches* in their order, without rows that need not be loaded."""
        if not self.periods:
            return batches
        with self.workspace.warehouse.querying():  # One connection for all tables and accounts.
            return list(self._iter_changed(batches))

    def _iter_changed(self, batches: Sequence[Batch]) -> Iterator[Batch]:
        for batch in batches:
            place = batch.endpoint.name, batch.account_id
            if batch.table is None or place not in self.periods:
                yield batch
            elif (rows := self._choose(place, batch.endpoint, batch.table)).num_rows:
                yield replace(batch, table=rows)

    def _choose(self, place: Place, endpoint: Endpoint, rows: pa.Table) -> pa.Table:
        at, until = rows.column("updated_at"), self.periods[place].until
        is_early = pc.is_valid(at)
        if until is not None:
            is_early = pc.fill_null(pc.less(at, pa.scalar(until, at.type)), False)
        is_early = pc.and_(is_early, pc.invert(find_volatile(rows, endpoint)))
        if not pc.any(is_early).as_py():
            return rows
        known = self._find_known(place, pc.min(at.filter(is_early)).as_py())
        here = rows.select(list(_KEY)).append_column("early", is_early)
        here = here.append_column("place", pa.array(range(rows.num_rows), pa.int64()))
        same = here.filter(pc.field("early")).join(known, list(_KEY), join_type="left semi")
        places = same.column("place").combine_chunks()
        return rows.filter(pc.invert(pc.is_in(here.column("place"), value_set=places)))

    def _find_known(self, place: Place, oldest: datetime) -> pa.Table:
        """Id and ``updated_at`` of the warehouse's rows, at least of those not before *oldest*."""
        period = self.periods[place]
        if place in self._known:
            period, known = self._known[place]
            if not period.lacks(oldest):
                return known
        if period.lacks(oldest):
            period = replace(period, since=None)
        self._known[place] = period, self._read_known(place, period)
        return self._known[place][1]

    def _read_known(self, place: Place, period: Period) -> pa.Table:
        table, account_id = place
        terms: list[Condition] = [Equals(ACCOUNT_ID, account_id)]
        if period.since is not None or period.until is not None:
            terms.append(Within("updated_at", period.since, period.until))
        ids, instants = list[int](), list[datetime | None]()
        with self.workspace.warehouse.sql() as sql:
            for row, at in sql.iter_values(table, AllOf(*terms), _KEY):
                ids.append(row)
                instants.append(as_instant(at))
        return pa.table(
            {"id": pa.array(ids, pa.int64()), "updated_at": pa.array(instants, _INSTANT)}
        )


def prepare_overlap_filter(workspace: Workspace, feeds: Sequence[TableFeed]) -> OverlapFilter:
    """
    Find what need not be loaded of *feeds*.

    All rows of a table are loaded if it is read whole, or by a token that may see rows or values
    which the token before it did not: those come with an old ``updated_at``. A token that does not
    see all that earlier ones saw replaces no unchanged row.
    """
    periods: dict[Place, Period] = {}
    for feed in feeds:
        name, cursor = feed.endpoint.name, load_cursor(feed.state.get("cursor"))
        if (
            cursor is None
            or feed.endpoint.strategy is not ReadStrategy.CHANGES
            or not workspace.warehouse.has_table(name)
        ):
            continue
        try:
            session = workspace.sessions.open(feed.account_id)
        except HarvestError:
            continue
        if period := _find_period(workspace, feed, cursor, session):
            periods[name, feed.account_id] = period
    return OverlapFilter(workspace, periods)


def _find_period(
    workspace: Workspace, feed: TableFeed, cursor: Cursor, session: Session
) -> Period | None:
    """Of which time unchanged rows are left out; None: all rows are loaded."""
    options, now = workspace.extraction.options, workspace.now()
    visibility = session.owner.visibility
    if not cursor.is_covered_by(visibility):
        return Period(cursor.at - max(WIDE_OVERLAP, options.overlap), None, is_hidden=True)
    lacking = load_excluded(feed.state) - excluded_columns(feed.endpoint, options.exclude)
    if (
        options.full_refresh
        or lacking  # The table is read whole to fill them, in rows with any updated_at.
        or cursor.taken_over  # It is read whole, too: what the other pipeline did is not known.
        or is_implausible(cursor.at, now)
        or not is_due(cursor.wide_at, now)
        or session.managed_scope != cursor.managed
        or not cursor.is_of(visibility)
    ):
        return None
    until = cursor.at - options.overlap - _SECOND
    return Period(until - WIDE_OVERLAP, until)
