"""
A table's cursor: what to read next, and the only code that moves it. Pure.

Kept in dlt's state per account and table, under ``cursor``. Times are ISO 8601, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from harvest_source.extract.schedule import is_due, is_implausible, parse_instant
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.stored import dump_day, load_day
from harvest_source.extract.visibility import covers, sees_the_same

WIDE_OVERLAP: Final = timedelta(hours=25)
"""
Overlap of one read per day: a long transaction commits rows whose ``updated_at`` is its start.

25 hours, so that two wide reads a day apart leave no gap.
"""

_HARVEST_BEGAN: Final = datetime(2006, 1, 1, tzinfo=UTC)
"""Harvest has no older data, so an older cursor is wrong."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one table of one account has been read."""

    at: datetime
    """Harvest's clock when the last proven read began."""
    covered_from: date | None
    """First day of the history that was read; None: all of it."""
    visibility: str
    """``Owner.visibility`` of the token that read it: other owners and roles see other rows."""
    wide_at: datetime
    """When the last read with the wide overlap began."""
    managed: str = ""
    """``Session.managed_scope`` of that token: a manager who is given more sees more rows."""
    taken_over: bool = False
    """
    Whether another pipeline read the rows, or their history has not begun: a token that sees no
    less reads all of them again.
    """
    others: tuple[str, ...] = ()
    """
    ``Owner.visibility`` of earlier tokens that saw rows or values which this one does not see.

    Their rows remain until a token that sees all of them reads history again.
    """

    def is_covered_by(self, visibility: str) -> bool:
        """Whether a token with *visibility* sees at least what every token that read rows saw."""
        return all(covers(visibility, each) for each in (self.visibility, *self.others))

    def is_of(self, visibility: str) -> bool:
        """Whether all rows were read by tokens that see the same as one with *visibility*."""
        return not self.others and sees_the_same(self.visibility, visibility)

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "at": self.at.isoformat(),
            "covered_from": dump_day(self.covered_from),
            "visibility": self.visibility,
            "wide_at": self.wide_at.isoformat(),
            **({"managed": self.managed} if self.managed else {}),
            **({"taken_over": True} if self.taken_over else {}),
            **({"others": [*self.others]} if self.others else {}),
        }


