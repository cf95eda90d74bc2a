"""Seeding step: monthly invoices made from entries and expenses, fees, and retainers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.agency.model import (
    Agency,
    Engagement,
    Hours,
    month_of,
    month_start,
)
from harvest_source.sandbox.data.entries.ledger_records import EntryBill
from harvest_source.sandbox.data.records.billing import (
    Charges,
    invoice_record,
    locked_reason,
    totals,
)
from harvest_source.sandbox.data.values import (
    Record,
    day_epoch,
    exact,
    iso,
    money,
    parse_day,
    spelled,
)

NOT_BILLED, MARKED = 0, 1
"""The first two bills: for entries not invoiced, and for those marked without an invoice."""
FIRST_BILLING_DAY = 7  # late timesheets of the month before are filled in by then
HELD_BACK = 48  # one entry in this many is left for later
HELD_EXPENSES = 9
LAGGING_CLIENT, LAG = 5, 4
"""Position of a client, and by how many months its invoices lag behind those of others."""
OLD_SYSTEM_CLIENT, OLD_SYSTEM_MONTHS = 1, 2
"""Position of a client, and how many first months it was invoiced elsewhere: marked so here."""
MILESTONES = ((0.05, 40), (0.5, 30), (0.95, 30))
"""When parts of a fixed fee are due, as a share of the project's days; percent of the fee."""
OVERRUN = 15
"""Percent of its fee that one project was invoiced on top of the fee."""
TAXES = {
    "EUR": Charges(tax=19.0),
    "GBP": Charges(tax=20),
    "CHF": Charges(tax=8.1),
    "JPY": Charges(tax=10.0),
    "CAD": Charges(tax=5.0, tax2=9.975),
}
CHARGES = (Charges(), Charges(discount=5.0), Charges(), Charges(tax=8.25),
           Charges(flat_discount=Decimal("12.50")))  # fmt: skip
"""What clients that pay in dollars agreed on, in turn."""
SMALL = 200
"""Invoices below that get no flat discount: nothing would be left of them."""


@dataclass(slots=True)
class Job:
    """
    An invoice to write.

    Attributes:
        day: Day of issue.
        slot: Position in the bills of the entries on it; `NOT_BILLED` when it has none.
        month: Month of the entries on it.
        expenses: Records that it bills.
    """

    client: Record
    day: int
    kind: str
    lines: list[Record] = field(default_factory=list)
    slot: int = NOT_BILLED
    month: int | None = None
    expenses: list[Record] = field(default_factory=list)
    found: Engagement | None = None


@dataclass(slots=True)
class Billed:
    """What was invoiced: each entry's position in *bills*, and when, by that position."""

    bill: array[int]
    bills: list[EntryBill] = field(default_factory=lambda: [EntryBill(), EntryBill(marked=True)])
    at: dict[int, int] = field(default_factory=dict)
    jobs: list[tuple[Job, Record]] = field(default_factory=list)


def bill_work(agency: Agency, hours: Hours, values: dict[int, float]) -> Billed:
    """
    Write every invoice, oldest first.

    Args:
        values: What the hours of each project are worth.
    """
    desk = _Desk(agency, hours)
    desk.bill_entries()
    desk.bill_expenses()
    # All entries of a month may have been held back.
    monthly = [job for job in desk.jobs.values() if job.lines]
    jobs = [*monthly, *_fees(agency), *_retainers(agency, values)]
    jobs.sort(key=lambda job: (job.day, job.client["id"], job.kind, job.slot))
    for rank, job in enumerate(jobs):
        record, at = _write(agency, job, rank)
        desk.billed.jobs.append((job, record))
        if job.slot:
            desk.billed.bills[job.slot] = EntryBill(record["id"])
            desk.billed.at[job.slot] = at
        for expense in job.expenses:
            _mark_expense(expense, record, at)
        job.client["updated_at"] = max(job.client["updated_at"], iso(at))
    return desk.billed


