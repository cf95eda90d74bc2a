"""The list of all tables, Harvest's and ours, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harvest_source.cli.console import Console, print_json, print_table
from harvest_source.schema.columns import Column
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.schema.own_tables import OWN_TABLES, OwnTable


def show_tables(console: Console) -> None:
    """Show every table with its key, cursor and columns."""
    if console.as_json:
        theirs = {each.name: describe(each) for each in ENDPOINTS}
        print_json({"tables": theirs | {each.name: describe_own(each) for each in OWN_TABLES}})
        return
    for endpoint in ENDPOINTS:
        described = describe(endpoint)
        key, cursor = ", ".join(endpoint.key), endpoint.cursor or "none"
        _show_columns(f"{endpoint.name}  key {key}  cursor {cursor}", described["columns"])
        for name, child in described["children"].items():
            _show_columns(f"{name}  {child['description']}", child["columns"])
    for own in OWN_TABLES:
        heading = f"{own.name}  key {', '.join(own.key)}  {own.description}"
        _show_columns(heading, describe_own(own)["columns"])


def _show_columns(heading: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    print(heading)  # Outside the table, where no terminal width cuts it.
    print_table(
        ("Column", "Type", "Description"),
        ((name, column["type"], column["description"]) for name, column in columns.items()),
        whole=("Column", "Type"),
    )
    print()


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """Describe one of Harvest's tables as data."""
    return {
        "key": list(endpoint.key),
        "cursor": endpoint.cursor,
        "permission": endpoint.permission,
        "columns": _describe_columns([each for each in endpoint.columns if not each.secret]),
        "children": {
            f"{endpoint.name}__{child.name}": {
                "description": child.description,
                "columns": _describe_columns(endpoint.child_columns(child)),
            }
            for child in endpoint.record.children
        },
    }


def describe_own(table: OwnTable) -> dict[str, Any]:
    """Describe one of our own tables as data."""
    return {
        "key": list(table.key),
        "cursor": None,
        "permission": None,
        "description": table.description,
        "columns": _describe_columns(table.columns),
        "children": {},
    }


def _describe_columns(columns: Sequence[Column]) -> dict[str, dict[str, str]]:
    return {
        each.name: {"type": str(each.type), "description": each.description} for each in columns
    }
