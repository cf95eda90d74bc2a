"""
The seeded time entries: any number of them, made when read.

What an entry says follows from its number k alone: its day and id from `Workdays`, everything else
from a few multiplicative hashes of k into small tables. `record` builds one as a dict; `write`
joins JSON fragments of the very same dicts, several hundred thousand rows a second.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from harvest_source.sandbox import references as refs
from harvest_source.sandbox.access import Scope
from harvest_source.sandbox.filters import IDS, Query
from harvest_source.sandbox.plan import Tables
from harvest_source.sandbox.seed_billing import Bills, locked_reason
from harvest_source.sandbox.seed_work import Booking
from harvest_source.sandbox.values import Record, day_epoch, dumps, hide, iso
from harvest_source.sandbox.work import build_link, build_work, rate_members
from harvest_source.sandbox.workdays import (
    ID_STEP,
    SUBMITTED_FOR_S,
    SUBMITTED_FROM_S,
    Block,
    Day,
    Workdays,
)

MASK = 0xFFFFFFFF
WHO = 2654435761  # multipliers: odd, near 2**32 over the golden ratio and kin, so that
WHAT = 2246822519  # neighbours land far apart and every table index is used alike
WORKS = 997
LINKS = 1088
UNASSIGNED = 509  # every so-and-so-many-th entry has lost its assignments (quirk 51)
APPROVED_AFTER_DAYS = 3
APPROVERS = 4  # approvals of a week fall in this many seconds: ties by the hundred

QUOTED = (
    "clients",
    "projects",
    "tasks",
    "users",
    "user_assignments",
    "task_assignments",
    "invoices",
)


@dataclass(frozen=True, slots=True)
class Period:
    """What holds for every entry of one month and approval state, by booking."""

    invoices: tuple[bytes, ...]
    states: tuple[bytes, ...]
    billed_at: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What a request asks of entries beside their dates; ``None`` asks nothing.

    Attributes:
        where: Positions of the bookings that qualify.
        updated_since: Unix seconds; strictly later changes qualify.
    """

    where: frozenset[int] | None = None
    is_billed: bool | None = None
    is_running: bool | None = None
    approval_status: str | None = None
    external_reference_id: str | None = None
    updated_since: int | None = None


@dataclass(frozen=True, slots=True)
class Fragments:
    """Pre-serialised members as one kind of viewer may see them."""

    links: list[bytes]
    bare_links: list[bytes]
    rates: list[bytes]


