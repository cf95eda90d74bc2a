"""Changes while the sandbox serves: which other records they touch, and races between pages."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.sandbox import (
    REPORTS,
    TABLES,
    EditRefusedError,
    ManualClock,
    Request,
    Sandbox,
)
from harvest_source.sandbox.endpoints import ENDPOINTS
from tests.sandbox.reader import Reader, Start

NOW = "2026-06-17T12:00:00Z"
"""The time of a new ManualClock."""


def moved(reader: Reader, table: str) -> list[int]:
    """Ids that an incremental read from directly before now would get."""
    return [row["id"] for row in reader.rows(table, updated_since="2026-06-17T11:59:59Z")]


@pytest.fixture(scope="module")
def edited() -> Iterator[Reader]:
    """A sandbox, 0.9 s after NOW, for tests that look only at the record that they change."""
    clock = ManualClock()
    clock.advance(0.9)
    with Sandbox(entries=60, expenses=40, limit=False, clock=clock).start() as server:
        reader = Reader(server)
        yield reader
        reader.client.close()


@pytest.mark.parametrize("table", TABLES)
def test_create_adds_one_served_row(edited: Reader, table: str) -> None:
    """A new record is listed with a new id, now as both times, and the table's members."""
    reader = edited
    old = reader.server.rows(table)
    made = reader.server.create(table)
    assert made["id"] > max(row["id"] for row in old)
    assert made["created_at"] == made["updated_at"] == NOW
    assert list(made) == list(old[0])
    assert made in reader.rows(table)
    assert len(reader.server.rows(table)) == len(old) + 1


@pytest.mark.parametrize("table", TABLES)
def test_edit_touches_the_row_itself(edited: Reader, table: str) -> None:
    """An edit moves updated_at to the current time in whole seconds; without touch it stays."""
    server = edited.server
    row = server.rows(table)[-1]
    field = next(name for name in ("notes", "name", "title", "email", "budget") if name in row)
    change: dict[str, Any] = {field: "Changed"}
    changed = server.edit(table, row["id"], **change)
    assert changed == row | {field: "Changed", "updated_at": NOW}
    quiet = server.edit(table, row["id"], touch=False, **(change | {field: "Again"}))
    assert quiet == changed | {field: "Again"}
    assert quiet in edited.rows(table)


@pytest.mark.parametrize(
    "table", ["time_entries", "expenses", "invoices", "contacts", "estimates", "expense_categories"]
)
def test_delete_leaves_no_trace(edited: Reader, table: str) -> None:
    """A deleted row is missing from the list and the total, and its id is not found."""
    reader = edited
    row = reader.server.rows(table)[1]
    reader.server.delete(table, row["id"])
    assert row["id"] not in [other["id"] for other in reader.rows(table)]
    assert reader.server.row(table, row["id"]) is None
    assert reader.get(f"{table}/{row['id']}").status_code == 404


def test_deleting_a_project_takes_its_work_along(start: Start) -> None:
    """The project's entries, expenses and assignments go; its invoices stay (behaviour.md 6)."""
    reader = start(entries=300)
    project = reader.server.rows("expenses")[0]["project"]["id"]
    before = {table: reader.server.rows(table) for table in TABLES}
    reader.server.delete("projects", project)
    for table in ("time_entries", "expenses", "user_assignments", "task_assignments"):
        expected = [row for row in before[table] if row["project"]["id"] != project]
        assert expected != before[table]
        assert reader.rows(table, per_page=2000) == expected
    assert reader.server.rows("invoices") == before["invoices"]


def test_harvest_refuses_some_deletions(start: Start) -> None:
    """Clients with projects, and people and tasks with tracked time, are deleted only by force."""
    server = start(entries=300).server
    entry = server.rows("time_entries")[0]
    for table, member in (("clients", "client"), ("users", "user"), ("tasks", "task")):
        with pytest.raises(EditRefusedError, match="has"):
            server.delete(table, entry[member]["id"])
    server.delete("tasks", entry["task"]["id"], force=True)
    assert server.row("tasks", entry["task"]["id"]) is None
    with pytest.raises(EditRefusedError, match="has no id 1"):
        server.edit("clients", 1, name="?")


@pytest.mark.parametrize("member", ["user_assignment", "task_assignment"])
def test_harvest_refuses_to_delete_assignments_with_time(start: Start, member: str) -> None:
    """An assignment with time entries is deleted only by force."""
    server = start(entries=300).server
    held = next(row[member]["id"] for row in server.rows("time_entries") if row[member])
    with pytest.raises(EditRefusedError, match="has tracked time"):
        server.delete(f"{member}s", held)
    server.delete(f"{member}s", held, force=True)


