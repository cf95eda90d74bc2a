"""Filters and orders, each against a plain search through all rows (endpoints.yaml, params)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harvest_source.sandbox import TABLES, ManualClock
from tests.sandbox.reader import Reader, Start

DATED = {
    "time_entries": "spent_date",
    "expenses": "spent_date",
    "invoices": "issue_date",
    "estimates": "issue_date",
}
SINCE = [name for name in TABLES if name != "roles"]
FLAGS = [
    *((name, "is_active") for name in ("clients", "tasks", "projects", "users")),
    *((name, "is_active") for name in ("user_assignments", "task_assignments")),
    ("expense_categories", "is_active"),
    ("time_entries", "is_billed"),
    ("time_entries", "is_running"),
    ("expenses", "is_billed"),
]
TEXTS = [
    ("time_entries", "approval_status"),
    ("expenses", "approval_status"),
    ("invoices", "state"),
    ("estimates", "state"),
]
QUOTED = [
    *(("time_entries", name) for name in ("user", "client", "project", "task")),
    *(("expenses", name) for name in ("user", "client", "project")),
    ("contacts", "client"),
    ("projects", "client"),
    ("invoices", "client"),
    ("estimates", "client"),
    ("user_assignments", "user"),
]


def ids(rows: list[dict[str, Any]]) -> list[int]:
    """The ids of *rows*, in order."""
    return [row["id"] for row in rows]


@pytest.mark.parametrize("table", TABLES)
def test_rows_come_in_the_documented_order(shared: Reader, table: str) -> None:
    """Dated tables by that date, undated rows last; the others and ties by id; newest first."""
    rows = shared.rows(table, per_page=2000)
    date = DATED.get(table)
    keys = [((row[date] if date else None) or "", row["id"]) for row in rows]
    assert keys == sorted(keys, reverse=True)
    assert len(set(ids(rows))) == len(rows)


@pytest.mark.parametrize("table", SINCE)
def test_updated_since_is_strictly_greater(shared: Reader, table: str) -> None:
    """
    Asked with a row's own updated_at the row is left out; asked one second earlier it is served.
    """
    rows = shared.server.rows(table)
    moments = sorted({row["updated_at"] for row in rows})
    for moment in {moments[0], moments[len(moments) // 2], moments[-1]}:
        earlier = datetime.fromisoformat(moment) - timedelta(seconds=1)
        before = earlier.strftime("%Y-%m-%dT%H:%M:%SZ")
        later = shared.rows(table, updated_since=moment, per_page=2000)
        assert ids(later) == [row["id"] for row in rows if row["updated_at"] > moment]
        also = shared.rows(table, updated_since=before, per_page=2000)
        assert ids(also) == [row["id"] for row in rows if row["updated_at"] >= moment]


def test_roles_do_not_know_updated_since(shared: Reader) -> None:
    """/roles ignores the parameter (quirk 42)."""
    assert shared.rows("roles", updated_since="2030-01-01T00:00:00Z")


@pytest.mark.parametrize("table", DATED)
def test_windows_are_inclusive_and_add_up(shared: Reader, table: str) -> None:
    """from and to include both days; counts per day sum to the dated rows."""
    field = DATED[table]
    days = Counter(row[field] for row in shared.server.rows(table) if row[field])
    for day in (min(days), max(days)):
        rows = shared.rows(table, from_=day, to=day)
        assert {row[field] for row in rows} == {day}
        assert len(rows) == days[day]
    counted = sum(shared.server.count(table, from_=day, to=day) for day in days)
    assert counted == sum(days.values()) == shared.server.count(table, from_="1900-01-01")


def test_open_windows_meet_without_gap(shared: Reader) -> None:
    """The entries up to a day and those from the next day on are together all entries."""
    rows = shared.server.rows("time_entries")
    middle = datetime.fromisoformat(rows[len(rows) // 2]["spent_date"]).replace(tzinfo=UTC)
    day, after = (f"{middle + timedelta(days=n):%Y-%m-%d}" for n in (0, 1))
    newer = shared.rows("time_entries", from_=after)
    older = shared.rows("time_entries", to=day)
    assert newer + older == rows


@pytest.mark.parametrize(("table", "field"), FLAGS)
@pytest.mark.parametrize("value", [True, False])
def test_flags_filter(shared: Reader, table: str, field: str, value: bool) -> None:
    """true and false each give the rows with that value."""
    expected = [row["id"] for row in shared.server.rows(table) if row[field] is value]
    assert expected
    assert ids(shared.rows(table, **{field: str(value).lower()}, per_page=2000)) == expected


@pytest.mark.parametrize(("table", "field"), TEXTS)
def test_states_filter(shared: Reader, table: str, field: str) -> None:
    """Each state gives the rows in it; an unknown state gives none."""
    rows = shared.server.rows(table)
    for value in {row[field] for row in rows}:
        expected = [row["id"] for row in rows if row[field] == value]
        assert ids(shared.rows(table, **{field: value})) == expected
    assert shared.rows(table, **{field: "nonsense"}) == []


@pytest.mark.parametrize(("table", "member"), QUOTED)
def test_ids_filter(shared: Reader, table: str, member: str) -> None:
    """An id filter gives the rows that quote that record, and an unknown id none."""
    rows = shared.server.rows(table)
    for wanted in sorted({row[member]["id"] for row in rows})[::3]:
        expected = [row["id"] for row in rows if row[member]["id"] == wanted]
        assert ids(shared.rows(table, **{f"{member}_id": wanted}, per_page=2000)) == expected
    assert shared.rows(table, **{f"{member}_id": 1}) == []


def test_invoices_filter_by_the_project_of_a_line(shared: Reader) -> None:
    """project_id on invoices looks at the lines."""
    rows = shared.server.rows("invoices")
    lines = [(row["id"], line["project"]) for row in rows for line in row["line_items"]]
    wanted = next(project["id"] for _, project in lines if project)
    expected = {number for number, project in lines if project and project["id"] == wanted}
    assert set(ids(shared.rows("invoices", project_id=wanted))) == expected


def test_entries_filter_by_external_reference(shared: Reader) -> None:
    """external_reference_id is compared as text."""
    rows = shared.server.rows("time_entries")
    wanted = next(row["external_reference"]["id"] for row in rows if row["external_reference"])
    expected = [row["id"] for row in rows if (row["external_reference"] or {}).get("id") == wanted]
    assert ids(shared.rows("time_entries", external_reference_id=wanted)) == expected


def test_filters_combine(shared: Reader) -> None:
    """Rows match every filter given, seeded and edited rows alike."""
    rows = shared.server.rows("time_entries")
    user = rows[50]["user"]["id"]
    wanted: dict[str, Any] = {
        "user_id": user,
        "is_billed": "false",
        "approval_status": "approved",
        "from_": rows[-1]["spent_date"],
        "to": rows[20]["spent_date"],
        "updated_since": "2024-09-01T00:00:00Z",
    }
    expected = [
        row["id"]
        for row in rows
        if row["user"]["id"] == user
        and not row["is_billed"]
        and row["approval_status"] == "approved"
        and row["spent_date"] <= wanted["to"]
        and row["updated_at"] > wanted["updated_since"]
    ]
    assert expected
    assert ids(shared.rows("time_entries", **wanted)) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"updated_since": "yesterday"},
        {"updated_since": "2026-06-17T12:00:00+02:00"},
        {"updated_since": "2026-02-30T12:00:00Z"},
        {"from": "17/06/2026"},
        {"to": "2026-13-01"},
        {"user_id": "ada"},
        {"is_billed": "perhaps"},
    ],
)
def test_a_malformed_filter_is_422(shared: Reader, query: dict[str, Any]) -> None:
    """A value that cannot be read is refused, and the parameter is named."""
    answer = shared.get("time_entries", **query)
    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["message"]


def test_running_timers_grow_at_read_time(start: Start) -> None:
    """A running entry gains hours with the clock; its updated_at stays (quirk 43)."""
    clock = ManualClock()
    reader = start(entries=400, clock=clock)
    before = {row["id"]: row for row in reader.rows("time_entries", is_running="true")}
    clock.advance(3600)
    after = reader.rows("time_entries", is_running="true")
    assert before
    assert len(after) == len(before)
    for row in after:
        old = before[row["id"]]
        assert row["hours"] == pytest.approx(old["hours"] + 1)
        assert row["hours_without_timer"] == old["hours_without_timer"]
        assert row["updated_at"] == old["updated_at"]
        assert row["timer_started_at"]
        assert row["ended_time"] is None
