"""Which seeded time entries a request asks for, and sums over them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvest_source.sandbox.data.entries.seeded import (
    APPROVERS,
    MASK,
    WHAT,
    WHO,
    SeededEntries,
)
from harvest_source.sandbox.data.entries.work import REFERENCES, WORKS
from harvest_source.sandbox.data.entries.workdays import Day
from harvest_source.sandbox.data.query import IDS, Query
from harvest_source.sandbox.data.records.work import Booking
from harvest_source.sandbox.data.scope import Scope


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The filters of a request other than dates; ``None`` filters nothing.

    Attributes:
        where: Positions of the bookings that match.
        updated_since: Unix seconds; strictly later changes match.
    """

    where: frozenset[int] | None = None
    is_billed: bool | None = None
    is_running: bool | None = None
    approval_status: str | None = None
    external_reference_id: str | None = None
    updated_since: int | None = None


class EntrySelector:
    """Finds entry numbers day by day; days that cannot match cost nothing."""

    def __init__(self, seeded: SeededEntries) -> None:
        self._seeded = seeded
        self._quarters = [int(work.amount["rounded_hours"] * 4) for work in seeded.pool.works]
        self._last_bill: dict[int, int] = {}
        for (_, month), bill in seeded.bills.items():
            self._last_bill[month] = max(bill.at, self._last_bill.get(month, 0))

    def find(self, query: Query, scope: Scope) -> Sequence[int]:
        """The entry numbers that *query* asks for within *scope*, ascending."""
        window = self._seeded.days.numbers(query.first_day, query.last_day)
        return self._select(
            window,
            Wanted(
                where=self._bookings_where(query, scope),
                is_billed=query.get("is_billed"),
                is_running=query.get("is_running") or None,
                approval_status=query.get("approval_status"),
                external_reference_id=query.get("external_reference_id"),
                updated_since=query.updated_since,
            ),
        )

    def add_up(self, numbers: Iterable[int]) -> list[int]:
        """The quarter hours of entries *numbers*, each rounded, summed by booking."""
        pool = self._seeded.pool
        sums = [0] * len(self._seeded.bookings)
        wheel, who, what, turns = pool.wheel, pool.who, pool.what, len(pool.wheel)
        quarters = self._quarters
        for k in numbers:
            at = wheel[((k * WHO + who & MASK) * turns) >> 32]
            sums[at] += quarters[((k * WHAT + what & MASK) * WORKS) >> 32]
        return sums

    def _select(self, window: range, want: Wanted) -> Sequence[int]:
        # Only the overlay holds running and submitted entries.
        if want.is_running or want.approval_status not in (None, "approved", "unsubmitted"):
            return ()
        if want == Wanted():
            return window
        days = self._seeded.days
        chosen = array("q")
        masks: dict[int, bytearray | None] = {}
        first = days.day_index(window.start)
        for day in days.days[first : days.day_index(window.stop - 1) + 1]:
            if day.month not in masks:
                masks[day.month] = self._mask(day.month, want)
            part = range(max(day.lo, window.start), min(day.hi, window.stop))
            chosen.extend(self._select_day(day, part, want, masks[day.month]))
        return chosen

    def _bookings_where(self, query: Query, scope: Scope) -> frozenset[int] | None:
        """Positions of the bookings that match *query* and *scope*; ``None`` is all."""
        wanted = {name: value for name, value in query.fields if name in IDS}
        if not wanted and scope.everything:
            return None
        return frozenset(
            at
            for at, booked in enumerate(self._seeded.bookings)
            if all(self._id(booked, name) == value for name, value in wanted.items())
            and scope.covers(booked.user_id, booked.project_id)
        )

    def _id(self, booked: Booking, name: str) -> int | None:
        if name != "client_id":
            found: int = getattr(booked, name)
            return found
        client = self._seeded.tables["projects"].get(booked.project_id, {}).get("client")
        return client["id"] if isinstance(client, dict) else None

    def _select_day(
        self, day: Day, part: range, want: Wanted, mask: bytearray | None
    ) -> Iterable[int]:
        seeded = self._seeded
        approved = seeded.is_approved(day.block)
        if want.approval_status is not None and approved != (want.approval_status == "approved"):
            return ()
        since = want.updated_since
        scan = since is not None and since >= seeded.created(day.lo, day)
        if since is not None and scan and since >= self._latest(day):
            return ()
        numbers: Iterable[int] = part
        if mask is not None:
            wheel, who, turns = seeded.pool.wheel, seeded.pool.who, len(seeded.pool.wheel)
            numbers = [k for k in part if mask[wheel[((k * WHO + who & MASK) * turns) >> 32]]]
        if since is not None and scan:
            numbers = [k for k in numbers if seeded.updated(k, day) > since]
        if want.external_reference_id is not None:
            numbers = [k for k in numbers if self._reference(k) == want.external_reference_id]
        return numbers

    def _reference(self, k: int) -> str | None:
        found = self._seeded.references[k % REFERENCES]
        return found["id"] if found else None

    def _latest(self, day: Day) -> int:
        """A Unix second after which no entry of *day* changed."""
        seeded = self._seeded
        approved = seeded.is_approved(day.block)
        approval = seeded.approval(day.block) + APPROVERS if approved else 0
        created = seeded.created(day.hi - 1, day)
        return max(created, approval, self._last_bill.get(day.month, 0))

    def _mask(self, month: int, want: Wanted) -> bytearray | None:
        """Which bookings match in *month*; ``None`` when all do."""
        if want.where is None and want.is_billed is None:
            return None
        return bytearray(
            (want.where is None or at in want.where)
            and (
                want.is_billed is None
                or want.is_billed == (self._seeded.invoice(booked, month) is not None)
            )
            for at, booked in enumerate(self._seeded.bookings)
        )
