"""The seeded account: plausible, consistent, the same for the same settings and clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from harvest_source.sandbox import (
    CHILDREN,
    NESTED,
    TABLES,
    ManualClock,
    Settings,
    World,
    agency_settings,
)
from harvest_source.sandbox.data.records.guesses import GUESSED
from tests.support.quotes import check_order, check_quotes

TIME_ENTRY = (
    "id spent_date hours hours_without_timer rounded_hours notes is_locked is_explicitly_locked "
    "locked_reason is_closed approval_status is_billed timer_started_at started_time ended_time "
    "is_running billable budgeted billable_rate cost_rate created_at updated_at user client "
    "project task user_assignment task_assignment invoice external_reference"
)


def build(**fields: Any) -> World:
    """A world without a server, on a stopped clock."""
    settings: dict[str, Any] = {"entries": 600, "clock": ManualClock(), **fields}
    return World(Settings(**settings))


@pytest.fixture(scope="module")
def world() -> World:
    """One account that no test changes."""
    return build()


def number(value: float | None) -> Decimal:
    """A JSON number as the decimal it spells."""
    return Decimal(str(value or 0))


def test_the_same_seed_gives_the_same_account() -> None:
    """Equal settings give equal rows in every table; another seed gives others."""
    first, same, other = build(), build(), build(seed=2)
    for table in (*TABLES, *CHILDREN):
        assert first.rows(table) == same.rows(table)
    assert first.rows("time_entries") != other.rows("time_entries")
    assert first.rows("invoices") != other.rows("invoices")


DATES = (
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 28, 12, tzinfo=UTC),
    datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 4, 30, 18, tzinfo=UTC),
    datetime(2026, 5, 11, 9, tzinfo=UTC),
    datetime(2026, 11, 22, 12, tzinfo=UTC),
    datetime(2026, 11, 29, 12, tzinfo=UTC),
    datetime(2028, 3, 1, tzinfo=UTC),
)
"""Leap day, ends of years and months, a Monday, a Sunday."""


def count_rows(world: World) -> dict[str, int]:
    """The number of rows by table, and of line items."""
    counts = {table: world.count(table) for table in (*TABLES, *NESTED)}
    for table in ("invoices", "estimates"):
        counts[f"lines of {table}"] = sum(len(row["line_items"]) for row in world.rows(table))
    return counts


@pytest.mark.parametrize("sizes", [{}, {"invoices": 70, "estimates": 40, "years": 1}])
def test_the_number_of_rows_does_not_depend_on_the_date(sizes: dict[str, int]) -> None:
    """The README shows what a sync prints: a reader sees the same numbers on any day."""
    counts = [count_rows(build(clock=ManualClock(now), **sizes)) for now in DATES]
    for now, found in zip(DATES, counts, strict=True):
        assert found == counts[0], now


@pytest.mark.parametrize("now", DATES, ids=str)
def test_no_record_is_in_the_future_on_any_date(now: datetime) -> None:
    """No record is created or changed in the future, whatever day the clock shows."""
    world = build(entries=60, clock=ManualClock(now))
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    for table in (*TABLES, *CHILDREN):
        for row in world.rows(table):
            assert row["created_at"] <= row["updated_at"] <= text


def test_sizes_are_as_asked() -> None:
    """Every size of the settings is a row count."""
    sizes = {
        "entries": 321,
        "users": 9,
        "clients": 5,
        "projects": 13,
        "tasks": 7,
        "contacts": 4,
        "invoices": 23,
        "estimates": 6,
        "expenses": 31,
    }
    world = build(**sizes)
    for name, size in sizes.items():
        assert world.count("time_entries" if name == "entries" else name) == size


@pytest.mark.parametrize("entries", [0, 1, 2, 7, 39, 40, 41, 1001])
def test_any_number_of_entries_is_exact(entries: int) -> None:
    """Any number of entries is exact, even one that fills no week; each id comes once, in order."""
    rows = build(entries=entries).rows("time_entries")
    keys = [(row["spent_date"], row["id"]) for row in rows]
    assert len(rows) == entries == len({row["id"] for row in rows})
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("sizes", [{"projects": 200, "users": 60}, {"clients": 1, "tasks": 1}])
def test_large_and_tiny_dimensions_stay_in_the_past(sizes: dict[str, int]) -> None:
    """No record is created or changed in the future, however many there are."""
    world = build(entries=200, **sizes)
    for table in (*TABLES, *CHILDREN):
        for row in world.rows(table):
            assert row["created_at"] <= row["updated_at"] <= "2026-06-17T12:00:00Z"


@pytest.fixture(scope="module")
def originals(world: World) -> dict[str, dict[int, dict[str, Any]]]:
    """Every row of every table, by id."""
    return {name: {row["id"]: row for row in world.rows(name)} for name in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_references_exist_and_quote_their_originals(
    originals: dict[str, dict[int, dict[str, Any]]], table: str
) -> None:
    """Every quoted record exists, and the quoted members are those of the original."""
    check_quotes(originals[table].values(), originals)


def test_assignments_match_their_entry(world: World) -> None:
    """An entry's assignments are those of its own project, person and task."""
    staffed = {row["id"]: row for row in world.rows("user_assignments")}
    tasked = {row["id"]: row for row in world.rows("task_assignments")}
    projects = {row["id"]: row for row in world.rows("projects")}
    for row in world.rows("time_entries"):
        assert row["client"]["id"] == projects[row["project"]["id"]]["client"]["id"]
        if row["user_assignment"]:
            found = staffed[row["user_assignment"]["id"]]
            assert (found["project"]["id"], found["user"]["id"]) == (
                row["project"]["id"],
                row["user"]["id"],
            )
        if row["task_assignment"]:
            found = tasked[row["task_assignment"]["id"]]
            assert (found["project"]["id"], found["task"]["id"]) == (
                row["project"]["id"],
                row["task"]["id"],
            )


