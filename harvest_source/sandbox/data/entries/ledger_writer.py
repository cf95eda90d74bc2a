"""Entries of a ledger as JSON, joined from fragments."""

from __future__ import annotations

from collections.abc import Sequence

from harvest_source.sandbox.data.entries.ledger_records import LedgerRecords
from harvest_source.sandbox.data.records.time_entries import rate_members
from harvest_source.sandbox.data.values import (
    DAY_S,
    EPOCH_DAY,
    HiddenKeys,
    Record,
    dumps,
    hide,
    iso,
)

Fragments = tuple[list[bytes], list[bytes]]
"""Quoted records and rates by booking, as one kind of viewer sees them."""


class LedgerWriter:
    """Writes the same bytes as `LedgerRecords.record` and a JSON encoder would, only faster."""

    def __init__(self, records: LedgerRecords) -> None:
        self._records = records
        ledger = records.ledger
        self._works = [(_inner(work.amount), _inner(work.timer)) for work in ledger.works]
        self._references = [_inner({"external_reference": row}) + b"}" for row in ledger.references]
        self._days: dict[int, bytes] = {}
        self._times: dict[int, bytes] = {}
        self.forget()

    def forget(self) -> None:
        """Drop what was derived from the tables; call when one of them changed."""
        self._fragments: dict[HiddenKeys, Fragments] = {}
        self._states: dict[tuple[int, int, int], bytes] = {}
        self._invoices: dict[int, bytes] = {}

    def write(self, numbers: Sequence[int], hidden: HiddenKeys, out: list[bytes]) -> None:
        """See `EntrySource.write`."""
        records, ledger = self._records, self._records.ledger
        quotes, rates = self._fragments_for(hidden)
        for k in numbers:
            booking, bill, approval = ledger.booking[k], ledger.bill[k], ledger.approval[k]
            project_id = ledger.bookings[booking].project_id
            key = bill, approval, project_id
            state = self._states.get(key)
            if state is None:
                members = records.state(bill, approval, ledger.bookings[booking])
                state = self._states[key] = _inner(members)
            invoice = self._invoices.get(bill)
            if invoice is None:
                invoice = self._invoices[bill] = _inner(records.invoice(bill))
            amount, timer = self._works[ledger.work[k]]
            out += (
                b'{"id":%d' % records.id_of(k),
                b'"spent_date":"%b"' % self._day(ledger.day[k]),
                amount,
                state,
                timer,
                rates[booking],
                b'"created_at":"%b"' % self._moment(ledger.created[k]),
                b'"updated_at":"%b"' % self._moment(ledger.updated[k]),
                quotes[booking],
                invoice,
                self._references[ledger.reference[k]],
            )

    def _day(self, ordinal: int) -> bytes:
        text = self._days.get(ordinal)
        if text is None:
            text = iso((ordinal - EPOCH_DAY) * DAY_S)[:10].encode()
            self._days[ordinal] = text
        return text

    def _moment(self, epoch_s: int) -> bytes:
        day, second = divmod(epoch_s, DAY_S)
        time = self._times.get(second)
        if time is None:
            time = self._times[second] = iso(second)[10:].encode()
        return self._day(day + EPOCH_DAY) + time

    def _fragments_for(self, hidden: HiddenKeys) -> Fragments:
        if hidden not in self._fragments:
            bookings = self._records.ledger.bookings
            self._fragments[hidden] = (
                [_inner(hide(self._records.quotes(booked), hidden)) for booked in bookings],
                [_inner(hide(rate_members(booked), hidden)) for booked in bookings],
            )
        return self._fragments[hidden]


def _inner(members: Record) -> bytes:
    return dumps(members)[1:-1]
