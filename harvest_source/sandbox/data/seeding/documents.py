"""Seeding step: messages about invoices and estimates, and payments."""

from __future__ import annotations

from harvest_source.sandbox.data.records.documents import message_record, payment_record
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import Record, exact, iso, money, parse_instant, spelled

HOUR_S = 3600
GATEWAYS = ((8452, "Stripe"), (8453, "PayPal"))
INVOICE_TEXT = "Hello,\r\n\r\nPlease find our invoice %s attached.\r\n\r\nThank you"
ESTIMATE_TEXT = "Hello,\r\n\r\nOur estimate %s is here:\r\n%%estimate_url%%\r\n"


def seed_documents(plan: Plan) -> None:
    """Messages and payments of every document, consistent with the state it is in."""
    for rank, invoice in enumerate(plan.all("invoices")):
        made = [*_invoice_messages(plan, rank, invoice), *_payments(plan, rank, invoice)]
        _catch_up(invoice, made)
    _seed_estimate_messages(plan)


def seed_messages(plan: Plan) -> None:
    """Messages alone, where the payments are there already."""
    for rank, invoice in enumerate(plan.all("invoices")):
        _catch_up(invoice, _invoice_messages(plan, rank, invoice))
    _seed_estimate_messages(plan)


def _seed_estimate_messages(plan: Plan) -> None:
    quoted = {row["estimate"]["id"]: row for row in plan.all("invoices") if row["estimate"]}
    for rank, estimate in enumerate(plan.all("estimates")):
        made = _estimate_messages(plan, rank, estimate, quoted.get(estimate["id"]))
        _catch_up(estimate, made)


def _catch_up(document: Record, made: list[Record]) -> None:
    """A document is at least as new as its newest child (behaviour.md 6)."""
    moments = [document["updated_at"], *(row["created_at"] for row in made)]
    document["updated_at"] = max(moments)


def _recipients(plan: Plan, document: Record) -> list[Record]:
    """The client's contacts with an address; a contact without last name has no name here."""
    client = document["client"]["id"]
    found = [
        {
            "name": f"{row['first_name']} {row['last_name']}" if row["last_name"] else None,
            "email": row["email"],
        }
        for row in plan.all("contacts")
        if row["client"]["id"] == client and row["email"]
    ]
    return found or [{"name": None, "email": f"billing{client}@example.org"}]


def _mail(plan: Plan, document: Record, subject: str, body: str) -> Record:
    return {
        "recipients": _recipients(plan, document),
        "subject": f"{subject} {document['number']}",
        "body": body % document["number"] if "%s" in body else body,
        "send_me_a_copy": True,
    }


def _moment(document: Record, member: str) -> int:
    return parse_instant(document[member] or document["created_at"]) or 0


