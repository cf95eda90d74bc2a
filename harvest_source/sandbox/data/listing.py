"""A filtered, sorted list as the pagination reads it, and its plain forms over records."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

from harvest_source.sandbox.data.lens import Lens
from harvest_source.sandbox.data.values import Record, parse_day

Mark = dict[str, Any]
"""Content of a cursor."""

Key = tuple[int, int]
"""Sort key of a row: day number, id."""


class Listing(Protocol):
    """Rows in served order. Positions count from 0."""

    @property
    def total(self) -> int:
        """Number of rows."""

    def mark(self, position: int) -> Mark:
        """The cursor content that finds the row at *position*, or its place once it is deleted."""

    def position_after(self, mark: Mark) -> int:
        """The position of the first row after *mark*."""

    def body(self, start: int, stop: int, lens: Lens) -> bytes:
        """The rows ``[start, stop)`` as comma-separated JSON objects."""


def key_of(record: Record, date_field: str | None) -> Key:
    """The key that sorts a list, newest first: the day (0 in lists without one), then the id."""
    day = parse_day(record.get(date_field)) if date_field else 0
    return day or 0, record["id"]


def mark_of(key: Key) -> Mark:
    """
    The cursor content for a row with *key*.

    Documented for lists sorted by id: ``{"id": 3007}``. Unverified against a live account: the
    cursor of a list sorted by date; here it holds the day as well.
    """
    day, row_id = key
    return {"id": row_id, "day": day} if day else {"id": row_id}


def key_of_mark(mark: Mark) -> Key:
    """The reverse of `mark_of`."""
    return int(mark.get("day") or 0), int(mark["id"])


class RowListing:
    """A list of computed rows in served order; its cursors count rows."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self._rows = rows

    @property
    def total(self) -> int:
        """Number of rows."""
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
    A list over stored records.

    Args:
        records: In ascending order of their keys.
        ascending: Served in that order too; otherwise newest first.
    """

    def __init__(
        self, records: Sequence[Record], keys: Sequence[Key], *, ascending: bool = False
    ) -> None:
        self._records = records
        self._keys = keys
        self._ascending = ascending

    @property
    def total(self) -> int:
        """Number of rows."""
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
