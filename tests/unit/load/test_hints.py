"""dlt's hints for a table, from its row in the endpoint table."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from harvest_source.extract.exclusion import excluded_columns
from harvest_source.load.hints import (
    build_child_hints,
    build_hints,
    build_nested_hints,
    build_references,
    find_grown_children,
    is_declared,
    learned_columns,
    stored_columns,
    type_hint,
)
from harvest_source.schema.columns import LOAD_ID, Type
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS

each_table = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)

CLIENTS, INVOICES, ROLES = BY_NAME["clients"], BY_NAME["invoices"], BY_NAME["roles"]


def make_schema(**tables: dict[str, str | None]) -> dlt.Schema:
    """A schema with columns by their data types; None is a type that is not known yet."""
    schema = dlt.Schema("harvest")
    for name, columns in tables.items():
        made: Any = {
            column: {"name": column} | ({"data_type": kind} if kind else {})
            for column, kind in columns.items()
        }
        schema.update_table({"name": name, "columns": made})
    return schema


@each_table
def test_every_declared_column_has_a_hint(endpoint: Endpoint) -> None:
    """The hint has dlt's name for the type, and the description; the account is there too."""
    hints = build_hints(endpoint)
    assert hints["account_id"]["data_type"] == "bigint"
    for column in endpoint.columns:
        assert hints[column.name]["data_type"] == str(column.type)
        assert hints[column.name]["description"] == column.description


@each_table
def test_key_columns_are_never_null_and_others_may_be(endpoint: Endpoint) -> None:
    """Everything except keys can be hidden from a role."""
    hints = build_hints(endpoint)
    never_null = {name for name, hint in hints.items() if hint.get("nullable") is False}
    assert never_null - {LOAD_ID} == set(endpoint.key)


@each_table
def test_the_newest_version_of_a_row_wins(endpoint: Endpoint) -> None:
    """Of two rows with one key the cursor decides; lists read whole have no such order."""
    ordered = [name for name, hint in build_hints(endpoint).items() if "dedup_sort" in hint]
    assert ordered == ([endpoint.cursor] if endpoint.cursor else [])


@each_table
def test_we_add_the_load_id_only_to_arrow_rows(endpoint: Endpoint) -> None:
    """dlt itself adds it to dictionaries."""
    assert (LOAD_ID in build_hints(endpoint)) is not bool(endpoint.record.children)


def test_decimals_are_exact() -> None:
    """Decimals have 38 digits, 9 after the point; other types have no precision."""
    assert type_hint("rate", Type.DECIMAL) == {
        "name": "rate",
        "data_type": "decimal",
        "precision": 38,
        "scale": 9,
    }
    assert "precision" not in type_hint("id", Type.BIGINT)


def test_excluded_columns_have_no_hint() -> None:
    """Excluded columns and arrays have no hint, and no reference."""
    excluded = excluded_columns(INVOICES, frozenset({"invoices.client__id", "users.cost_rate"}))
    assert excluded == {"client__id"}
    assert "client__id" not in build_hints(INVOICES, excluded)
    references = build_references(INVOICES.columns, excluded)
    assert all("client__id" not in each["columns"] for each in references)
    assert "line_items" not in (build_nested_hints(INVOICES, frozenset({"line_items"})) or {})


def test_tables_without_arrays_have_no_nested_hints() -> None:
    """None means to dlt that there is no hint."""
    assert build_nested_hints(CLIENTS) is None


def test_child_tables_have_the_account_and_dlts_keys() -> None:
    """With these, they can be created before their first row, as dlt would create them."""
    (lines,) = (child for child in INVOICES.record.children if child.name == "line_items")
    hints = build_child_hints(INVOICES, lines)
    assert hints["account_id"]["data_type"] == "bigint"
    assert hints["invoice_id"]["data_type"] == "bigint"
    assert hints["_dlt_root_id"]["root_key"] is True
    assert hints["_dlt_parent_id"]["parent_key"] is True
    assert hints["_dlt_id"]["row_key"] is True
    assert {column.name for column in lines.columns} <= hints.keys()


def test_references_keep_accounts_apart() -> None:
    """An id is unique only within its account."""
    assert {
        "referenced_table": "clients",
        "columns": ["account_id", "client__id"],
        "referenced_columns": ["account_id", "id"],
    } in build_references(INVOICES.columns)


def test_learned_columns_are_what_was_not_declared() -> None:
    """They have types; dlt's own columns, and those of unknown type, are left out."""
    schema = make_schema(
        clients={
            "id": "bigint",
            "account_id": "bigint",
            "brand_new": "decimal",
            "guessed": "double",
            "unknown": None,
            "_dlt_load_id": "text",
        }
    )
    assert learned_columns(schema, "clients", ["id"]) == {"brand_new": Type.DECIMAL}
    assert learned_columns(schema, "nowhere", []) == {}


def test_a_table_counts_as_declared_if_every_column_exists() -> None:
    """If one is missing, the table is created again; additional columns do not matter."""
    columns: dict[str, str | None] = dict.fromkeys([*build_hints(ROLES), "brand_new"], "text")
    hints = build_child_hints(ROLES, ROLES.record.children[0])
    members: dict[str, str | None] = dict.fromkeys(hints, "text")
    schema = make_schema(roles=columns, roles__user_ids=members)
    assert is_declared(schema, ROLES, frozenset())
    assert not find_grown_children(schema, ROLES)
    del schema.tables["roles__user_ids"]["columns"]["role_id"]
    assert not is_declared(schema, ROLES, frozenset())
    assert is_declared(schema, ROLES, frozenset({"user_ids"}))
    assert find_grown_children(schema, ROLES)["roles__user_ids"].keys() == {"role_id"}
    assert not is_declared(schema, CLIENTS, frozenset())
    names = [name for name in build_hints(ROLES) if name != "name"]
    fewer = make_schema(roles=dict.fromkeys(names, "text"))
    assert not is_declared(fewer, ROLES, frozenset())
    assert is_declared(fewer, ROLES, frozenset({"name", "user_ids"}))


def test_a_missing_table_has_no_columns() -> None:
    """A missing table has no columns."""
    assert stored_columns(dlt.Schema("harvest"), "clients") == {}
