"""Messages and payments: how they are seeded and served, and what they do to their document."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.sandbox import CHILDREN, NESTED, EditRefusedError, ManualClock, Settings, World
from harvest_source.sandbox.data.query import Query
from harvest_source.sandbox.endpoints import ENDPOINTS
from tests.sandbox.reader import Reader, Start

DOCUMENTS = {
    "invoice_messages": ("invoices", "invoice_id"),
    "invoice_payments": ("invoices", "invoice_id"),
    "estimate_messages": ("estimates", "estimate_id"),
}
INVOICE_MESSAGE = (
    "id sent_by sent_by_email sent_from sent_from_email include_link_to_client_invoice "
    "send_me_a_copy thank_you reminder send_reminder_on created_at updated_at attach_pdf "
    "event_type recipients subject body"
)
MEMBERS = {
    "invoice_messages": INVOICE_MESSAGE,
    "invoice_payments": "id amount paid_at recorded_by recorded_by_email notes transaction_id "
    "created_at updated_at paid_date payment_gateway",
    "estimate_messages": "id sent_by sent_by_email sent_from sent_from_email send_me_a_copy "
    "created_at updated_at recipients event_type subject body",
    "billable_rates": "id amount start_date end_date created_at updated_at",
    "cost_rates": "id amount start_date end_date created_at updated_at",
    "teammates": "id first_name last_name email",
    "project_assignments": "id is_project_manager is_active use_default_rates budget created_at "
    "updated_at hourly_rate project client task_assignments",
}
NOW = "2026-06-17T12:00:00Z"


@pytest.fixture(scope="module")
def world() -> World:
    """An account with many documents that no test changes."""
    return World(Settings(entries=0, invoices=90, estimates=40, clock=ManualClock()))


def number(value: float | None) -> Decimal:
    """A JSON number as the decimal it spells."""
    return Decimal(str(value or 0))


def by_parent(world: World, table: str) -> dict[int, list[dict[str, Any]]]:
    """The children of each document, newest first."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in world.rows(table):
        found[row[DOCUMENTS[table][1]]].append(row)
    return found


def path_of(name: str, parent_id: int) -> str:
    """The address of a nested list."""
    parent = ENDPOINTS[name].parent
    assert parent is not None
    return f"{parent.table}/{parent_id}/{parent.tail}"


def nonempty(reader: Reader, name: str) -> tuple[int, list[dict[str, Any]]]:
    """The parent with the most rows of a nested list, and those rows as served."""
    parent = ENDPOINTS[name].parent
    assert parent is not None
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in reader.server.rows(name):
        found[row.pop(parent.key)].append(row)
    return max(found.items(), key=lambda item: len(item[1]))


NESTED_BY_ID = [name for name in NESTED if name != "my_project_assignments"]


@pytest.mark.parametrize("name", NESTED_BY_ID)
def test_a_nested_list_holds_the_rows_of_its_parent(shared: Reader, name: str) -> None:
    """A list has exactly its parent's rows, without its id (quirk 62), under the documented key."""
    parent_id, rows = nonempty(shared, name)
    answer = shared.get(path_of(name, parent_id)).json()
    assert answer[ENDPOINTS[name].key] == rows
    assert answer["total_entries"] == len(rows) > 0
    if name in MEMBERS:
        assert all(list(row) == MEMBERS[name].split() for row in rows)


@pytest.mark.parametrize("name", NESTED_BY_ID)
def test_an_unknown_parent_is_not_found(shared: Reader, name: str) -> None:
    """The answer for a missing parent is a 404 in JSON; for an unknown path, in HTML."""
    answer = shared.get(path_of(name, 1))
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")
    assert shared.get(path_of(name, 1) + "/more/1").text.startswith("<!DOCTYPE")
    assert shared.get(path_of(name, 1).replace("/1/", "/one/")).text.startswith("<!DOCTYPE")


@pytest.mark.parametrize("name", NESTED_BY_ID)
def test_nested_lists_page_in_their_documented_style(shared: Reader, name: str) -> None:
    """Pages of one row, by cursor where documented and else by number, give the same rows."""
    parent_id, rows = nonempty(shared, name)
    pages = shared.pages(path_of(name, parent_id), per_page=1)
    assert [row for page in pages for row in page[ENDPOINTS[name].key]] == rows
    assert len(pages) > 1
    by_cursor = "cursor=" in pages[0]["links"]["next"]
    assert by_cursor == (ENDPOINTS[name].style == "cursor")
    assert path_of(name, parent_id) in pages[0]["links"]["next"]


