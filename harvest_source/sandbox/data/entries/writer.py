"""Seeded time entries as JSON, joined from fragments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from harvest_source.sandbox.data.entries.seeded import (
    APPROVERS,
    MASK,
    UNASSIGNED,
    UNASSIGNED_REST,
    WHAT,
    WHO,
    SeededEntries,
)
from harvest_source.sandbox.data.entries.source import ID_STEP
from harvest_source.sandbox.data.entries.work import REFERENCES, WORKS, Pool, build_references
from harvest_source.sandbox.data.entries.workdays import (
    SUBMITTED_FOR_S,
    SUBMITTED_FROM_S,
    Block,
)
from harvest_source.sandbox.data.records.time_entries import rate_members
from harvest_source.sandbox.data.values import HiddenKeys, Record, day_epoch, dumps, hide, iso


@dataclass(frozen=True, slots=True)
class Period:
    """Members that all entries of one month and approval state share, by booking."""

    invoices: tuple[bytes, ...]
    states: tuple[bytes, ...]
    billed_at: tuple[bytes | None, ...]


@dataclass(frozen=True, slots=True)
class Fragments:
    """Serialised members as one kind of viewer sees them, by booking."""

    quotes: list[bytes]
    bare_quotes: list[bytes]
    rates: list[bytes]


class EntryWriter:
    """Writes the same bytes as `SeededEntries.record` and a JSON encoder would, only faster."""

    def __init__(self, seeded: SeededEntries) -> None:
        self.seeded = seeded
        self._references = _reference_parts()
        self._works = _work_parts(seeded.pool)
        self._clock = _clock_parts()
        self._approver = [booked.user_id % APPROVERS for booked in seeded.bookings]
        self.forget()

    def forget(self) -> None:
        """Drop what was derived from the tables; call when one of them changed."""
        self._fragments: dict[HiddenKeys, Fragments] = {}
        self._periods: dict[tuple[int, bool], Period] = {}

    def write(self, numbers: Iterable[int], hidden: HiddenKeys, out: list[bytes]) -> None:
        """
        Append the JSON of *numbers*, which must descend; join the pieces with commas.

        One flat loop on purpose: each call or object here is paid for two thousand times per page.
        """
        fragments = self._fragments_for(hidden)
        quotes, bare_quotes, rates = fragments.quotes, fragments.bare_quotes, fragments.rates
        seeded, days, pool = self.seeded, self.seeded.days, self.seeded.pool
        wheel, works, externals = pool.wheel, self._works, self._references
        clock, approver = self._clock, self._approver
        who, what, turns, id_of = pool.who, pool.what, len(pool.wheel), days.id_of
        low = seeded.size + 1
        for k in numbers:
            if k < low:
                day = days.day_of(k)
                low, block, slot = day.lo, day.block, day.slot
                width, size = block.width, block.size
                base, step = id_of(low, day), ID_STEP * width
                dated = b'"spent_date":"%b"' % _day_text(day.ordinal)
                period = self._period(day.month, seeded.is_approved(block))
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
                amount,
                states[at],
                timer,
                rates[at],
                created + clock[second],
                billed_at[at] or (stamps[approver[at]] if stamps else updated + clock[second]),
                bare_quotes[at] if k % UNASSIGNED == UNASSIGNED_REST else quotes[at],
                invoices[at],
                externals[k % REFERENCES],
            )

    def _period(self, month: int, approved: bool) -> Period:
        if (month, approved) not in self._periods:
            self._periods[month, approved] = self._build_period(month, approved)
        return self._periods[month, approved]

    def _build_period(self, month: int, approved: bool) -> Period:
        seeded = self.seeded
        parts: dict[tuple[int, bool], tuple[bytes, bytes, bytes | None]] = {}
        for booked in seeded.bookings:
            key = booked.project_id, booked.billable
            if key not in parts:
                bill = seeded.bill(booked, month)
                parts[key] = (
                    _inner({"invoice": seeded.invoice(booked, month)}),
                    _inner(seeded.state(booked, month, approved)),
                    b'"updated_at":"%b"' % iso(bill.at).encode() if bill else None,
                )
        found = [parts[booked.project_id, booked.billable] for booked in seeded.bookings]
        return Period(*(tuple(column) for column in zip(*found, strict=True)))

    def _approval_stamps(self, block: Block) -> list[bytes] | None:
        if not self.seeded.is_approved(block):
            return None
        at = self.seeded.approval(block)
        return [b'"updated_at":"%b"' % iso(at + late).encode() for late in range(APPROVERS)]

    def _fragments_for(self, hidden: HiddenKeys) -> Fragments:
        if hidden not in self._fragments:
            seeded, bookings = self.seeded, self.seeded.bookings
            self._fragments[hidden] = Fragments(
                [_inner(hide(seeded.quotes(booked), hidden)) for booked in bookings],
                [_inner(hide(seeded.quotes(booked, bare=True), hidden)) for booked in bookings],
                [_inner(hide(rate_members(booked), hidden)) for booked in bookings],
            )
        return self._fragments[hidden]


def _inner(members: Record) -> bytes:
    return dumps(members)[1:-1]


def _day_text(ordinal: int) -> bytes:
    return iso(day_epoch(ordinal))[:10].encode()


@cache
def _reference_parts() -> list[bytes]:
    """External references by place, each as the end of a row."""
    return [_inner({"external_reference": row}) + b"}" for row in build_references()]


@lru_cache(16)
def _work_parts(pool: Pool) -> list[tuple[bytes, bytes]]:
    return [(_inner(work.amount), _inner(work.timer)) for work in pool.works]


@cache
def _clock_parts() -> list[bytes]:
    """Every second at which timesheets are filled in, as the end of a member."""
    seconds = range(SUBMITTED_FROM_S, SUBMITTED_FROM_S + SUBMITTED_FOR_S)
    return [f'T{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z"'.encode() for at in seconds]
