"""
The figures of a consultancy, computed exactly and from Harvest's records alone.

They follow the definitions, not the models: both must give the same numbers. Amounts are decimals
without any rounding unless a definition asks for one; a share is a fraction. Every function takes
:class:`Records` and returns figures by the key of the model of the same name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from harvest_source.sandbox import CHILDREN, TABLES, World

Row = dict[str, Any]
ZERO = Decimal(0)
CENT = Decimal("0.01")
DAYS_OFF = ("Vacation", "Sick leave", "Public holiday")
MONEY_BUDGETS = ("project_cost", "task_fees")
BUCKETS = ("not due", "1-30", "31-60", "61-90", ">90")


def number(value: Any) -> Decimal:
    """The decimal that a JSON number spells; null is 0."""
    return Decimal(str(value)) if value is not None else ZERO


def known(value: Any) -> Decimal | None:
    """The decimal that a JSON number spells, or null."""
    return None if value is None else number(value)


def cents(amount: Decimal | Fraction) -> Decimal:
    """Round half up to two places."""
    exact = Fraction(amount)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(CENT, ROUND_HALF_UP)


def day(text: str | None) -> date | None:
    """Parse a date of the API."""
    return None if text is None else date.fromisoformat(text)


def month(text: str) -> date:
    """The first day of the month of a date of the API."""
    return date.fromisoformat(text).replace(day=1)


def month_end(first: date) -> date:
    """The last day of the month that begins with *first*."""
    return (first + timedelta(32)).replace(day=1) - timedelta(1)


def add(sums: dict[Any, Decimal], key: Any, amount: Decimal) -> None:
    """Add to a sum."""
    sums[key] = sums.get(key, ZERO) + amount


@dataclass(frozen=True)
class Records:
    """
    The records of one account, and the day as of which everything is computed.

    Attributes:
        tables: Rows as served, by table; children hold the id of their parent.
        time_off: Ids of the tasks on which time off and holidays are recorded.
    """

    tables: Mapping[str, list[Row]]
    company: Row
    as_of: date
    time_off: frozenset[int]
    weekdays: frozenset[int] = field(default=frozenset({1, 2, 3, 4, 5}))

    def rows(self, table: str) -> list[Row]:
        """Every row of a table."""
        return self.tables[table]

    @cached_property
    def projects(self) -> dict[int, Row]:
        """Projects by id."""
        return {row["id"]: row for row in self.rows("projects")}

    @cached_property
    def users(self) -> dict[int, Row]:
        """Users by id."""
        return {row["id"]: row for row in self.rows("users")}

    @cached_property
    def cost_rates(self) -> dict[int, list[Row]]:
        """Each person's cost rates, oldest first."""
        found: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(self.rows("cost_rates"), key=lambda row: row["start_date"] or ""):
            found[row["user_id"]].append(row)
        return found

    def is_fixed(self, entry: Row) -> bool:
        """Whether an entry is on a fixed-fee project."""
        return bool(self.projects[entry["project"]["id"]]["is_fixed_fee"])

    def cost_rate(self, entry: Row) -> Decimal | None:
        """The entry's cost rate, or the rate that was valid on its day."""
        if entry["cost_rate"] is not None:
            return number(entry["cost_rate"])
        held = [
            rate["amount"]
            for rate in self.cost_rates.get(entry["user"]["id"], [])
            if (rate["start_date"] or "") <= entry["spent_date"]
        ]
        return known(held[-1]) if held else None

    def standard_value(self, entry: Row) -> Decimal | None:
        """Rounded hours at the billable rate, fixed fees included; null without a rate."""
        if not entry["billable"]:
            return ZERO
        rate = known(entry["billable_rate"])
        return None if rate is None else number(entry["rounded_hours"]) * rate

    def billable_amount(self, entry: Row) -> Decimal | None:
        """The standard value, but zero on a fixed-fee project."""
        return ZERO if self.is_fixed(entry) else self.standard_value(entry)

    def cost(self, entry: Row) -> Decimal | None:
        """Hours at the cost rate; null if the rate is missing."""
        rate = self.cost_rate(entry)
        return None if rate is None else number(entry["hours"]) * rate


def read_records(world: World, as_of: date, account_id: int | None = None) -> Records:
    """The records of an account as Harvest serves them to an administrator."""
    tables = {table: world.rows(table, account_id) for table in (*TABLES, *CHILDREN)}
    off = frozenset(row["id"] for row in tables["tasks"] if row["name"] in DAYS_OFF)
    return Records(tables, world.company(account_id), as_of, off)


# -- utilization -----------------------------------------------------------------------------