def test_roles_and_users_agree(world: World) -> None:
    """Users carry the names of the roles that list them."""
    for role in world.rows("roles"):
        listed = {row["id"] for row in world.rows("users") if role["name"] in row["roles"]}
        assert listed == set(role["user_ids"])


@pytest.mark.parametrize("table", ["invoices", "estimates"])
def test_money_adds_up(world: World, table: str) -> None:
    """Lines are quantity times price; the total is lines less discount plus both taxes."""
    for row in world.rows(table):
        for line in row["line_items"]:
            product = number(line["quantity"]) * number(line["unit_price"])
            assert abs(number(line["amount"]) - product) <= Decimal("0.005")
        lines = sum((number(line["amount"]) for line in row["line_items"]), Decimal(0))
        expected = lines - number(row["discount_amount"])
        expected += number(row["tax_amount"]) + number(row["tax2_amount"])
        assert number(row["amount"]) == expected
        if table == "invoices":
            assert 0 <= number(row["due_amount"]) <= number(row["amount"])


def test_documents_have_every_variety() -> None:
    """No line or several; both taxes, percentage and flat discounts, all states and currencies."""
    world = World(Settings(entries=0, invoices=60, clock=ManualClock()))
    invoices = world.rows("invoices")
    assert {0, 1, 2, 3} <= {len(row["line_items"]) for row in invoices}
    assert {row["state"] for row in invoices} == {"draft", "open", "paid", "closed"}
    assert len({row["currency"] for row in invoices}) > 2
    assert any(row["discount"] is None and row["discount_amount"] for row in invoices)
    assert any(row["tax2_amount"] for row in invoices)
    for name in ("tax", "tax2", "discount"):
        unset = {row[f"{name}_amount"] for row in invoices if row[name] is None}
        assert {None, 0} <= unset, name
    assert {None, "", "PO-77"} == {row["purchase_order"] for row in invoices}
    assert {"draft"} == {row["state"] for row in invoices if row["issue_date"] is None}
    kinds = {(row["bill_by"], row["budget_by"]) for row in world.rows("projects")}
    assert {by for by, _ in kinds} == {"Project", "People", "Tasks", "none"}
    assert len({budget for _, budget in kinds}) == 6


