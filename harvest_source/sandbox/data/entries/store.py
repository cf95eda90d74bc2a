"""
Time entries as they are now: the seeded ones under an overlay.

The overlay holds full records of created and edited entries, and the numbers of the seeded entries
that are replaced or deleted.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from harvest_source.sandbox.data.entries.listing import EntryListing
from harvest_source.sandbox.data.entries.source import FIRST_ID, ID_STEP, EntrySource, Worked
from harvest_source.sandbox.data.listing import Key, key_of
from harvest_source.sandbox.data.lru import LruCache
from harvest_source.sandbox.data.query import Query, Test
from harvest_source.sandbox.data.scope import EVERYTHING, Scope
from harvest_source.sandbox.data.values import Record


class EntryStore:
    """All entries of one account. Not thread-safe: the owner locks."""

    def __init__(self, seeded: EntrySource) -> None:
        self.seeded = seeded
        self._overlay: dict[int, Record] = {}
        self._keys: list[Key] = []
        self._gone: list[int] = []
        self._last_id = FIRST_ID + ID_STEP * seeded.size
        self._selected: LruCache[Sequence[int]] = LruCache(16)
        self._listings: LruCache[EntryListing] = LruCache(32)

    def new_id(self) -> int:
        """The next free id: higher than every id so far."""
        self._last_id += ID_STEP
        return self._last_id

    def get(self, entry_id: int) -> Record | None:
        """The entry with that id, or ``None``. An overlay record itself, not a copy."""
        if entry_id in self._overlay:
            return self._overlay[entry_id]
        k = self.seeded.number_of(entry_id)
        return None if k is None or self._is_gone(k) else self.seeded.record(k)

    def put(self, record: Record) -> None:
        """Add or replace the entry with the id of *record*, at the place of its date."""
        entry_id = record["id"]
        self._hide(entry_id)
        self._overlay[entry_id] = record
        self._last_id = max(self._last_id, entry_id)
        insort(self._keys, key_of(record, "spent_date"))
        self._listings.clear()

    def remove(self, entry_id: int) -> bool:
        """Remove the entry permanently; ``False`` when there is none."""
        found = self.get(entry_id) is not None
        self._hide(entry_id)
        self._listings.clear()
        return found

    def remove_where(self, query: Query, test: Test) -> int:
        """Remove every entry that matches *query*; *test* is the same filter as a predicate."""
        matching = [key[1] for key in self._keys if test(self._overlay[key[1]])]
        for entry_id in matching:
            self.remove(entry_id)
        numbers = [k for k in self._select(query, EVERYTHING) if not self._is_gone(k)]
        self._gone = sorted([*self._gone, *numbers])
        self._listings.clear()
        return len(matching) + len(numbers)

    def overlay(self) -> list[Record]:
        """The created and edited entries, oldest first; not copies."""
        return [self._overlay[key[1]] for key in self._keys]

    def records(self) -> Iterator[Record]:
        """Every entry, in served order."""
        gone = frozenset(self._gone)
        numbers = range(self.seeded.size - 1, -1, -1)
        seeded = (self.seeded.record(k) for k in numbers if k not in gone)
        return heapq.merge(
            seeded,
            reversed(self.overlay()),
            key=lambda record: key_of(record, "spent_date"),
            reverse=True,
        )

    def quoted_changed(self) -> None:
        """Drop everything derived from tables that entries quote; call when one has changed."""
        self.seeded.forget()
        self._selected.clear()
        self._listings.clear()

    def listing(self, query: Query, scope: Scope, test: Test) -> EntryListing:
        """
        The list for *query* within *scope*; *test* is both combined as a predicate.

        Cached until the next change, so that each further page costs only its rows.
        """
        key = (query, scope)
        found = self._listings.get(key)
        if found is None:
            numbers = self._select(query, scope)
            keys = [key for key in self._keys if test(self._overlay[key[1]])]
            found = EntryListing(
                self.seeded, numbers, _common(numbers, self._gone), keys, self._overlay
            )
            self._listings.put(key, found)
        return found

    def worked(self, first: int | None, last: int | None) -> Iterator[Worked]:
        """Rounded hours of the seeded entries worked on *first* to *last*, both inclusive."""
        return self.seeded.worked(first, last, self._gone)

    def _select(self, query: Query, scope: Scope) -> Sequence[int]:
        key = (query, scope)
        found = self._selected.get(key)
        if found is None:
            found = self.seeded.find(query, scope)
            self._selected.put(key, found)
        return found

    def _hide(self, entry_id: int) -> None:
        old = self._overlay.pop(entry_id, None)
        if old is not None:
            del self._keys[bisect_left(self._keys, key_of(old, "spent_date"))]
        k = self.seeded.number_of(entry_id)
        if k is not None and not self._is_gone(k):
            insort(self._gone, k)

    def _is_gone(self, k: int) -> bool:
        at = bisect_left(self._gone, k)
        return at < len(self._gone) and self._gone[at] == k


def _common(numbers: Sequence[int], gone: list[int]) -> Sequence[int]:
    """The numbers in both, ascending."""
    if isinstance(numbers, range):
        return gone[bisect_left(gone, numbers.start) : bisect_left(gone, numbers.stop)]
    places = ((k, bisect_left(numbers, k)) for k in gone)
    return [k for k, at in places if at < len(numbers) and numbers[at] == k]
