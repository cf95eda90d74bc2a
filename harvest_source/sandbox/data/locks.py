"""Locks of time entries and expenses because their project or their person is archived."""

from __future__ import annotations

from collections.abc import Iterable

from harvest_source.sandbox.data.values import Record, Tables

PROJECT_ARCHIVED = "Item Locked: the Project is Archived"
PERSON_ARCHIVED = "Item Locked: the Person is Archived"
LOCKED_BY = {
    "time_entries": (("project", "projects", PROJECT_ARCHIVED),),
    "expenses": (
        ("project", "projects", PROJECT_ARCHIVED),
        ("user", "users", PERSON_ARCHIVED),
    ),
}
"""
By table: the members whose archiving locks a record, their table, and the reason.

That an archived person locks expenses, and not time entries, is how Harvest describes the two
fields. Unverified against a live account: the texts, and that ``updated_at`` does not move.
"""


def lock_archived(tables: Tables, table: str, records: Iterable[Record]) -> None:
    """
    Lock or unlock *records* in place, as their projects and people are archived or not.

    A record that is locked for another reason stays as it is.
    """
    for record in records:
        reason = _find_reason(tables, table, record)
        held = record.get("locked_reason")
        if held in (PROJECT_ARCHIVED, PERSON_ARCHIVED) or (reason and not record.get("is_locked")):
            record["is_locked"] = reason is not None
            record["locked_reason"] = reason


def _find_reason(tables: Tables, table: str, record: Record) -> str | None:
    for member, quoted, reason in LOCKED_BY[table]:
        value = record.get(member)
        source = tables[quoted].get(value.get("id", 0)) if isinstance(value, dict) else None
        if source is not None and source.get("is_active") is False:
            return reason
    return None
