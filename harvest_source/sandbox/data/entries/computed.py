"""The seeded entries that are computed when read, as a source of the entry store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from harvest_source.sandbox.data.entries.seeded import SeededEntries
from harvest_source.sandbox.data.entries.selection import EntrySelector
from harvest_source.sandbox.data.entries.source import Worked
from harvest_source.sandbox.data.entries.writer import EntryWriter
from harvest_source.sandbox.data.listing import Key
from harvest_source.sandbox.data.lru import LruCache
from harvest_source.sandbox.data.query import Query
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.scope import Scope
from harvest_source.sandbox.data.values import HiddenKeys, Record


class ComputedEntries:
    """`SeededEntries` with their writer and selector; see `EntrySource`."""

    def __init__(self, seeded: SeededEntries) -> None:
        self.seeded = seeded
        self._writer = EntryWriter(seeded)
        self._selector = EntrySelector(seeded)
        self._sums: LruCache[list[int]] = LruCache(1024)

    @property
    def size(self) -> int:
        """See `EntrySource.size`."""
        return self.seeded.size

    @property
    def bookings(self) -> Sequence[Booking]:
        """See `EntrySource.bookings`."""
        return self.seeded.bookings

    def number_of(self, entry_id: int) -> int | None:
        """See `EntrySource.number_of`."""
        return self.seeded.days.number_of(entry_id)

    def key(self, k: int) -> Key:
        """See `EntrySource.key`."""
        day = self.seeded.days.day_of(k)
        return day.ordinal, self.seeded.days.id_of(k, day)

    def number_from(self, key: Key) -> int:
        """See `EntrySource.number_from`."""
        return self.seeded.days.number_from(key)

    def record(self, k: int) -> Record:
        """See `EntrySource.record`."""
        return self.seeded.record(k)

    def quotes(self, booked: Booking) -> Record:
        """See `EntrySource.quotes`."""
        return self.seeded.quotes(booked)

    def find(self, query: Query, scope: Scope) -> Sequence[int]:
        """See `EntrySource.find`."""
        return self._selector.find(query, scope)

    def write(self, numbers: Sequence[int], hidden: HiddenKeys, out: list[bytes]) -> None:
        """See `EntrySource.write`."""
        self._writer.write(numbers, hidden, out)

    def forget(self) -> None:
        """See `EntrySource.forget`."""
        self._writer.forget()

    def worked(self, first: int | None, last: int | None, gone: Sequence[int]) -> Iterator[Worked]:
        """
        See `EntrySource.worked`.

        The sum over a range of entries never changes, so it is cached; deleted and replaced
        entries are subtracted at each call.
        """
        free, billed = ([0] * len(self.bookings) for _ in range(2))
        for month, part in self.seeded.days.months(first, last):
            on_invoice = self.seeded.billed_projects(month)
            for at, quarters in enumerate(self._sum(part, gone)):
                booked = self.bookings[at]
                done = booked.billable and booked.project_id in on_invoice
                (billed if done else free)[at] += quarters
        for is_billed, sums in ((False, free), (True, billed)):
            for at, quarters in enumerate(sums):
                if quarters:
                    yield Worked(at, is_billed, quarters)

    def _sum(self, part: range, gone: Sequence[int]) -> list[int]:
        sums = self._sums.get((part.start, part.stop))
        if sums is None:
            sums = self._selector.add_up(part)
            self._sums.put((part.start, part.stop), sums)
        lost = gone[bisect_left(gone, part.start) : bisect_left(gone, part.stop)]
        if not lost:
            return sums
        return [
            of_all - of_lost
            for of_all, of_lost in zip(sums, self._selector.add_up(lost), strict=True)
        ]
