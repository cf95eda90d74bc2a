"""Editing records."""

from __future__ import annotations

from datetime import datetime

from harvest_source.sandbox.control.implied import (
    implied_members,
    touch_clients,
    update_role_names,
)
from harvest_source.sandbox.control.lookup import find, json_values, resolve
from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.effects import Effects
from harvest_source.sandbox.data.locks import LOCKED_BY, lock_archived
from harvest_source.sandbox.data.values import Record, epoch, iso
from harvest_source.sandbox.endpoints import CHILDREN


def edit(
    account: Account, table: str, record_id: int, now: datetime, fields: Record, *, touch: bool
) -> Record:
    """
    Change *fields* of a record; *touch* moves ``updated_at`` to *now* unless *fields* set it.

    Invoicing an entry or an expense (``invoice_id=``) also locks it and touches the client.
    Archiving a project or a person locks what :data:`LOCKED_BY` names, and touches nothing.

    Raises:
        EditRefusedError: There is no such record, or a referenced record does not exist.
    """
    fields = json_values(fields)
    at = iso(epoch(now))
    old = find(account, table, record_id)
    record = dict(old)
    record |= resolve(account, table, record, fields)
    record |= implied_members(table, fields) | fields
    if table in LOCKED_BY and "is_locked" not in fields:
        lock_archived(account.tables, table, [record])
    if touch and "updated_at" not in fields:
        record["updated_at"] = at
    account.put(table, record)
    if table == "roles" and "name" in fields:
        update_role_names(account)
    if fields.get("invoice") and table in ("time_entries", "expenses"):
        touch_clients(account, record, at)
    if table in CHILDREN:
        Effects(account, at).after_edit(table, old, record, touch)
    return find(account, table, record_id)
