"""Creating records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from harvest_source.sandbox.control.implied import implied_members, touch_clients
from harvest_source.sandbox.control.lookup import (
    BOOKED,
    SHORTHAND,
    EditRefusedError,
    find,
    find_assignment,
    find_booking,
    json_values,
    resolve,
)
from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.effects import Effects, new_start
from harvest_source.sandbox.data.locks import LOCKED_BY, lock_archived
from harvest_source.sandbox.data.records.billing import (
    estimate_item_category_record,
    estimate_record,
    expense_category_record,
    expense_record,
    invoice_item_category_record,
    invoice_record,
)
from harvest_source.sandbox.data.records.documents import message_record, payment_record
from harvest_source.sandbox.data.records.people import rate_record, role_record, user_record
from harvest_source.sandbox.data.records.time_entries import entry_record
from harvest_source.sandbox.data.records.work import (
    Booking,
    client_record,
    contact_record,
    project_record,
    task_assignment_record,
    task_record,
    user_assignment_record,
)
from harvest_source.sandbox.data.values import Record, epoch, iso
from harvest_source.sandbox.endpoints import CHILDREN


class _Referred:
    """The records that a new one refers to: those that shorthand fields name, or the first ones."""

    def __init__(self, account: Account, fields: Record) -> None:
        self._account = account
        self._fields = fields

    def one(self, shorthand: str) -> Record:
        """The record that a shorthand field names; the table's first when it is not given."""
        table = SHORTHAND[shorthand][1]
        record_id = self._fields.pop(shorthand, None)
        if record_id is not None:
            return find(self._account, table, record_id)
        first = next(iter(self._account.tables[table].values()), None)
        if first is None:
            msg = f"There is nothing in {table} that a new record could refer to"
            raise EditRefusedError(msg)
        return first

    def rate(self, table: str, new_id: int, at: str) -> Record:
        """A new rate of the user."""
        user_id = self.one("user_id")["id"]
        return rate_record(new_id, user_id, at, new_start(self._account, table, user_id, at))

    @property
    def owner(self) -> Record:
        """The first user, who is the default sender and recorder."""
        return next(iter(self._account.tables["users"].values()))


Maker = Callable[[_Referred, int, str], Record]

MAKERS: dict[str, Maker] = {
    "clients": lambda _, new_id, at: client_record(new_id, f"New client {new_id}", "USD", at),
    "contacts": lambda by, new_id, at: contact_record(new_id, by.one("client_id"), at),
    "tasks": lambda _, new_id, at: task_record(new_id, f"New task {new_id}", at),
    "users": lambda _, new_id, at: user_record(
        new_id, "New", f"User {new_id}", f"user{new_id}@example.com", at
    ),
    "roles": lambda _, new_id, at: role_record(new_id, f"New role {new_id}", [], at),
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
    "invoice_item_categories": lambda _, new_id, at: invoice_item_category_record(
        new_id, f"New category {new_id}", at
    ),
    "estimate_item_categories": lambda _, new_id, at: estimate_item_category_record(
        new_id, f"New category {new_id}", at
    ),
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
"""How a record of each table is made, except time entries and expenses."""


def create(account: Account, table: str, now: datetime, fields: Record) -> Record:
    """
    Add a record; ``client_id=`` and the like refer to others; missing *fields* get defaults.

    A new contact or invoice touches its client, and a new child its parent (`Effects`); no other
    record changes.

    Raises:
        EditRefusedError: A referenced record does not exist, or the id is taken.
    """
    fields = json_values(fields)
    at = iso(epoch(now))
    new_id = _new_id(account, table, fields)
    if table == "time_entries":
        record = _new_entry(account, new_id, at, fields)
    elif table == "expenses":
        record = _new_expense(account, new_id, at, fields)
    else:
        record = MAKERS[table](_Referred(account, fields), new_id, at)
    record |= implied_members(table, fields) | fields
    if table in LOCKED_BY and "is_locked" not in fields:
        lock_archived(account.tables, table, [record])
    account.put(table, record)
    if table in ("contacts", "invoices"):
        touch_clients(account, record, at)
    if table in CHILDREN:
        Effects(account, at).after_create(table, find(account, table, new_id))
    return find(account, table, new_id)


def _new_id(account: Account, table: str, fields: Record) -> int:
    asked = fields.pop("id", None)
    if asked is None:
        return account.new_id(table)
    if account.get(table, asked) is not None:
        msg = f"{table} has an id {asked} already"
        raise EditRefusedError(msg)
    return int(asked)


def _new_entry(account: Account, new_id: int, at: str, fields: Record) -> Record:
    """An entry on a booking that matches the ids in *fields*: a seeded booking if there is one."""
    seeded = account.entries.seeded
    given = {name: fields.pop(name, None) for name in BOOKED}
    known = [
        booked
        for booked in _newest(seeded.bookings)
        if all(value is None or getattr(booked, name) == value for name, value in given.items())
        and booked.project_id in account.tables["projects"]
    ]
    if known:
        booked = known[new_id % len(known)]
    else:
        referred = _Referred(account, {k: v for k, v in given.items() if v is not None})
        booked = find_booking(account, **{name: referred.one(name)["id"] for name in given})
    record = entry_record(new_id, seeded.quotes(booked), booked, at)
    return record | resolve(account, "time_entries", record, fields)


def _newest(bookings: Sequence[Booking]) -> Iterable[Booking]:
    """One booking for each user, project and task: the first, which has the newest rates."""
    found: dict[tuple[int, int, int], Booking] = {}
    for booked in bookings:
        found.setdefault((booked.user_id, booked.project_id, booked.task_id), booked)
    return found.values()


def _new_expense(account: Account, new_id: int, at: str, fields: Record) -> Record:
    referred = _Referred(account, fields)
    project, user = referred.one("project_id"), referred.one("user_id")
    record = expense_record(
        new_id,
        client=account.tables["clients"][project["client"]["id"]],
        project=project,
        category=referred.one("expense_category_id"),
        user=user,
        staffed=find_assignment(account, "user_assignments", project["id"], "user", user["id"]),
        at=at,
    )
    return record | resolve(account, "expenses", record, fields)
