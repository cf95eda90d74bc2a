"""Locks of time entries and expenses because their project or their person is archived."""

from __future__ import annotations

import pytest

from tests.sandbox.reader import Reader, Start


def list_locks(reader: Reader, table: str, member: str, record_id: int) -> set[str | None]:
    """Why the rows of a project or person are locked, as they are served; None: a free row."""
    rows = [row for row in reader.rows(table, per_page=2000) if row[member]["id"] == record_id]
    assert all(row["is_locked"] == (row["locked_reason"] is not None) for row in rows)
    return {row["locked_reason"] for row in rows}


def test_an_archived_project_locks_its_entries_and_expenses(start: Start) -> None:
    """Seeded, edited and new rows, until it is active again; nothing else is touched."""
    reader = start(entries=300, expenses=60)
    server = reader.server
    free = [row for row in server.rows("expenses") if not row["is_locked"]]
    project = free[0]["project"]["id"]
    entry = next(r for r in server.rows("time_entries") if r["project"]["id"] == project)
    server.edit("time_entries", entry["id"], touch=False, notes="Edited")
    server.create("time_entries", project_id=project, updated_at=entry["updated_at"])
    before = {name: server.rows(name) for name in ("time_entries", "expenses")}
    assert None in list_locks(reader, "time_entries", "project", project)
    server.edit("projects", project, is_active=False)
    for name in before:
        locks = list_locks(reader, name, "project", project)
        assert None not in locks
        assert "Item Locked: the Project is Archived" in locks
        assert reader.rows(name, updated_since="2026-06-17T11:59:59Z") == []
    late = server.create("expenses", project_id=project)
    assert late["locked_reason"] == "Item Locked: the Project is Archived"
    server.delete("expenses", late["id"])
    server.edit("projects", project, is_active=True)
    assert {name: server.rows(name) for name in before} == before


def test_an_archived_person_locks_their_expenses(start: Start) -> None:
    """Their time entries stay as they are."""
    reader = start(entries=300, expenses=60)
    server = reader.server
    free = [row for row in server.rows("expenses") if not row["is_locked"]]
    person = free[0]["user"]["id"]
    before = {name: server.rows(name) for name in ("time_entries", "expenses")}
    server.edit("users", person, is_active=False)
    assert None not in list_locks(reader, "expenses", "user", person)
    assert server.rows("time_entries") == before["time_entries"]
    server.edit("users", person, is_active=True)
    assert server.rows("expenses") == before["expenses"]


def test_rows_that_an_invoice_releases_stay_locked_by_their_project(start: Start) -> None:
    """Deleting the invoice of an archived project's entry leaves the project's lock."""
    server = start(entries=300).server
    row = next(each for each in server.rows("time_entries") if not each["is_locked"])
    invoice = server.create("invoices", client_id=row["client"]["id"])
    server.edit("time_entries", row["id"], invoice_id=invoice["id"])
    server.edit("projects", row["project"]["id"], is_active=False)
    server.delete("invoices", invoice["id"])
    released = server.row("time_entries", row["id"])
    assert released is not None
    assert released["is_locked"]
    assert released["locked_reason"] == "Item Locked: the Project is Archived"


@pytest.mark.parametrize("data", ["varied", "agency"])
def test_expenses_of_archived_projects_are_seeded_locked(start: Start, data: str) -> None:
    """So are those of archived people; the others are locked if approved or invoiced."""
    server = start(data=data, entries=300, expenses=200).server
    gone = {
        (member, row["id"])
        for member, table in (("project", "projects"), ("user", "users"))
        for row in server.rows(table)
        if not row["is_active"]
    }
    assert gone
    for row in server.rows("expenses"):
        ends = {("project", row["project"]["id"]), ("user", row["user"]["id"])}
        is_locked = row["is_billed"] or row["is_closed"] or not ends.isdisjoint(gone)
        assert (row["is_locked"], row["locked_reason"] is not None) == (is_locked, is_locked)
