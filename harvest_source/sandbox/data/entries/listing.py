"""
A list that merges seeded time entries with the stored ones over them.

Both are merged by (spent date, id) with arithmetic on ranks, so that a page deep in ten million
rows costs no more than the first page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from harvest_source.sandbox.data.entries.source import EntrySource
from harvest_source.sandbox.data.lens import Lens
from harvest_source.sandbox.data.listing import Key, Mark, key_of_mark, mark_of
from harvest_source.sandbox.data.records.time_entries import with_running_hours
from harvest_source.sandbox.data.values import Record


class EntryListing:
    """
    One filtered list of entries, frozen when it is made.

    Args:
        numbers: Matching seeded entries, ascending, including the *gone* ones.
        gone: Those of *numbers* that the overlay replaces or that are deleted, ascending.
        keys: Keys of the matching overlay records, ascending.
    """

    def __init__(
        self,
        source: EntrySource,
        numbers: Sequence[int],
        gone: Sequence[int],
        keys: list[Key],
        overlay: dict[int, Record],
    ) -> None:
        self._source = source
        self._numbers = numbers
        self._gone = frozenset(gone)
        # Number of visible seeded entries before each hidden one.
        self._gaps = [bisect_left(numbers, k) - at for at, k in enumerate(gone)]
        self._keys = keys
        self._overlay = overlay
        self._ranks = [self._visible_below(key) + at for at, key in enumerate(keys)]

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self._numbers) - len(self._gone) + len(self._keys)

    def mark(self, position: int) -> Mark:
        """See `Listing.mark`."""
        rank = self.total - 1 - position
        at = bisect_left(self._ranks, rank)
        if at < len(self._ranks) and self._ranks[at] == rank:
            return mark_of(self._keys[at])
        return mark_of(self._source.key(self._numbers[self._index(rank - at)]))

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
            record = with_running_hours(self._overlay[self._keys[at][1]], lens.now)
            out.append(lens.show(record))
            high = rank
        self._write(low, high, first, lens, out)
        return b",".join(out)

    def _write(self, low: int, high: int, before: int, lens: Lens, out: list[bytes]) -> None:
        """Add the seeded rows of ranks ``[low, high)``; *before* overlay rows rank lower."""
        if low >= high:
            return
        numbers = self._numbers[self._index(low - before) : self._index(high - 1 - before) + 1]
        shown: Sequence[int] = numbers[::-1]
        if self._gone:
            shown = [k for k in shown if k not in self._gone]
        if lens.changes:
            out += (lens.show(self._source.record(k)) for k in shown)
        else:
            self._source.write(shown, lens.hidden, out)

    def _index(self, visible: int) -> int:
        """The place of the *visible*-th visible entry in the seeded numbers."""
        return visible + bisect_right(self._gaps, visible)

    def _visible_below(self, key: Key) -> int:
        index = bisect_left(self._numbers, self._source.number_from(key))
        # The place of a hidden entry is its gap plus its rank among the hidden ones.
        low, high = 0, len(self._gaps)
        while low < high:
            middle = (low + high) // 2
            if self._gaps[middle] + middle < index:
                low = middle + 1
            else:
                high = middle
        return index - low
