"""What is compared again after a fix: tables that differed, and tables that depend on them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import cast

import pytest

from harvest_source.defaults import TableFormat
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.operations import compare_tables
from harvest_source.operations.compare_tables import TablesComparison, choose_workers
from harvest_source.operations.comparisons import Comparison
from harvest_source.operations.workspace import Workspace

NEW_YEAR = DateWindow(date(2023, 12, 31), date(2024, 1, 2))
MARCH = DateWindow(date(2024, 3, 1), date(2024, 3, 2))
OF_MARCH = DateWindow(date(2024, 1, 1), date(2025, 1, 1))
BEFORE = DateWindow(date(2022, 1, 1), date(2023, 1, 1))

TABLES = ("time_entries", "expenses", "projects", "invoices", "clients")


@pytest.mark.parametrize(
    ("table_format", "is_plentiful", "workers"),
    [(None, True, 8), (None, False, 2), ("delta", True, 1), ("iceberg", True, 1)],
)
def test_tables_of_files_are_compared_one_by_one(
    table_format: TableFormat | None,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_plentiful: bool,
) -> None:
    """Another thread has its own, empty, catalog of Iceberg tables."""
    monkeypatch.setattr(compare_tables, "is_plentiful", lambda: is_plentiful)
    assert choose_workers(table_format) == workers


def compared(
    table: str, check: str, account_id: int = 1, *, window: DateWindow | None = None
) -> Comparison:
    return Comparison(
        account_id=account_id,
        table=table,
        check=check,
        scope="all",
        here=Decimal(1),
        there=Decimal(1),
        slices=() if window is None else (Slice(window),),
    )


def forget(*mended: Comparison) -> tuple[set[Place], dict[Place, list[DateWindow]]]:
    """The places that remain valid, and the windows of ids to compare again by place."""
    comparison = TablesComparison(cast("Workspace", None))
    for name in TABLES:
        comparison._found[name, 1] = [compared(name, "rows"), compared(name, "ids")]
    comparison.forget(mended)
    earlier = {(name, 1): comparison._earlier.find((name, 1)) for name in TABLES}
    ids = {
        place: sorted(each.windows, key=str) for place, each in earlier.items() if each.comparisons
    }
    return set(comparison._found), ids


@pytest.mark.parametrize(
    ("table", "check", "again"),
    [
        ("time_entries", "hours", {"time_entries"}),
        ("invoice_payments", "list", {"invoices"}),
        ("clients_history", "open versions", {"clients"}),
        ("projects", "rows", {"projects", "time_entries", "expenses"}),
    ],
)
def test_tables_that_differed_are_compared_again_with_dependents(
    table: str, check: str, again: set[str]
) -> None:
    """Child lists and a history belong to their table; entries' amounts depend on projects."""
    kept, _ = forget(compared(table, check))
    assert kept == {(name, 1) for name in TABLES if name not in again}


def test_ids_are_not_compared_again_if_only_values_were_wrong() -> None:
    """Rereading some rows does not change which rows there are."""
    _, ids = forget(compared("time_entries", "hours"))
    assert ids == {("time_entries", 1): []}


@pytest.mark.parametrize("check", ["rows", "ids"])
def test_ids_are_compared_again_where_rows_were_wrong(check: str) -> None:
    """All of that table's ids are; tables that only depend on it keep theirs."""
    _, ids = forget(compared("projects", check), compared("projects", "hours"))
    assert ids == {("time_entries", 1): [], ("expenses", 1): []}


def test_only_the_ids_that_were_wrong_are_compared_again() -> None:
    """The other ids were right and are untouched; in a year, only the known days are compared."""
    days = [compared("time_entries", "ids", window=each) for each in (NEW_YEAR, MARCH)]
    years = [compared("time_entries", "rows", window=each) for each in (OF_MARCH, BEFORE)]
    _, ids = forget(*years, *days, compared("time_entries", "rows"))
    assert ids == {("time_entries", 1): [BEFORE, NEW_YEAR, MARCH]}


def test_values_are_compared_again_in_the_windows_of_all_rounds() -> None:
    """What a later round does not mend in an earlier window is found again."""
    comparison = TablesComparison(cast("Workspace", None), all_values=True)
    place = ("time_entries", 1)
    for window in (MARCH, BEFORE):
        comparison._found[place] = [compared("time_entries", "values", window=window)]
        comparison.forget([compared("time_entries", "values", window=window)])
    assert set(comparison._earlier.find(place).windows) == {MARCH, BEFORE}
    comparison._found[place] = [compared("time_entries", "values")]
    comparison.forget([compared("time_entries", "hours", window=OF_MARCH)])
    assert not comparison._earlier.find(place).windows


def test_other_accounts_are_not_compared_again() -> None:
    """Each account has its own rows."""
    kept, ids = forget(compared("time_entries", "rows", account_id=2))
    assert (len(kept), ids) == (len(TABLES), {})
