"""Creating, editing and deleting records, with what else moves (behaviour.md 6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from harvest_source.sandbox import references as refs
from harvest_source.sandbox.account import Account
from harvest_source.sandbox.effects import Effects, delete_below, new_start
from harvest_source.sandbox.endpoints import CHILDREN, ENDPOINTS
from harvest_source.sandbox.filters import Query, build_test, quoted_ids
from harvest_source.sandbox.rates import rate_record
from harvest_source.sandbox.seed_billing import (
    estimate_record,
    expense_category_record,
    expense_record,
    invoice_record,
    item_category_record,
    locked_reason,
)
from harvest_source.sandbox.seed_documents import message_record, payment_record
from harvest_source.sandbox.seed_people import role, user_record
from harvest_source.sandbox.seed_work import (
    Booking,
    booking,
    client_record,
    contact_record,
    project_record,
    task_assignment_record,
    task_record,
    user_assignment_record,
)
from harvest_source.sandbox.values import Record, epoch, iso
from harvest_source.sandbox.work import entry_record, rounded

# Parameters that stand for a quoted record, as in the API's own write requests.
SHORTHAND = {
    "client_id": ("client", "clients"),
    "project_id": ("project", "projects"),
    "user_id": ("user", "users"),
    "task_id": ("task", "tasks"),
    "expense_category_id": ("expense_category", "expense_categories"),
    "invoice_id": ("invoice", "invoices"),
    "estimate_id": ("estimate", "estimates"),
}

# Deleting these is refused while time is tracked on them.
TRACKED = {"users": "user_id", "tasks": "task_id"}


class EditRefusedError(ValueError):
    """An edit that Harvest itself would refuse, or that names what does not exist."""


class _Picked:
    """The records that a new one refers to: as the shorthand fields say, or the first there is."""

    def __init__(self, account: Account, fields: Record) -> None:
        self._account = account
        self._fields = fields

    def one(self, shorthand: str) -> Record:
        """The record a shorthand field names; the table's first when it is not given."""
        table = SHORTHAND[shorthand][1]
        record_id = self._fields.pop(shorthand, None)
        if record_id is not None:
            return _found(self._account, table, record_id)
        first = next(iter(self._account.tables[table].values()), None)
        if first is None:
            msg = f"There is nothing in {table} that a new record could refer to"
            raise EditRefusedError(msg)
        return first

    def rate(self, table: str, new_id: int, at: str) -> Record:
        """A new rate of the person named."""
        user_id = self.one("user_id")["id"]
        return rate_record(new_id, user_id, at, new_start(self._account, table, user_id, at))

    @property
    def owner(self) -> Record:
        """Who does what nobody else is named for."""
        return next(iter(self._account.tables["users"].values()))


Maker = Callable[[_Picked, int, str], Record]

MAKERS: dict[str, Maker] = {
    "clients": lambda _, new_id, at: client_record(new_id, f"New client {new_id}", "USD", at),
    "contacts": lambda by, new_id, at: contact_record(new_id, by.one("client_id"), at),
    "tasks": lambda _, new_id, at: task_record(new_id, f"New task {new_id}", at),
    "users": lambda _, new_id, at: user_record(
        new_id, "New", f"User {new_id}", f"user{new_id}@example.com", at
    ),
    "roles": lambda _, new_id, at: role(new_id, f"New role {new_id}", [], at),
    "projects": lambda by, new_id, at: project_record(
        new_id, by.one("client_id"), f"New project {new_id}", at
    ),
    "user_assignments": lambda by, new_id, at: user_assignment_record(
        new_id, by.one("project_id"), by.one("user_id"), at
    ),
    "task_assignments": lambda by, new_id, at: task_assignment_record(
        new_id, by.one("project_id"), by.one("task_id"), at
    ),
    "expense_categories": lambda _, new_id, at: expense_category_record(
        new_id, f"New category {new_id}", at
    ),
    "invoice_item_categories": lambda _, new_id, at: item_category_record(
        new_id, f"New category {new_id}", at
    ),
    "estimate_item_categories": lambda _, new_id, at: {
        "id": new_id,
        "name": f"New category {new_id}",
        "created_at": at,
        "updated_at": at,
    },
    "invoices": lambda by, new_id, at: invoice_record(
        new_id, by.one("client_id"), by.one("user_id"), at
    ),
    "estimates": lambda by, new_id, at: estimate_record(
        new_id, by.one("client_id"), by.one("user_id"), at
    ),
    "invoice_messages": lambda by, new_id, at: message_record(
        new_id, "invoice_id", by.one("invoice_id"), by.owner, at
    ),
    "estimate_messages": lambda by, new_id, at: message_record(
        new_id, "estimate_id", by.one("estimate_id"), by.owner, at
    ),
    "invoice_payments": lambda by, new_id, at: payment_record(
        new_id, by.one("invoice_id"), by.owner, at
    ),
    "billable_rates": lambda by, new_id, at: by.rate("billable_rates", new_id, at),
    "cost_rates": lambda by, new_id, at: by.rate("cost_rates", new_id, at),
}