@pytest.mark.parametrize("name", NESTED)
def test_nested_requests_are_logged_by_table(shared: Reader, name: str) -> None:
    """The log names the nested list and the parameters that are not documented for it."""
    reader = shared
    reader.server.reset_requests()
    mine = name == "my_project_assignments"
    path = "users/me/project_assignments" if mine else path_of(name, 1)
    reader.get(path, updated_since="2020-01-01T00:00:00Z")
    assert reader.server.requests.counts() == {name: 1}
    assert (reader.server.requests[0].unknown == ()) == ENDPOINTS[name].since


@pytest.mark.parametrize("table", DOCUMENTS)
def test_updated_since_is_strict_on_children_too(start: Start, table: str) -> None:
    """A child changed at exactly that second is left out; asked one second earlier it is served."""
    clock = ManualClock()
    reader = start(clock=clock)
    parents, key = DOCUMENTS[table]
    parent_id = reader.server.rows(parents)[0]["id"]
    clock.advance(60)
    made = reader.server.create(table, **{key: parent_id})
    path = path_of(table, parent_id)
    found = reader.rows(path, updated_since="2026-06-17T12:00:59Z")
    assert [row["id"] for row in found] == [made["id"]]
    assert reader.rows(path, updated_since="2026-06-17T12:01:00Z") == []
    assert reader.server.count(table, updated_since="2026-06-17T12:00:59Z") == 1


def test_payments_sum_to_what_was_paid(world: World) -> None:
    """Payments sum to the amount less the due amount, for every invoice not written off."""
    payments = by_parent(world, "invoice_payments")
    seen: set[tuple[str, int]] = set()
    for invoice in world.rows("invoices"):
        paid = sum((number(row["amount"]) for row in payments[invoice["id"]]), Decimal(0))
        if invoice["state"] == "closed":
            assert paid == number(invoice["due_amount"]) == 0
        else:
            assert paid == number(invoice["amount"]) - number(invoice["due_amount"])
        seen.add((invoice["state"], min(len(payments[invoice["id"]]), 2)))
    assert {("paid", 1), ("paid", 2), ("open", 0), ("open", 1), ("draft", 1)} <= seen


def test_the_last_payment_is_when_the_invoice_was_paid(world: World) -> None:
    """paid_at and paid_date are those of the last payment; updated_at is not before any child."""
    payments, messages = (by_parent(world, f"invoice_{kind}") for kind in ("payments", "messages"))
    for invoice in world.rows("invoices"):
        children = [*payments[invoice["id"]], *messages[invoice["id"]]]
        assert all(row["created_at"] <= invoice["updated_at"] for row in children)
        if invoice["state"] == "paid" and payments[invoice["id"]]:
            last = payments[invoice["id"]][0]
            assert last["paid_date"] == invoice["paid_date"]
            assert last["paid_at"] == invoice["paid_at"]


@pytest.mark.parametrize("table", ["invoice_messages", "estimate_messages"])
def test_documents_that_were_sent_have_a_message(world: World, table: str) -> None:
    """The first message sends the document, at sent_at; drafts have no such message."""
    parents, _ = DOCUMENTS[table]
    messages = by_parent(world, table)
    for document in world.rows(parents):
        first = messages[document["id"]][-1:]
        if document["sent_at"]:
            assert first[0]["created_at"] == document["sent_at"]
            assert first[0]["event_type"] in (None, "send")
        else:
            assert all(row["event_type"] in ("draft", None) for row in messages[document["id"]])


def test_messages_have_every_variety(world: World) -> None:
    """E-mails with recipients and CRLF, events, views, reminders, thanks and placeholders occur."""
    rows = world.rows("invoice_messages")
    mails = [row for row in rows if row["event_type"] is None]
    assert all(row["recipients"] and row["subject"] for row in mails)
    assert all("\r\n" in row["body"] and "%" not in row["body"] for row in mails)
    assert all(row["recipients"] == [] for row in rows if row["event_type"])
    assert {row["event_type"] for row in rows} == {None, "send", "view", "close", "draft"}
    assert any(row["thank_you"] for row in rows)
    assert any(row["reminder"] and row["send_reminder_on"] for row in rows)
    assert {row["name"] for mail in mails for row in mail["recipients"]} >= {None}
    sent = world.rows("estimate_messages")
    assert any("%estimate_url%" in row["body"] for row in sent if row["body"])
    events = {row["event_type"] for row in sent}
    assert {None, "send", "view", "accept", "decline", "invoice"} == events