class SeededHours:
    """
    Entries 0..N-1 of one account, ordered by (spent date, id). Reads the tables, never writes.

    Args:
        tables: The live tables that entries quote: names are those at read time.
        approved_until: Unix seconds; weeks whose approval falls before it are approved.
    """

    def __init__(
        self,
        days: Workdays,
        bookings: Sequence[Booking],
        bills: Bills,
        tables: Tables,
        *,
        seed: int,
        approved_until: int,
        timers: bool,
        clock_24h: bool,
    ) -> None:
        rng = random.Random(f"hours {seed}")
        self.days = days
        self.bookings = bookings
        self.size = days.entries
        self._tables = tables
        self._bills = bills
        self._approved_until = approved_until
        self._who, self._what = rng.getrandbits(32), rng.getrandbits(32)
        self._wheel = [at for at in range(len(bookings)) for _ in range(rng.choice((1, 1, 2, 4)))]
        self._works = [build_work(rng, timers=timers, clock_24h=clock_24h) for _ in range(WORKS)]
        self._links, self._link_parts = _links()
        self._work_parts = [(_inner(work.amount), _inner(work.timer)) for work in self._works]
        self._clock, self._clock_end = _clock_parts()
        self._approver = [booked.user_id % APPROVERS for booked in bookings]
        self._last_bill: dict[int, int] = {}
        for (_, month), bill in bills.items():
            self._last_bill[month] = max(bill.at, self._last_bill.get(month, 0))
        self.forget()

    def forget(self) -> None:
        """Drop what was derived from the tables; call when one of them changed."""
        self._fragments: dict[frozenset[str], Fragments] = {}
        self._periods: dict[tuple[int, bool], Period] = {}

    # -- one entry ---------------------------------------------------------------------------

    def booking_of(self, k: int) -> int:
        """Position in ``bookings`` of entry *k*."""
        return self._wheel[((k * WHO + self._who & MASK) * len(self._wheel)) >> 32]

    def record(self, k: int) -> Record:
        """Entry *k* in full, as an administrator sees it."""
        day = self.days.day_of(k)
        booked = self.bookings[self.booking_of(k)]
        work = self._works[((k * WHAT + self._what & MASK) * WORKS) >> 32]
        return {
            "id": self.days.id_of(k, day),
            "spent_date": iso(day_epoch(day.ordinal))[:10],
            **self.quotes(booked, bare=k % UNASSIGNED == 17),
            "external_reference": self._links[k % LINKS],
            "invoice": self._invoice(booked, day.month),
            **work.amount,
            **self._state(booked, day.month, self._approved(day.block)),
            **work.timer,
            **rate_members(booked),
            "created_at": iso(self._created(k, day)),
            "updated_at": iso(self.updated(k, day)),
        }

    def quotes(self, booked: Booking, *, bare: bool = False) -> Record:
        """The quoted records of a booking; *bare* is one whose assignments are gone."""
        tables = self._tables
        project = tables["projects"].get(booked.project_id, {"id": booked.project_id})
        user = tables["users"].get(booked.user_id)
        task = tables["tasks"].get(booked.task_id, {"id": booked.task_id})
        staffed = tables["user_assignments"].get(booked.user_assignment_id or 0)
        tasked = tables["task_assignments"].get(booked.task_assignment_id or 0)
        if bare:
            staffed = tasked = None
        return {
            "user": refs.person(user) if user else {"id": booked.user_id, "name": None},
            "user_assignment": refs.user_assignment(staffed) if staffed else None,
            "client": project.get("client"),
            "project": refs.coded(project),
            "task": refs.named(task),
            "task_assignment": refs.task_assignment(tasked) if tasked else None,
        }

    def updated(self, k: int, day: Day) -> int:
        """Unix seconds of the last change: invoicing, else approval, else creation."""
        booked = self.bookings[self.booking_of(k)]
        bill = self._bills.get((booked.project_id, day.month)) if booked.billable else None
        if bill:
            return bill.at
        if self._approved(day.block):
            return self._approval(day.block) + booked.user_id % APPROVERS
        return self._created(k, day)

    def _created(self, k: int, day: Day) -> int:
        block = day.block
        place = (k - day.lo) * block.width + day.slot
        return day_epoch(block.last_day) + SUBMITTED_FROM_S + place * SUBMITTED_FOR_S // block.size

    def _approved(self, block: Block) -> bool:
        return self._approval(block) < self._approved_until

    def _approval(self, block: Block) -> int:
        return day_epoch(block.last_day + APPROVED_AFTER_DAYS) + 9 * 3600

    def _invoice(self, booked: Booking, month: int) -> Record | None:
        bill = self._bills.get((booked.project_id, month)) if booked.billable else None
        invoice = self._tables["invoices"].get(bill.invoice_id) if bill else None
        return refs.numbered(invoice) if invoice else None

    def _state(self, booked: Booking, month: int, approved: bool) -> Record:
        billed = self._invoice(booked, month) is not None
        project = self._tables["projects"].get(booked.project_id, {})
        active = project.get("is_active") is not False
        return {
            "is_locked": billed or approved or not active,
            "is_explicitly_locked": False,
            "locked_reason": locked_reason(billed=billed, approved=approved, active=active),
            "is_closed": approved,
            "approval_status": "approved" if approved else "unsubmitted",
            "is_billed": billed,
        }

    def billed_projects(self, month: int) -> frozenset[int]:
        """Projects whose billable hours of *month* are on an invoice that still exists."""
        invoices = self._tables["invoices"]
        return frozenset(
            project_id
            for (project_id, billed_month), bill in self._bills.items()
            if billed_month == month and bill.invoice_id in invoices
        )

    # -- many entries ------------------------------------------------------------------------

    def write(self, numbers: Iterable[int], hidden: frozenset[str], out: list[bytes]) -> None:
        """
        Append the JSON of *numbers*, which must descend; the pieces are to be joined by commas.

        One flat loop on purpose: every call or object it saves is paid two thousand times a page.
        """
        fragments = self._fragments_for(hidden)
        links, bare_links, rates = fragments.links, fragments.bare_links, fragments.rates
        wheel, works, externals = self._wheel, self._work_parts, self._link_parts
        clock, clock_end, approver = self._clock, self._clock_end, self._approver
        who, what, turns, id_of = self._who, self._what, len(self._wheel), self.days.id_of
        low = self.size + 1
        for k in numbers:
            if k < low:
                day = self.days.day_of(k)
                low, block, slot = day.lo, day.block, day.slot
                width, size = block.width, block.size
                base, step = id_of(low, day), ID_STEP * width
                dated = b'"spent_date":"%b"' % _day_text(day.ordinal)
                period = self._period(day.month, self._approved(block))
                invoices, states, billed_at = period.invoices, period.states, period.billed_at
                stamps = self._approval_stamps(block)
                created = b'"created_at":"' + _day_text(block.last_day)
                updated = b'"updated_at":"' + _day_text(block.last_day)
            at = wheel[((k * WHO + who & MASK) * turns) >> 32]
            amount, timer = works[((k * WHAT + what & MASK) * WORKS) >> 32]
            row = k - low
            second = (row * width + slot) * SUBMITTED_FOR_S // size
            out += (
                b'{"id":%d' % (base + row * step),
                dated,
                bare_links[at] if k % UNASSIGNED == 17 else links[at],
                externals[k % LINKS],
                invoices[at],
                amount,
                states[at],
                timer,
                rates[at],
                created + clock[second],
                billed_at[at] or (stamps[approver[at]] if stamps else updated + clock_end[second]),
            )

    def add_up(self, numbers: Iterable[int]) -> list[int]:
        """Quarter hours, rounded entry by entry, of *numbers*: a sum for each booking."""
        sums = [0] * len(self.bookings)
        wheel, who, what, turns = self._wheel, self._who, self._what, len(self._wheel)
        quarters = [int(work.amount["rounded_hours"] * 4) for work in self._works]
        for k in numbers:
            at = wheel[((k * WHO + who & MASK) * turns) >> 32]
            sums[at] += quarters[((k * WHAT + what & MASK) * WORKS) >> 32]
        return sums

    def select(self, window: range, want: Wanted) -> Sequence[int]:
        """The entry numbers of *window* that *want* asks for, ascending."""
        if want.is_running or want.approval_status not in (None, "approved", "unsubmitted"):
            return ()
        if want == Wanted():
            return window
        chosen = array("q")
        masks: dict[int, bytearray | None] = {}
        first = self.days.day_index(window.start)
        for day in self.days.days[first : self.days.day_index(window.stop - 1) + 1]:
            if day.month not in masks:
                masks[day.month] = self._mask(day.month, want)
            part = range(max(day.lo, window.start), min(day.hi, window.stop))
            chosen.extend(self._select_day(day, part, want, masks[day.month]))
        return chosen

    def bookings_where(self, query: Query, scope: Scope) -> frozenset[int] | None:
        """Positions of the bookings that *query* and *scope* let through; ``None`` is all."""
        wanted = {name: value for name, value in query.fields if name in IDS}
        if not wanted and scope.everything:
            return None
        users, projects = scope.users or frozenset(), scope.projects or frozenset()
        return frozenset(
            at
            for at, booked in enumerate(self.bookings)
            if all(self._id(booked, name) == value for name, value in wanted.items())
            and (scope.everything or booked.user_id in users or booked.project_id in projects)
        )

    def _id(self, booked: Booking, name: str) -> int | None:
        if name != "client_id":
            found: int = getattr(booked, name)
            return found
        client = self._tables["projects"].get(booked.project_id, {}).get("client")
        return client["id"] if isinstance(client, dict) else None

    def _select_day(
        self, day: Day, part: range, want: Wanted, mask: bytearray | None
    ) -> Iterable[int]:
        approved = self._approved(day.block)
        if want.approval_status is not None and approved != (want.approval_status == "approved"):
            return ()
        since = want.updated_since
        scan = since is not None and since >= self._created(day.lo, day)
        if since is not None and scan and since >= self._latest(day):
            return ()
        numbers: Iterable[int] = part
        if mask is not None:
            wheel, who, turns = self._wheel, self._who, len(self._wheel)
            numbers = [k for k in part if mask[wheel[((k * WHO + who & MASK) * turns) >> 32]]]
        if since is not None and scan:
            numbers = [k for k in numbers if self.updated(k, day) > since]
        if want.external_reference_id is not None:
            numbers = [k for k in numbers if self._linked(k) == want.external_reference_id]
        return numbers

    def _linked(self, k: int) -> str | None:
        link = self._links[k % LINKS]
        return link["id"] if link else None

    def _latest(self, day: Day) -> int:
        """No entry of *day* changed after this."""
        approval = self._approval(day.block) + APPROVERS if self._approved(day.block) else 0
        return max(self._created(day.hi - 1, day), approval, self._last_bill.get(day.month, 0))

    def _mask(self, month: int, want: Wanted) -> bytearray | None:
        """Which bookings match in *month*; ``None`` when all do."""
        if want.where is None and want.is_billed is None:
            return None
        return bytearray(
            (want.where is None or at in want.where)
            and (
                want.is_billed is None
                or want.is_billed == (self._invoice(booked, month) is not None)
            )
            for at, booked in enumerate(self.bookings)
        )

    def _period(self, month: int, approved: bool) -> Period:
        if (month, approved) not in self._periods:
            self._periods[month, approved] = self._build_period(month, approved)
        return self._periods[month, approved]

    def _build_period(self, month: int, approved: bool) -> Period:
        parts: dict[tuple[int, bool], tuple[bytes, bytes, bytes | None]] = {}
        for booked in self.bookings:
            key = booked.project_id, booked.billable
            if key not in parts:
                bill = self._bills.get((booked.project_id, month)) if booked.billable else None
                parts[key] = (
                    _inner({"invoice": self._invoice(booked, month)}),
                    _inner(self._state(booked, month, approved)),
                    b'"updated_at":"%b"}' % iso(bill.at).encode() if bill else None,
                )
        found = [parts[booked.project_id, booked.billable] for booked in self.bookings]
        return Period(*(tuple(column) for column in zip(*found, strict=True)))

    def _approval_stamps(self, block: Block) -> list[bytes] | None:
        if not self._approved(block):
            return None
        at = self._approval(block)
        return [b'"updated_at":"%b"}' % iso(at + late).encode() for late in range(APPROVERS)]

    def _fragments_for(self, hidden: frozenset[str]) -> Fragments:
        if hidden not in self._fragments:
            self._fragments[hidden] = Fragments(
                [_inner(hide(self.quotes(booked), hidden)) for booked in self.bookings],
                [_inner(hide(self.quotes(booked, bare=True), hidden)) for booked in self.bookings],
                [_inner(hide(rate_members(booked), hidden)) for booked in self.bookings],
            )
        return self._fragments[hidden]


def _inner(members: Record) -> bytes:
    return dumps(members)[1:-1]


def _day_text(ordinal: int) -> bytes:
    return iso(day_epoch(ordinal))[:10].encode()


@cache
def _links() -> tuple[list[Record | None], list[bytes]]:
    links = [build_link(at) if at % 17 == 3 else None for at in range(LINKS)]
    return links, [_inner({"external_reference": link}) for link in links]


@cache
def _clock_parts() -> tuple[list[bytes], list[bytes]]:
    """Every second in which timesheets are filled, as it ends a member, and as it ends a row."""
    seconds = range(SUBMITTED_FROM_S, SUBMITTED_FROM_S + SUBMITTED_FOR_S)
    texts = [f'T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z"'.encode() for at in seconds]
    return texts, [text + b"}" for text in texts]