@pytest.mark.parametrize("member", ["user", "user_assignment"])
def test_harvest_refuses_to_delete_people_with_expenses(start: Start, member: str) -> None:
    """A person, or a person's assignment, with expenses but without time stays."""
    server = start(expenses=40).server
    expense = next(row for row in server.rows("expenses") if row["user_assignment"])
    for entry in server.rows("time_entries"):
        if entry["user"] == expense["user"]:
            server.delete("time_entries", entry["id"])
    with pytest.raises(EditRefusedError, match="has expenses"):
        server.delete(f"{member}s", expense[member]["id"])


@pytest.mark.parametrize("use", ["use_as_service", "use_as_expense"])
def test_harvest_refuses_to_delete_categories_in_use(start: Start, use: str) -> None:
    """An invoice item category is deleted only once it has no use."""
    server = start().server
    used = next(row["id"] for row in server.rows("invoice_item_categories") if row[use])
    with pytest.raises(EditRefusedError, match="has a use"):
        server.delete("invoice_item_categories", used)
    server.edit("invoice_item_categories", used, use_as_service=False, use_as_expense=False)
    server.delete("invoice_item_categories", used)


def test_unused_people_and_assignments_can_be_deleted(start: Start) -> None:
    """New ones have neither time nor expenses, though others of the same project have."""
    server = start(entries=300).server
    project = server.rows("time_entries")[0]["project"]["id"]
    person, task = server.create("users")["id"], server.create("tasks")["id"]
    fields = {"project_id": project, "user_id": person}
    made = server.create("user_assignments", **fields)["id"]
    tasked = server.create("task_assignments", project_id=project, task_id=task)["id"]
    for table, record_id in (
        ("user_assignments", made), ("task_assignments", tasked), ("users", person),
        ("tasks", task),
    ):  # fmt: skip
        server.delete(table, record_id)
        assert server.row(table, record_id) is None


def test_a_rename_shows_in_copies_without_touching_them(start: Start) -> None:
    """Nested names are those at read time; the rows that hold them keep their updated_at."""
    reader = start(entries=300)
    server = reader.server
    edited = server.rows("time_entries")[5]
    server.edit("time_entries", edited["id"], notes="In the overlay", touch=False)
    client = edited["client"]["id"]
    server.edit("clients", client, name="Renamed Ltd")
    for table in ("time_entries", "projects", "invoices", "expenses", "contacts", "estimates"):
        for row in reader.rows(table, per_page=2000):
            assert (row["client"]["name"] == "Renamed Ltd") == (row["client"]["id"] == client)
    assert moved(reader, "clients") == [client]
    assert moved(reader, "projects") == moved(reader, "invoices") == moved(reader, "expenses") == []
    assert len(reader.rows("time_entries", updated_since="2026-06-17T11:59:59Z")) == 0


def test_invoicing_touches_the_entries_and_the_client(start: Start) -> None:
    """A billed entry is locked and quotes its invoice; its client is touched, not its project."""
    reader = start(entries=300)
    server = reader.server
    rows = [row for row in server.rows("time_entries") if not row["is_billed"]]
    invoice = server.create("invoices", client_id=rows[0]["client"]["id"])
    server.edit_many("time_entries", [row["id"] for row in rows[:3]], invoice_id=invoice["id"])
    for row in rows[:3]:
        billed = server.row("time_entries", row["id"])
        assert billed is not None
        assert billed["invoice"] == {"id": invoice["id"], "number": invoice["number"]}
        assert billed["is_billed"]
        assert billed["is_locked"]
    assert set(moved(reader, "clients")) == {row["client"]["id"] for row in rows[:3]}
    assert moved(reader, "projects") == []


def test_a_new_contact_touches_its_client(start: Start) -> None:
    """Creating a contact moves its client's updated_at."""
    reader = start()
    contact = reader.server.create("contacts")
    assert moved(reader, "clients") == [contact["client"]["id"]]


def test_tracking_time_touches_neither_project_nor_assignment(start: Start) -> None:
    """New and edited entries do not touch their project, person, client or assignments."""
    reader = start()
    entry = reader.server.create("time_entries", hours=2)
    reader.server.edit("time_entries", entry["id"], hours=3.1)
    for table in ("projects", "user_assignments", "task_assignments", "users", "clients"):
        assert moved(reader, table) == []
    changed = reader.server.row("time_entries", entry["id"])
    assert changed is not None
    assert (changed["hours"], changed["rounded_hours"]) == (3.1, 3.25)


