"""Which rows leave a table, with what, and what remembers them. No Harvest: rows are made up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.decode.decoder import Decoder
from harvest_source.errors import GuardError
from harvest_source.extract.run_log import Emptied
from harvest_source.load.history import TableHistory
from harvest_source.load.own_tables import DELETED_RECORDS
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.warehouse.deleted_records import forget, restore
from harvest_source.warehouse.removal import (
    RowsToDelete,
    end_versions,
    find,
    guard,
    remove,
    rows_to_delete_by_id,
    rows_to_delete_of_emptied,
)
from harvest_source.warehouse.sql import EVERY_ROW, Equals
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.warehouse import Warehouse
from tests.unit.warehouse.names import Quoted

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
INVOICES, ROLES, PROJECTS = BY_NAME["invoices"], BY_NAME["roles"], BY_NAME["projects"]


def rendered(rows: RowsToDelete) -> tuple[str, list[Any]]:
    """The condition with double quotes."""
    return rows.condition().render(Quoted())


# Conditions.


def test_all_rows_of_an_account() -> None:
    """Never another account's."""
    assert rendered(RowsToDelete(ROLES, 7)) == ('("account_id" = %s)', [7])


def test_rows_that_a_full_refresh_did_not_bring() -> None:
    """By the load packages of the run; rows before the bound were not looked at."""
    text, parameters = rendered(RowsToDelete(INVOICES, 7, ("a", "b"), date(2024, 1, 1)))
    assert '("_dlt_load_id" NOT IN (%s, %s))' in text
    assert '"issue_date" >= %s' in text
    assert parameters == [7, "a", "b", date(2024, 1, 1)]


def test_a_bound_does_not_matter_without_dates() -> None:
    """Roles have none."""
    assert rendered(RowsToDelete(ROLES, 7, start=date(2024, 1, 1)))[1] == [7]


def test_rows_by_id() -> None:
    """In portions of 500 that one statement takes, as one list."""
    portions = rows_to_delete_by_id(INVOICES, 7, "id", range(1100))
    assert [len(each.scopes) for each in portions] == [500, 500, 100]
    text, parameters = rendered(portions[-1])
    assert '"id" IN (%s, ' in text
    assert parameters == [7, *range(1000, 1100)]


def test_rows_of_emptied_lists() -> None:
    """Grouped by table and account; a list without a scope empties the account's whole table."""
    emptied = [
        Emptied("invoice_messages", 7, (("invoice_id", 1),)),
        Emptied("roles", 8, ()),
        Emptied("invoice_messages", 7, (("invoice_id", 2),)),
        Emptied(
            "report_time_projects", 7, (("from", date(2024, 1, 1)), ("to", date(2024, 12, 31)))
        ),
    ]
    messages, reports, roles = rows_to_delete_of_emptied(emptied)
    assert rendered(messages) == ('("account_id" = %s) AND ("invoice_id" IN (%s, %s))', [7, 1, 2])
    assert rendered(roles) == ('("account_id" = %s)', [8])
    text, parameters = rendered(reports)
    assert '("from" = %s) AND ("to" = %s)' in text
    assert parameters == [7, date(2024, 1, 1), date(2024, 12, 31)]


def test_every_history_is_keyed_by_account_and_id() -> None:
    """What :func:`end_versions` relies on."""
    keys = {endpoint.key for endpoint in ENDPOINTS if endpoint.may_have_history}
    assert keys == {(ACCOUNT_ID, "id")}


# The guard.


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
def test_the_guard(rows: int, total: int, limit: str, refused: bool) -> None:
    """Refuses what is more than the limit and more than 25 rows."""
    if not refused:
        guard(INVOICES, rows, total, Decimal(limit))
        return
    with pytest.raises(GuardError, match="--max-deletes 100%"):
        guard(INVOICES, rows, total, Decimal(limit))


# In a DuckDB file.


def invoice(number: int, account_id: int = 7) -> dict[str, Any]:
    """An invoice with two lines."""
    return {
        "account_id": account_id,
        "id": number,
        "amount": Decimal("12.500000000"),
        "issue_date": date(2024, 1, number),
        "line_items": [{"account_id": account_id, "id": 10 * number + n} for n in range(2)],
    }


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse with invoices of two accounts and projects with a history."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    history = TableHistory(PROJECTS)
    rows = [{"account_id": 7, "id": number, "name": f"Project {number}"} for number in (1, 2)]
    decoder = Decoder(PROJECTS.record, account_id=7)

    @dlt.resource(name="projects", primary_key=PROJECTS.key, write_disposition="merge")
    def projects() -> Iterator[Any]:
        yield rows
        yield from history.encode([pa.Table.from_pylist(rows)], decoder)

    invoices = dlt.resource(
        [*map(invoice, (1, 2, 3)), invoice(1, account_id=8)],
        name="invoices",
        primary_key=INVOICES.key,
        write_disposition="merge",
    )
    warehouse = Warehouse(Target(database=tmp_path / "w.duckdb"))
    warehouse.load(dlt.source(lambda: [invoices, projects], name="harvest", section="harvest")())
    yield warehouse
    Container()[PipelineContext].deactivate()


