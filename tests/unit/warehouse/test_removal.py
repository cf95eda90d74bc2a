"""Which rows are removed, with what, and what is recorded, on made-up rows without Harvest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.errors import GuardError
from harvest_source.extract.removals import Reason, Removal, Unseen, build_removal_by_id
from harvest_source.load.history import TableHistory
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import EVERY_ROW, Equals, OneOf
from harvest_source.warehouse.deleted_records import insert_records, mark_returned
from harvest_source.warehouse.removal import (
    build_condition,
    count_orphans,
    count_rows,
    delete_rows,
    end_versions_of_removed,
    find_missing_parents,
    forget_records,
    guard,
    iter_rows,
)
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import (
    ASSIGNED,
    INVOICES,
    NOW,
    PAYMENTS,
    PROJECTS,
    fill,
    ids,
    open_warehouse,
)
from tests.unit.warehouse.names import Quoted

ROLES = BY_NAME["roles"]


def rendered(rows: Removal) -> tuple[str, list[Any]]:
    """The condition, with double quotes."""
    text, values = build_condition(rows).render(Quoted())
    return text, values


def chosen(table: str, columns: tuple[str, ...] = (), *values: tuple[Any, ...]) -> Removal:
    return Removal(BY_NAME[table], 7, Reason.EMPTY, NOW, columns, values)


# Conditions.


def test_the_removal_of_an_account_matches_only_its_rows() -> None:
    """The condition never matches another account's rows."""
    assert rendered(chosen("roles")) == ('("account_id" = %s)', [7])


def test_a_full_refresh_removes_rows_that_it_did_not_bring() -> None:
    """Later loads do not match either, nor do rows before the bound, which were not read."""
    unseen = Unseen(("a", "b"), "17.5", date(2024, 1, 1))
    text, parameters = rendered(replace(chosen("invoices"), unseen=unseen))
    assert '("_dlt_load_id" NOT IN (%s, %s))' in text
    assert '"_dlt_load_id" < %s' in text
    assert '"issue_date" >= %s' in text
    assert parameters == [7, "a", "b", "17.5", date(2024, 1, 1)]


def test_a_bound_does_not_matter_without_dates() -> None:
    """Roles have no dates."""
    unseen = Unseen((), "17.5", date(2024, 1, 1))
    assert rendered(replace(chosen("roles"), unseen=unseen))[1] == [7, "17.5"]


def test_rows_are_chosen_by_a_list_of_ids() -> None:
    """The ids are one list."""
    text, parameters = rendered(build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, [3, 1]))
    assert '"id" IN (%s, %s)' in text
    assert parameters == [7, 1, 3]


def test_rows_are_chosen_by_several_columns() -> None:
    """A report's year has two bounds."""
    year = (date(2024, 1, 1), date(2024, 12, 31))
    text, parameters = rendered(chosen("report_time_projects", ("from_date", "to_date"), year))
    assert '("from_date" = %s) AND ("to_date" = %s)' in text
    assert parameters == [7, *year]


def test_every_history_is_keyed_by_account_and_id() -> None:
    """:func:`end_versions_of_removed` relies on these keys."""
    keys = {endpoint.key for endpoint in ENDPOINTS if endpoint.may_have_history}
    assert keys == {(ACCOUNT_ID, "id")}


# The guard.

SYNC = "harvest-source sync"


@pytest.mark.parametrize(
    ("rows", "total", "limit", "refused"),
    [
        (25, 25, "0", False),
        (26, 26, "1", False),
        (26, 130, "0.2", False),
        (26, 129, "0.2", True),
        (4812, 5010, "0.2", True),
    ],
)
def test_the_guard_refuses_removals_above_the_limit(
    rows: int, total: int, limit: str, refused: bool
) -> None:
    """The guard refuses a removal of more than the limit and more than 25 rows."""
    if not refused:
        guard(INVOICES, rows, total, Decimal(limit), SYNC)
        return
    with pytest.raises(GuardError, match=r"gone: harvest-source sync --max-deletes 100%$"):
        guard(INVOICES, rows, total, Decimal(limit), SYNC)


