"""The consultancy of ``sync --sandbox``: its figures are like those of a real one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from harvest_source.sandbox import CHILDREN, TABLES, ManualClock, World, agency_settings
from harvest_source.sandbox.data.entries.ledger import LedgerEntries
from harvest_source.sandbox.data.values import NOTHING_HIDDEN
from tests.support.quotes import check_order, check_quotes

Row = dict[str, Any]
TODAY = date(2026, 6, 17)
TIME_OFF = {"Vacation", "Sick leave", "Public holiday"}
KINDS = {"person", "task", "project", "project_cost", "task_fees", "none"}


def build(**fields: Any) -> World:
    """A world without a server, on a stopped clock."""
    settings: dict[str, Any] = {"clock": ManualClock(), "limit": False, **fields}
    return World(agency_settings(**settings))


@pytest.fixture(scope="module")
def world() -> World:
    """The agency as ``sync --sandbox`` reads it."""
    return build()


@pytest.fixture(scope="module")
def rows(world: World) -> dict[str, list[Row]]:
    """Every record of every table."""
    return {table: world.rows(table) for table in (*TABLES, *CHILDREN)}


def number(value: Any) -> Decimal:
    """A JSON number as the decimal it spells; null is 0."""
    return Decimal(str(value or 0))


def total(values: Any) -> Decimal:
    """A sum of decimals."""
    return sum(values, Decimal(0))


# -- people and hours ------------------------------------------------------------------------


def capacity(rows: dict[str, list[Row]], first: date, last: date) -> Decimal:
    """Hours that the people employed on these days could work."""
    days: dict[int, list[str]] = defaultdict(list)
    for entry in rows["time_entries"]:
        days[entry["user"]["id"]].append(entry["spent_date"])
    hours = Decimal(0)
    for user in rows["users"]:
        worked = days[user["id"]]
        begin = max(first, date.fromisoformat(min(worked)))
        end = last if user["is_active"] else min(last, date.fromisoformat(max(worked)))
        length = max(0, (end - begin).days + 1)
        weekdays = sum((begin + timedelta(at)).weekday() < 5 for at in range(length))
        hours += Decimal(user["weekly_capacity"]) / 3600 / 5 * weekdays
    return hours


def full_months(rows: dict[str, list[Row]]) -> list[tuple[date, date]]:
    """First and last day of each month that the entries cover."""
    oldest = date.fromisoformat(rows["time_entries"][-1]["spent_date"])
    first = (oldest.replace(day=1) + timedelta(32)).replace(day=1)
    months = []
    while (after := (first + timedelta(32)).replace(day=1)) <= TODAY:
        months.append((first, after - timedelta(1)))
        first = after
    return months


def test_utilization_of_every_month_is_realistic(rows: dict[str, list[Row]]) -> None:
    """Billable hours are 60 to 85 % of capacity, all hours 93 to 105 %, time off 3 to 20 %."""
    months = full_months(rows)
    assert len(months) >= 11
    for first, last in months:
        bounds = first.isoformat(), last.isoformat()
        within = [
            row for row in rows["time_entries"] if bounds[0] <= row["spent_date"] <= bounds[1]
        ]
        of = capacity(rows, first, last)
        billable = total(number(row["hours"]) for row in within if row["billable"]) / of
        worked = total(number(row["hours"]) for row in within) / of
        off = total(number(row["hours"]) for row in within if row["task"]["name"] in TIME_OFF) / of
        assert Decimal("0.60") <= billable <= Decimal("0.85"), (first, billable)
        assert Decimal("0.93") <= worked <= Decimal("1.05"), (first, worked)
        assert Decimal("0.03") <= off <= Decimal("0.20"), (first, off)


def test_people_join_and_leave(rows: dict[str, list[Row]]) -> None:
    """40 people work here now; some joined within the history, others left and track no more."""
    active = [user for user in rows["users"] if user["is_active"]]
    assert len(active) == 40
    assert len(rows["users"]) == 44
    oldest = rows["time_entries"][-1]["spent_date"]
    firsts = {row["user"]["id"]: row["spent_date"] for row in rows["time_entries"]}
    assert sum(first > oldest[:8] + "31" for first in firsts.values()) >= 4
    lasts = {row["user"]["id"]: row["spent_date"] for row in reversed(rows["time_entries"])}
    gone = [lasts[user["id"]] for user in rows["users"] if not user["is_active"]]
    assert all(last < "2026-06-01" for last in gone)
    assert len({user["weekly_capacity"] for user in active}) >= 3


def test_there_is_a_stale_timer_and_a_day_of_over_24_hours(rows: dict[str, list[Row]]) -> None:
    """Data quality checks find their cases: a forgotten timer, and a day of more than 24 hours."""
    running = [row["spent_date"] for row in rows["time_entries"] if row["is_running"]]
    assert min(running) < "2026-06-16" < max(running)
    days: Counter[tuple[int, str]] = Counter()
    for row in rows["time_entries"]:
        if not row["is_running"]:
            days[row["user"]["id"], row["spent_date"]] += row["hours"]
    assert len([hours for hours in days.values() if hours > 24]) == 1


def test_some_rates_are_missing_and_most_rise(rows: dict[str, list[Row]]) -> None:
    """Some hours have no billable or no cost rate; most people's rates rose over time."""
    entries = rows["time_entries"]
    unpriced = [row for row in entries if row["billable"] and row["billable_rate"] is None]
    uncosted = [row for row in entries if row["cost_rate"] is None]
    assert 0.005 < len(unpriced) / len(entries) < 0.05
    assert 0.01 < len(uncosted) / len(entries) < 0.1
    known = {row["user"]["id"] for row in entries if row["cost_rate"] is not None}
    assert {row["user"]["id"] for row in uncosted} & known
    assert {row["user"]["id"] for row in uncosted} - known
    rates: dict[int, set[float]] = defaultdict(set)
    for row in entries:
        if row["cost_rate"] is not None:
            rates[row["user"]["id"]].add(row["cost_rate"])
    assert sum(len(found) > 1 for found in rates.values()) > 30


