"""Whether the records of a sandbox quote each other correctly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
REFERENCES = {
    "client": "clients",
    "project": "projects",
    "user": "users",
    "creator": "users",
    "task": "tasks",
    "user_assignment": "user_assignments",
    "task_assignment": "task_assignments",
    "expense_category": "expense_categories",
    "invoice": "invoices",
    "estimate": "estimates",
}
"""By member: the table that it quotes."""
LAZY = (*REFERENCES, "line_items", "user_ids")
"""Members that follow ``updated_at`` in recorded answers."""


def check_quotes(rows: Iterable[Row], originals: Mapping[str, Mapping[int, Row]]) -> None:
    """Every quoted record exists, and the quoted members equal the original's."""
    for row in rows:
        for source in (row, *row.get("line_items", [])):
            for member, target in REFERENCES.items():
                quoted = source.get(member)
                if quoted is not None:
                    _check_quote(quoted, originals[target][quoted["id"]])


def _check_quote(quoted: Row, original: Row) -> None:
    """Each quoted member equals the original's; a user's name is first and last name."""
    for name, value in quoted.items():
        if name == "name" and "first_name" in original:
            assert value == f"{original['first_name']} {original['last_name']}"
        else:
            assert value == original[name]


def check_order(row: Row) -> None:
    """The order of recorded answers: id first, quoted records and lines after updated_at."""
    members = list(row)
    assert members[0] == "id"
    late = [name for name in LAZY if name in members]
    assert all(members.index(name) > members.index("updated_at") for name in late)
