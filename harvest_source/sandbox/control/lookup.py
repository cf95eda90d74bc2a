"""The existing records that an edit refers to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from harvest_source.sandbox.data import references as refs
from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.query import quoted_ids
from harvest_source.sandbox.data.records.work import Booking, build_booking
from harvest_source.sandbox.data.values import Record, epoch, iso

SHORTHAND = {
    "client_id": ("client", "clients"),
    "project_id": ("project", "projects"),
    "user_id": ("user", "users"),
    "task_id": ("task", "tasks"),
    "expense_category_id": ("expense_category", "expense_categories"),
    "invoice_id": ("invoice", "invoices"),
    "estimate_id": ("estimate", "estimates"),
}
"""Fields that name a quoted record by id, as in the API's write requests: its member and table."""

BOOKED = {"project_id": "project", "user_id": "user", "task_id": "task"}


class EditRefusedError(ValueError):
    """An edit that Harvest would refuse, or that refers to a record that does not exist."""


def find(account: Account, table: str, record_id: int) -> Record:
    """
    A record as stored.

    Raises:
        EditRefusedError: There is none.
    """
    record = account.get(table, record_id)
    if record is None:
        msg = f"{table} has no id {record_id}"
        raise EditRefusedError(msg)
    return record


def find_assignment(
    account: Account, table: str, project_id: int, member: str, member_id: int
) -> Record | None:
    """The assignment of a user or task (*member*) to a project, if there is one."""
    return next(
        (
            record
            for record in account.tables[table].values()
            if project_id in quoted_ids(record, "project")
            and member_id in quoted_ids(record, member)
        ),
        None,
    )


def find_booking(account: Account, *, project_id: int, user_id: int, task_id: int) -> Booking:
    """
    The booking of a user on a project with a task, with the assignments if they exist.

    Raises:
        EditRefusedError: One of the three does not exist.
    """
    project = find(account, "projects", project_id)
    user = find(account, "users", user_id)
    task = find(account, "tasks", task_id)
    staffed = find_assignment(account, "user_assignments", project_id, "user", user_id)
    tasked = find_assignment(account, "task_assignments", project_id, "task", task_id)
    return build_booking(project, user, staffed, tasked or {}, task["id"])


def json_values(fields: Record) -> Record:
    """*fields* with dates and datetimes as Harvest writes them."""
    return {name: _json_value(value) for name, value in fields.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(epoch(value))
    return value.isoformat() if isinstance(value, date) else value


def resolve(account: Account, table: str, record: Record, fields: Record) -> Record:
    """
    The quoted records that shorthand *fields* name; removes the shorthand from *fields*.

    Args:
        record: The record before the edit.

    Raises:
        EditRefusedError: A referenced record does not exist.
    """
    quotes = refs.QUOTES.get(table, {})
    named = {name for name in SHORTHAND if name in fields and SHORTHAND[name][0] in quotes}
    if table == "time_entries" and named & set(BOOKED):
        ids = {
            name: fields.pop(name, (record.get(member) or {}).get("id"))
            for name, member in BOOKED.items()
        }
        return account.entries.seeded.quotes(find_booking(account, **ids))
    resolved = {}
    for name in named:
        member, source = SHORTHAND[name]
        resolved[member] = quotes[member][1](find(account, source, fields.pop(name)))
        if name == "invoice_id":
            fields["invoice"] = resolved[member]
        if name == "project_id" and "client" in quotes:
            project = account.tables["projects"][resolved[member]["id"]]
            resolved["client"] = dict(project["client"])
    return resolved
