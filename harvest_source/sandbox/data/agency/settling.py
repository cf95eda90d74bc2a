"""Seeding step: the fate of each invoice: sent, paid, part-paid, overdue or written off."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.sandbox.data.agency.billing import Billed, Job
from harvest_source.sandbox.data.agency.model import Agency
from harvest_source.sandbox.data.records.documents import payment_record
from harvest_source.sandbox.data.values import (
    DAY_S,
    Record,
    exact,
    iso,
    money,
    parse_instant,
    spelled,
)

TERMS = (("net 30", 30), ("net 15", 15), ("upon receipt", 0), ("net 45", 45), ("custom", 21),
         ("net 60", 60))  # fmt: skip
DRAFT_DAYS = 40
"""More than a month, so that there are drafts on any day."""
GATEWAYS = ((8452, "Stripe"), (8453, "PayPal"))
SLOW_CLIENT, SLOW_DAYS = 3, 200
"""Position of a client, and for how many days it has paid no invoice in full."""
WRITTEN_OFF, OLD_DAYS = 53, 110
"""One invoice in `WRITTEN_OFF` is written off, if it is older than `OLD_DAYS`."""


@dataclass(frozen=True, slots=True)
class _Piece:
    at: int
    amount: float


def settle_invoices(agency: Agency, billed: Billed) -> None:
    """Give every invoice its state, its dates and its payments."""
    for rank, (job, record) in enumerate(billed.jobs):
        rng = agency.rng(f"invoice {record['id']}")
        record |= _terms(agency, job, record)
        if _is_draft(agency, job):
            _leave_draft(agency, job, record)
            continue
        at = _moment(record)
        sent = min(at + rng.randrange(1, 30) * 3600, agency.plan.quiet_from)
        record |= {"state": "open", "sent_at": iso(sent), "updated_at": iso(sent)}
        record["due_amount"] = record["amount"]
        _settle(agency, job, record, rank, is_slow=_is_slow(agency, job))
    _mix_currencies(billed)


def _place(agency: Agency, job: Job) -> int:
    return agency.clients.index(job.client)


def _is_slow(agency: Agency, job: Job) -> bool:
    place = min(SLOW_CLIENT, len(agency.clients) - 1)
    return _place(agency, job) == place and agency.plan.until - job.day < SLOW_DAYS


def _terms(agency: Agency, job: Job, record: Record) -> Record:
    term, days = TERMS[_place(agency, job) % len(TERMS)]
    return {"payment_term": term, "due_date": iso(_moment(record) + days * DAY_S)[:10]}


def _moment(record: Record) -> int:
    return parse_instant(record["created_at"]) or 0


def _is_draft(agency: Agency, job: Job) -> bool:
    """The newest monthly invoices of one client in four are still drafts."""
    is_new = agency.plan.until - job.day < DRAFT_DAYS
    return job.kind == "time" and is_new and _place(agency, job) % 4 == 2


def _leave_draft(agency: Agency, job: Job, record: Record) -> None:
    """Every other draft has no dates yet."""
    record |= {"state": "draft", "sent_at": None, "due_amount": record["amount"]}
    if _place(agency, job) % 8 == 2:
        record |= {"issue_date": None, "due_date": None}


def _settle(agency: Agency, job: Job, record: Record, rank: int, *, is_slow: bool) -> None:
    rng = agency.rng(f"payment {record['id']}")
    plan, sent = agency.plan, _moment(record)
    days = TERMS[_place(agency, job) % len(TERMS)][1]
    total = exact(record["amount"])
    part = money(total * rng.choice((2, 3, 5)) / 10)
    if total <= 0:
        return
    age = plan.until - job.day
    if age > OLD_DAYS and rank % WRITTEN_OFF == 3 and not is_slow:
        _write_off(agency, record, rank, part, sent)
        return
    paid = (
        sent + (days + rng.randint(-6, 24)) * DAY_S if days else sent + rng.randint(2, 25) * DAY_S
    )
    if is_slow or paid > plan.quiet_from:
        if age > 20 and rank % 2:
            middle = min(sent + 18 * DAY_S, plan.quiet_from)
            _pay(agency, record, rank, [_Piece(middle, part)])
        return
    pieces = [_Piece(paid, money(total))]
    if rank % 7 == 2 and days:
        rest = money(total - exact(part))
        pieces = [_Piece(sent + (paid - sent) // 2, part), _Piece(paid, rest)]
    _pay(agency, record, rank, pieces)


def _write_off(agency: Agency, record: Record, rank: int, part: float, sent: int) -> None:
    """Close the invoice: nothing is due any more, whether a part was paid or nothing."""
    closed = min(sent + 100 * DAY_S, agency.plan.quiet_from)
    if rank % 2:
        _pay(agency, record, rank, [_Piece(sent + 40 * DAY_S, part)])
    record |= {
        "state": "closed",
        "closed_at": iso(closed),
        "updated_at": iso(closed),
        "due_amount": 0.0,
    }


def _pay(agency: Agency, record: Record, rank: int, pieces: list[_Piece]) -> None:
    due = exact(record["amount"])
    for piece in pieces:
        payment = _payment(agency, record, rank, piece)
        due -= exact(piece.amount)
        record["updated_at"] = max(record["updated_at"], iso(piece.at))
        record["due_amount"] = spelled(money(due), whole=rank % 2 == 0)
        if due <= 0:
            record |= {
                "state": "paid",
                "paid_at": payment["paid_at"],
                "paid_date": payment["paid_date"],
            }


def _payment(agency: Agency, record: Record, rank: int, piece: _Piece) -> Record:
    plan = agency.plan
    recorder = plan.tables["users"][record["creator"]["id"]]
    payment = payment_record(plan.new_id("invoice_payments"), record, recorder, iso(piece.at))
    payment |= {
        "amount": spelled(piece.amount, whole=rank % 4 != 1),
        "notes": ("", None, "Paid by transfer")[rank % 3],
    }
    if record["payment_options"] and rank % 2:
        gateway, name = GATEWAYS[rank % len(GATEWAYS)]
        payment |= {
            "transaction_id": f"ch_{payment['id']:010d}",
            "payment_gateway": {"id": gateway, "name": name},
            "paid_at": iso(piece.at),
        }
    return plan.add("invoice_payments", payment)


def _mix_currencies(billed: Billed) -> None:
    """One paid invoice of a euro client is in dollars: the client's currency changed later."""
    for job, record in billed.jobs:
        if job.client["currency"] == "EUR" and record["state"] == "paid":
            record["currency"] = "USD"
            return