def test_gateways_are_objects_even_when_there_is_none(world: World) -> None:
    """payment_gateway is never null, but its members may be (quirk 47)."""
    gateways = [row["payment_gateway"] for row in world.rows("invoice_payments")]
    assert {"id": None, "name": None} in gateways
    assert any(gateway["id"] and gateway["name"] for gateway in gateways)


def test_a_payment_lowers_what_is_due_and_dates_the_invoice(start: Start) -> None:
    """invoice.updated_at becomes payment.created_at; the client is not touched (S4)."""
    clock = ManualClock()
    reader = start(clock=clock)
    server = reader.server
    client = server.rows("clients")[0]
    invoice = server.create(
        "invoices", client_id=client["id"], amount=100.1, due_amount=100.1, state="open"
    )
    before = server.row("clients", client["id"])
    clock.advance(90)
    made = server.create(
        "invoice_payments", invoice_id=invoice["id"], amount=30.05, paid_date="2026-06-01"
    )
    assert (made["paid_at"], made["paid_date"]) == ("2026-06-01T00:00:00Z", "2026-06-01")
    expected = invoice | {"due_amount": 70.05, "updated_at": made["created_at"]}
    assert server.row("invoices", invoice["id"]) == expected
    assert server.row("clients", client["id"]) == before
    rest = server.create("invoice_payments", invoice_id=invoice["id"])
    assert rest["amount"] == 70.05
    paid = {"due_amount": 0.0, "state": "paid", "paid_at": rest["paid_at"]}
    assert server.row("invoices", invoice["id"]) == expected | paid | {
        "paid_date": rest["paid_date"]
    }
    server.edit("invoice_payments", rest["id"], amount=60)
    opened = server.row("invoices", invoice["id"])
    assert opened is not None
    assert (opened["due_amount"], opened["state"], opened["paid_at"]) == (10.05, "open", None)


@pytest.mark.parametrize("touches", [False, True])
def test_deleting_a_child_may_touch_the_document(start: Start, touches: bool) -> None:
    """A deleted payment raises the due amount; a setting says whether it touches the document."""
    clock = ManualClock()
    server = start(clock=clock, child_deletion_touches_parent=touches).server
    payment = next(row for row in server.rows("invoice_payments") if row["amount"])
    invoice = server.row("invoices", payment["invoice_id"])
    assert invoice is not None
    server.delete("invoice_payments", payment["id"])
    after = server.row("invoices", invoice["id"])
    assert after is not None
    owed = number(invoice["due_amount"]) + number(payment["amount"])
    assert number(after["due_amount"]) == owed
    assert after["updated_at"] == (NOW if touches else invoice["updated_at"])
    message = next(row for row in server.rows("invoice_messages") if row["event_type"] == "close")
    closed = server.row("invoices", message["invoice_id"])
    assert closed is not None
    server.delete("invoice_messages", message["id"])
    changed = {"updated_at": NOW} if touches else {}
    assert server.row("invoices", closed["id"]) == closed | changed


def test_sending_changes_the_state_and_touches_the_document(start: Start) -> None:
    """An e-mail or a send event opens a draft; other events set the state they name."""
    server = start().server
    invoice = server.create("invoices")["id"]
    states = []
    for event in (None, "close", "re-open", "draft", "send"):
        server.create("invoice_messages", invoice_id=invoice, event_type=event)
        row = server.row("invoices", invoice)
        assert row is not None
        states.append(row["state"])
        assert row["sent_at"] == row["updated_at"] == NOW
    assert states == ["open", "closed", "open", "draft", "open"]
    estimate = server.create("estimates")["id"]
    states = []
    for event in ("send", "accept", "re-open", "decline", "invoice"):
        server.create("estimate_messages", estimate_id=estimate, event_type=event)
        row = server.row("estimates", estimate)
        assert row is not None
        states.append(row["state"])
    assert states == ["sent", "accepted", "sent", "declined", "declined"]