def ids(warehouse: Warehouse, table: str = "invoices") -> list[tuple[int, int]]:
    """Account and id of every row."""
    with warehouse.sql() as sql:
        return sorted(sql.iter_values(table, EVERY_ROW, ("account_id", "id")))


def test_rows_leave_with_their_children_and_are_recorded(warehouse: Warehouse) -> None:
    """Whole, lines included, exact amounts as text; other rows and accounts stay."""
    (candidates,) = rows_to_delete_by_id(INVOICES, 7, "id", [1, 3])
    rows = find(warehouse, candidates, limit=None)
    remove(warehouse, [(candidates, rows)], now=NOW, keep_content=True)
    assert ids(warehouse) == [(7, 2), (8, 1)]
    assert ids(warehouse, "invoices__line_items") == [(7, 20), (7, 21), (8, 10), (8, 11)]
    with warehouse.sql() as sql:
        kept = sql.select(DELETED_RECORDS, EVERY_ROW, order_by=("id",))
    assert [(row["account_id"], row["table_name"], row["id"]) for row in kept] == [
        (7, "invoices", 1),
        (7, "invoices", 3),
    ]
    record = json.loads(kept[0]["record"])
    assert (record["amount"], record["issue_date"]) == ("12.5", "2024-01-01")
    assert [line["id"] for line in record["line_items"]] == [10, 11]
    assert not any(name.startswith("_dlt_") for name in record)


def test_only_ids_are_recorded_when_asked(warehouse: Warehouse) -> None:
    """``keep_deleted = "ids"`` keeps no content."""
    (candidates,) = rows_to_delete_by_id(INVOICES, 7, "id", [1])
    found = [(candidates, find(warehouse, candidates, limit=None))]
    remove(warehouse, found, now=NOW, keep_content=False)
    with warehouse.sql() as sql:
        (kept,) = sql.select(DELETED_RECORDS, EVERY_ROW)
    assert (kept["id"], kept["record"], kept["detected_at"]) == (1, None, NOW)


def test_what_is_back_is_marked(warehouse: Warehouse) -> None:
    """Only rows that are in their table again, only of tables that are asked about."""
    (candidates,) = rows_to_delete_by_id(INVOICES, 7, "id", [1, 2])
    found = [(candidates, find(warehouse, candidates, limit=None))]
    remove(warehouse, found, now=NOW, keep_content=True)
    with warehouse.sql() as sql:
        sql.insert("invoices", {"account_id": 7, "id": 2, "_dlt_id": "x", "_dlt_load_id": "y"})
    restore(warehouse, [ROLES], now=NOW)
    restore(warehouse, [INVOICES], now=NOW + timedelta(days=1))
    with warehouse.sql() as sql:
        kept = sql.select(DELETED_RECORDS, EVERY_ROW, ("id", "restored_at"), ("id",))
    assert [row["restored_at"] for row in kept] == [None, NOW + timedelta(days=1)]


def test_records_are_forgotten_after_a_while(warehouse: Warehouse) -> None:
    """None keeps them."""
    for number, days in ((1, 10), (2, 1)):
        (candidates,) = rows_to_delete_by_id(INVOICES, 7, "id", [number])
        found = [(candidates, find(warehouse, candidates, limit=None))]
        remove(warehouse, found, now=NOW - timedelta(days=days), keep_content=True)
    forget(warehouse, None, now=NOW)
    assert len(ids(warehouse, DELETED_RECORDS)) == 2
    forget(warehouse, 5, now=NOW)
    assert ids(warehouse, DELETED_RECORDS) == [(7, 2)]


def test_nothing_was_ever_recorded(warehouse: Warehouse) -> None:
    """Without the table there is nothing to mark or to forget."""
    restore(warehouse, [INVOICES], now=NOW)
    forget(warehouse, 5, now=NOW)


def test_versions_of_rows_that_are_gone_are_closed(warehouse: Warehouse) -> None:
    """At the time given; those of other rows stay open, and a closed one keeps its end."""
    history = TableHistory(PROJECTS)
    with warehouse.sql() as sql:
        sql.delete("projects", Equals("id", 1))
    end_versions(warehouse, [history, TableHistory(ROLES)], now=NOW)
    end_versions(warehouse, [history], now=NOW + timedelta(days=1))
    with warehouse.sql() as sql:
        found = sql.select(history.table, EVERY_ROW, ("id", "valid_to"), ("id",))
    assert found == [{"id": 1, "valid_to": NOW}, {"id": 2, "valid_to": None}]
