"""What an edit changes besides the fields it names (behaviour.md 6)."""

from __future__ import annotations

from harvest_source.sandbox.data.account import Account
from harvest_source.sandbox.data.query import quoted_ids
from harvest_source.sandbox.data.records.billing import locked_reason
from harvest_source.sandbox.data.records.time_entries import rounded
from harvest_source.sandbox.data.values import Record


def implied_members(table: str, fields: Record) -> Record:
    """Members of the same record that follow from *fields*."""
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
    """Give a payment by date an instant (midnight UTC), and a payment by instant its date."""
    if "paid_date" in fields:
        return {"paid_at": f"{fields['paid_date']}T00:00:00Z"}
    return {"paid_date": fields["paid_at"][:10]} if "paid_at" in fields else {}


def touch_clients(account: Account, record: Record, at: str) -> None:
    """Move ``updated_at`` of the clients that *record* quotes to instant *at*."""
    for client_id in quoted_ids(record, "client"):
        client = account.get("clients", client_id)
        if client is not None:
            account.put("clients", client | {"updated_at": at})


def update_role_names(account: Account) -> None:
    """Update the role names that users hold, after a role was renamed or deleted."""
    for user in account.tables["users"].values():
        user["roles"] = [
            record["name"]
            for record in account.tables["roles"].values()
            if user["id"] in record["user_ids"]
        ]
    account.changed("users")