def test_a_deleted_invoice_frees_what_it_billed(start: Start) -> None:
    """Seeded entries and expenses of a deleted invoice are open again."""
    reader = start(entries=600)
    server = reader.server
    billed = [row for row in server.rows("time_entries") if row["invoice"]]
    invoice = billed[0]["invoice"]["id"]
    freed = [row["id"] for row in billed if row["invoice"]["id"] == invoice]
    server.delete("invoices", invoice)
    for entry_id in freed:
        row = server.row("time_entries", entry_id)
        assert row is not None
        assert (row["invoice"], row["is_billed"]) == (None, False)
    assert server.count("time_entries", is_billed=True) == len(billed) - len(freed)


def test_roles_and_people_follow_each_other(start: Start) -> None:
    """A renamed or deleted role shows on its users."""
    server = start().server
    role = server.rows("roles")[0]
    server.edit("roles", role["id"], name="Wizard")
    named = [row["id"] for row in server.rows("users") if "Wizard" in row["roles"]]
    assert sorted(named) == sorted(role["user_ids"])
    server.delete("roles", role["id"])
    assert not any("Wizard" in row["roles"] for row in server.rows("users"))


def test_an_entry_can_move_to_another_project(start: Start) -> None:
    """project_id moves the entry: client and assignments follow."""
    server = start(entries=300).server
    rows = server.rows("time_entries")
    target = next(row for row in rows if row["project"] != rows[0]["project"])
    edited = server.edit("time_entries", rows[0]["id"], project_id=target["project"]["id"])
    assert edited["project"] == target["project"]
    assert edited["client"] == target["client"]


def test_fields_may_hold_anything(start: Start) -> None:
    """Values of any type and size are served unchanged, with every digit of a decimal."""
    reader = start()
    row = reader.server.rows("time_entries")[3]
    odd: dict[str, Any] = {
        "hours": Decimal("1.00000000000000000001"),
        "notes": 'quote " \\ \u0000 \U0001f389 ' + "x" * 100_000,
        "billable": "maybe",
        "cost_rate": 2**70,
        "new": {"deep": [1, {"er": None}]},
        "spent_date": "0201-03-04",
    }
    reader.server.edit("time_entries", row["id"], **odd)
    body = reader.get(f"time_entries/{row['id']}").text
    assert '"hours":1.00000000000000000001' in body
    assert '"cost_rate":1180591620717411303424' in body
    served = reader.rows("time_entries")[-1]
    assert served["id"] == row["id"], "the oldest date comes last"
    assert (served["notes"], served["new"]) == (odd["notes"], odd["new"])


def edit_after_first_page(reader: Reader, table: str, change: Any) -> list[str]:
    """Call *change* once, after the first page of *table* is computed and before it is sent."""
    calls: list[str] = []

    def hook(request: Request) -> None:
        if request.table == table and not calls:
            calls.append(request.query)
            change()

    reader.server.after_request(hook)
    return calls


def test_an_edit_between_pages_is_seen_only_by_the_next_read(start: Start) -> None:
    """Page 1 shows the row before the edit; updated_since finds the edit."""
    reader = start(entries=50)
    first = reader.server.rows("time_entries")[0]
    calls = edit_after_first_page(
        reader,
        "time_entries",
        lambda: reader.server.edit("time_entries", first["id"], notes="Too late for page 1"),
    )
    rows = reader.rows("time_entries", per_page=20)
    assert calls
    assert rows[0] == first, "read before the edit"
    assert moved(reader, "time_entries")[0] == first["id"], "found by updated_since"


def test_a_deletion_between_pages_hides_a_row(start: Start) -> None:
    """A row deleted on page 1 moves an unread row from page 2 to page 1."""
    reader = start(entries=50)
    before = [row["id"] for row in reader.server.rows("time_entries")]
    edit_after_first_page(
        reader, "time_entries", lambda: reader.server.delete("time_entries", before[0])
    )
    pages = reader.pages("time_entries", per_page=20)
    read = [row["id"] for page in pages for row in page["time_entries"]]
    assert set(before) - set(read) == {before[20]}
    assert [page["total_entries"] for page in pages] == [50, 49, 49]


def test_a_creation_between_pages_repeats_a_row(start: Start) -> None:
    """A row created on page 1 moves a read row from page 1 to page 2."""
    reader = start(entries=50)
    edit_after_first_page(reader, "time_entries", lambda: reader.server.create("time_entries"))
    read = [row["id"] for row in reader.rows("time_entries", per_page=20)]
    assert len(read) == 51
    assert read[19] == read[20]


def test_before_hooks_change_what_is_about_to_be_served(start: Start) -> None:
    """A hook before the request changes the data that the request is answered from."""
    reader = start()
    made: list[int] = []

    def hook(request: Request) -> None:
        if request.table == "clients" and not made:
            made.append(reader.server.create("clients")["id"])

    reader.server.before_request(hook)
    assert reader.get("clients").json()["clients"][0]["id"] == made[0]
    reader.server.clear_hooks()
    reader.get("clients")
    assert len(made) == 1