def create(account: Account, table: str, now: datetime, fields: Record) -> Record:
    """
    Add a record: defaults for whatever *fields* leaves out; ``client_id=`` and the like refer.

    A new contact or invoice touches its client, a child its parent (`Effects`); nothing else moves.

    Raises:
        EditRefusedError: A reference leads nowhere, or the id is taken.
    """
    fields = {name: _plain(value) for name, value in fields.items()}
    at = iso(epoch(now))
    new_id = fields.pop("id", None)
    if new_id is not None and account.get(table, new_id) is not None:
        msg = f"{table} has an id {new_id} already"
        raise EditRefusedError(msg)
    new_id = account.new_id(table) if new_id is None else int(new_id)
    if table == "time_entries":
        record = _new_entry(account, new_id, at, fields)
    elif table == "expenses":
        record = _new_expense(account, new_id, at, fields)
    else:
        record = MAKERS[table](_Picked(account, fields), new_id, at)
    account.put(table, record | _implied(table, fields) | fields)
    if table in ("contacts", "invoices"):
        _touch_client(account, record, at)
    if table in CHILDREN:
        Effects(account, at).made(table, _found(account, table, new_id))
    return _found(account, table, new_id)


def edit(
    account: Account, table: str, record_id: int, now: datetime, fields: Record, *, touch: bool
) -> Record:
    """
    Change *fields* of a record; *touch* moves its ``updated_at`` to *now* unless a field says when.

    Invoicing an entry or an expense (``invoice_id=``) also locks it and touches the client.

    Raises:
        EditRefusedError: No such record, or a reference leads nowhere.
    """
    fields = {name: _plain(value) for name, value in fields.items()}
    at = iso(epoch(now))
    old = _found(account, table, record_id)
    record = dict(old)
    record |= _resolved(account, table, record, fields)
    record |= _implied(table, fields) | fields
    if touch and "updated_at" not in fields:
        record["updated_at"] = at
    account.put(table, record)
    if table == "roles" and "name" in fields:
        _rename_role(account)
    if fields.get("invoice") and table in ("time_entries", "expenses"):
        _touch_client(account, record, at)
    if table in CHILDREN:
        Effects(account, at).edited(table, old, record, touch)
    return _found(account, table, record_id)


def delete(
    account: Account, table: str, record_id: int, now: datetime, *, force: bool = False
) -> None:
    """
    Remove a record for good, without a trace (behaviour.md 6, deletes).

    A project takes its assignments, time entries and expenses along; invoices stay. A deleted
    invoice sets free what it billed. Children go with their parent. *force* skips Harvest's own
    refusals.

    Raises:
        EditRefusedError: No such record; a client with projects, invoices or estimates; a person
            or task with tracked time.
    """
    record = _found(account, table, record_id)
    if not force:
        _check_free(account, table, record_id)
    if table == "invoices":
        _release(account, record_id, iso(epoch(now)))
    account.remove(table, record_id)
    delete_below(account, table, record_id)
    if table in CHILDREN:
        Effects(account, iso(epoch(now))).deleted(table, record)
    if table == "projects":
        _delete_project_rows(account, record_id)
    if table == "roles":
        _rename_role(account)
    if table in ("users",):
        for other in account.tables["roles"].values():
            other["user_ids"] = [user for user in other["user_ids"] if user != record["id"]]
        account.changed("roles")


def entries_of_invoice(account: Account, invoice_id: int) -> list[Record]:
    """The time entries that an invoice bills, as they are; a scan."""
    return [
        record
        for record in account.entries.records()
        if invoice_id in quoted_ids(record, "invoice")
    ]


def _found(account: Account, table: str, record_id: int) -> Record:
    record = account.get(table, record_id)
    if record is None:
        msg = f"{table} has no id {record_id}"
        raise EditRefusedError(msg)
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(epoch(value))
    return value.isoformat() if isinstance(value, date) else value


def _implied(table: str, fields: Record) -> Record:
    """Members that follow from *fields* where those do not name them."""
    implied: Record = {}
    if table == "time_entries" and isinstance(fields.get("hours"), int | float):
        implied = {
            "hours_without_timer": fields["hours"],
            "rounded_hours": rounded(fields["hours"]),
        }
    if table == "invoice_payments":
        implied = _payment_times(fields)
    if table in ("time_entries", "expenses") and fields.get("invoice"):
        reason = locked_reason(billed=True, approved=False, active=True)
        implied |= {"is_billed": True, "is_locked": True, "locked_reason": reason}
    return implied


def _payment_times(fields: Record) -> Record:
    """A payment by date is at midnight UTC of it; one by instant is dated by it."""
    if "paid_date" in fields:
        return {"paid_at": f"{fields['paid_date']}T00:00:00Z"}
    return {"paid_date": fields["paid_at"][:10]} if "paid_at" in fields else {}


