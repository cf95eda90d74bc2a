"""
Every field that Harvest is known to send has a column: documented and observed fields.

The list of fields beside this file is generated from the project's facts about the API, which are
not part of it: run ``python -m tests.unit.schema.test_known_fields`` with them beside the clone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest_source.schema.columns import Column, Type
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS

LIST = Path(__file__).with_name("known_fields.json")
FACTS = Path("shared", "harvest-api", "endpoints.yaml")
NOT_TABLES = {
    "users_me": "the token's owner, who is in users too",
    "invoice_message_template": "a text made for a form",
}
WITHOUT_COLUMN: dict[tuple[str, str], str] = {}
"""Fields without a column, by (table, field), and why."""
TYPES = {
    "integer": {Type.BIGINT},
    "decimal": {Type.DECIMAL},
    "string": {Type.TEXT},
    "text": {Type.TEXT},
    "time": {Type.TEXT},
    "boolean": {Type.BOOL},
    "date": {Type.DATE},
    "datetime": {Type.TIMESTAMP},
}

Known = dict[str, dict[str, str]]
"""Table, field, type; an element's member is ``line_items[].id``, an element ``roles[]``."""

KNOWN: Known = json.loads(LIST.read_text())


def find_facts() -> Path | None:
    """The facts about the API, if they are beside this clone or its worktrees' folder."""
    places = [parent / FACTS for parent in list(Path(__file__).resolve().parents)[3:5]]
    return next((place for place in places if place.exists()), None)


def parse_facts(facts: Any) -> Known:
    """Fields by table, from the facts about each endpoint's record."""
    return {
        endpoint["name"]: dict(_fields(facts["records"][endpoint["record"]]["fields"]))
        for endpoint in facts["endpoints"]
        if endpoint["name"] not in NOT_TABLES
    }


def _fields(fields: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for field in fields:
        name, kind = prefix + field["name"], field["type"]
        if kind.startswith("array"):
            if field.get("fields"):
                yield from _fields(field["fields"], f"{name}[].")
            else:
                yield f"{name}[]", kind.removeprefix("array<").removesuffix(">")
        elif kind == "object":
            yield from _fields(field["fields"], f"{name}__")
        else:
            yield name, kind


def columns(endpoint: Endpoint) -> dict[str, Column]:
    """Declared columns, named like the fields."""
    found = {column.name: column for column in endpoint.record}
    for child in endpoint.record.children:
        for column in child.columns:
            member = "" if column.name == "value" else f".{column.name}"
            found[f"{child.name}[]{member}"] = column
    return found


@pytest.mark.parametrize("table", sorted(KNOWN))
def test_every_known_field_is_a_column(table: str) -> None:
    """Each field has a column of its type, or there is a reason why not."""
    declared = columns(BY_NAME[table])
    for field, kind in KNOWN[table].items():
        if (table, field) not in WITHOUT_COLUMN:
            assert field in declared, field
            assert declared[field].type in TYPES[kind], field


def test_every_table_has_known_fields() -> None:
    """No table was added without its fields, and no column without a field of that name."""
    assert KNOWN.keys() == BY_NAME.keys()
    for endpoint in ENDPOINTS:
        assert columns(endpoint).keys() <= KNOWN[endpoint.name].keys()


def test_the_list_of_known_fields_matches_the_facts() -> None:
    """Generated again from the facts, the list is the same; without the facts, this is skipped."""
    place = find_facts()
    if place is None:
        pytest.skip("the facts about the API are not beside this clone")
    yaml: Any = pytest.importorskip("yaml")
    assert parse_facts(yaml.safe_load(place.read_text())) == KNOWN


if __name__ == "__main__":
    import importlib

    found = find_facts()
    assert found is not None, f"no {FACTS} beside the clone"
    facts = importlib.import_module("yaml").safe_load(found.read_text())
    LIST.write_text(json.dumps(parse_facts(facts), indent=1) + "\n")
