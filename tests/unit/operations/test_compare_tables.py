"""After mending, what is compared again: tables that differed, and those that look into them."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from harvest_source.operations.audit_tables import Place
from harvest_source.operations.compare_tables import TablesComparison
from harvest_source.operations.comparisons import Comparison
from harvest_source.operations.workspace import Workspace

TABLES = ("time_entries", "expenses", "projects", "invoices", "clients")


def compared(table: str, check: str, account_id: int = 1) -> Comparison:
    return Comparison(
        account_id=account_id,
        table=table,
        check=check,
        scope="all",
        here=Decimal(1),
        there=Decimal(1),
    )


def forget(*mended: Comparison) -> tuple[set[Place], set[Place]]:
    """The places that hold from before, and those of which only the ids do."""
    comparison = TablesComparison(cast("Workspace", None))
    for name in TABLES:
        comparison._found[name, 1] = [compared(name, "rows"), compared(name, "ids")]
    comparison.forget(mended)
    return set(comparison._found), set(comparison._ids)


@pytest.mark.parametrize(
    ("table", "check", "again"),
    [
        ("time_entries", "hours", {"time_entries"}),
        ("invoice_payments", "list", {"invoices"}),
        ("clients_history", "open versions", {"clients"}),
        ("projects", "rows", {"projects", "time_entries", "expenses"}),
    ],
)
def test_what_differed_is_compared_again(table: str, check: str, again: set[str]) -> None:
    """Lists below a row and a history belong to its table; projects tell what entries are worth."""
    kept, _ = forget(compared(table, check))
    assert kept == {(name, 1) for name in TABLES if name not in again}


def test_ids_hold_where_only_values_were_wrong() -> None:
    """Which rows there are does not change by reading some of them again."""
    _, ids = forget(compared("time_entries", "hours"))
    assert ids == {("time_entries", 1)}


@pytest.mark.parametrize("check", ["rows", "ids"])
def test_ids_are_compared_again_where_rows_were_wrong(check: str) -> None:
    """Of that table; those that only look into it keep theirs."""
    _, ids = forget(compared("projects", check), compared("projects", "hours"))
    assert ids == {("time_entries", 1), ("expenses", 1)}


def test_other_accounts_hold() -> None:
    """Each has its own rows."""
    kept, ids = forget(compared("time_entries", "rows", account_id=2))
    assert (len(kept), ids) == (len(TABLES), set())
