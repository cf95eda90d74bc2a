"""A filtered, ordered list as the pagination sees it, and the plain one over records."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harvest_source.sandbox.alterations import Change, apply_changes
from harvest_source.sandbox.values import Record, dumps, hide, parse_day

Mark = dict[str, Any]
Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lens:
    """How records are shown: *hidden* keys left out, *changes* made, as of Unix second *now*."""

    hidden: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    now: int = 0

    def show(self, record: Record) -> bytes:
        """*record* as JSON."""
        return dumps(hide(apply_changes(record, self.changes), self.hidden))


class Listing(Protocol):
    """Rows in served order. Positions count from 0."""

    @property
    def total(self) -> int:
        """How many rows there are."""

    def mark(self, position: int) -> Mark:
        """What a cursor has to hold to find the row at *position* again, even once it is gone."""

    def position_after(self, mark: Mark) -> int:
        """The position of the first row behind *mark*."""

    def body(self, start: int, stop: int, lens: Lens) -> bytes:
        """The rows ``[start, stop)`` as comma-separated JSON objects."""


def key_of(record: Record, date_field: str | None) -> Key:
    """What a list is ordered by, newest first: the day (0 where none applies), then the id."""
    day = parse_day(record.get(date_field)) if date_field else 0
    return day or 0, record["id"]


def mark_of(key: Key) -> Mark:
    """
    The cursor content for a row with *key*.

    Documented for lists by id alone: ``{"id": 3007}``. Unverified against a live account: what a
    cursor over a date order holds; here the day goes along.
    """
    day, row_id = key
    return {"id": row_id, "day": day} if day else {"id": row_id}


def key_of_mark(mark: Mark) -> Key:
    """The reverse of `mark_of`."""
    return int(mark.get("day") or 0), int(mark["id"])


class RowListing:
    """A list of finished rows in served order, as of now; its cursors count rows."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = rows

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def mark(self, position: int) -> Mark:
        """See `Listing.mark`."""
        return {"id": position + 1}

    def position_after(self, mark: Mark) -> int:
        """See `Listing.position_after`."""
        return int(mark["id"])

    def body(self, start: int, stop: int, lens: Lens) -> bytes:
        """See `Listing.body`."""
        return b",".join(map(lens.show, self._rows[start:stop]))


class RecordListing:
    """
    A list over records that exist as dicts.

    Args:
        records: In ascending order of their keys.
        ascending: Served in that order too, rather than newest first.
    """

    def __init__(
        self, records: Sequence[Record], keys: Sequence[Key], *, ascending: bool = False
    ) -> None:
        self._records = records
        self._keys = keys
        self._ascending = ascending

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self._records)

    def mark(self, position: int) -> Mark:
        """See `Listing.mark`."""
        return mark_of(self._keys[position if self._ascending else self.total - 1 - position])

    def position_after(self, mark: Mark) -> int:
        """See `Listing.position_after`."""
        key = key_of_mark(mark)
        if self._ascending:
            return bisect_right(self._keys, key)
        return self.total - bisect_left(self._keys, key)

    def body(self, start: int, stop: int, lens: Lens) -> bytes:
        """See `Listing.body`."""
        if self._ascending:
            return b",".join(map(lens.show, self._records[start:stop]))
        low, high = self.total - min(stop, self.total), self.total - min(start, self.total)
        chosen = self._records[low:high]
        return b",".join(lens.show(record) for record in reversed(chosen))
