"""Deleting records."""

from __future__ import annotations

from datetime import datetime

from harvest_source.sandbox.control.implied import update_role_names
from harvest_source.sandbox.control.lookup import EditRefusedError, find
from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.effects import Effects, delete_below
from harvest_source.sandbox.data.locks import lock_archived
from harvest_source.sandbox.data.query import Query, build_test, quoted_ids
from harvest_source.sandbox.data.records.billing import locked_reason
from harvest_source.sandbox.data.values import Record, epoch, iso
from harvest_source.sandbox.endpoints import CHILDREN, ENDPOINTS

TRACKED = {
    "users": ("user",),
    "tasks": ("task",),
    "user_assignments": ("project", "user"),
    "task_assignments": ("project", "task"),
}
"""
Tables whose records cannot be deleted while time is tracked on them, and what the entries and
expenses on them quote: the record itself, or what an assignment joins.
"""


def delete(
    account: Account, table: str, record_id: int, now: datetime, *, force: bool = False
) -> None:
    """
    Delete a record permanently, without a trace (behaviour.md 6, deletes).

    Deleting a project also deletes its assignments, time entries and expenses, but not invoices.
    Deleting an invoice reopens what it billed. Deleting a parent deletes its children. *force*
    skips Harvest's own refusals.

    Raises:
        EditRefusedError: There is no such record, or it is a client with projects, invoices or
            estimates; a user, a task or an assignment with tracked time; a user or an assignment of
            one with expenses; or an invoice item category that is in use.
    """
    record = find(account, table, record_id)
    at = iso(epoch(now))
    if not force:
        _check_free(account, table, record_id)
    if table == "invoices":
        _release(account, record_id, at)
    account.remove(table, record_id)
    delete_below(account, table, record_id)
    if table in CHILDREN:
        Effects(account, at).after_delete(table, record)
    if table == "projects":
        _delete_project_rows(account, record_id)
    if table == "roles":
        update_role_names(account)
    if table == "users":
        for other in account.tables["roles"].values():
            other["user_ids"] = [user for user in other["user_ids"] if user != record["id"]]
        account.changed("roles")


def _check_free(account: Account, table: str, record_id: int) -> None:
    if table == "clients":
        quoting = ("projects", "invoices", "estimates")
        if any(
            record_id in quoted_ids(record, "client")
            for other in quoting
            for record in account.tables[other].values()
        ):
            msg = f"Client {record_id} has projects, invoices or estimates"
            raise EditRefusedError(msg)
    record = find(account, table, record_id)
    if table in TRACKED:
        _check_untracked(account, table, record)
    if record.get("use_as_service") or record.get("use_as_expense"):
        msg = f"{table} {record_id} has a use: as service or as expense"
        raise EditRefusedError(msg)


def _check_untracked(account: Account, table: str, record: Record) -> None:
    if table in ("users", "tasks"):
        ids = [record["id"]]
    else:
        ids = [each for member in TRACKED[table] for each in quoted_ids(record, member)]
    names = [f"{member}_id" for member in TRACKED[table]]
    query = Query(fields=tuple(zip(names, ids, strict=True)))
    if account.listing("time_entries", query).total:
        msg = f"{table} {record['id']} has tracked time"
        raise EditRefusedError(msg)
    test = build_test(ENDPOINTS["expenses"], query)
    if "user_id" in names and any(map(test, account.tables["expenses"].values())):
        msg = f"{table} {record['id']} has expenses"
        raise EditRefusedError(msg)


def _delete_project_rows(account: Account, project_id: int) -> None:
    query = Query(fields=(("project_id", project_id),))
    account.entries.remove_where(query, build_test(ENDPOINTS["time_entries"], query))
    for table in ("expenses", "user_assignments", "task_assignments"):
        for record in list(account.tables[table].values()):
            if project_id in quoted_ids(record, "project"):
                account.remove(table, record["id"])


def _release(account: Account, invoice_id: int, at: str) -> None:
    """Unverified against a live account: whether the released rows are touched; here they are."""
    free: Record = {"invoice": None, "is_billed": False, "updated_at": at}
    billed = [row for row in account.entries.records() if invoice_id in quoted_ids(row, "invoice")]
    for record in billed:
        account.put("time_entries", record | free | _lock(account, "time_entries", record))
    for record in list(account.tables["expenses"].values()):
        if invoice_id in quoted_ids(record, "invoice"):
            account.put("expenses", record | free | _lock(account, "expenses", record))


def _lock(account: Account, table: str, record: Record) -> Record:
    reason = locked_reason(billed=False, approved=record["is_closed"], active=True)
    lock = {"is_locked": reason is not None, "locked_reason": reason}
    released = record | lock
    lock_archived(account.tables, table, [released])
    return {name: released[name] for name in lock}
