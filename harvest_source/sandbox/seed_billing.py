"""Seeding step: categories, invoices, estimates and expenses, with sums that add up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from harvest_source.sandbox import references as refs
from harvest_source.sandbox import words
from harvest_source.sandbox.plan import Plan
from harvest_source.sandbox.values import Record, day_epoch, exact, iso, money

DAY_S = 86400
TERMS = (
    ("net 30", 30),
    ("upon receipt", 0),
    ("net 15", 15),
    ("custom", 21),
    ("net 45", 45),
    ("net 60", 60),
)
UNTAXED: Record = {"tax": None, "tax2": None, "discount": None, "flat_discount": None}
# What is asked of an invoice beside its lines; tax, tax2 and discount are percentages.
CHARGES: tuple[Record, ...] = (
    UNTAXED,
    UNTAXED | {"tax": 19.0},
    UNTAXED | {"tax": 7.7, "tax2": 2.5, "discount": 10.0},
    UNTAXED | {"discount": 5},
    UNTAXED | {"flat_discount": Decimal("12.50")},
)


@dataclass(frozen=True, slots=True)
class Bill:
    """The invoice that bills a project's hours of one month, and when it did."""

    invoice_id: int
    at: int


Bills = dict[tuple[int, int], Bill]  # (project id, months since year 0)


def seed_billing(plan: Plan) -> Bills:
    """Everything with money on it; returns which project months are invoiced."""
    if plan.settings.empty:
        return {}
    _seed_categories(plan)
    _seed_estimates(plan)
    bills = _seed_invoices(plan)
    _seed_expenses(plan, bills)
    return bills


def _seed_categories(plan: Plan) -> None:
    for position, (name, unit, price) in enumerate(words.EXPENSE_CATEGORIES):
        at = plan.opened(20 + position)
        record = expense_category_record(plan.new_id("expense_categories"), name, at)
        plan.add(
            "expense_categories",
            record | {"unit_name": unit, "unit_price": price, "is_active": position != 5},
        )
    for position, name in enumerate(("Product", "Service", "Expenses")):
        at = plan.opened(position)
        record = item_category_record(plan.new_id("invoice_item_categories"), name, at)
        plan.add(
            "invoice_item_categories",
            record | {"use_as_service": position == 1, "use_as_expense": position == 2},
        )
        named = plan.new_id("estimate_item_categories")
        plan.add("estimate_item_categories", {"id": named, "name": name} | _stamps(at))


def _stamps(at: str) -> Record:
    return {"created_at": at, "updated_at": at}


def expense_category_record(category_id: int, name: str, at: str) -> Record:
    """A category without unit."""
    unit = {"unit_name": None, "unit_price": None, "is_active": True}
    return {"id": category_id, "name": name} | unit | _stamps(at)


def item_category_record(category_id: int, name: str, at: str) -> Record:
    """An invoice item category."""
    use = {"use_as_service": False, "use_as_expense": False}
    return {"id": category_id, "name": name} | use | _stamps(at)


def _line(plan_id: int, rng: random.Random, kind: str) -> Record:
    quantity = rng.choice((1.0, 2, 0.01, 7.25, 12.5, 40.0))
    price = rng.choice((100.0, 85.125, 0.575, 1250.0, 49.99))
    return {
        "id": plan_id,
        "kind": kind,
        "description": rng.choice(words.LINE_TEXTS),
        "quantity": quantity,
        "unit_price": price,
        "amount": money(exact(quantity) * exact(price)),
        "taxed": rng.random() < 0.7,
        "taxed2": rng.random() < 0.3,
    }