def _invoice_messages(plan: Plan, rank: int, invoice: Record) -> list[Record]:
    state = invoice["state"]
    if state == "draft":
        # Most drafts were sent by mistake and taken back, which changed the invoice.
        back = min(_moment(invoice, "created_at") + HOUR_S, plan.quiet_from)
        told: list[tuple[int, Record]] = [(back, {"event_type": "draft"})]
        return _write(plan, "invoice_messages", "invoice_id", invoice, told if rank % 4 else [])
    sent, last = _moment(invoice, "sent_at"), _moment(invoice, "updated_at")
    mail = _mail(plan, invoice, "Invoice", INVOICE_TEXT)
    mail |= {"attach_pdf": rank % 4 == 1, "include_link_to_client_invoice": True}
    told = [(sent, mail if rank % 3 else {"event_type": "send"})]
    viewed = sent + 5 * HOUR_S
    if rank % 2 == 0 and viewed <= plan.quiet_from:
        told.append((viewed, {"event_type": "view"}))
    if rank % 4 == 1 and last - sent > 8 * HOUR_S:
        told.append(((sent + last) // 2, _reminder(plan, invoice, (sent + last) // 2)))
    if state == "closed":
        told.append((_moment(invoice, "closed_at"), {"event_type": "close"}))
    if state == "paid" and rank % 3 == 1:
        thanks = _mail(plan, invoice, "Payment of invoice", "Thank you!\r\n")
        told.append((last, thanks | {"thank_you": True}))
    return _write(plan, "invoice_messages", "invoice_id", invoice, told)


def _reminder(plan: Plan, invoice: Record, at: int) -> Record:
    mail = _mail(plan, invoice, "Reminder: invoice", "Is %s still open?\r\n")
    return mail | {"reminder": True, "send_reminder_on": iso(at)[:10]}


def _estimate_messages(
    plan: Plan, rank: int, estimate: Record, invoice: Record | None
) -> list[Record]:
    told: list[tuple[int, Record]] = []
    if estimate["state"] != "draft":
        sent = _moment(estimate, "sent_at")
        mail = _mail(plan, estimate, "Estimate", ESTIMATE_TEXT)
        told = [(sent, {"event_type": "send"} if rank % 3 == 0 else mail)]
        if rank % 2:
            told.append((sent + 2 * HOUR_S, {"event_type": "view"}))
    for event, member in (("accept", "accepted_at"), ("decline", "declined_at")):
        if estimate[member]:
            told.append((_moment(estimate, member), {"event_type": event}))
    if invoice:
        told.append((_moment(invoice, "created_at"), {"event_type": "invoice"}))
    return _write(plan, "estimate_messages", "estimate_id", estimate, told)


def _write(
    plan: Plan, table: str, key: str, document: Record, told: list[tuple[int, Record]]
) -> list[Record]:
    sender = plan.tables["users"][document["creator"]["id"]]
    return [
        plan.add(
            table,
            message_record(plan.new_id(table), key, document, sender, iso(at)) | content,
        )
        for at, content in sorted(told, key=lambda item: item[0])
    ]


def _payments(plan: Plan, rank: int, invoice: Record) -> list[Record]:
    """
    Payments: all of a paid invoice, in one or two pieces; part of some open ones and a draft (S4).

    A closed invoice is written off: nothing was paid and nothing is due.
    """
    total = exact(invoice["amount"])
    part = money(total * 2 / 5)
    last = _moment(invoice, "updated_at")
    middle = (_moment(invoice, "sent_at") + last) // 2
    pieces: list[tuple[int, float]] = []
    if total > 0 and invoice["state"] == "paid":
        pieces = [(last, money(total))]
        if rank % 3 == 0 and part:
            pieces = [(middle, part), (last, money(total - exact(part)))]
    elif part and (invoice["state"] == "open" or (invoice["state"] == "draft" and rank % 4 == 1)):
        pieces = [(last, part)] if rank % 4 else []
    made = [_payment(plan, rank, invoice, at, amount) for at, amount in pieces]
    if invoice["state"] == "paid" and made:
        made[-1] |= {"paid_at": invoice["paid_at"], "paid_date": invoice["paid_date"]}
    elif made:
        invoice["due_amount"] = money(total - exact(part))
    return made


def _payment(plan: Plan, rank: int, invoice: Record, at: int, amount: float) -> Record:
    recorder = plan.tables["users"][invoice["creator"]["id"]]
    table = "invoice_payments"
    record = payment_record(plan.new_id(table), invoice, recorder, iso(at))
    record["amount"] = spelled(amount, whole=rank % 4 != 1)
    record["notes"] = ("", None, "Paid by transfer")[rank % 3]
    if invoice["payment_options"] and rank % 2:
        gateway, name = GATEWAYS[rank % len(GATEWAYS)]
        record |= {
            "transaction_id": f"ch_{record['id']:010d}",
            "payment_gateway": {"id": gateway, "name": name},
            "paid_at": iso(at),
        }
    return plan.add(table, record)