# -- invoices --------------------------------------------------------------------------------


def test_lines_add_up_to_the_entries_and_expenses_billed(rows: dict[str, list[Row]]) -> None:
    """The lines of a monthly invoice are, by project, the entries and expenses billed on it."""
    worth: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for row in rows["time_entries"]:
        if row["invoice"]:
            product = number(row["rounded_hours"]) * number(row["billable_rate"])
            worth[row["invoice"]["id"], row["project"]["id"]] += product
    for row in rows["expenses"]:
        if row["invoice"]:
            worth[row["invoice"]["id"], row["project"]["id"]] += number(row["total_cost"])
    lines: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    monthly = [row for row in rows["invoices"] if row["period_start"]]
    for invoice in monthly:
        for line in invoice["line_items"]:
            lines[invoice["id"], line["project"]["id"]] += number(line["amount"])
    assert len(monthly) > 80
    assert lines == worth


def test_billed_entries_are_locked_and_on_an_invoice_of_their_month(
    rows: dict[str, list[Row]],
) -> None:
    """Billed entries are billable and locked, in the invoice's period and of its client."""
    invoices = {row["id"]: row for row in rows["invoices"]}
    for entry in rows["time_entries"]:
        if entry["is_billed"]:
            assert (entry["billable"], entry["is_locked"]) == (True, True)
        if entry["invoice"]:
            found = invoices[entry["invoice"]["id"]]
            assert found["period_start"] <= entry["spent_date"] <= found["period_end"]
            assert found["client"]["id"] == entry["client"]["id"]
            assert entry["updated_at"] == found["created_at"]


def test_most_of_the_work_is_billed_within_two_months(rows: dict[str, list[Row]]) -> None:
    """Of older hours at a rate, 80 to 99 % are billed, and some of them are only marked as such."""
    fixed = {row["id"] for row in rows["projects"] if row["is_fixed_fee"]}
    old = [
        row
        for row in rows["time_entries"]
        if row["billable_rate"] and row["project"]["id"] not in fixed
        if row["spent_date"] < "2026-04-17"
    ]
    assert 0.80 < len([row for row in old if row["is_billed"]]) / len(old) < 0.99
    marked = [row for row in old if row["is_billed"] and row["invoice"] is None]
    assert 0.02 < len(marked) / len(old) < 0.25