def _resolved(account: Account, table: str, record: Record, fields: Record) -> Record:
    """Turn shorthand in *fields* (taken out of it) into quoted records."""
    quotes = refs.QUOTES.get(table, {})
    named = {name for name in SHORTHAND if name in fields and SHORTHAND[name][0] in quotes}
    if table == "time_entries" and named & {"project_id", "user_id", "task_id"}:
        ids = {
            name: fields.pop(name, (record.get(member) or {}).get("id"))
            for name, member in (
                ("project_id", "project"),
                ("user_id", "user"),
                ("task_id", "task"),
            )
        }
        return account.entries.hours.quotes(_booking(account, **ids))
    resolved = {}
    for name in named:
        member, source = SHORTHAND[name]
        resolved[member] = quotes[member][1](_found(account, source, fields.pop(name)))
        if name == "invoice_id":
            fields["invoice"] = resolved[member]
        if name == "project_id" and "client" in quotes:
            project = account.tables["projects"][resolved[member]["id"]]
            resolved["client"] = dict(project["client"])
    return resolved


def _booking(account: Account, *, project_id: int, user_id: int, task_id: int) -> Booking:
    """A booking by its ids, with the assignments if there are any."""
    project, user, task = (
        _found(account, table, record_id)
        for table, record_id in (("projects", project_id), ("users", user_id), ("tasks", task_id))
    )
    tables = account.tables
    staffed = _assignment(tables["user_assignments"], project_id, "user", user_id)
    tasked = _assignment(tables["task_assignments"], project_id, "task", task_id)
    return booking(project, user, staffed, tasked or {}, task["id"])


def _assignment(
    records: dict[int, Record], project_id: int, member: str, member_id: int
) -> Record | None:
    return next(
        (
            record
            for record in records.values()
            if project_id in quoted_ids(record, "project")
            and member_id in quoted_ids(record, member)
        ),
        None,
    )


def _new_entry(account: Account, new_id: int, at: str, fields: Record) -> Record:
    hours = account.entries.hours
    given = {name: fields.pop(name, None) for name in ("project_id", "user_id", "task_id")}
    known = [
        booked
        for booked in hours.bookings
        if all(value is None or getattr(booked, name) == value for name, value in given.items())
        and booked.project_id in account.tables["projects"]
    ]
    if known:
        booked = known[new_id % len(known)]
    else:
        picked = _Picked(account, {k: v for k, v in given.items() if v is not None})
        booked = _booking(account, **{name: picked.one(name)["id"] for name in given})
    record = entry_record(new_id, hours.quotes(booked), booked, at)
    return record | _resolved(account, "time_entries", record, fields)


def _new_expense(account: Account, new_id: int, at: str, fields: Record) -> Record:
    picked = _Picked(account, fields)
    project, user = picked.one("project_id"), picked.one("user_id")
    record = expense_record(
        new_id,
        client=account.tables["clients"][project["client"]["id"]],
        project=project,
        category=picked.one("expense_category_id"),
        user=user,
        staffed=_assignment(account.tables["user_assignments"], project["id"], "user", user["id"]),
        at=at,
    )
    return record | _resolved(account, "expenses", record, fields)


def _touch_client(account: Account, record: Record, at: str) -> None:
    for client_id in quoted_ids(record, "client"):
        client = account.get("clients", client_id)
        if client is not None:
            account.put("clients", client | {"updated_at": at})


def _check_free(account: Account, table: str, record_id: int) -> None:
    if table == "clients":
        users = ("projects", "invoices", "estimates")
        if any(
            record_id in quoted_ids(record, "client")
            for other in users
            for record in account.tables[other].values()
        ):
            msg = f"Client {record_id} has projects, invoices or estimates"
            raise EditRefusedError(msg)
    name = TRACKED.get(table)
    if name and account.listing("time_entries", Query(fields=((name, record_id),))).total:
        msg = f"{table} {record_id} has tracked time"
        raise EditRefusedError(msg)


def _delete_project_rows(account: Account, project_id: int) -> None:
    query = Query(fields=(("project_id", project_id),))
    account.entries.remove_where(query, build_test(ENDPOINTS["time_entries"], query))
    for table in ("expenses", "user_assignments", "task_assignments"):
        for record in list(account.tables[table].values()):
            if project_id in quoted_ids(record, "project"):
                account.remove(table, record["id"])


def _release(account: Account, invoice_id: int, at: str) -> None:
    """Unverified against a live account: whether freed rows are touched; here they are."""
    free: Record = {"invoice": None, "is_billed": False, "updated_at": at}
    for record in entries_of_invoice(account, invoice_id):
        account.put("time_entries", record | free | _lock(record))
    for record in list(account.tables["expenses"].values()):
        if invoice_id in quoted_ids(record, "invoice"):
            account.put("expenses", record | free | _lock(record))


def _lock(record: Record) -> Record:
    reason = locked_reason(billed=False, approved=record["is_closed"], active=True)
    return {"is_locked": reason is not None, "locked_reason": reason}


def _rename_role(account: Account) -> None:
    """Users carry role NAMES: write them anew after a role was renamed or deleted."""
    for user in account.tables["users"].values():
        user["roles"] = [
            record["name"]
            for record in account.tables["roles"].values()
            if user["id"] in record["user_ids"]
        ]
    account.changed("users")
