"""
Time entries as they are now: the seeded ones, under an overlay of created, edited, deleted ones.

The overlay holds full records and the numbers of seeded entries that they replace or that are
gone. Lists merge both by (spent date, id) with rank arithmetic, so that a page deep in ten million
rows costs what the first one costs.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

from harvest_source.sandbox.access import Scope
from harvest_source.sandbox.filters import Query, Test
from harvest_source.sandbox.hours import SeededHours, Wanted
from harvest_source.sandbox.listing import Key, Lens, Mark, key_of, key_of_mark, mark_of
from harvest_source.sandbox.recent import Recent
from harvest_source.sandbox.values import Record
from harvest_source.sandbox.work import grown
from harvest_source.sandbox.workdays import FIRST_ID, ID_STEP


class EntryListing:
    """
    One filtered list of entries, frozen as of its making.

    Args:
        seeded: Matching seeded numbers, ascending, the *gone* ones included.
        gone: Those of *seeded* that the overlay hides, ascending.
        keys: Keys of the matching overlay records, ascending.
    """

    def __init__(
        self,
        hours: SeededHours,
        seeded: Sequence[int],
        gone: Sequence[int],
        keys: list[Key],
        overlay: dict[int, Record],
    ) -> None:
        self._hours = hours
        self._seeded = seeded
        self._gone = frozenset(gone)
        # How many seeded entries lie before each hidden one, the hidden ones not counted.
        self._gaps = [bisect_left(seeded, k) - at for at, k in enumerate(gone)]
        self._keys = keys
        self._overlay = overlay
        self._ranks = [self._visible_below(key) + at for at, key in enumerate(keys)]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self._seeded) - len(self._gone) + len(self._keys)

    def mark(self, position: int) -> Mark:
        """See `Listing.mark`."""
        rank = self.total - 1 - position
        at = bisect_left(self._ranks, rank)
        if at < len(self._ranks) and self._ranks[at] == rank:
            return mark_of(self._keys[at])
        k = self._seeded[self._index(rank - at)]
        day = self._hours.days.day_of(k)
        return mark_of((day.ordinal, self._hours.days.id_of(k, day)))

    def position_after(self, mark: Mark) -> int:
        """See `Listing.position_after`."""
        key = key_of_mark(mark)
        return self.total - self._visible_below(key) - bisect_left(self._keys, key)

    def body(self, start: int, stop: int, lens: Lens) -> bytes:
        """See `Listing.body`."""
        low, high = self.total - min(stop, self.total), self.total - min(start, self.total)
        out: list[bytes] = []
        first, last = bisect_left(self._ranks, low), bisect_left(self._ranks, high)
        for at in range(last - 1, first - 1, -1):
            rank = self._ranks[at]
            self._write(rank + 1, high, at + 1, lens, out)
            out.append(lens.show(grown(self._overlay[self._keys[at][1]], lens.now)))
            high = rank
        self._write(low, high, first, lens, out)
        return b",".join(out)

    def _write(self, low: int, high: int, before: int, lens: Lens, out: list[bytes]) -> None:
        """Add the seeded rows of ranks ``[low, high)``; *before* overlay rows rank lower."""
        if low >= high:
            return
        numbers = self._seeded[self._index(low - before) : self._index(high - 1 - before) + 1]
        shown: Sequence[int] = numbers[::-1]
        if self._gone:
            shown = [k for k in shown if k not in self._gone]
        if lens.changes:
            out += (lens.show(self._hours.record(k)) for k in shown)
        else:
            self._hours.write(shown, lens.hidden, out)

    def _index(self, visible: int) -> int:
        """Where in the seeded numbers the *visible*-th one that is not hidden lies."""
        return visible + bisect_right(self._gaps, visible)

    def _visible_below(self, key: Key) -> int:
        index = bisect_left(self._seeded, self._hours.days.number_from(key))
        # Hidden entries before that place: their own place is their gap plus their rank.
        low, high = 0, len(self._gaps)
        while low < high:
            middle = (low + high) // 2
            if self._gaps[middle] + middle < index:
                low = middle + 1
            else:
                high = middle
        return index - low


class EntryStore:
    """All entries of one account. Not thread-safe: the owner locks."""

    def __init__(self, hours: SeededHours) -> None:
        self.hours = hours
        self._overlay: dict[int, Record] = {}
        self._keys: list[Key] = []
        self._gone: list[int] = []
        self._last_id = FIRST_ID + ID_STEP * hours.size
        self._selected: Recent[Sequence[int]] = Recent(16)
        self._sums: Recent[list[int]] = Recent(1024)
        self._listings: Recent[EntryListing] = Recent(32)

    def new_id(self) -> int:
        """The next free id: beyond every id so far."""
        self._last_id += ID_STEP
        return self._last_id

    def get(self, entry_id: int) -> Record | None:
        """The entry with that id, or ``None``. An overlay record itself, not a copy."""
        if entry_id in self._overlay:
            return self._overlay[entry_id]
        k = self.hours.days.number_of(entry_id)
        return None if k is None or self._is_gone(k) else self.hours.record(k)

    def put(self, record: Record) -> None:
        """Add or replace the entry with the id of *record*, wherever its date puts it."""
        entry_id = record["id"]
        self._hide(entry_id)
        self._overlay[entry_id] = record
        self._last_id = max(self._last_id, entry_id)
        insort(self._keys, key_of(record, "spent_date"))
        self._listings.clear()

    def remove(self, entry_id: int) -> bool:
        """Take the entry away for good; ``False`` when there is none."""
        found = self.get(entry_id) is not None
        self._hide(entry_id)
        self._listings.clear()
        return found

    def remove_where(self, query: Query, test: Test) -> int:
        """Take away every entry that *query* and *test*, two forms of one filter, agree on."""
        doomed = [key[1] for key in self._keys if test(self._overlay[key[1]])]
        for entry_id in doomed:
            self.remove(entry_id)
        numbers = [k for k in self._select(query, Scope()) if not self._is_gone(k)]
        self._gone = sorted([*self._gone, *numbers])
        self._listings.clear()
        return len(doomed) + len(numbers)

    def overlay(self) -> list[Record]:
        """The created and edited entries, oldest first; the records themselves."""
        return [self._overlay[key[1]] for key in self._keys]

    def records(self) -> Iterator[Record]:
        """Every entry, in served order."""
        gone = frozenset(self._gone)
        numbers = range(self.hours.size - 1, -1, -1)
        seeded = (self.hours.record(k) for k in numbers if k not in gone)
        return heapq.merge(
            seeded,
            reversed(self.overlay()),
            key=lambda record: key_of(record, "spent_date"),
            reverse=True,
        )

    def quoted_changed(self) -> None:
        """A table that entries quote has changed: forget what was derived from it."""
        self.hours.forget()
        self._selected.clear()
        self._listings.clear()

    def listing(self, query: Query, scope: Scope, test: Test) -> EntryListing:
        """
        The list for *query* within *scope*; *test* is the same two as a predicate.

        Kept until the next change, so that every further page of it costs only its rows.
        """
        key = (query, scope)
        found = self._listings.get(key)
        if found is None:
            seeded = self._select(query, scope)
            keys = [key for key in self._keys if test(self._overlay[key[1]])]
            found = EntryListing(
                self.hours, seeded, _common(seeded, self._gone), keys, self._overlay
            )
            self._listings.put(key, found)
        return found

    def quarters(self, first: int | None, last: int | None) -> Iterator[tuple[int, list[int]]]:
        """
        Rounded quarter hours of the seeded entries worked on *first* to *last*, both inclusive.

        By month: months since year 0, and a sum for each booking. What a stretch of entries adds up
        to never changes, so it is kept; entries that are gone come off at each call.
        """
        for month, part in self.hours.days.months(first, last):
            sums = self._sums.get((part.start, part.stop))
            if sums is None:
                sums = self.hours.add_up(part)
                self._sums.put((part.start, part.stop), sums)
            gone = _common(part, self._gone)
            if gone:
                lost = self.hours.add_up(gone)
                sums = [of_all - of_gone for of_all, of_gone in zip(sums, lost, strict=True)]
            yield month, sums

    def _select(self, query: Query, scope: Scope) -> Sequence[int]:
        key = (query, scope)
        found = self._selected.get(key)
        if found is None:
            window = self.hours.days.numbers(query.first_day, query.last_day)
            found = self.hours.select(window, self._wanted(query, scope))
            self._selected.put(key, found)
        return found

    def _wanted(self, query: Query, scope: Scope) -> Wanted:
        return Wanted(
            where=self.hours.bookings_where(query, scope),
            is_billed=query.get("is_billed"),
            is_running=query.get("is_running") or None,
            approval_status=query.get("approval_status"),
            external_reference_id=query.get("external_reference_id"),
            updated_since=query.updated_since,
        )

    def _hide(self, entry_id: int) -> None:
        old = self._overlay.pop(entry_id, None)
        if old is not None:
            del self._keys[bisect_left(self._keys, key_of(old, "spent_date"))]
        k = self.hours.days.number_of(entry_id)
        if k is not None and not self._is_gone(k):
            insort(self._gone, k)

    def _is_gone(self, k: int) -> bool:
        at = bisect_left(self._gone, k)
        return at < len(self._gone) and self._gone[at] == k


def _common(numbers: Sequence[int], gone: list[int]) -> Sequence[int]:
    if isinstance(numbers, range):
        return gone[bisect_left(gone, numbers.start) : bisect_left(gone, numbers.stop)]
    places = ((k, bisect_left(numbers, k)) for k in gone)
    return [k for k, at in places if at < len(numbers) and numbers[at] == k]