def load_cursor(stored: Mapping[str, Any] | None) -> Cursor | None:
    """Parse a stored cursor; None when it is missing, malformed or older than Harvest."""
    if not stored:
        return None
    try:
        cursor = Cursor(
            at=parse_instant(stored["at"]),
            covered_from=load_day(stored["covered_from"]),
            visibility=str(stored["visibility"]),
            wide_at=parse_instant(stored["wide_at"]),
            managed=str(stored.get("managed", "")),
            taken_over=stored.get("taken_over") is True,
            others=tuple(map(str, stored.get("others", ()))),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # History is read again, which loses nothing. A guessed cursor might.
    return cursor if cursor.at >= _HARVEST_BEGAN else None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What to read now, and what the cursor becomes once all of it is proven."""

    slices: tuple[Slice, ...]
    is_whole: bool
    """Whether all of history within the bound is read, and not only what changed."""
    covered_from: date | None
    is_wide: bool
    """Whether the overlap is the wide one."""
    managed: str = ""
    """``Session.managed_scope`` of the token that reads."""

    def with_changes(self, cursor: Cursor | None, now: datetime) -> ReadPlan:
        """
        A plan that also reads the rows changed since *cursor*, whatever their date.

        For a full refresh of part of history: a row whose date moved to before that part would
        otherwise look deleted.
        """
        if cursor is None or self.covered_from is None or is_implausible(cursor.at, now):
            return self
        changed = Slice(since=cursor.at - min(WIDE_OVERLAP, cursor.at - _HARVEST_BEGAN))
        return replace(self, slices=(*self.slices, changed))

    def next_cursor(self, began: datetime, visibility: str, before: Cursor | None) -> Cursor:
        """The cursor after a proven read that began at *began*."""
        wide_at = began if self.is_wide or before is None else before.wide_at
        managed = self.managed or (before.managed if before else "")
        saw = (before.visibility, *before.others) if before else ()
        others = tuple(sorted({each for each in saw if not covers(visibility, each)}))
        return Cursor(began, self.covered_from, visibility, wide_at, managed, others=others)


def plan_read(
    cursor: Cursor | None,
    *,
    visibility: str,
    start_date: date | None,
    overlap: timedelta,
    now: datetime,
    managed: str = "",
) -> ReadPlan:
    """
    Decide what to read of a table.

    That is all history from *start_date* on if there is no cursor, if the cursor lies in the
    future, if another pipeline moved it, or if this token may see rows that the previous token did
    not: those have old timestamps. A lower role does not read history again: rates that it may not
    see arrive as null and would overwrite known values.

    Otherwise it is the rows changed since the cursor minus the overlap, whatever their date: a row
    whose date moved to before *start_date* must not keep its old values. If *start_date* was moved
    to an earlier day, the missing part of history is read as well, before the changes; if it was
    removed, all of history is.

    Args:
        visibility: ``Owner.visibility`` of the token that reads now.
        start_date: First day of history to read; None for all of it, and for lists without dates.
        managed: ``Session.managed_scope`` of that token: a manager who was given another project
            or teammate sees rows with old timestamps, too.
    """
    if cursor is None or is_implausible(cursor.at, now) or _sees_more(cursor, visibility, managed):
        return plan_whole_read(cursor, start_date, managed)
    is_wide = is_due(cursor.wide_at, now)
    reach = max(WIDE_OVERLAP, overlap) if is_wide else overlap
    changed = Slice(since=cursor.at - min(reach, cursor.at - _HARVEST_BEGAN))
    missing = _missing(cursor.covered_from, start_date)
    if missing is None:
        return ReadPlan((changed,), False, cursor.covered_from, is_wide, managed)
    return ReadPlan((Slice(missing), changed), False, missing.start, is_wide, managed)


def plan_whole_read(cursor: Cursor | None, start_date: date | None, managed: str) -> ReadPlan:
    """Plan all history from *start_date*, or from the first day *cursor* covers if earlier."""
    bound = _earlier(cursor.covered_from, start_date) if cursor is not None else start_date
    return ReadPlan((Slice(DateWindow(start=bound)),), True, bound, True, managed)


def _sees_more(cursor: Cursor, visibility: str, managed: str) -> bool:
    """
    Whether this token may see rows that the token which moved *cursor* did not.

    Also if that was another pipeline's token and sees no more: what it did is not known. And if the
    history of the rows has not begun.
    """
    if cursor.taken_over and cursor.is_covered_by(visibility):
        return True
    if not covers(cursor.visibility, visibility):
        return True
    manages_others = bool(managed) and managed != cursor.managed
    return manages_others and sees_the_same(cursor.visibility, visibility)


def move_cursor(
    state: dict[str, Any],
    read_plan: ReadPlan,
    began: datetime | None,
    *,
    visibility: str,
    has_news: bool,
) -> None:
    """
    Store the cursor that a proven read has earned, if that is worth a load.

    State is loaded together with rows, so a moved cursor costs a load of its own when there are no
    rows. After a read without rows the old cursor serves as well: the next read begins there again.
    A read with the wide overlap, once a day, always moves it.

    Args:
        state: The table's state, changed in place.
        began: Harvest's clock when the read began; None: no answer from Harvest vouches for that
            time, and the cursor stays.
        visibility: ``Owner.visibility`` of the token that read.
        has_news: Whether the read brought rows.
    """
    cursor = load_cursor(state.get("cursor"))
    is_as_before = (
        cursor is not None
        and cursor.covered_from == read_plan.covered_from
        and sees_the_same(cursor.visibility, visibility)
    )
    if began is None or (
        is_as_before and not (has_news or read_plan.is_wide or read_plan.is_whole)
    ):
        return
    state["cursor"] = read_plan.next_cursor(began, visibility, cursor).dump()


def take_over_cursor(state: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Store the cursor in the *other* state of a table, if it has one, marked as taken over."""
    if cursor := load_cursor(other.get("cursor")):
        state["cursor"] = replace(cursor, taken_over=True).dump()


def _missing(covered_from: date | None, start_date: date | None) -> DateWindow | None:
    """
    The days from *start_date* on that were not read yet; all days if it was removed.

    A row without a date is in no bounded window, so reading only the days before *covered_from*
    would never bring it.
    """
    if covered_from is None:
        return None
    if start_date is None:
        return ALL_DAYS
    if start_date >= covered_from:
        return None
    return DateWindow(start_date, covered_from)


def _earlier(one: date | None, other: date | None) -> date | None:
    """The earlier bound; None is before all days."""
    return None if one is None or other is None else min(one, other)
