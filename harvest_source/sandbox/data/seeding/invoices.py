"""Seeding step: invoices, three quarters of them for the hours of a project's month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.entries.bills import Bill, Bills
from harvest_source.sandbox.data.records.billing import invoice_record, totals
from harvest_source.sandbox.data.seeding.lines import CHARGES, seed_line
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.values import (
    DAY_S,
    Record,
    day_epoch,
    iso,
    parse_instant,
)

TERMS = (
    ("net 30", 30),
    ("upon receipt", 0),
    ("net 15", 15),
    ("custom", 21),
    ("net 45", 45),
    ("net 60", 60),
)


LONGEST_MONTH_DAYS = 31
BILLING_DAY = 10


@dataclass(frozen=True, slots=True)
class Job:
    """
    An invoice to seed.

    Attributes:
        back: Full months between the month of issue and that of ``plan.until``; at least 1.
        day: Day of the month of issue; at most 28.
        project_id: The project whose hours of the month before are billed; ``None`` for an invoice
            that bills no hours.
    """

    back: int
    day: int
    project_id: int | None = None


def seed_invoices(plan: Plan) -> Bills:
    """The invoices, oldest first; returns which project months they bill."""
    until = date.fromordinal(plan.until)
    newest = until.year * 12 + until.month - 1
    open_estimates = [row for row in plan.all("estimates") if row["state"] == "accepted"]
    bills: Bills = {}
    for position, job in enumerate(_list_jobs(plan)):
        month = newest - job.back
        issued = date(month // 12, month % 12 + 1, job.day)
        at = day_epoch(issued.toordinal()) + 10 * 3600 + position % 3600
        record = _invoice(plan, position, job, at)
        if job.project_id is not None:
            bills[job.project_id, month - 1] = Bill(record["id"], at)
            record |= _period(month - 1)
        if position % 3 == 0 and open_estimates and _is_earlier(plan, open_estimates[0], job):
            record["estimate"] = refs.only_id(open_estimates.pop(0))
        plan.add("invoices", record)
        client = plan.tables["clients"][record["client"]["id"]]
        client["updated_at"] = max(client["updated_at"], iso(at))
    return bills


def _list_jobs(plan: Plan) -> list[Job]:
    """
    The invoices to seed, oldest first.

    Every choice depends on months back and day of the month, never on a date. So the jobs and
    their order, and with them the number of lines, messages and payments, are the same whatever
    day the clock shows.
    """
    oldest, wanted = plan.settings.years * 12 - 1, plan.settings.invoices
    pairs = [
        (project["id"], back)
        for project in plan.all("projects")
        if project["is_billable"]
        for back in range(1, oldest)
    ]
    billed = plan.rng("billed months").sample(pairs, min(wanted * 3 // 4, len(pairs)))
    rng = plan.rng("free invoices")
    jobs = [
        *(Job(back, BILLING_DAY, project_id) for project_id, back in billed),
        *(Job(rng.randrange(1, oldest), rng.randint(1, 28)) for _ in range(wanted - len(billed))),
    ]
    return sorted(jobs, key=lambda job: (-job.back, job.day, job.project_id or 0))


def _is_earlier(plan: Plan, estimate: Record, job: Job) -> bool:
    """Whether the estimate was accepted before the month of issue, however long months are."""
    accepted = parse_instant(estimate["accepted_at"]) or plan.quiet_from
    return plan.quiet_from - accepted >= (job.back + 1) * LONGEST_MONTH_DAYS * DAY_S


def _period(month: int) -> Record:
    first = date(month // 12, month % 12 + 1, 1)
    after = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
    return {
        "period_start": first.isoformat(),
        "period_end": date.fromordinal(after.toordinal() - 1).isoformat(),
    }


def _invoice(plan: Plan, position: int, job: Job, at: int) -> Record:
    rng = plan.rng(f"invoice {position}")
    project = None if job.project_id is None else plan.tables["projects"][job.project_id]
    clients = plan.all("clients")
    client_id = project["client"]["id"] if project else rng.choice(clients)["id"]
    lines = []
    for _ in range(rng.randint(1, 4) if project else rng.choice((0, 1, 1, 2, 3))):
        line = seed_line(plan.new_id("line_items"), rng)
        tied = project is not None and rng.random() < 0.8
        lines.append(line | {"project": refs.coded(project) if project and tied else None})
    record = invoice_record(
        plan.new_id("invoices"), plan.tables["clients"][client_id], plan.all("users")[0], iso(at)
    )
    record |= {"line_items": lines, "number": f"{position + 1:04d}" if position % 9 else f"R-{at}"}
    unset, whole = (0.0, None, 0)[position % 3], position % 4 != 1
    record |= totals(lines, CHARGES[position % len(CHARGES)], unset=unset, whole=whole)
    if position % 13 == 5:
        record["retainer"] = {"id": plan.new_id("retainers")}
    return record | _state(plan, position, record, at)


def _state(plan: Plan, position: int, record: Record, at: int) -> Record:
    term, days = TERMS[position % len(TERMS)]
    later = [min(at + n * DAY_S // 2, plan.quiet_from) for n in (1, 45)]
    state = ("paid", "paid", "open", "paid", "closed", "draft")[position % 6]
    paid_day = later[1] // DAY_S * DAY_S
    return {
        "state": state,
        "payment_term": term,
        "payment_options": [[], ["credit_card"], ["ach", "paypal"]][position % 3],
        "subject": ("", None, "Work of the month")[position % 3],
        "notes": (None, "", "Thank you!\r\nPlease quote the number.")[position % 3],
        "purchase_order": ("PO-77", "", None, "")[position % 4],
        **_dates(state, position, at, days),
        "recurring_invoice_id": 330_000 + position if position % 10 == 7 else None,
        "sent_at": None if state == "draft" else iso(later[0]),
        "paid_at": iso(paid_day) if state == "paid" else None,
        "paid_date": iso(paid_day)[:10] if state == "paid" else None,
        "closed_at": iso(later[1]) if state == "closed" else None,
        "due_amount": 0.0 if state in ("paid", "closed") else record["amount"],
        "updated_at": iso({"draft": at, "open": later[0]}.get(state, later[1])),
    }


def _dates(state: str, position: int, at: int, days: int) -> Record:
    """
    Issue and due date; every other draft has neither.

    Unverified against a live account: the documentation promises an issue date.
    """
    if state == "draft" and position % 12 == 11:
        return {"issue_date": None, "due_date": None}
    return {"issue_date": iso(at)[:10], "due_date": iso(at + days * DAY_S)[:10]}