def test_payments_and_states_agree(rows: dict[str, list[Row]]) -> None:
    """The due amount is the amount less the payments, and 0 once paid or written off."""
    paid: dict[int, Decimal] = defaultdict(Decimal)
    for row in rows["invoice_payments"]:
        paid[row["invoice_id"]] += number(row["amount"])
    kinds: Counter[str] = Counter()
    for invoice in rows["invoices"]:
        amount, due = number(invoice["amount"]), number(invoice["due_amount"])
        of_it = paid[invoice["id"]]
        kind = invoice["state"]
        if kind == "open":
            assert due == amount - of_it > 0
            kind = "open, part paid" if of_it else kind
        elif kind == "paid":
            assert due == 0 == of_it - amount
        elif kind == "closed":
            assert due == 0 <= of_it < amount
        else:
            assert of_it == 0 == due - amount
        kinds[kind] += 1
    assert set(kinds) == {"draft", "open", "open, part paid", "paid", "closed"}
    assert kinds["paid"] > len(rows["invoices"]) / 2


BUCKETS = ("not due", "1-30", "31-60", "61-90", ">90")


def bucket(days: int) -> str:
    """The ageing bucket of an invoice, by the number of days it is overdue."""
    return BUCKETS[0 if days <= 0 else min(4, (days + 29) // 30)]


def test_receivables_are_in_every_bucket(rows: dict[str, list[Row]]) -> None:
    """Some open invoices are not due yet; others are overdue by few or by many days."""
    found = {
        bucket((TODAY - date.fromisoformat(row["due_date"])).days)
        for row in rows["invoices"]
        if row["state"] == "open"
    }
    assert found == set(BUCKETS)


def test_invoices_have_every_variety(rows: dict[str, list[Row]]) -> None:
    """Retainers, estimates, taxes, discounts, currencies, drafts without dates, a mismatch."""
    invoices = rows["invoices"]
    clients = {row["id"]: row["currency"] for row in rows["clients"]}
    assert any(row["retainer"] for row in invoices)
    assert any(row["estimate"] for row in invoices)
    assert any(row["tax2_amount"] for row in invoices)
    assert any(row["discount"] for row in invoices)
    assert any(row["discount"] is None and row["discount_amount"] for row in invoices)
    assert len({row["currency"] for row in invoices}) >= 5
    assert any(row["issue_date"] is None for row in invoices)
    assert any(row["purchase_order"] is None for row in invoices)
    assert len([row for row in invoices if clients[row["client"]["id"]] != row["currency"]]) == 1
    kinds = {type(row["amount"]) for row in invoices}
    kinds |= {type(line["quantity"]) for row in invoices for line in row["line_items"]}
    assert {int, float} <= kinds


def test_one_fixed_fee_is_missing_and_one_is_exceeded(rows: dict[str, list[Row]]) -> None:
    """One fixed-fee project has no fee, one was invoiced beyond it, the others within it."""
    lines: dict[int, Decimal] = defaultdict(Decimal)
    for invoice in rows["invoices"]:
        for line in invoice["line_items"]:
            if not invoice["period_start"]:
                lines[line["project"]["id"]] += number(line["amount"])
    fixed = [row for row in rows["projects"] if row["is_fixed_fee"]]
    assert len(fixed) >= 4
    assert len([row for row in fixed if row["fee"] is None]) == 1
    over = [row for row in fixed if row["fee"] and lines[row["id"]] > number(row["fee"])]
    assert len(over) == 1


# -- projects --------------------------------------------------------------------------------


def test_every_kind_of_budget_is_there(rows: dict[str, list[Row]]) -> None:
    """Budgets by person, task, project, money and fees; monthly; blank and zero, also by line."""
    projects = rows["projects"]
    assert {row["budget_by"] for row in projects} == KINDS
    assert {row["bill_by"] for row in projects} == {"Project", "People", "Tasks", "none"}
    assert {row["budget_by"] for row in projects if row["budget_is_monthly"]} >= {
        "project", "project_cost", "task",
    }  # fmt: skip
    whole = {
        (row["budget_by"], value if value is None else bool(value))
        for row in projects
        for name in (("cost_budget",) if row["budget_by"] == "project_cost" else ("budget",))
        if row["budget_by"] in ("project", "project_cost")
        for value in (row[name],)
    }
    assert whole == {(by, kind) for by in ("project", "project_cost") for kind in (None, 0, True)}
    kinds = {row["id"]: row["budget_by"] for row in projects}
    lines: dict[str, set[bool | None]] = defaultdict(set)
    for table in ("task_assignments", "user_assignments"):
        for row in rows[table]:
            value = row["budget"]
            lines[kinds[row["project"]["id"]]].add(value if value is None else bool(value))
    for by in ("task", "task_fees", "person"):
        assert lines[by] == {None, False, True}, by


def test_budgets_fit_the_work(world: World, rows: dict[str, list[Row]]) -> None:
    """Projects with a budget of their own have spent 20 to 130 % of it, and some exceed it."""
    shares = [
        row["budget_spent"] / row["budget"]
        for row in world.report("report_project_budget")
        if row["budget"] and row["budget_spent"]
        if row["budget_by"] in ("project", "project_cost")
    ]
    assert len(shares) > 12
    assert all(0.2 <= share <= 1.3 for share in shares), sorted(shares)
    assert any(share > 1 for share in shares)


def test_blank_budgets_count_nothing(rows: dict[str, list[Row]]) -> None:
    """``budgeted`` is false where the budget, of the project or of the line, is blank."""
    projects = {row["id"]: row for row in rows["projects"]}
    for entry in rows["time_entries"]:
        project = projects[entry["project"]["id"]]
        value = {
            "project": project["budget"],
            "project_cost": project["cost_budget"],
            "person": entry["user_assignment"]["budget"],
            "task": entry["task_assignment"]["budget"],
            "task_fees": entry["task_assignment"]["budget"],
            "none": None,
        }[project["budget_by"]]
        assert entry["budgeted"] == (value is not None)


def test_traps_of_names_and_currencies(rows: dict[str, list[Row]]) -> None:
    """Projects share a name, clients are renamed or archived, some hours billable by mistake."""
    names = Counter(row["name"] for row in rows["projects"])
    assert max(names.values()) > 1
    assert any("formerly" in row["name"] for row in rows["clients"])
    assert any(not row["is_active"] for row in rows["clients"])
    assert len({row["currency"] for row in rows["clients"]}) >= 5
    unbillable = {row["id"] for row in rows["projects"] if not row["is_billable"]}
    mistaken = [
        row
        for row in rows["time_entries"]
        if row["billable"] and row["project"]["id"] in unbillable
    ]
    assert 0 < len(mistaken) < 200


# -- the look of the records -----------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_quoted_records_equal_their_originals(rows: dict[str, list[Row]], table: str) -> None:
    """Quoted records exist and are quoted as they are; nested objects come last."""
    originals = {name: {row["id"]: row for row in rows[name]} for name in TABLES}
    check_quotes(rows[table], originals)
    for row in rows[table]:
        check_order(row)


BOTH_KINDS = {
    "time_entries": ("hours", "hours_without_timer", "billable_rate", "cost_rate"),
    "expenses": ("units", "total_cost"),
    "invoices": ("amount", "due_amount"),
    "invoice_payments": ("amount",),
    "projects": ("hourly_rate", "budget", "fee"),
}


@pytest.mark.parametrize("table", BOTH_KINDS)
def test_numbers_come_with_and_without_a_fraction(rows: dict[str, list[Row]], table: str) -> None:
    """A client must take 12 and 12.0 for the same type of number."""
    for name in BOTH_KINDS[table]:
        assert {int, float} <= {type(row[name]) for row in rows[table]}, name


def test_most_contacts_have_phones(rows: dict[str, list[Row]]) -> None:
    """Both kinds of number are filled in for most contacts, and empty texts for others."""
    for name in ("phone_office", "phone_mobile"):
        filled = [bool(row[name]) for row in rows["contacts"]]
        assert 0.5 < sum(filled) / len(filled) < 1


# -- the sandbox's own rules -----------------------------------------------------------------


DATES = (
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 5, 11, 9, tzinfo=UTC),
    datetime(2026, 11, 29, 12, tzinfo=UTC),
)
"""Leap day, ends of years and months, a Monday, a Sunday."""


@pytest.mark.parametrize("now", DATES, ids=str)
def test_no_record_is_in_the_future_and_the_entry_count_is_exact(now: datetime) -> None:
    """No record is created or changed in the future; the number of entries is as asked."""
    world = build(entries=2000, people=7, clock=ManualClock(now))
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert world.count("time_entries") == 2000
    for table in (*TABLES, *CHILDREN):
        for row in world.rows(table):
            assert row["created_at"] <= row["updated_at"] <= text, (table, row)


@pytest.mark.parametrize(("entries", "people"), [(0, 3), (1, 3), (39, 40), (41, 5), (5000, 3)])
def test_short_and_long_histories_have_the_exact_entry_count(entries: int, people: int) -> None:
    """Short and long histories have exactly the entries asked for, each id once, in order."""
    found = build(entries=entries, people=people).rows("time_entries")
    keys = [(row["spent_date"], row["id"]) for row in found]
    assert len(found) == entries == len({row["id"] for row in found})
    assert keys == sorted(keys, reverse=True)


def test_the_same_seed_gives_the_same_agency() -> None:
    """Equal settings give equal rows in every table; another seed gives others."""
    first, same, other = (build(entries=900, people=9, seed=seed) for seed in (1, 1, 2))
    for table in (*TABLES, *CHILDREN):
        assert first.rows(table) == same.rows(table)
    for table in ("time_entries", "projects"):
        assert first.rows(table) != other.rows(table)


@pytest.mark.parametrize("fields", [{}, {"clock_24h": True}, {"timestamp_timers": False}])
def test_fast_and_slow_path_write_the_same_bytes(fields: dict[str, Any]) -> None:
    """Rows joined from fragments equal rows built as records, byte for byte."""
    entries = build(entries=900, people=9, **fields)._account(None).entries.seeded
    assert isinstance(entries, LedgerEntries)
    fast: list[bytes] = []
    numbers = range(entries.size - 1, -1, -1)
    entries.write(numbers, NOTHING_HIDDEN, fast)
    slow = [
        json.dumps(entries.record(k), ensure_ascii=False, separators=(",", ":")) for k in numbers
    ]
    assert b",".join(fast).decode() == ",".join(slow)


def test_edits_and_deletions_reach_the_entries() -> None:
    """A renamed client shows in every entry; a deleted invoice reopens what it billed."""
    world = build(entries=900, people=6)
    entries = world.rows("time_entries")
    billed = next(row for row in entries if row["invoice"])
    client_id, invoice_id = billed["client"]["id"], billed["invoice"]["id"]
    before = world.report("report_uninvoiced", "2025-06-18", "2026-06-17")
    world.edit("clients", client_id, name="Renamed")
    world.delete("invoices", invoice_id)
    after = {row["id"]: row for row in world.rows("time_entries")}
    for row in entries:
        now = after[row["id"]]
        assert (now["client"]["name"] == "Renamed") == (row["client"]["id"] == client_id)
        on_it = row["invoice"] is not None and row["invoice"]["id"] == invoice_id
        assert now["is_billed"] == (row["is_billed"] and not on_it)
    hours = [
        sum(row["uninvoiced_hours"] for row in rows)
        for rows in (before, world.report("report_uninvoiced", "2025-06-18", "2026-06-17"))
    ]
    opened = [
        row["rounded_hours"]
        for row in entries
        if row["invoice"] and row["invoice"]["id"] == invoice_id
    ]
    assert hours[1] - hours[0] == sum(opened) > 0


def test_new_entries_have_todays_rates() -> None:
    """A new entry on a usual task has its person's current cost rate."""
    world = build(entries=3000, people=6)
    costs = {row["id"]: row["cost_rate"] for row in world.rows("users") if row["is_active"]}
    office = next(row["id"] for row in world.rows("tasks") if row["name"] == "Administration")
    for user_id, cost in costs.items():
        found = world.create("time_entries", user_id=user_id, task_id=office, hours=1)
        assert found["cost_rate"] == cost


def test_two_accounts_share_ids_and_differ_in_their_rows() -> None:
    """Two accounts share ids and differ in their rows."""
    world = build(entries=300, people=4, accounts=(1000001, 1000002))
    first, second = (world.rows("time_entries", account_id) for account_id in (1000001, 1000002))
    assert {row["id"] for row in first} & {row["id"] for row in second}
    assert first != second


def test_ids_do_not_follow_dates(rows: dict[str, list[Row]]) -> None:
    """Some timesheets are filled in on Fridays, so a later id may have an earlier date."""
    dates = [row["spent_date"] for row in sorted(rows["time_entries"], key=lambda row: row["id"])]
    assert any(later < earlier for earlier, later in pairwise(dates))