@dataclass
class Utilization:
    """The hours of a person in a period."""

    working_days: int = 0
    capacity: Fraction = Fraction(0)
    total: Decimal = ZERO
    billable: Decimal = ZERO
    off: Decimal = ZERO

    @property
    def shares(self) -> dict[str, Fraction | None]:
        """Each share, named for its numerator and denominator; null if the denominator is zero."""
        total, billable, off = map(Fraction, (self.total, self.billable, self.off))
        net = self.capacity - off
        return {
            "total_share_of_capacity": share(total, self.capacity),
            "billable_share_of_capacity": share(billable, self.capacity),
            "worked_share_of_available": share(total - off, net),
            "billable_share_of_available": share(billable, net),
            "billable_share_of_total": share(billable, total),
        }


def share(part: Fraction, whole: Fraction) -> Fraction | None:
    """A part divided by its whole; null if the whole is zero."""
    return part / whole if whole else None


def utilization(
    records: Records, period: Callable[[date], date]
) -> dict[tuple[int, date], Utilization]:
    """
    Utilization by person and period.

    Capacity is a fifth of the weekly capacity for each working day since the first entry: until the
    last entry for archived people, otherwise until the as-of day.
    """
    found: dict[tuple[int, date], Utilization] = defaultdict(Utilization)
    for entry in records.rows("time_entries"):
        if entry["spent_date"] > str(records.as_of):
            continue
        spent = date.fromisoformat(entry["spent_date"])
        of = found[entry["user"]["id"], period(spent)]
        hours = number(entry["hours"])
        of.total += hours
        of.billable += hours if entry["billable"] else ZERO
        of.off += hours if entry["task"]["id"] in records.time_off else ZERO
    for user_id, worked in working_days(records):
        of = found[user_id, period(worked)]
        of.working_days += 1
        weekly = Fraction(records.users[user_id]["weekly_capacity"], 3600)
        of.capacity += weekly / len(records.weekdays)
    return dict(found)


def working_days(records: Records) -> Iterator[tuple[int, date]]:
    """Every person and working day that counts towards capacity."""
    spent: dict[int, set[str]] = defaultdict(set)
    for entry in records.rows("time_entries"):
        if entry["spent_date"] <= str(records.as_of):
            spent[entry["user"]["id"]].add(entry["spent_date"])
    for user_id, days in spent.items():
        at = date.fromisoformat(min(days))
        active = records.users[user_id]["is_active"]
        last = records.as_of if active else date.fromisoformat(max(days))
        while at <= last:
            if at.isoweekday() in records.weekdays:
                yield user_id, at
            at += timedelta(1)


def missing_time(records: Records) -> set[tuple[int, date]]:
    """People and working days without any hours."""
    logged: dict[tuple[int, str], Decimal] = {}
    for entry in records.rows("time_entries"):
        add(logged, (entry["user"]["id"], entry["spent_date"]), number(entry["hours"]))
    return {
        (user_id, at)
        for user_id, at in working_days(records)
        if not logged.get((user_id, at.isoformat())) and records.users[user_id]["weekly_capacity"]
    }


# -- invoices --------------------------------------------------------------------------------


def net(invoice: Row) -> Decimal:
    """The amount less both taxes."""
    taxes = number(invoice["tax_amount"]) + number(invoice["tax2_amount"])
    return number(invoice["amount"]) - taxes


def collected(records: Records) -> dict[int, Decimal]:
    """Payments by invoice."""
    sums: dict[int, Decimal] = {}
    for row in records.rows("invoice_payments"):
        add(sums, row["invoice_id"], number(row["amount"]))
    return sums


def net_lines(invoice: Row) -> dict[int, Decimal]:
    """
    The net amount of each line item: its amount less its part of the discount.

    The discount is spread by amount and rounded to cents; the largest line gets the remainder, or
    of equal lines the one with the lowest id.
    """
    lines = invoice["line_items"]
    whole = sum((number(line["amount"]) for line in lines), ZERO)
    off = number(invoice["discount_amount"])
    parts = {}
    for line in lines:
        amount = number(line["amount"])
        part = cents(Fraction(amount) * Fraction(off) / Fraction(whole)) if whole else ZERO
        parts[line["id"]] = amount - part
    if lines:
        largest = min(lines, key=lambda line: (-number(line["amount"]), line["id"]))
        parts[largest["id"]] += net(invoice) - sum(parts.values(), ZERO)
    return parts


def project_parts(invoice: Row) -> dict[int | None, Decimal]:
    """Net amounts of an invoice by project; null for lines without one."""
    sums: dict[int | None, Decimal] = {}
    amounts = net_lines(invoice)
    for line in invoice["line_items"]:
        add(sums, line["project"]["id"] if line["project"] else None, amounts[line["id"]])
    return sums or {None: net(invoice)}


@dataclass(frozen=True)
class Realisation:
    """What an invoice charges for a project, compared with the value of the work."""

    standard_value: Decimal | None
    invoiced: Decimal
    collected: Decimal
    expenses: Decimal = ZERO