def test_alterations_change_served_rows_only(start: Start) -> None:
    """Changes of shape, by name or function, apply to every served row until they are cleared."""
    reader = start()
    server = reader.server
    plain = server.rows("time_entries")
    server.alter("time_entries", "number_to_text", name="hours")
    server.alter("time_entries", "drop_field", name="budgeted")
    server.alter("time_entries", "nest_field", name="notes", key="text")
    server.alter("time_entries", "add_field", name="mood", value=7)
    server.alter("time_entries", lambda row: row.update(twice=row["id"] * 2))
    expected = []
    for row in plain:
        changed = {name: value for name, value in row.items() if name != "budgeted"}
        changed |= {"hours": str(row["hours"]), "notes": {"text": row["notes"]}}
        expected.append(changed | {"mood": 7, "twice": row["id"] * 2})
    assert reader.rows("time_entries") == expected == server.rows("time_entries")
    server.clear_alterations()
    assert reader.rows("time_entries") == plain


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        ("whole_to_fraction", {"name": "weekly_capacity"}, {"weekly_capacity": 144000.5}),
        ("set_field", {"name": "email", "value": None}, {"email": None}),
        ("rename_field", {"name": "email", "to": "mail"}, {"mail": "person1@example.com"}),
        ("object_to_text", {"name": "roles"}, {"roles": ["Designer"]}),
    ],
)
def test_each_named_change(
    start: Start, change: str, arguments: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Each of the remaining changes alters the field that it names."""
    reader = start(entries=5)
    reader.server.alter("users", change, **arguments)
    assert reader.rows("users")[-1].items() >= expected.items()
    with pytest.raises(ValueError, match="No change named"):
        reader.server.alter("users", "melt")


def test_misspelt_tables_are_refused(start: Start) -> None:
    """A change or fault for a table that does not exist would have no effect: it is refused."""
    server = start(entries=5).server
    for table in ("time_entry", "users_me", "report_time", ""):
        with pytest.raises(ValueError, match=f"No table named {table}; there are .*company"):
            server.alter(table, "drop_field", name="id")
    for table in ("time_entry", "oauth", "report_time", ""):
        with pytest.raises(ValueError, match=f"No table named {table}; there are .*oauth_token"):
            server.fault("unavailable", table=table)


def test_every_table_can_be_altered_and_made_to_fail(start: Start) -> None:
    """Lists, nested lists, reports and the company take changes; those and logins take faults."""
    server = start(entries=5).server
    for table in (*ENDPOINTS, *REPORTS, "company"):
        server.alter(table, "add_field", name="mood")
    logins = ("accounts", "oauth_authorize", "oauth_token", "oauth_revoke")
    for table in (*ENDPOINTS, *REPORTS, "company", "users_me", *logins):
        server.fault("unavailable", table=table)


def test_the_request_log_says_what_was_asked(start: Start) -> None:
    """The log has time, path, query, table, status, size and account, and no header."""
    reader = start(entries=5)
    body = reader.get("clients", per_page=2, colour="red").content
    reader.get("clients/1")
    reader.get("nonsense")
    first, second, third = reader.server.requests
    assert (first.method, first.path, first.query) == (
        "GET",
        "/v2/clients",
        "per_page=2&colour=red",
    )
    assert (first.table, first.status, first.bytes) == ("clients", 200, len(body))
    assert (first.account_id, first.unknown) == (1000001, ("colour",))
    assert first.time == reader.server.settings.clock()
    assert [second.status, third.status, third.table] == [404, 404, None]
    assert reader.server.requests.counts() == {"clients": 2, "/v2/nonsense": 1}
    reader.server.reset_requests()
    assert len(reader.server.requests) == 0


def test_churn_changes_as_many_as_asked(start: Start) -> None:
    """churn makes the numbers of changes asked for, and the same changes for the same seed."""
    results = [
        start(entries=100).server.churn(edits=4, creations=3, deletions=2, seed=9) for _ in range(2)
    ]
    assert results[0] == results[1]
    assert [len(results[0][name]) for name in ("edited", "created", "deleted")] == [4, 3, 2]


def test_an_edit_in_one_account_does_not_change_another(start: Start) -> None:
    """An edit in one account does not change another."""
    reader = start(accounts=(1000001, 1000002), entries=5)
    other = reader.server.rows("clients", 1000002)
    reader.server.edit("clients", other[0]["id"], name="Only here", account_id=1000001)
    assert reader.rows("clients", account_id=1000002) == other
    with pytest.raises(ValueError, match="No account 5"):
        reader.server.rows("clients", 5)
