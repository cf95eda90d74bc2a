"""Categories, invoices, estimates and expenses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.locks import PROJECT_ARCHIVED
from harvest_source.sandbox.data.records.guesses import GUESSED
from harvest_source.sandbox.data.values import Record, exact, money, spelled


def expense_category_record(category_id: int, name: str, at: str) -> Record:
    """An active category without unit."""
    return {
        "id": category_id,
        "name": name,
        "unit_name": None,
        "unit_price": None,
        "is_active": True,
        "created_at": at,
        "updated_at": at,
    }


def invoice_item_category_record(category_id: int, name: str, at: str) -> Record:
    """A category that is used neither for services nor for expenses."""
    return {
        "id": category_id,
        "name": name,
        "use_as_service": False,
        "use_as_expense": False,
        "created_at": at,
        "updated_at": at,
    }


def estimate_item_category_record(category_id: int, name: str, at: str) -> Record:
    """An estimate item category."""
    return {"id": category_id, "name": name, "created_at": at, "updated_at": at}


@dataclass(frozen=True, slots=True)
class Charges:
    """Taxes and discount of a document, in percent; *flat_discount* is an amount."""

    tax: float | None = None
    tax2: float | None = None
    discount: float | None = None
    flat_discount: Decimal | None = None


def totals(
    lines: list[Record], charges: Charges, *, unset: float | None = 0.0, whole: bool = False
) -> Record:
    """
    The money members of an invoice or estimate: the discount is taken off before taxes are added.

    Args:
        unset: Value of an amount whose percentage is null: recordings show 0.0, the documentation
            promises null (behaviour.md 8).
        whole: Write a whole total as an integer.
    """
    subtotal = sum((exact(line["amount"]) for line in lines), Decimal(0))
    off = exact(charges.discount) / 100
    discount = exact(money(subtotal * off))
    if charges.flat_discount is not None:
        discount = min(charges.flat_discount, subtotal)
    taxes = [
        exact(money(_taxed(lines, flag) * (1 - off) * exact(percent) / 100))
        for percent, flag in ((charges.tax, "taxed"), (charges.tax2, "taxed2"))
    ]
    return {
        "amount": spelled(money(subtotal - discount + sum(taxes)), whole=whole),
        "tax": charges.tax,
        "tax_amount": unset if charges.tax is None else money(taxes[0]),
        "tax2": charges.tax2,
        "tax2_amount": unset if charges.tax2 is None else money(taxes[1]),
        "discount": charges.discount,
        "discount_amount": money(discount) if discount else unset,
    }


def _taxed(lines: list[Record], flag: str) -> Decimal:
    return sum((exact(line["amount"]) for line in lines if line[flag]), Decimal(0))


def invoice_record(invoice_id: int, client: Record, creator: Record, at: str) -> Record:
    """A draft without lines, issued on the day it is created."""
    return {
        "id": invoice_id,
        "client_key": _client_key(f"invoice {invoice_id}"),
        "number": str(invoice_id),
        "purchase_order": "",
        "amount": 0.0,
        "due_amount": 0.0,
        "tax": None,
        "tax_amount": 0.0,
        "tax2": None,
        "tax2_amount": 0.0,
        "discount": None,
        "discount_amount": 0.0,
        "subject": "",
        "notes": None,
        "state": "draft",
        "period_start": None,
        "period_end": None,
        "issue_date": at[:10],
        "due_date": at[:10],
        "payment_term": "upon receipt",
        "payment_options": [],
        "sent_at": None,
        "paid_at": None,
        "closed_at": None,
        "recurring_invoice_id": None,
        "created_at": at,
        "updated_at": at,
        "paid_date": None,
        "currency": client["currency"],
        "client": refs.named(client),
        "estimate": None,
        "retainer": None,
        "creator": refs.person(creator),
        "line_items": [],
    }


def estimate_record(estimate_id: int, client: Record, creator: Record, at: str) -> Record:
    """A draft without lines, issued on the day it is created."""
    return {
        "id": estimate_id,
        "client_key": _client_key(f"estimate {estimate_id}"),
        "number": str(estimate_id),
        "purchase_order": "",
        "amount": 0.0,
        "tax": None,
        "tax_amount": 0.0,
        "tax2": None,
        "tax2_amount": 0.0,
        "discount": None,
        "discount_amount": 0.0,
        "subject": "",
        "notes": "",
        "state": "draft",
        "issue_date": at[:10],
        "sent_at": None,
        "created_at": at,
        "updated_at": at,
        "accepted_at": None,
        "declined_at": None,
        "currency": client["currency"],
        "client": refs.named(client),
        "creator": refs.person(creator),
        "line_items": [],
    }


def _client_key(seed: str) -> str:
    return f"{random.Random(seed).getrandbits(160):040x}"


def expense_record(
    expense_id: int,
    *,
    client: Record,
    project: Record,
    category: Record,
    user: Record,
    staffed: Record | None,
    at: str,
) -> Record:
    """An expense of 0.0, neither approved nor invoiced, spent on the day it is created."""
    return {
        "id": expense_id,
        "spent_date": at[:10],
        "notes": None,
        "total_cost": 0.0,
        "units": 1.0,
        "billable": True,
        "receipt": None,
        "is_closed": False,
        "approval_status": "unsubmitted",
        "is_locked": False,
        **GUESSED["expenses"],
        "is_billed": False,
        "locked_reason": None,
        "created_at": at,
        "updated_at": at,
        "user": refs.person(user),
        "client": refs.client_money(client),
        "project": refs.coded(project),
        "expense_category": refs.priced(category),
        "user_assignment": refs.user_assignment(staffed) if staffed else None,
        "invoice": None,
    }


def receipt_record(expense_id: int) -> Record:
    """The ``receipt`` object of an expense."""
    return {
        "url": f"https://files.example.com/expenses/{expense_id}/receipt",
        "file_name": f"lunch_{expense_id}.jpg",
        "file_size": 39410 + expense_id % 1000,
        "content_type": "image/jpeg",
    }


def locked_reason(*, billed: bool, approved: bool, active: bool) -> str | None:
    """The human text beside ``is_locked``; an open set (endpoints.yaml, time_entry)."""
    if billed:
        return "Item Invoiced and Locked for this Time Period"
    if approved:
        return "Item Approved and Locked for this Time Period"
    return None if active else PROJECT_ARCHIVED