@pytest.mark.parametrize(
    ("rows", "total", "limit", "words"),
    [
        (4812, 5010, "0.2", "(96%, limit 20%)"),
        (26, 129, "0.2", "(20.2%, limit 20%)"),
        (2001, 10_000, "0.2", "(20.01%, limit 20%)"),
        (30, 100, "0.005", "(30%, limit 0.5%)"),
        (26, 5_000_000, "0", "(0.001%, limit 0%)"),
    ],
)
def test_the_guard_shows_that_the_share_is_above_the_limit(
    rows: int, total: int, limit: str, words: str
) -> None:
    """Both rounded to 20 %, a person could not see what is wrong."""
    with pytest.raises(GuardError, match=re.escape(words)):
        guard(INVOICES, rows, total, Decimal(limit), SYNC)


# In a DuckDB file.


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse with invoices of two accounts and projects with a history."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    warehouse = open_warehouse(tmp_path / "w.duckdb")
    fill(warehouse)
    yield warehouse
    Container()[PipelineContext].deactivate()


def remove(warehouse: Warehouse, *removals: Removal, keep_content: bool = True) -> None:
    """Execute all statements of *removals*."""
    with warehouse.sql() as sql:
        for removal in removals:
            for rows in iter_rows(sql, removal):
                found = [r.as_record(removal.detected_at, keep_content=keep_content) for r in rows]
                insert_records(sql, found)
            delete_rows(sql, removal)


def gone(*numbers: int) -> Removal:
    return build_removal_by_id(INVOICES, 7, Reason.GONE, NOW, numbers)


def kept(warehouse: Warehouse, table: str) -> list[dict[str, Any]]:
    with warehouse.sql() as sql:
        where = Equals("table_name", table)
        return sql.select(DELETED_RECORDS, where, order_by=("parent_id", "id"))


def test_rows_are_removed_with_everything_below_them(warehouse: Warehouse) -> None:
    """Lines, payments, messages and their recipients go; other rows and accounts stay."""
    remove(warehouse, gone(1, 3))
    assert ids(warehouse) == [(7, 2), (8, 1)]
    assert ids(warehouse, "invoices__line_items") == [(7, 20), (7, 21), (8, 10), (8, 11)]
    assert ids(warehouse, "invoice_payments") == [(7, 92), (8, 91)]
    assert ids(warehouse, "invoice_messages") == [(7, 82)]
    with warehouse.sql() as sql:
        assert sql.count("invoice_messages__recipients") == 1
        assert set(count_orphans(sql, 7).values()) == {0}


def test_rows_are_recorded_whole(warehouse: Warehouse) -> None:
    """Lines are included, and amounts are exact text; a row removed twice is recorded once."""
    remove(warehouse, gone(1, 3), gone(1, 3))
    assert [(row["id"], row["parent_id"]) for row in kept(warehouse, "invoices")] == [
        (1, None),
        (3, None),
    ]
    record = json.loads(kept(warehouse, "invoices")[0]["record"])
    assert (record["amount"], record["issue_date"]) == ("12.5", "2024-01-01")
    assert [line["id"] for line in record["line_items"]] == [10, 11]
    assert not any(name.startswith("_dlt_") for name in record)
    (paid,) = kept(warehouse, "invoice_payments")
    assert (paid["parent_id"], paid["id"]) == (1, 91)
    assert json.loads(paid["record"])["amount"] == "12345678901234567890.123456789"
    (sent,) = kept(warehouse, "invoice_messages")
    assert json.loads(sent["record"])["recipients"][0]["name"] == "Ann"


def test_only_ids_are_recorded_when_asked(warehouse: Warehouse) -> None:
    """``keep_deleted = "ids"`` keeps no content."""
    remove(warehouse, gone(3), keep_content=False)
    (row,) = kept(warehouse, "invoices")
    assert (row["id"], row["record"], row["detected_at"]) == (3, None, NOW)


def test_rows_are_counted_before_they_go(warehouse: Warehouse) -> None:
    """Rows are counted in any number of portions; a missing table has none."""
    with warehouse.sql() as sql:
        assert count_rows(sql, gone(*range(1, 1200))) == 3
        assert count_rows(sql, chosen("invoice_payments", ("invoice_id",), (1,), (2,))) == 2
        assert count_rows(sql, chosen("roles")) == 0
        delete_rows(sql, chosen("roles"))


