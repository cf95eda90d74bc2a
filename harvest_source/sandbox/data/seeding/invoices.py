"""Seeding step: invoices, three quarters of them for the hours of a project's month."""

from __future__ import annotations

from datetime import date

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.entries.bills import Bill, Bills
from harvest_source.sandbox.data.records.billing import invoice_record, totals
from harvest_source.sandbox.data.seeding.lines import CHARGES, seed_line
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import DAY_S, Record, day_epoch, iso

TERMS = (
    ("net 30", 30),
    ("upon receipt", 0),
    ("net 15", 15),
    ("custom", 21),
    ("net 45", 45),
    ("net 60", 60),
)


def seed_invoices(plan: Plan) -> Bills:
    """The invoices, oldest first; returns which project months they bill."""
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
    """Random project months to invoice, each with the day of its invoice: the next 10th."""
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
        line = seed_line(plan.new_id("line_items"), rng)
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
    return record | _state(plan, position, record, at)


def _state(plan: Plan, position: int, record: Record, at: int) -> Record:
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
