"""Time entries in columns, and how to build each of them as a record."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.entries.source import (
    FIRST_ID,
    ID_STEP,
    quote_booking,
    state_members,
)
from harvest_source.sandbox.data.entries.work import Work
from harvest_source.sandbox.data.records.time_entries import rate_members
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.values import Record, Tables, day_epoch, iso

APPROVED, SUBMITTED, UNSUBMITTED = range(3)
APPROVALS = ("approved", "submitted", "unsubmitted")


@dataclass(frozen=True, slots=True)
class EntryBill:
    """
    How an entry was invoiced.

    Attributes:
        invoice_id: ``None`` when it was only marked as invoiced, or not invoiced at all.
        marked: Whether it was marked as invoiced without an invoice.
    """

    invoice_id: int | None = None
    marked: bool = False


@dataclass(slots=True)
class Ledger:
    """
    The entries of an account, sorted by (spent date, id).

    Attributes:
        day: Day number, by entry. ``place``: rank of its id. ``booking``, ``work`` and ``bill``:
            positions in the three lists. ``approval``: position in `APPROVALS`. ``created`` and
            ``updated``: Unix seconds. ``reference``: position in *references*, 0 for none.
        bills: The first one stands for entries that are not invoiced.
    """

    bookings: list[Booking]
    works: list[Work]
    bills: list[EntryBill]
    references: list[Record | None]
    day: array[int]
    place: array[int]
    booking: array[int]
    work: array[int]
    bill: array[int]
    approval: array[int]
    created: array[int]
    updated: array[int]
    reference: array[int]

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.day)


class LedgerRecords:
    """The records of a ledger. Reads the tables, never writes."""

    def __init__(self, ledger: Ledger, tables: Tables) -> None:
        self.ledger = ledger
        self.tables = tables

    def id_of(self, k: int) -> int:
        """The id of entry *k*."""
        return FIRST_ID + ID_STEP * self.ledger.place[k]

    def is_billed(self, k: int) -> bool:
        """Whether entry *k* is invoiced, or marked so."""
        bill = self.ledger.bills[self.ledger.bill[k]]
        return bill.marked or bill.invoice_id in self.tables["invoices"]

    def record(self, k: int) -> Record:
        """Entry *k* in full, as an administrator sees it."""
        ledger = self.ledger
        booked = ledger.bookings[ledger.booking[k]]
        work = ledger.works[ledger.work[k]]
        return {
            "id": self.id_of(k),
            "spent_date": iso(day_epoch(ledger.day[k]))[:10],
            **work.amount,
            **self.state(ledger.bill[k], ledger.approval[k], booked),
            **work.timer,
            **rate_members(booked),
            "created_at": iso(ledger.created[k]),
            "updated_at": iso(ledger.updated[k]),
            **self.quotes(booked),
            **self.invoice(ledger.bill[k]),
            "external_reference": ledger.references[ledger.reference[k]],
        }

    def quotes(self, booked: Booking) -> Record:
        """The quoted records of a booking."""
        return quote_booking(self.tables, booked)

    def state(self, bill: int, approval: int, booked: Booking) -> Record:
        """The members that say whether an entry with this bill and approval is locked."""
        found = self.ledger.bills[bill]
        return state_members(
            self.tables,
            booked,
            billed=found.marked or found.invoice_id in self.tables["invoices"],
            approved=approval == APPROVED,
            waiting=APPROVALS[approval],
        )

    def invoice(self, bill: int) -> Record:
        """The member that quotes the invoice of a bill; null if there is no such invoice."""
        found = self.tables["invoices"].get(self.ledger.bills[bill].invoice_id or 0)
        return {"invoice": refs.numbered(found) if found else None}