class _Desk:
    """Collects what goes on the monthly invoice of each client."""

    def __init__(self, agency: Agency, hours: Hours) -> None:
        self._agency = agency
        self._hours = hours
        self._places = {client["id"]: at for at, client in enumerate(agency.clients)}
        self._found = {found.id: found for found in agency.engagements}
        self._names = {person.id: refs.person(person.user)["name"] for person in agency.staff}
        self._tasks = {row["id"]: row["name"] for row in agency.tasks.values()}
        self.jobs: dict[tuple[int, int], Job] = {}
        self.billed = Billed(array("l", [NOT_BILLED]) * len(hours.day))

    def _last_month(self, client_id: int) -> int:
        """The newest month that was invoiced to a client."""
        until = self._agency.plan.until
        month = month_of(until) - 1
        if month_start(month + 1) + self._billing_day(client_id) >= until:
            month -= 1
        return month - (LAG if self._places[client_id] == LAGGING_CLIENT else 0)

    def _billing_day(self, client_id: int) -> int:
        return FIRST_BILLING_DAY - 1 + self._places[client_id] % 5

    def job(self, client: Record, month: int) -> Job:
        """The invoice of a client for a month."""
        key = client["id"], month
        if key not in self.jobs:
            day = month_start(month + 1) + self._billing_day(client["id"])
            self.jobs[key] = Job(client, day, "time", slot=len(self.billed.bills), month=month)
            self.billed.bills.append(EntryBill())
        return self.jobs[key]

    def bill_entries(self) -> None:
        """Give every entry its bill, and write the lines."""
        hours, bill = self._hours, self.billed.bill
        months = {day: month_of(day) for day in set(hours.day)}
        slots: dict[tuple[int, int], int] = {}
        quarters = [int(work.amount["rounded_hours"] * 4) for work in hours.works]
        sums: dict[tuple[int, int], int] = {}
        for k, (day, booking) in enumerate(zip(hours.day, hours.booking, strict=True)):
            key = booking, months[day]
            slot = slots.get(key)
            if slot is None:
                slot = slots[key] = self._slot(*key)
            if slot > MARKED:
                if k * 2654435761 % 1021 % HELD_BACK == 0:
                    continue
                line = slot, booking
                sums[line] = sums.get(line, 0) + quarters[hours.work[k]]
            bill[k] = slot
        self._write_lines(sums)

    def _slot(self, booking: int, month: int) -> int:
        booked, found = self._hours.bookings[booking], self._hours.engagements[booking]
        if not booked.billable or found.terms.billing in ("never", "fee"):
            return NOT_BILLED
        client = found.client
        if month > self._last_month(client["id"]):
            return NOT_BILLED
        if found.terms.billing == "retainer":
            return MARKED
        first = month_of(self._agency.oldest)
        old = self._places[client["id"]] == OLD_SYSTEM_CLIENT
        if old and month < first + OLD_SYSTEM_MONTHS:
            return MARKED
        return self.job(client, month).slot if booked.billable_rate else NOT_BILLED

    def _write_lines(self, sums: dict[tuple[int, int], int]) -> None:
        lines: dict[tuple[int, int, str, float], int] = {}
        for (slot, booking), quarters in sums.items():
            booked = self._hours.bookings[booking]
            by = self._found[booked.project_id].terms.bill_by
            label = {
                "People": self._names[booked.user_id],
                "Tasks": self._tasks[booked.task_id],
            }.get(by, "Services")
            key = slot, booked.project_id, label, booked.billable_rate or 0
            lines[key] = lines.get(key, 0) + quarters
        jobs = {job.slot: job for job in self.jobs.values()}
        for (slot, project_id, label, rate), quarters in sorted(lines.items()):
            project = self._found[project_id].project
            text = f"{project['name']}: {label}"
            line = self.line("Service", text, Decimal(quarters) / 4, rate, project)
            if quarters:
                jobs[slot].lines.append(line)

    def line(
        self, kind: str, text: str, quantity: Decimal, price: float, project: Record | None
    ) -> Record:
        """A line item; its tax flags are set when the invoice is written."""
        return _line(self._agency, kind, text, quantity, price, project)

    def bill_expenses(self) -> None:
        """Put billable expenses on the invoice of their month, one line for each category."""
        sums: dict[tuple[int, int, int, str], list[Record]] = {}
        for rank, expense in enumerate(self._agency.plan.all("expenses")):
            if not expense["billable"] or rank % HELD_EXPENSES == 4:
                continue
            found = self._found[expense["project"]["id"]]
            month = month_of(parse_day(expense["spent_date"]) or 0)
            if month > self._last_month(found.client["id"]):
                continue
            name = expense["expense_category"]["name"]
            sums.setdefault((found.client["id"], month, found.id, name), []).append(expense)
        for (_, month, project_id, name), expenses in sums.items():
            found = self._found[project_id]
            job = self.job(found.client, month)
            cost = sum((exact(row["total_cost"]) for row in expenses), Decimal(0))
            text = f"{found.project['name']}: {name}"
            job.lines.append(self.line("Expenses", text, Decimal(1), float(cost), found.project))
            job.expenses += expenses