def test_guessed_members_are_served(world: World) -> None:
    """Members that only other clients mention are in every record, even an edited one."""
    for table, guessed in GUESSED.items():
        rows = [world.company()] if table == "company" else world.rows(table)
        for row in rows:
            assert set(guessed) <= set(row)


def test_contacts_have_phones_or_none(world: World) -> None:
    """Each kind of phone number is filled in on some contacts and, as recorded, empty on others."""
    rows = world.rows("contacts")
    for name in ("phone_office", "phone_mobile", "fax"):
        assert {True, False} == {bool(row[name]) for row in rows}
        assert all(isinstance(row[name], str) for row in rows)


def test_entries_carry_every_documented_member(world: World) -> None:
    """Every entry has all members, in the order of recorded answers."""
    for row in world.rows("time_entries"):
        assert list(row) == TIME_ENTRY.split()
        assert set(row["client"]) == {"id", "name", "currency"}
        assert set(row["project"]) == {"id", "name", "code"}


@pytest.mark.parametrize("table", TABLES)
def test_nested_objects_come_after_updated_at(world: World, table: str) -> None:
    """As recorded: id first, and quoted records and lines after updated_at."""
    for row in world.rows(table):
        check_order(row)


def test_entries_have_every_variety(world: World) -> None:
    """Null assignments, links, invoices, empty and null notes, emoji, newlines and timers occur."""
    rows = world.rows("time_entries")
    notes = {row["notes"] for row in rows}
    assert {None, ""} <= notes
    assert any("🎉" in text for text in notes if text)
    assert any("\n" in text for text in notes if text)
    assert any(row["user_assignment"] is None for row in rows)
    assert any(row["external_reference"] for row in rows)
    assert any(row["invoice"] and row["is_billed"] and row["is_locked"] for row in rows)
    assert {row["approval_status"] for row in rows} == {"unsubmitted", "submitted", "approved"}
    assert any(row["is_running"] for row in rows)
    assert any(row["billable_rate"] is None and not row["billable"] for row in rows)
    assert min(row["id"] for row in rows) > 2**31


BOTH_DATA: dict[str, Callable[..., Settings]] = {"varied": Settings, "agency": agency_settings}


@pytest.mark.parametrize("data", BOTH_DATA)
@pytest.mark.parametrize("clock_24h", [False, True])
def test_clock_times_are_as_far_apart_as_the_hours(data: str, clock_24h: bool) -> None:
    """From start to end of a stopped entry are its hours, rounded to a hundredth."""
    fields: dict[str, Any] = {"entries": 2000, "clock": ManualClock(), "clock_24h": clock_24h}
    rows = World(BOTH_DATA[data](**fields)).rows("time_entries")
    clocked = [row for row in rows if row["ended_time"]]
    assert {"2026-06-17"} < {row["spent_date"] for row in clocked}
    for row in clocked:
        started, ended = (
            datetime.strptime(row[name], "%H:%M" if clock_24h else "%I:%M%p").replace(tzinfo=UTC)
            for name in ("started_time", "ended_time")
        )
        seconds = (ended - started).total_seconds()
        assert seconds / 3600 == pytest.approx(row["hours"], abs=0.005), row


@pytest.mark.parametrize("data", BOTH_DATA)
def test_entries_have_clock_times_only_with_timestamp_timers(data: str) -> None:
    """An account that tracks durations has no start and end times, even of running timers."""
    fields: dict[str, Any] = {"entries": 2000, "clock": ManualClock(), "timestamp_timers": False}
    rows = World(BOTH_DATA[data](**fields)).rows("time_entries")
    assert sum(row["is_running"] for row in rows) == 3
    assert {(row["started_time"], row["ended_time"]) for row in rows} == {(None, None)}


