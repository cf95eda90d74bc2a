"""The endpoint table is consistent: each row's names refer to columns of the right type."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from harvest_source.schema.columns import (
    ACCOUNT_ID,
    SEPARATOR,
    VARIANT,
    Child,
    Column,
    Record,
    Type,
)
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)

NAME = re.compile(r"[a-z][a-z0-9]*(_{1,2}[a-z0-9]+)*")
SUFFIX_TYPES = {"_at": Type.TIMESTAMP, "_date": Type.DATE, "_on": Type.DATE}
NO_REFERENCE = {
    "external_reference__id": "another tool's",
    "external_reference__group_id": "another tool's",
    "external_reference__account_id": "another tool's",
    "payment_gateway__id": "Harvest lists no gateways",
    "retainer__id": "Harvest lists no retainers",
    "recurring_invoice_id": "Harvest lists no templates",
    "transaction_id": "the payment provider's",
    "employee_id": "the customer's own",
}
"""Columns named like another table's id, and why they are not."""
MONEY = ("rate", "amount", "hours", "price", "cost", "budget", "fee", "quantity", "tax", "units")


def columns_of(record: Record) -> list[Column]:
    return [*record.columns, *(column for child in record.children for column in child.columns)]


def types_of(endpoint: Endpoint) -> dict[str, Type]:
    return {column.name: column.type for column in endpoint.columns}


def test_tables_have_names_of_their_own() -> None:
    """No two tables, child tables included, share a name."""
    names = [name for each in ENDPOINTS for name in (each.name, *each.child_tables)]
    assert not [name for name, times in Counter(names).items() if times > 1]
    assert list(BY_NAME) == [each.name for each in ENDPOINTS]


@every_endpoint
def test_columns_have_names_of_their_own(endpoint: Endpoint) -> None:
    """No two members of a record, or of one of its children, share a column name."""
    record = endpoint.record
    for names in (
        [*(c.name for c in record.columns), *(child.name for child in record.children)],
        *([column.name for column in child.columns] for child in record.children),
    ):
        assert len(set(names)) == len(names)


@every_endpoint
def test_names_are_snake_case_and_not_reserved(endpoint: Endpoint) -> None:
    """Names are snake case, never reserved by us, and never look like a misfit's column."""
    names = [c.name for c in columns_of(endpoint.record)]
    for name in [endpoint.name, *names, *(child.name for child in endpoint.record.children)]:
        assert NAME.fullmatch(name), name
        assert name != ACCOUNT_ID
        assert VARIANT not in name


@every_endpoint
def test_no_column_name_is_the_prefix_of_a_nested_column(endpoint: Endpoint) -> None:
    """No column's or array's name is the prefix of a nested column."""
    names = {*types_of(endpoint), *(child.name for child in endpoint.record.children)}
    inside = [(a, b) for a in names for b in names if b.startswith(a + SEPARATOR)]
    assert inside == []


@every_endpoint
def test_keys_are_columns(endpoint: Endpoint) -> None:
    """A key consists of columns; its ids are integers, and what may be hidden is filled."""
    types = types_of(endpoint)
    assert endpoint.key[0] == ACCOUNT_ID
    for name in endpoint.primary_key:
        wanted = {Type.BIGINT}
        if name in dict(endpoint.fill):
            wanted = {Type.TEXT}
        elif name in endpoint.sublist_columns and endpoint.report is not None:
            wanted = {Type.DATE}
        assert types[name] in wanted, name
    assert bool(endpoint.primary_key) != endpoint.single


@every_endpoint
def test_cursors_are_instants(endpoint: Endpoint) -> None:
    """The column that ``updated_since`` compares is always the timestamp ``updated_at``."""
    if endpoint.cursor is not None:
        assert endpoint.cursor == "updated_at"
        assert types_of(endpoint)[endpoint.cursor] is Type.TIMESTAMP
        assert endpoint.primary_key == ("id",)


@every_endpoint
def test_windows_are_days(endpoint: Endpoint) -> None:
    """``from`` and ``to`` filter by a date column, and only lists with a cursor are cut by it."""
    if endpoint.window is not None:
        assert types_of(endpoint)[endpoint.window] is Type.DATE
        assert endpoint.cursor is not None


@every_endpoint
def test_days_are_cut_by_the_id_of_another_table(endpoint: Endpoint) -> None:
    """The ids by which a day is cut are those of a table that is read."""
    if endpoint.cut_by is not None:
        assert endpoint.window is not None
        assert types_of(endpoint)[endpoint.cut_by] is Type.BIGINT
        assert BY_NAME[endpoint.cut_by.removesuffix("__id") + "s"].primary_key == ("id",)


@every_endpoint
def test_scope_columns_are_in_the_key_but_not_in_the_record(endpoint: Endpoint) -> None:
    """What a scope's rows share is part of their key, but not a member of the record."""
    assert set(endpoint.sublist_columns) <= set(endpoint.primary_key)
    assert not set(endpoint.sublist_columns) & endpoint.record.names
    if endpoint.parent is not None:
        listed = BY_NAME[endpoint.parent.endpoint]
        assert listed.strategy is ReadStrategy.CHANGES
        assert "{parent}" in endpoint.list_path
        if endpoint.parent.having is not None:
            assert endpoint.parent.having[0] in {child.name for child in listed.record.children}
    if endpoint.report is not None:
        assert all(BY_NAME[each].window is not None for each in endpoint.report.dated_by)