def realisation(records: Records) -> dict[tuple[int, int | None], Realisation]:
    """
    By invoice and project, without drafts; payments are split like the net amounts.

    Projects whose work or expenses an invoice bills belong to it even if no line names them.
    """
    worth: dict[tuple[int, int | None], Decimal | None] = {}
    for entry in records.rows("time_entries"):
        if entry["invoice"]:
            key = entry["invoice"]["id"], entry["project"]["id"]
            value, before = records.standard_value(entry), worth.get(key, ZERO)
            worth[key] = None if value is None or before is None else before + value
    expenses: dict[tuple[int, int | None], Decimal] = {}
    for expense in records.rows("expenses"):
        if expense["invoice"]:
            key = expense["invoice"]["id"], expense["project"]["id"]
            add(expenses, key, number(expense["total_cost"]))
    paid = collected(records)
    found = {}
    for invoice in records.rows("invoices"):
        if invoice["state"] == "draft":
            continue
        parts = project_parts(invoice)
        cut = split(paid.get(invoice["id"], ZERO), invoice)
        billed = {key[1] for key in (*worth, *expenses) if key[0] == invoice["id"]}
        for project_id in {*parts, *billed}:
            key = invoice["id"], project_id
            found[key] = Realisation(
                standard_value=worth.get(key, ZERO),
                invoiced=parts.get(project_id, ZERO),
                collected=cut.get(project_id, ZERO),
                expenses=expenses.get(key, ZERO),
            )
    return found


def bucket(records: Records, invoice: Row) -> str:
    """How long an open invoice is overdue; one without a due date is never due."""
    due = day(invoice["due_date"])
    overdue = (records.as_of - due).days if due else 0
    return BUCKETS[0 if overdue <= 0 else min(4, (overdue + 29) // 30)]


def receivables_ageing(records: Records) -> dict[tuple[int, str, str], Decimal]:
    """The due amounts of open invoices, by client, currency and bucket."""
    sums: dict[tuple[int, str, str], Decimal] = {}
    for invoice in records.rows("invoices"):
        if invoice["state"] == "open" and number(invoice["due_amount"]) > 0:
            key = invoice["client"]["id"], invoice["currency"], bucket(records, invoice)
            add(sums, key, number(invoice["due_amount"]))
    return sums


def written_off(records: Records) -> dict[int, Decimal]:
    """The unpaid amount of each closed invoice."""
    paid = collected(records)
    return {
        row["id"]: number(row["amount"]) - paid.get(row["id"], ZERO)
        for row in records.rows("invoices")
        if row["state"] == "closed"
    }


@dataclass
class Revenue:
    """
    Three amounts that must not be added up.

    Attributes:
        work: Null if no rate of the month's entries is known.
    """

    work: Decimal | None = ZERO
    invoiced: Decimal = ZERO
    collected: Decimal = ZERO


RevenueKey = tuple[int, int | None, date | None, str]


def revenue_monthly(records: Records) -> dict[RevenueKey, Revenue]:
    """
    Revenue by client, project, month and currency.

    A payment is split among the projects of its invoice like the net amounts, in cents; the largest
    project gets the remainder.
    """
    found: dict[RevenueKey, Revenue] = defaultdict(Revenue)
    values: dict[RevenueKey, list[Decimal | None]] = defaultdict(list)
    for entry in records.rows("time_entries"):
        project = records.projects[entry["project"]["id"]]
        client = project["client"]
        worked = month(entry["spent_date"])
        key: RevenueKey = client["id"], project["id"], worked, client["currency"]
        values[key].append(records.standard_value(entry))
    for key, of_month in values.items():
        found[key].work = None if set(of_month) == {None} else sum_of(of_month)
    invoices = {row["id"]: row for row in records.rows("invoices")}
    for invoice in invoices.values():
        if invoice["state"] != "draft":
            issued = month(invoice["issue_date"]) if invoice["issue_date"] else None
            for project_id, part in project_parts(invoice).items():
                key = invoice["client"]["id"], project_id, issued, invoice["currency"]
                found[key].invoiced += part
    for payment in records.rows("invoice_payments"):
        invoice = invoices[payment["invoice_id"]]
        for project_id, part in split(number(payment["amount"]), invoice).items():
            paid = month(payment["paid_date"])
            found[invoice["client"]["id"], project_id, paid, invoice["currency"]].collected += part
    return dict(found)


def split(amount: Decimal, invoice: Row) -> dict[int | None, Decimal]:
    """A payment in cents by project of its invoice."""
    parts, whole = project_parts(invoice), net(invoice)
    if not whole:
        first = min(parts, key=lambda key: (-parts[key], key or 0))
        return {key: amount if key == first else ZERO for key in parts}
    cut = {
        key: cents(Fraction(amount) * Fraction(part) / Fraction(whole))
        for key, part in parts.items()
    }
    largest = min(parts, key=lambda key: (-parts[key], key or 0))
    cut[largest] += amount - sum(cut.values(), ZERO)
    return cut


def sum_of(amounts: Iterable[Decimal | None]) -> Decimal:
    """A sum that leaves out unknown amounts."""
    return sum((amount for amount in amounts if amount is not None), ZERO)
