"""Messages and payments of invoices and estimates."""

from __future__ import annotations

from harvest_source.sandbox.data.values import Record

ESTIMATE_MESSAGE = ("id", "estimate_id", "sent_by", "sent_by_email", "sent_from", "sent_from_email",
                    "send_me_a_copy", "created_at", "updated_at", "recipients", "event_type",
                    "subject", "body")  # fmt: skip


def message_record(message_id: int, key: str, document: Record, sender: Record, at: str) -> Record:
    """
    A message that only changes the state of *document*: no recipients, no text.

    Args:
        key: The member that holds the id of the document: ``invoice_id`` or ``estimate_id``.
    """
    name = f"{sender['first_name']} {sender['last_name']}"
    record: Record = {
        "id": message_id,
        key: document["id"],
        "sent_by": name,
        "sent_by_email": sender["email"],
        "sent_from": name,
        "sent_from_email": sender["email"],
        "include_link_to_client_invoice": False,
        "send_me_a_copy": False,
        "thank_you": False,
        "reminder": False,
        "send_reminder_on": None,
        "created_at": at,
        "updated_at": at,
        "attach_pdf": False,
        "event_type": None,
        "recipients": [],
        "subject": None,
        "body": None,
    }
    return record if key == "invoice_id" else {name: record[name] for name in ESTIMATE_MESSAGE}


def payment_record(payment_id: int, invoice: Record, recorder: Record, at: str) -> Record:
    """
    A payment of the whole due amount, recorded by hand today.

    The gateway is an object with null members, never null (quirk 47).
    """
    return {
        "id": payment_id,
        "invoice_id": invoice["id"],
        "amount": invoice["due_amount"],
        "paid_at": f"{at[:10]}T00:00:00Z",
        "recorded_by": f"{recorder['first_name']} {recorder['last_name']}",
        "recorded_by_email": recorder["email"],
        "notes": "",
        "transaction_id": None,
        "created_at": at,
        "updated_at": at,
        "paid_date": at[:10],
        "payment_gateway": {"id": None, "name": None},
    }
