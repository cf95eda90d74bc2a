"""
What a table's cursor is and what it asks for next. Pure: state in, parts to read out.

Stored per account and table. Times are ISO 8601, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.visibility import covers

WIDE_EVERY: Final = timedelta(days=1)
WIDE_OVERLAP: Final = timedelta(hours=25)
"""Once a day the overlap is this long: transactions that took long commit with old timestamps."""

_HARVEST_BEGAN: Final = datetime(2006, 1, 1, tzinfo=UTC)
"""Nothing of Harvest is older; a cursor that is cannot be right."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one table of one account has been read."""

    at: datetime
    """The server's clock when the last proven read began."""
    covered_from: date | None
    """History is here from this day on; None: all of it."""
    visibility: str
    """Who read it. Another owner, or other roles, may see other rows."""
    wide_at: datetime
    """When the overlap was last a day long."""

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "at": self.at.isoformat(),
            "covered_from": self.covered_from.isoformat() if self.covered_from else None,
            "visibility": self.visibility,
            "wide_at": self.wide_at.isoformat(),
        }


def load_cursor(stored: Mapping[str, Any] | None) -> Cursor | None:
    """Read a stored cursor; None when there is none, or none that can be understood."""
    if not stored:
        return None
    try:
        covered = stored["covered_from"]
        cursor = Cursor(
            at=_parse_instant(stored["at"]),
            covered_from=None if covered is None else date.fromisoformat(covered),
            visibility=str(stored["visibility"]),
            wide_at=_parse_instant(stored["wide_at"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None  # Reading history again loses nothing; guessing might.
    return cursor if cursor.at >= _HARVEST_BEGAN else None


def _parse_instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    return instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What to read now, and what the cursor becomes when all of it is proven."""

    parts: tuple[Slice, ...]
    is_whole: bool
    """All of history within the bound is read, not only what changed."""
    covered_from: date | None
    is_wide: bool

    def earn(self, began: datetime, visibility: str, before: Cursor | None) -> Cursor:
        """The cursor for a proven read that began at *began*."""
        wide_at = began if self.is_wide or before is None else before.wide_at
        return Cursor(began, self.covered_from, visibility, wide_at)


def plan_read(
    cursor: Cursor | None,
    *,
    visibility: str,
    start_date: date | None,
    overlap: timedelta,
    now: datetime,
) -> ReadPlan:
    """
    Decide what a table has to read.

    Without a cursor, with one from the future, or when whoever reads may see more than whoever read
    before (old rows come into sight with old timestamps): history from *start_date* on. Who sees
    less gains nothing by it, and would write emptiness over rates that are hidden from them.

    With a cursor: what changed since, less the overlap, whatever its date (a row moved to before
    *start_date* must not stay behind as it was); and first the missing part of history when
    *start_date* moved to an earlier day.

    Args:
        start_date: Bound of history; None: all of it. Pass None for lists without date filter.
    """
    is_usable = cursor is not None and cursor.at <= now + WIDE_EVERY
    if cursor is None or not is_usable or not covers(cursor.visibility, visibility):
        bound = start_date
        if cursor is not None:
            bound = _earlier(cursor.covered_from, start_date)
        return ReadPlan((Slice(DateWindow(start=bound)),), True, bound, True)
    is_wide = abs(now - cursor.wide_at) >= WIDE_EVERY  # abs: a clock may have been set back.
    reach = max(WIDE_OVERLAP, overlap) if is_wide else overlap
    changed = Slice(since=cursor.at - min(reach, cursor.at - _HARVEST_BEGAN))
    missing = _missing(cursor.covered_from, start_date)
    if missing is None:
        return ReadPlan((changed,), False, cursor.covered_from, is_wide)
    return ReadPlan((Slice(missing), changed), False, missing.start, is_wide)


def _missing(covered_from: date | None, start_date: date | None) -> DateWindow | None:
    if covered_from is None:
        return None
    if start_date is not None and start_date >= covered_from:
        return None
    return DateWindow(start_date, covered_from)


def _earlier(one: date | None, other: date | None) -> date | None:
    """The earlier bound; None is before all days."""
    return None if one is None or other is None else min(one, other)