@every_endpoint
def test_modules_are_flags_of_the_company(endpoint: Endpoint) -> None:
    """The flag that disables a table is a column of ``company``."""
    if endpoint.module is not None:
        assert types_of(BY_NAME["company"])[endpoint.module] is Type.BOOL


@every_endpoint
def test_references_lead_to_ids(endpoint: Endpoint) -> None:
    """A reference leads to a table with such ids, of the same type."""
    tables = {endpoint.name: list(endpoint.columns)}
    tables |= {
        f"{endpoint.name}__{child.name}": list(endpoint.child_columns(child))
        for child in endpoint.record.children
    }
    for reference in endpoint.references:
        assert BY_NAME[reference.to].primary_key == ("id",)
        (column,) = [c for c in tables[reference.table] if c.name == reference.column]
        assert column.type is types_of(BY_NAME[reference.to])["id"]


@every_endpoint
def test_every_id_column_refers_to_a_table(endpoint: Endpoint) -> None:
    """A column named like an id refers to a table, or there is a reason why it cannot."""
    for column in [*endpoint.columns, *columns_of(endpoint.record)]:
        if column.name.endswith("_id"):
            assert bool(column.of) != (column.name in NO_REFERENCE), column.name


def test_exceptions_to_references_name_existing_columns() -> None:
    """The list of exceptions names only existing columns."""
    assert set(NO_REFERENCE) <= {c.name for each in ENDPOINTS for c in columns_of(each.record)}


@every_endpoint
def test_everything_is_described(endpoint: Endpoint) -> None:
    """Each table states who may read it and where it is documented, each column what it holds."""
    assert endpoint.permission
    assert re.fullmatch(r"[a-z-]+-api(/[a-z-]+)+/", endpoint.docs)
    members: list[Column | Child] = [*columns_of(endpoint.record), *endpoint.record.children]
    for member in members:
        assert member.description.strip() == member.description != ""
        assert not member.description.endswith(".")


@every_endpoint
def test_no_key_is_said_to_be_null(endpoint: Endpoint) -> None:
    """A key column that Harvest hides from some roles says what stands there instead."""
    described = {column.name: column.description for column in endpoint.columns}
    for name in endpoint.primary_key:
        assert "null" not in described[name]
    if endpoint.name.startswith("report_time_"):
        assert dict(endpoint.fill) == {"currency": ""}
        assert "an empty text where the role may not see it" in described["currency"]


def test_amounts_of_reports_say_how_fixed_fees_count() -> None:
    """They are missing from reports of hours, and in every year of the uninvoiced one (66)."""
    for kind in ("clients", "projects", "tasks", "team"):
        described = {each.name: each.description for each in BY_NAME[f"report_time_{kind}"].columns}
        assert "without that of fixed-fee projects" in described["billable_amount"]
    uninvoiced = {each.name: each.description for each in BY_NAME["report_uninvoiced"].columns}
    assert "do not add up years" in uninvoiced["uninvoiced_amount"]


@every_endpoint
def test_types_follow_the_names(endpoint: Endpoint) -> None:
    """Ids are bigint, ``*_at`` instants, ``*_date`` and ``*_on`` days, money and hours decimal."""
    for column in columns_of(endpoint.record):
        name = column.name.rpartition(SEPARATOR)[2]
        for suffix, expected in SUFFIX_TYPES.items():
            assert not name.endswith(suffix) or column.type is expected, column.name
        if name == "id" and not column.name.startswith("external_reference"):
            assert column.type is Type.BIGINT, column.name
        if name.endswith(MONEY):
            assert column.type in {Type.DECIMAL, Type.BOOL}, column.name
        assert column.type is not Type.JSON


@every_endpoint
def test_keys_that_open_documents_are_secret(endpoint: Endpoint) -> None:
    """A key that opens a page without a login is marked as secret, and no other column is."""
    for column in columns_of(endpoint.record):
        assert column.secret == (column.name in {"client_key", "statement_key"}), column.name
    for child in endpoint.record.children:
        assert not any(column.secret for column in child.columns)


@every_endpoint
def test_arrays_are_objects_or_plain_values(endpoint: Endpoint) -> None:
    """A child table has the columns of its objects, or the single column ``value``."""
    for child in endpoint.record.children:
        names = [column.name for column in child.columns]
        assert names
        assert "value" not in names or names == ["value"]


@every_endpoint
def test_paths_stay_below_the_api(endpoint: Endpoint) -> None:
    """Paths are relative, and the envelope's key is absent only for a single object."""
    path = endpoint.list_path.replace("{parent}", "parent")
    assert re.fullmatch(r"[a-z_]+(/[a-z_]+)*", path)
    assert (endpoint.envelope_key is None) == endpoint.single