def test_timestamps_tie_and_ids_do_not_follow_dates(world: World) -> None:
    """Many rows share updated_at and spent_date; a later id may have an earlier date."""
    rows = world.rows("time_entries")
    assert max(Counter(row["updated_at"] for row in rows).values()) > 3
    assert max(Counter(row["spent_date"] for row in rows).values()) > 3
    dates = [row["spent_date"] for row in sorted(rows, key=lambda row: row["id"])]
    assert any(later < earlier for earlier, later in pairwise(dates))


def test_history_spans_three_years_and_ends_today(world: World) -> None:
    """Entries cover three years of working days up to today, and none changes in the future."""
    rows = world.rows("time_entries")
    assert rows[0]["spent_date"] == "2026-06-17"
    assert rows[-1]["spent_date"] < "2023-07-01"
    assert max(row["updated_at"] for row in rows) <= "2026-06-17T12:00:00Z"
    assert all(row["created_at"] <= row["updated_at"] for row in rows)


def test_a_quiet_account_has_no_recent_changes(world: World) -> None:
    """Apart from today's few entries, nothing is newer than the last working day's evening."""
    for table in (*TABLES, *CHILDREN):
        if table not in ("time_entries", "roles", "billable_rates", "cost_rates"):
            assert world.count(table, updated_since="2026-06-17T00:00:00Z") == 0
    assert world.count("time_entries", updated_since="2026-06-17T00:00:00Z") <= 12


def test_zero_comes_as_whole_and_as_fraction(world: World) -> None:
    """Decimals mix 0 and 0.0, 2 and 2.0, and keep three places (quirk 52, 59)."""
    spelled = {
        repr(line["quantity"]) for row in world.rows("invoices") for line in row["line_items"]
    }
    assert {"2", "1.0", "0.01"} <= spelled
    assert {"0", "0.0"} <= {repr(row["tax_amount"]) for row in world.rows("invoices")}
    assert 0.575 in {row["unit_price"] for row in world.rows("expense_categories")}


BOTH_KINDS = {
    "time_entries": ("hours", "hours_without_timer", "billable_rate", "cost_rate"),
    "expenses": ("units", "total_cost"),
    "invoices": ("amount", "due_amount"),
    "invoice_payments": ("amount",),
    "users": ("default_hourly_rate", "cost_rate"),
    "projects": ("hourly_rate", "budget"),
}


@pytest.mark.parametrize("table", BOTH_KINDS)
def test_numbers_come_with_and_without_a_fraction(table: str) -> None:
    """A client must take 12 and 12.0 for the same type of number."""
    rows = World(Settings(entries=300, invoices=90, clock=ManualClock())).rows(table)
    for name in BOTH_KINDS[table]:
        assert {int, float} <= {type(row[name]) for row in rows}, name


def test_accounts_share_ids_but_not_rows() -> None:
    """Two accounts use the same ids for different records, which Harvest does not rule out."""
    world = build(accounts=(1000001, 1000002), entries=80)
    first, second = (world.rows("invoices", account_id) for account_id in (1000001, 1000002))
    assert {row["id"] for row in first} & {row["id"] for row in second}
    assert first != second
    assert world.company(1000001)["full_domain"] != world.company(1000002)["full_domain"]


def test_an_empty_account_has_only_its_people() -> None:
    """empty=True leaves the users behind the tokens and nothing else."""
    world = build(empty=True)
    tables = (*TABLES, *CHILDREN)
    assert {table: world.count(table) for table in tables if world.count(table)} == {"users": 3}


@pytest.mark.parametrize("fields", [{"users": 2}, {"entries": -1}, {"projects": 0}])
def test_impossible_sizes_are_refused(fields: dict[str, int]) -> None:
    """Settings that describe an impossible account are refused with the reason."""
    with pytest.raises(ValueError, match=r"users|below 0|at least 1"):
        build(**fields)