def _line(
    agency: Agency, kind: str, text: str, quantity: Decimal, price: float, project: Record | None
) -> Record:
    line_id = agency.plan.new_id("line_items")
    whole = line_id % 2 == 0
    return {
        "id": line_id,
        "kind": kind,
        "description": text if line_id % 11 else "",
        "quantity": spelled(float(quantity), whole=whole),
        "unit_price": price,
        "amount": spelled(money(quantity * exact(price)), whole=not whole),
        "taxed": True,
        "taxed2": True,
        "project": refs.coded(project) if project else None,
    }


def _fees(agency: Agency) -> Iterator[Job]:
    """The milestones of fixed fees; the first finished project is invoiced beyond its fee."""
    exceeded = False
    for found in agency.engagements:
        fee = found.project["fee"]
        if fee is None:
            continue
        parts = [*MILESTONES]
        if not exceeded and agency.oldest <= found.first and found.last < agency.plan.until - 2:
            exceeded = True
            parts.append((1.0, OVERRUN))
        for share, percent in parts:
            day = found.first + int((found.last - found.first) * share)
            if agency.oldest <= day < agency.plan.until - 1:
                text = f"{found.project['name']}: {percent} % of the fee"
                amount = exact(fee) * percent / 100
                line = _line(agency, "Service", text, Decimal(1), float(amount), found.project)
                yield Job(found.client, day, "fee", [line], found=found)


def _retainers(agency: Agency, values: dict[int, float]) -> Iterator[Job]:
    """The same amount every month, in advance."""
    plan = agency.plan
    months = range(month_of(agency.oldest) + 1, month_of(plan.until) + 1)
    for found in agency.engagements:
        if found.terms.billing != "retainer":
            continue
        amount = max(500, 100 * round(values.get(found.id, 0) / max(1, len(months)) / 100))
        for month in months:
            day = month_start(month) + 1
            if day < plan.until - 1:
                text = f"Retainer {month // 12}-{month % 12 + 1:02d}"
                line = _line(agency, "Service", text, Decimal(1), amount, found.project)
                yield Job(found.client, day, "retainer", [line], found=found)


def _write(agency: Agency, job: Job, rank: int) -> tuple[Record, int]:
    """The invoice as a draft, and the Unix second at which it was made."""
    plan = agency.plan
    at = day_epoch(job.day) + 10 * 3600 + rank % 3600
    leads = [person for person in agency.staff if person.user["access_roles"][0] != "member"]
    record = invoice_record(
        plan.new_id("invoices"), job.client, leads[rank % 2 % len(leads)].user, iso(at)
    )
    place = agency.clients.index(job.client)
    charges = TAXES.get(job.client["currency"], CHARGES[place % len(CHARGES)])
    if charges.flat_discount and sum(line["amount"] for line in job.lines) < SMALL:
        charges = Charges()
    for line in job.lines:
        line["taxed"], line["taxed2"] = charges.tax is not None, charges.tax2 is not None
    record |= {
        "number": f"{date.fromordinal(job.day).year}-{rank + 1:04d}" if rank % 9 else f"R-{rank}",
        "line_items": job.lines,
        "subject": ("", None, "Work of the month")[rank % 3],
        "notes": (None, "", "Thank you!\r\nPlease quote the number.")[rank % 3],
        "purchase_order": ("PO-77", "", None, None)[rank % 4],
        "payment_options": [[], ["credit_card"], ["ach", "paypal"]][rank % 3],
    }
    record |= totals(job.lines, charges, unset=(0.0, None, 0)[rank % 3], whole=rank % 4 != 1)
    if job.month is not None:
        record |= {
            "period_start": date.fromordinal(month_start(job.month)).isoformat(),
            "period_end": date.fromordinal(month_start(job.month + 1) - 1).isoformat(),
        }
    if job.kind == "retainer":
        record |= {
            "retainer": {"id": plan.new_id("retainers")},
            "recurring_invoice_id": 330_000 + (job.found.id if job.found else 0) % 1000,
        }
    return plan.add("invoices", record), at


def _mark_expense(expense: Record, invoice: Record, at: int) -> None:
    expense |= {
        "invoice": refs.numbered(invoice),
        "is_billed": True,
        "is_locked": True,
        "locked_reason": locked_reason(billed=True, approved=True, active=True),
        "updated_at": iso(at),
    }
