"""
Time entries in columns: half a million of them, each with a bill of its own.

A column holds one number per entry. Values that many entries share (bookings, works, bills) are
stored once and referred to by position.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from harvest_source.sandbox.data.entries.ledger_records import APPROVALS, Ledger, LedgerRecords
from harvest_source.sandbox.data.entries.ledger_writer import LedgerWriter
from harvest_source.sandbox.data.entries.source import FIRST_ID, ID_STEP, Worked
from harvest_source.sandbox.data.listing import Key
from harvest_source.sandbox.data.lru import LruCache
from harvest_source.sandbox.data.query import IDS, Query
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.scope import Scope
from harvest_source.sandbox.data.values import HiddenKeys, Record, Tables


class LedgerEntries:
    """The entries of a ledger; see `EntrySource`. Reads the tables, never writes."""

    def __init__(self, ledger: Ledger, tables: Tables) -> None:
        self.records = LedgerRecords(ledger, tables)
        self.ledger = ledger
        self._tables = tables
        self._writer = LedgerWriter(self.records)
        self._by_place = array("l", [0] * ledger.size)
        for k, place in enumerate(ledger.place):
            self._by_place[place] = k
        self._quarters = [int(work.amount["rounded_hours"] * 4) for work in ledger.works]
        self._sums: LruCache[list[Worked]] = LruCache(1024)

    @property
    def size(self) -> int:
        """See `EntrySource.size`."""
        return self.ledger.size

    @property
    def bookings(self) -> Sequence[Booking]:
        """See `EntrySource.bookings`."""
        return self.ledger.bookings

    def number_of(self, entry_id: int) -> int | None:
        """See `EntrySource.number_of`."""
        place, rest = divmod(entry_id - FIRST_ID, ID_STEP)
        return None if rest or not 0 <= place < self.size else self._by_place[place]

    def key(self, k: int) -> Key:
        """See `EntrySource.key`."""
        return self.ledger.day[k], self.records.id_of(k)

    def number_from(self, key: Key) -> int:
        """See `EntrySource.number_from`."""
        day, entry_id = key
        low, high = bisect_left(self.ledger.day, day), bisect_right(self.ledger.day, day)
        return bisect_left(range(high), entry_id, low, high, key=self.records.id_of)

    def record(self, k: int) -> Record:
        """See `EntrySource.record`."""
        return self.records.record(k)

    def quotes(self, booked: Booking) -> Record:
        """See `EntrySource.quotes`."""
        return self.records.quotes(booked)

    def write(self, numbers: Sequence[int], hidden: HiddenKeys, out: list[bytes]) -> None:
        """See `EntrySource.write`."""
        self._writer.write(numbers, hidden, out)

    def forget(self) -> None:
        """See `EntrySource.forget`."""
        self._writer.forget()
        self._sums.clear()

    def _window(self, first: int | None, last: int | None) -> range:
        days = self.ledger.day
        low = 0 if first is None else bisect_left(days, first)
        high = len(days) if last is None else bisect_right(days, last)
        return range(low, max(low, high))

    def find(self, query: Query, scope: Scope) -> Sequence[int]:
        """See `EntrySource.find`."""
        ledger = self.ledger
        numbers: Sequence[int] = self._window(query.first_day, query.last_day)
        if query.get("is_running"):
            return ()  # Only the overlay holds running entries.
        since = query.updated_since
        if since is not None:
            numbers = [k for k in numbers if ledger.updated[k] > since]
        wanted = {name: value for name, value in query.fields if name in IDS}
        if wanted or not scope.everything:
            fit = [self._fits(booked, wanted, scope) for booked in ledger.bookings]
            numbers = [k for k in numbers if fit[ledger.booking[k]]]
        billed = query.get("is_billed")
        if billed is not None:
            numbers = [k for k in numbers if self.records.is_billed(k) == billed]
        status = query.get("approval_status")
        if status is not None:
            numbers = [k for k in numbers if APPROVALS[ledger.approval[k]] == status]
        reference = query.get("external_reference_id")
        if reference is not None:
            numbers = [k for k in numbers if self._reference(k) == reference]
        return numbers if isinstance(numbers, range) else array("l", numbers)

    def _fits(self, booked: Booking, wanted: Record, scope: Scope) -> bool:
        client = self._tables["projects"].get(booked.project_id, {}).get("client")
        ids = {
            "user_id": booked.user_id,
            "project_id": booked.project_id,
            "task_id": booked.task_id,
            "client_id": client["id"] if isinstance(client, dict) else None,
        }
        return all(ids[name] == value for name, value in wanted.items()) and scope.covers(
            booked.user_id, booked.project_id
        )

    def _reference(self, k: int) -> str | None:
        found = self.ledger.references[self.ledger.reference[k]]
        return found["id"] if found else None

    def worked(self, first: int | None, last: int | None, gone: Sequence[int]) -> Iterator[Worked]:
        """See `EntrySource.worked`."""
        if gone:
            lost = frozenset(gone)
            return iter(self._add_up(k for k in self._window(first, last) if k not in lost))
        found = self._sums.get((first, last))
        if found is None:
            found = self._add_up(iter(self._window(first, last)))
            self._sums.put((first, last), found)
        return iter(found)

    def _add_up(self, numbers: Iterator[int]) -> list[Worked]:
        ledger, quarters = self.ledger, self._quarters
        sums: dict[tuple[int, int], int] = {}
        for k in numbers:
            key = ledger.booking[k], ledger.bill[k]
            sums[key] = sums.get(key, 0) + quarters[ledger.work[k]]
        invoices = self._tables["invoices"]
        return [
            Worked(booking, bill.marked or bill.invoice_id in invoices, total)
            for (booking, at), total in sums.items()
            for bill in (ledger.bills[at],)
            if total
        ]
