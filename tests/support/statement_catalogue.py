"""Every statement of ours: where its text was, what sends it, and its text in a dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from harvest_source.sql import statements
from harvest_source.sql.conditions import (
    EVERY_ROW,
    AllOf,
    AnyOf,
    Equals,
    InTable,
    Names,
    NoneOf,
    OneOf,
    Rendered,
    Value,
    Within,
)
from harvest_source.sql.dialects import Dialect

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = Equals("account_id", 1)
BOUND = AllOf(ACCOUNT, Within("spent_date", date(2024, 1, 1), date(2025, 1, 1)))
EARLY = Within("spent_date", None, date(1999, 1, 1))
OF_PROJECT = AllOf(BOUND, Within("project__id", None, None))
LOST = AllOf(ACCOUNT, OneOf("id", [1, 2]))
UNSEEN = AllOf(ACCOUNT, NoneOf("_dlt_load_id", ["1", "2"]), Within("_dlt_load_id", None, "3"))


@dataclass(frozen=True)
class Statement:
    """
    One statement.

    Attributes:
        what: Its purpose, in words.
        stood: Where its text was before it moved to the room ``sql``.
        stands: What uses it now.
        render: Its texts in a dialect, each with its parameters.
    """

    what: str
    stood: str
    stands: str
    render: Callable[[Names, Dialect], Sequence[Rendered]]


def _select(table: str, where: Any, *columns: str, **more: Any) -> Any:
    return lambda names, _: [statements.select(names, table, where, columns, **more)]


def _distinct(table: str, where: Any, *columns: str) -> Any:
    return lambda names, _: [statements.select_distinct(names, table, where, columns)]


def _count(table: str, where: Any) -> Any:
    return lambda names, _: [statements.count(names, table, where)]


def _groups(table: str, where: Any, *columns: str) -> Any:
    return lambda names, _: [statements.count_by(names, table, where, columns)]


def _update(table: str, changes: Any, where: Any) -> Any:
    return lambda names, d: [statements.update(names, d, table, changes, where)]


def _delete(table: str, where: Any) -> Any:
    return lambda names, d: [statements.delete(names, d, table, where)]


RECORD: dict[str, Value] = {
    "account_id": 1,
    "table_name": "clients",
    "id": 1,
    "detected_at": NOW,
    "_dlt_id": "a",
    "_dlt_load_id": "a",
}

_SQL = "warehouse/sql.py"
OPEN = Equals("valid_to", None)
_GONE = InTable("id", "projects", "id", ACCOUNT, negated=True)
_BELOW = InTable("invoice_id", "invoices", "id", LOST)
_COMMENTS = {"": "It's a table", "id": "Harvest's id"}

CATALOGUE = (
    Statement(
        "rows by key",
        _SQL,
        "operations/changed_rows.py, warehouse/removal.py",
        _select("invoices", LOST, "id", "issue_date", "updated_at", "amount"),
    ),
    Statement(
        "rows in order",
        _SQL,
        "operations/compare_invoices.py",
        _select("invoices", ACCOUNT, "id", "amount", order_by=("id",)),
    ),
    Statement(
        "lines of invoices by their row",
        "operations/compare_invoices.py: JOIN",
        "operations/compare_invoices.py",
        _select("invoices__line_items", ACCOUNT, "_dlt_root_id", "amount"),
    ),
    Statement(
        "payments by invoice",
        "operations/compare_invoices.py",
        "operations/compare_invoices.py",
        _select("invoice_payments", ACCOUNT, "invoice_id", "amount"),
    ),
    Statement(
        "running timers",
        _SQL,
        "operations/compare_hours.py",
        _select("time_entries", AllOf(ACCOUNT, Equals("is_running", True)), "project__id"),
    ),
    Statement(
        "ids of rows in any of several windows",
        _SQL,
        "warehouse/table_copy.py",
        _select(
            "time_entries",
            AllOf(ACCOUNT, AnyOf(BOUND, Within("spent_date", None, date(1999, 1, 1)))),
            "id",
        ),
    ),
    Statement(
        "digests of whole rows",
        _SQL,
        "warehouse/digests.py",
        _select(
            "time_entries",
            AllOf(AnyOf(BOUND), AnyOf(Equals("is_running", False), Equals("is_running", None))),
            "account_id",
            "id",
            "updated_at",
            "hours",
        ),
    ),
    Statement(
        "elements of an array of some rows",
        _SQL,
        "warehouse/removal.py",
        _select(
            "invoices__line_items",
            InTable("_dlt_root_id", "invoices", "_dlt_id", LOST),
            "_dlt_root_id",
            "amount",
            order_by=("_dlt_list_idx",),
        ),
    ),
    Statement(
        "open versions",
        _SQL,
        "operations/compare_history.py",
        _select("projects_history", AllOf(ACCOUNT, Equals("valid_to", None)), "id"),
    ),
    Statement(
        "keys of rows that go", _SQL, "warehouse/removal.py", _distinct("invoices", UNSEEN, "id")
    ),
    Statement(
        "parents that are missing",
        _SQL,
        "warehouse/removal.py",
        _distinct(
            "invoice_payments",
            AllOf(ACCOUNT, InTable("invoice_id", "invoices", "id", ACCOUNT, negated=True)),
            "invoice_id",
        ),
    ),
    Statement("rows in all", _SQL, "warehouse/table_copy.py", _count("clients", ACCOUNT)),
    Statement(
        "rows without their parent",
        _SQL,
        "warehouse/removal.py",
        _count(
            "invoices__line_items",
            AllOf(ACCOUNT, InTable("_dlt_root_id", "invoices", "_dlt_id", ACCOUNT, negated=True)),
        ),
    ),
    Statement(
        "rows by day",
        _SQL,
        "warehouse/table_copy.py",
        _groups("time_entries", ACCOUNT, "spent_date"),
    ),
    Statement(
        "rows by account and day",
        "",
        "warehouse/stored_days.py",
        _groups("time_entries", OneOf("account_id", [1, 2]), "account_id", "spent_date"),
    ),
    Statement(
        "equal entries of a year",
        "operations/compare_hours.py: EXTRACT, ordinals",
        "warehouse/table_copy.py",
        _groups(
            "time_entries",
            OF_PROJECT,
            "project__id",
            "rounded_hours",
            "billable",
            "billable_rate",
        ),
    ),
    Statement(
        "equal expenses of a year",
        "operations/compare_expenses.py: EXTRACT, ordinals",
        "warehouse/table_copy.py",
        _groups(
            "expenses",
            OF_PROJECT,
            "project__id",
            "total_cost",
            "billable",
        ),
    ),
    Statement(
        "a record of a removal",
        _SQL,
        "warehouse/deleted_records.py, warehouse/own_rows.py",
        lambda names, _: [
            (statements.insert(names, "deleted_records", tuple(RECORD), 1), list(RECORD.values()))
        ],
    ),
    Statement(
        "an emptied column",
        _SQL,
        "warehouse/exclusion.py",
        _update("clients", {"address": None}, Within("address", None, None)),
    ),
    Statement(
        "a closed version",
        "warehouse/removal.py: UPDATE ... AS, correlated",
        "warehouse/removal.py",
        _update(
            "projects_history", {"valid_to": NOW}, AllOf(Equals("valid_to", None), ACCOUNT, _GONE)
        ),
    ),
    Statement(
        "a record of a row that is back",
        "warehouse/deleted_records.py: correlated",
        "warehouse/deleted_records.py",
        _update(
            "deleted_records",
            {"restored_at": NOW},
            AllOf(Equals("table_name", "invoices"), InTable("id", "invoices", "id", ACCOUNT)),
        ),
    ),
    Statement("deleted rows", _SQL, "warehouse/removal.py", _delete("invoices", LOST)),
    Statement(
        "deleted rows below", _SQL, "warehouse/removal.py", _delete("invoice_payments", _BELOW)
    ),
    Statement(
        "deleted elements below rows below",
        _SQL,
        "warehouse/removal.py",
        _delete("invoices__line_items", InTable("_dlt_root_id", "invoices", "_dlt_id", LOST)),
    ),
    Statement(
        "all rows of a child table",
        _SQL,
        "warehouse/removal.py",
        _delete("roles__user_ids", EVERY_ROW),
    ),
    Statement(
        "runs of long ago",
        "warehouse/run_retention.py",
        "warehouse/run_retention.py",
        _select("sync_runs", Within("started_at", None, NOW), "id", "status", "tables", "errors"),
    ),
    Statement(
        "deleted rows about runs",
        "warehouse/run_retention.py",
        "warehouse/removal.py",
        _delete("sync_runs", OneOf("id", ["a", "b"])),
    ),
    Statement(
        "states of a pipeline",
        "warehouse/run_retention.py",
        "warehouse/run_retention.py",
        _select(
            "_dlt_pipeline_state",
            Equals("pipeline_name", "harvest"),
            "_dlt_id",
            "_dlt_load_id",
            "version",
        ),
    ),
    Statement(
        "old loads of a schema",
        "warehouse/run_retention.py",
        "warehouse/run_retention.py",
        _distinct(
            "_dlt_loads",
            AllOf(Equals("schema_name", "harvest"), Within("inserted_at", None, NOW)),
            "load_id",
        ),
    ),
    Statement(
        "loads that rows name",
        "warehouse/run_retention.py",
        "warehouse/run_retention.py",
        _distinct("invoices", Within("_dlt_load_id", None, None), "_dlt_load_id"),
    ),
    Statement(
        "deleted loads",
        "warehouse/run_retention.py",
        "warehouse/removal.py",
        _delete("_dlt_loads", OneOf("load_id", ["1", "2"])),
    ),
    Statement(
        "comments",
        "warehouse/sql.py: COMMENT ON",
        "warehouse/comments.py",
        lambda names, d: [
            (text, []) for text in statements.set_comments(names, d, "clients", _COMMENTS)
        ],
    ),
    Statement(
        "the newest state of a pipeline",
        "dlt_internals/state.py: JOIN",
        "dlt_internals/state.py",
        _select(
            "_dlt_pipeline_state",
            AllOf(
                Equals("pipeline_name", "harvest"),
                InTable("_dlt_load_id", "_dlt_loads", "load_id", Equals("status", 0)),
            ),
            "state",
            order_by=("version", "_dlt_load_id"),
            descending=True,
        ),
    ),
)
