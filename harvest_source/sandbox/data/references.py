"""
How records quote each other, and how the copies follow the quoted record.

Quoted names are those at read time (endpoints.yaml: "display name at read time"), so a rename
rewrites the copies and moves no other record's ``updated_at`` (behaviour.md 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harvest_source.sandbox.data.values import Record

Quote = Callable[[Record], Record]


def _fields(*names: str) -> Quote:
    return lambda record: {name: record.get(name) for name in names}


def person(record: Record) -> Record:
    """``{id, name}`` of a user."""
    return {"id": record["id"], "name": f"{record['first_name']} {record['last_name']}"}


named = _fields("id", "name")
client_money = _fields("id", "name", "currency")
coded = _fields("id", "name", "code")
priced = _fields("id", "name", "unit_price", "unit_name")
numbered = _fields("id", "number")
only_id = _fields("id")
user_assignment = _fields(
    "id",
    "is_project_manager",
    "is_active",
    "use_default_rates",
    "budget",
    "created_at",
    "updated_at",
    "hourly_rate",
)
task_assignment = _fields(
    "id", "billable", "is_active", "created_at", "updated_at", "hourly_rate", "budget"
)

QUOTES: dict[str, dict[str, tuple[str, Quote]]] = {
    "contacts": {"client": ("clients", named)},
    "projects": {"client": ("clients", client_money)},
    "user_assignments": {"project": ("projects", coded), "user": ("users", person)},
    "task_assignments": {"project": ("projects", coded), "task": ("tasks", named)},
    "invoices": {
        "client": ("clients", named),
        "estimate": ("estimates", only_id),
        "creator": ("users", person),
    },
    "estimates": {"client": ("clients", named), "creator": ("users", person)},
    "expenses": {
        "client": ("clients", client_money),
        "project": ("projects", coded),
        "expense_category": ("expense_categories", priced),
        "user": ("users", person),
        "user_assignment": ("user_assignments", user_assignment),
        "invoice": ("invoices", numbered),
    },
    "time_entries": {
        "user": ("users", person),
        "client": ("clients", client_money),
        "project": ("projects", coded),
        "task": ("tasks", named),
        "user_assignment": ("user_assignments", user_assignment),
        "task_assignment": ("task_assignments", task_assignment),
        "invoice": ("invoices", numbered),
    },
}
"""By table and member of its records: the quoted table, and how its record is quoted."""

QUOTED = frozenset(table for members in QUOTES.values() for table, _ in members.values())


def requote(table: str, records: Iterable[Record], changed: str, source: Record) -> None:
    """Bring the copies of *source*, a record of table *changed*, up to date in *records*."""
    for member, (quoted, quote) in QUOTES.get(table, {}).items():
        if quoted != changed:
            continue
        for record in records:
            if _quotes(record.get(member), source):
                record[member] = quote(source)
    if table == "invoices" and changed == "projects":
        for record in records:
            _requote_lines(record, source)


def _requote_lines(invoice: Record, project: Record) -> None:
    lines = invoice.get("line_items")
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, dict) and _quotes(line.get("project"), project):
            line["project"] = coded(project)


def _quotes(value: object, source: Record) -> bool:
    return isinstance(value, dict) and value.get("id") == source["id"]