def totals(lines: list[Record], charges: Record, *, unset: float | None = 0.0) -> Record:
    """
    The money members of an invoice or estimate: the discount comes off before taxes are added.

    An amount without its percentage is 0.0, as in recordings, or null, as the documentation has it
    (behaviour.md 8): every other document the one way.
    """
    subtotal = sum((exact(line["amount"]) for line in lines), Decimal(0))
    off = exact(charges["discount"]) / 100
    discount = exact(money(subtotal * off))
    if charges["flat_discount"] is not None:
        discount = min(charges["flat_discount"], subtotal)
    taxes = [
        exact(money(_taxed(lines, flag) * (1 - off) * exact(charges[name]) / 100))
        for name, flag in (("tax", "taxed"), ("tax2", "taxed2"))
    ]
    return {
        "amount": money(subtotal - discount + sum(taxes)),
        "tax": charges["tax"],
        "tax_amount": unset if charges["tax"] is None else money(taxes[0]),
        "tax2": charges["tax2"],
        "tax2_amount": unset if charges["tax2"] is None else money(taxes[1]),
        "discount": charges["discount"],
        "discount_amount": money(discount) if discount else unset,
    }


def _taxed(lines: list[Record], flag: str) -> Decimal:
    return sum((exact(line["amount"]) for line in lines if line[flag]), Decimal(0))


