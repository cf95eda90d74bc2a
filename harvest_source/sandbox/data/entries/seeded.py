"""
The seeded time entries: any number of them, computed when read.

The contents of an entry follow from its number k alone: day and id from `Workdays`, everything else
from a few multiplicative hashes of k into small tables. This module builds entries as records;
`writer` joins JSON fragments of the same records, several hundred thousand rows a second, and
`selection` finds the entries that a request asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.entries.bills import Bill, Bills
from harvest_source.sandbox.data.entries.source import quote_booking, state_members
from harvest_source.sandbox.data.entries.work import (
    REFERENCES,
    WORKS,
    build_references,
    draw_pool,
)
from harvest_source.sandbox.data.entries.workdays import (
    SUBMITTED_FOR_S,
    SUBMITTED_FROM_S,
    Block,
    Day,
    Workdays,
)
from harvest_source.sandbox.data.records.time_entries import rate_members
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.values import Record, Tables, day_epoch, iso

MASK = 0xFFFFFFFF
WHO = 2654435761  # odd multipliers, such as 2**32 over the golden ratio: neighbouring
WHAT = 2246822519  # numbers land far apart, and every table index is equally frequent
UNASSIGNED = 509  # one entry in this many has lost its assignments (quirk 51)
UNASSIGNED_REST = 17
APPROVED_AFTER_DAYS = 3
APPROVERS = 4  # the approvals of a week fall within this many seconds, so hundreds tie


@dataclass(frozen=True, slots=True)
class Style:
    """
    What all seeded entries of an account have in common.

    Attributes:
        approved_until: Unix seconds; weeks whose approval falls before it are approved.
        timers: Whether entries have start and end times.
    """

    seed: int
    approved_until: int
    timers: bool
    clock_24h: bool


class SeededEntries:
    """
    Entries 0..N-1 of one account, sorted by (spent date, id). Reads the tables, never writes.

    Args:
        tables: The live tables that entries quote: names are those at read time.

    Attributes:
        pool: The tables that hashes of entry numbers index.
        references: External references by place.
    """

    def __init__(
        self,
        days: Workdays,
        bookings: Sequence[Booking],
        bills: Bills,
        tables: Tables,
        style: Style,
    ) -> None:
        self.days = days
        self.bookings = bookings
        self.bills = bills
        self.tables = tables
        self.size = days.entries
        self.pool = draw_pool(
            style.seed, len(bookings), timers=style.timers, clock_24h=style.clock_24h
        )
        self.references = build_references()
        self._approved_until = style.approved_until

    def booking_index(self, k: int) -> int:
        """Position in ``bookings`` of entry *k*."""
        wheel = self.pool.wheel
        return wheel[((k * WHO + self.pool.who & MASK) * len(wheel)) >> 32]

    def record(self, k: int) -> Record:
        """Entry *k* in full, as an administrator sees it."""
        day = self.days.day_of(k)
        booked = self.bookings[self.booking_index(k)]
        work = self.pool.works[((k * WHAT + self.pool.what & MASK) * WORKS) >> 32]
        return {
            "id": self.days.id_of(k, day),
            "spent_date": iso(day_epoch(day.ordinal))[:10],
            **work.amount,
            **self.state(booked, day.month, self.is_approved(day.block)),
            **work.timer,
            **rate_members(booked),
            "created_at": iso(self.created(k, day)),
            "updated_at": iso(self.updated(k, day)),
            **self.quotes(booked, bare=k % UNASSIGNED == UNASSIGNED_REST),
            "invoice": self.invoice(booked, day.month),
            "external_reference": self.references[k % REFERENCES],
        }

    def quotes(self, booked: Booking, *, bare: bool = False) -> Record:
        """The quoted records of a booking; a *bare* one has no assignments."""
        return quote_booking(self.tables, booked, bare=bare)

    def bill(self, booked: Booking, month: int) -> Bill | None:
        """The bill of a booking's hours of *month*, even after its invoice was deleted."""
        return self.bills.get((booked.project_id, month)) if booked.billable else None

    def invoice(self, booked: Booking, month: int) -> Record | None:
        """The quoted invoice of a booking's hours of *month*, if it exists."""
        bill = self.bill(booked, month)
        invoice = self.tables["invoices"].get(bill.invoice_id) if bill else None
        return refs.numbered(invoice) if invoice else None

    def state(self, booked: Booking, month: int, approved: bool) -> Record:
        """The members that say whether an entry is invoiced, approved and locked."""
        billed = self.invoice(booked, month) is not None
        return state_members(self.tables, booked, billed=billed, approved=approved)

    def billed_projects(self, month: int) -> frozenset[int]:
        """Projects whose billable hours of *month* are on an invoice that exists."""
        invoices = self.tables["invoices"]
        return frozenset(
            project_id
            for (project_id, billed_month), bill in self.bills.items()
            if billed_month == month and bill.invoice_id in invoices
        )

    def created(self, k: int, day: Day) -> int:
        """Unix seconds of creation: timesheets are filled in on the last day of the week."""
        block = day.block
        place = (k - day.lo) * block.width + day.slot
        return day_epoch(block.last_day) + SUBMITTED_FROM_S + place * SUBMITTED_FOR_S // block.size

    def updated(self, k: int, day: Day) -> int:
        """Unix seconds of the last change: invoicing, else approval, else creation."""
        booked = self.bookings[self.booking_index(k)]
        bill = self.bill(booked, day.month)
        if bill:
            return bill.at
        if self.is_approved(day.block):
            return self.approval(day.block) + booked.user_id % APPROVERS
        return self.created(k, day)

    def approval(self, block: Block) -> int:
        """The Unix second at which the approvals of a week begin."""
        return day_epoch(block.last_day + APPROVED_AFTER_DAYS) + 9 * 3600

    def is_approved(self, block: Block) -> bool:
        """Whether the week is approved by now."""
        return self.approval(block) < self._approved_until