def test_a_mail_about_a_settled_document_leaves_its_state(start: Start) -> None:
    """An e-mail about a paid or accepted document moves updated_at and keeps the state."""
    server = start().server
    for table, state, child, key in (
        ("invoices", "paid", "invoice_messages", "invoice_id"),
        ("estimates", "accepted", "estimate_messages", "estimate_id"),
    ):
        old = next(row for row in server.rows(table) if row["state"] == state)
        server.create(child, **{key: old["id"]})
        assert server.row(table, old["id"]) == old | {"updated_at": NOW}


@pytest.mark.parametrize("touches", [False, True])
def test_a_view_may_touch_the_document(start: Start, touches: bool) -> None:
    """A setting says whether a client who opens the page moves the document's updated_at."""
    clock = ManualClock()
    server = start(clock=clock, view_touches_parent=touches).server
    old = server.rows("invoices")[0]
    server.create("invoice_messages", invoice_id=old["id"], event_type="view")
    expected = old | ({"updated_at": NOW} if touches else {})
    assert server.row("invoices", old["id"]) == expected


@pytest.mark.parametrize("table", CHILDREN)
def test_children_can_be_made_changed_and_removed(start: Start, table: str) -> None:
    """Children are created, edited and deleted like other records; they hold the parent's id."""
    server = start().server
    parent = ENDPOINTS[table].parent
    assert parent is not None
    owner = server.rows(parent.table)[0]["id"]
    made = server.create(table, **{parent.key: owner})
    assert made in server.rows(table)
    assert made[parent.key] == owner
    edited = server.edit(table, made["id"], amount=1.25)
    assert server.row(table, made["id"]) == edited == made | {**edited, "amount": 1.25}
    server.delete(table, made["id"])
    assert server.row(table, made["id"]) is None
    with pytest.raises(EditRefusedError, match="has no id 1"):
        server.create(table, **{parent.key: 1})


@pytest.mark.parametrize(
    ("table", "children"),
    [
        ("invoices", ("invoice_messages", "invoice_payments")),
        ("estimates", ("estimate_messages",)),
        ("users", ("billable_rates", "cost_rates")),
    ],
)
def test_children_go_with_their_parent(start: Start, table: str, children: tuple[str, ...]) -> None:
    """The children of a deleted document or user are deleted."""
    server = start().server
    parent = ENDPOINTS[children[0]].parent
    assert parent is not None
    ids = {row[parent.key] for row in server.rows(children[0])}
    deleted = next(row["id"] for row in server.rows(table) if row["id"] in ids)
    server.delete(table, deleted, force=True)
    for child in children:
        assert all(row[parent.key] != deleted for row in server.rows(child))
        assert server.count(child) == len(server.rows(child)) > 0


@pytest.mark.parametrize("name", NESTED)
def test_lists_below_an_unknown_record_are_empty(world: World, name: str) -> None:
    """An account lists nothing below a record that does not exist, whatever the list."""
    account = world._account(None)
    assert account.below(name, 1) == []
    assert account.listing_below(name, 1, Query()).total == 0


def test_alterations_and_faults_reach_nested_lists(start: Start) -> None:
    """Alterations and faults match the name in the log; the added parent id is never altered."""
    reader = start()
    server = reader.server
    row = server.rows("invoice_payments")[0]
    path = f"invoices/{row['invoice_id']}/payments"
    server.alter("invoice_payments", "add_field", name="invoice_id", value="odd")
    assert reader.rows(path)[0]["invoice_id"] == "odd"
    assert server.rows("invoice_payments")[0]["invoice_id"] == row["invoice_id"]
    server.fault("missing_key", table="invoice_payments", times=1)
    assert "invoice_payments" not in reader.get(path).json()
    server.fault("unavailable", table="invoice_payments", times=1)
    assert [reader.get(path).status_code for _ in range(2)] == [503, 200]


def test_accounts_have_children_of_their_own(start: Start) -> None:
    """Two accounts have different messages, payments and rates."""
    server = start(accounts=(1000001, 1000002)).server
    for table in CHILDREN:
        assert server.rows(table, 1000001) != server.rows(table, 1000002)
