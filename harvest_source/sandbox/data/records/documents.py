"""Messages and payments of invoices and estimates."""

from __future__ import annotations

from harvest_source.sandbox.data.values import Record

INVOICES_ONLY = frozenset(
    {
        "include_link_to_client_invoice",
        "attach_pdf",
        "thank_you",
        "reminder",
        "send_reminder_on",
    }
)


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
        "recipients": [],
        "subject": None,
        "body": None,
        "include_link_to_client_invoice": False,
        "attach_pdf": False,
        "send_me_a_copy": False,
        "thank_you": False,
        "event_type": None,
        "reminder": False,
        "send_reminder_on": None,
        "created_at": at,
        "updated_at": at,
    }
    for_invoice = key == "invoice_id"
    return {name: record[name] for name in record if for_invoice or name not in INVOICES_ONLY}


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
        "paid_date": at[:10],
        "recorded_by": f"{recorder['first_name']} {recorder['last_name']}",
        "recorded_by_email": recorder["email"],
        "notes": "",
        "transaction_id": None,
        "payment_gateway": {"id": None, "name": None},
        "created_at": at,
        "updated_at": at,
    }