def _seed_invoices(plan: Plan) -> Bills:
    bills: Bills = {}
    wanted = plan.settings.invoices
    timed = _billed_months(plan, wanted * 3 // 4)
    rng = plan.rng("free invoices")
    free = [
        (None, plan.quiet_from // DAY_S * DAY_S - rng.randrange(plan.settings.years * 360) * DAY_S)
        for _ in range(wanted - len(timed))
    ]
    jobs: list[tuple[tuple[int, int] | None, int]] = [*timed, *free]
    for position, (billed, at) in enumerate(sorted(jobs, key=lambda job: (job[1], job[0] or ()))):
        moment = min(at + 10 * 3600 + position % 3600, plan.quiet_from)
        record = plan.add("invoices", _invoice(plan, position, billed, moment))
        client = plan.tables["clients"][record["client"]["id"]]
        client["updated_at"] = max(client["updated_at"], iso(moment))
        if billed:
            bills[billed] = Bill(record["id"], moment)
    return bills


def _billed_months(plan: Plan, wanted: int) -> list[tuple[tuple[int, int], int]]:
    """Project months picked for an invoice, each with the day it is written: the next 10th."""
    until = date.fromordinal(plan.until)
    newest = until.year * 12 + until.month - 1
    pairs = []
    for project in plan.all("projects"):
        for back in range(1, plan.settings.years * 12) if project["is_billable"] else ():
            month = newest - back
            day = date((month + 1) // 12, (month + 1) % 12 + 1, 10)
            if day_epoch(day.toordinal()) + DAY_S < plan.quiet_from:
                pairs.append(((project["id"], month), day_epoch(day.toordinal())))
    return plan.rng("billed months").sample(pairs, min(wanted, len(pairs)))


def _invoice(plan: Plan, position: int, billed: tuple[int, int] | None, at: int) -> Record:
    rng = plan.rng(f"invoice {position}")
    project = plan.tables["projects"][billed[0]] if billed else None
    clients = plan.all("clients")
    client_id = project["client"]["id"] if project else rng.choice(clients)["id"]
    lines = []
    for _ in range(rng.randint(1, 4) if billed else rng.choice((0, 1, 1, 2, 3))):
        line = _line(plan.new_id("line_items"), rng, rng.choice(("Service", "Product")))
        tied = project is not None and rng.random() < 0.8
        lines.append(line | {"project": refs.coded(project) if project and tied else None})
    record = invoice_record(
        plan.new_id("invoices"), plan.tables["clients"][client_id], plan.all("users")[0], iso(at)
    )
    record |= {"line_items": lines, "number": f"{position + 1:04d}" if position % 9 else f"R-{at}"}
    record |= totals(lines, CHARGES[position % len(CHARGES)], unset=(0.0, None, 0)[position % 3])
    estimates = plan.all("estimates")
    if estimates and position % 11 == 3:
        record["estimate"] = refs.only_id(estimates[position % len(estimates)])
    if position % 13 == 5:
        record["retainer"] = {"id": plan.new_id("retainers")}
    if billed:
        first = date(billed[1] // 12, billed[1] % 12 + 1, 1)
        after = date((billed[1] + 1) // 12, (billed[1] + 1) % 12 + 1, 1)
        record["period_start"] = first.isoformat()
        record["period_end"] = date.fromordinal(after.toordinal() - 1).isoformat()
    return record | _invoice_state(plan, position, record, at)


def invoice_record(invoice_id: int, client: Record, creator: Record, at: str) -> Record:
    """A draft without lines, issued the day it is made."""
    return {
        "id": invoice_id,
        "client": refs.named(client),
        "line_items": [],
        "estimate": None,
        "retainer": None,
        "creator": refs.person(creator),
        "client_key": f"{random.Random(f'invoice {invoice_id}').getrandbits(160):040x}",
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
        "currency": client["currency"],
        "state": "draft",
        "period_start": None,
        "period_end": None,
        "issue_date": at[:10],
        "due_date": at[:10],
        "payment_term": "upon receipt",
        "payment_options": [],
        "sent_at": None,
        "paid_at": None,
        "paid_date": None,
        "closed_at": None,
        "recurring_invoice_id": None,
        "created_at": at,
        "updated_at": at,
    }


def _invoice_state(plan: Plan, position: int, record: Record, at: int) -> Record:
    term, days = TERMS[position % len(TERMS)]
    later = [min(at + n * DAY_S // 2, plan.quiet_from) for n in (1, 45)]
    state = ("paid", "paid", "open", "paid", "closed", "draft")[position % 6]
    paid_day = later[1] // DAY_S * DAY_S
    return {
        "state": state,
        "payment_term": term,
        "due_date": iso(at + days * DAY_S)[:10],
        "payment_options": [[], ["credit_card"], ["ach", "paypal"]][position % 3],
        "subject": ("", None, "Work of the month")[position % 3],
        "notes": (None, "", "Thank you!\r\nPlease quote the number.")[position % 3],
        "purchase_order": "" if position % 4 else "PO-77",
        "recurring_invoice_id": 330_000 + position if position % 10 == 7 else None,
        "sent_at": None if state == "draft" else iso(later[0]),
        "paid_at": iso(paid_day) if state == "paid" else None,
        "paid_date": iso(paid_day)[:10] if state == "paid" else None,
        "closed_at": iso(later[1]) if state == "closed" else None,
        "due_amount": 0.0 if state in ("paid", "closed") else record["amount"],
        "updated_at": iso({"draft": at, "open": later[0]}.get(state, later[1])),
    }


def _seed_estimates(plan: Plan) -> None:
    clients, users = plan.all("clients"), plan.all("users")
    for position in range(plan.settings.estimates):
        rng = plan.rng(f"estimate {position}")
        span = plan.quiet_from - plan.start - 30 * DAY_S
        at = plan.start + 20 * DAY_S + span * position // max(1, plan.settings.estimates)
        lines = [
            _line(plan.new_id("line_items"), rng, rng.choice(("Service", "Product")))
            for _ in range(rng.randint(0, 3))
        ]
        record = estimate_record(
            plan.new_id("estimates"), clients[position % len(clients)], users[0], iso(at)
        )
        record |= {"line_items": lines, "number": str(1000 + position)}
        record |= totals(
            lines, CHARGES[(position + 1) % len(CHARGES)], unset=(0.0, None)[position % 2]
        )
        plan.add("estimates", record | _estimate_state(position, at))


def estimate_record(estimate_id: int, client: Record, creator: Record, at: str) -> Record:
    """A draft without lines."""
    return {
        "id": estimate_id,
        "client": refs.named(client),
        "line_items": [],
        "creator": refs.person(creator),
        "client_key": f"{random.Random(f'estimate {estimate_id}').getrandbits(160):040x}",
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
        "currency": client["currency"],
        "state": "draft",
        "issue_date": at[:10],
        "sent_at": None,
        "accepted_at": None,
        "declined_at": None,
        "created_at": at,
        "updated_at": at,
    }


def _estimate_state(position: int, at: int) -> Record:
    state = ("draft", "sent", "accepted", "declined")[position % 4]
    sent, decided = iso(at + DAY_S), iso(at + 9 * DAY_S)
    return {
        "state": state,
        "subject": ("", None, "Proposal")[position % 3],
        "sent_at": None if state == "draft" else sent,
        "accepted_at": decided if state == "accepted" else None,
        "declined_at": decided if state == "declined" else None,
        "updated_at": {"draft": iso(at), "sent": sent}.get(state, decided),
    }


def _seed_expenses(plan: Plan, bills: Bills) -> None:
    staffed = plan.all("user_assignments")
    span = plan.settings.years * 360
    for position in range(plan.settings.expenses):
        rng = plan.rng(f"expense {position}")
        # Several on one day, and not in the order of their ids.
        back = span - 1 - position * span // plan.settings.expenses + rng.randrange(5)
        day = plan.until - max(0, back)
        plan.add("expenses", _expense(plan, position, rng.choice(staffed), day, bills))


def _expense(plan: Plan, position: int, staffed: Record, day: int, bills: Bills) -> Record:
    rng = plan.rng(f"expense {position} details")
    category = rng.choice(plan.all("expense_categories"))
    project = plan.tables["projects"][staffed["project"]["id"]]
    spent = date.fromordinal(day)
    at = min(day_epoch(plan.until) + 20 * 3600, day_epoch(day) + (4 + position % 3) * DAY_S)
    units = rng.choice((1.0, 12, 37.5))
    price = category["unit_price"]
    record = expense_record(
        plan.new_id("expenses"),
        client=plan.tables["clients"][project["client"]["id"]],
        project=project,
        category=category,
        user=plan.tables["users"][staffed["user"]["id"]],
        staffed=staffed if position % 17 != 11 else None,
        at=iso(at),
    )
    bill = bills.get((project["id"], spent.year * 12 + spent.month - 1))
    billed = bill is not None and at < bill.at
    approved = day < plan.until - 21
    return record | {
        "spent_date": spent.isoformat(),
        "units": units if price else 1.0,
        "total_cost": money(exact(units) * exact(price)) if price else rng.choice((12.5, 99.99, 7)),
        "notes": rng.choice(words.NOTES),
        "receipt": _receipt(record["id"]) if position % 3 == 0 else None,
        "billable": billed or position % 4 != 0,
        "invoice": refs.numbered(plan.tables["invoices"][bill.invoice_id])
        if bill and billed
        else None,
        "is_billed": billed,
        "is_closed": approved,
        "approval_status": "approved" if approved else ("submitted", "unsubmitted")[position % 2],
        "is_locked": billed or approved,
        "locked_reason": locked_reason(billed=billed, approved=approved, active=True),
        "updated_at": iso(bill.at if bill and billed else at),
    }


def locked_reason(*, billed: bool, approved: bool, active: bool) -> str | None:
    """The human text beside ``is_locked``; an open set (endpoints.yaml, time_entry)."""
    if billed:
        return "Item Invoiced and Locked for this Time Period"
    if approved:
        return "Item Approved and Locked for this Time Period"
    return None if active else "Item Locked: the Project is Archived"


def _receipt(expense_id: int) -> Record:
    return {
        "url": f"https://files.example.com/expenses/{expense_id}/receipt",
        "file_name": f"lunch_{expense_id}.jpg",
        "file_size": 39410 + expense_id % 1000,
        "content_type": "image/jpeg",
    }


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
    """An open expense of nothing, spent the day it is made."""
    return {
        "id": expense_id,
        "client": refs.client_money(client),
        "project": refs.coded(project),
        "expense_category": refs.priced(category),
        "user": refs.person(user),
        "user_assignment": refs.user_assignment(staffed) if staffed else None,
        "receipt": None,
        "invoice": None,
        "notes": None,
        "units": 1.0,
        "total_cost": 0.0,
        "billable": True,
        "is_closed": False,
        "approval_status": "unsubmitted",
        "is_locked": False,
        "is_explicitly_locked": False,
        "is_billed": False,
        "locked_reason": None,
        "spent_date": at[:10],
        "created_at": at,
        "updated_at": at,
    }