def test_restored_rows_are_marked(warehouse: Warehouse) -> None:
    """Only rows that are in their table again are marked, and only in the tables asked for."""
    remove(warehouse, gone(1, 2))
    with warehouse.sql() as sql:
        sql.insert("invoices", [{"account_id": 7, "id": 2, "_dlt_id": "x", "_dlt_load_id": "y"}])
        mark_returned(sql, [ROLES], now=NOW)
        mark_returned(sql, [INVOICES, PAYMENTS], now=NOW + timedelta(days=1))
    assert [row["restored_at"] for row in kept(warehouse, "invoices")] == [
        None,
        NOW + timedelta(days=1),
    ]
    assert {row["restored_at"] for row in kept(warehouse, "invoice_payments")} == {None}


def test_an_id_below_two_parents_is_two_rows(warehouse: Warehouse) -> None:
    """If two parents share the id, only the row that is back is marked."""
    with warehouse.sql() as sql:
        row = {"account_id": 7, "invoice_id": 2, "id": 91, "_dlt_id": "x", "_dlt_load_id": "y"}
        sql.insert("invoice_payments", [row])
    remove(warehouse, gone(1, 2))
    with warehouse.sql() as sql:
        sql.insert("invoice_payments", [row])
        mark_returned(sql, [PAYMENTS], now=NOW)
    found = [(r["parent_id"], r["id"], r["restored_at"]) for r in kept(warehouse, PAYMENTS.name)]
    assert found == [(1, 91, None), (2, 91, NOW), (2, 92, None)]


def test_each_removal_of_a_row_is_recorded(warehouse: Warehouse) -> None:
    """A row that goes, returns and goes again has two records, the first marked as restored."""
    row = {"account_id": 7, "id": 3, "_dlt_id": "x", "_dlt_load_id": "y"}
    remove(warehouse, gone(3))
    with warehouse.sql() as sql:
        sql.insert("invoices", [row])
        mark_returned(sql, [INVOICES], now=NOW)
    later = NOW + timedelta(days=1)
    remove(warehouse, replace(gone(3), detected_at=later))
    found = {(r["detected_at"], r["restored_at"]) for r in kept(warehouse, "invoices")}
    assert found == {(NOW, NOW), (later, None)}


def test_records_are_forgotten_after_a_while(warehouse: Warehouse) -> None:
    """With None, records are kept forever."""
    for number, days in ((3, 10), (1, 1)):
        remove(warehouse, replace(gone(number), detected_at=NOW - timedelta(days=days)))
    with warehouse.sql() as sql:
        forget_records(sql, None, now=NOW)
        assert len(kept(warehouse, "invoices")) == 2
        forget_records(sql, 5, now=NOW)
    assert [row["id"] for row in kept(warehouse, "invoices")] == [1]


def test_versions_of_rows_that_are_gone_are_closed(warehouse: Warehouse) -> None:
    """The removal itself closes them; other rows' versions stay, and a closed one keeps its end."""
    table = TableHistory(PROJECTS).table
    remove(warehouse, build_removal_by_id(PROJECTS, 7, Reason.GONE, NOW, [1]))
    with warehouse.sql() as sql:
        end_versions_of_removed(sql, PROJECTS, 7, now=NOW + timedelta(days=1))
        end_versions_of_removed(sql, ROLES, 7, now=NOW)
        found = sql.select(table, EVERY_ROW, ("id", "valid_to"), ("id",))
    assert found == [{"id": 1, "valid_to": NOW}, {"id": 2, "valid_to": None}]


def test_rows_without_a_parent_are_found(warehouse: Warehouse) -> None:
    """They are found by the ids of missing parents, and counted, with elements of arrays."""
    with warehouse.sql() as sql:
        assert find_missing_parents(sql, PAYMENTS, 7) == []
        sql.delete("invoices", OneOf("id", [1]))
        assert find_missing_parents(sql, PAYMENTS, 7) == [1]
        assert find_missing_parents(sql, ASSIGNED, 7) == []
        counts = {name: n for name, n in count_orphans(sql, 7).items() if n}
    assert counts == {"invoice_payments": 1, "invoice_messages": 1, "invoices__line_items": 2}
