"""What is emptied of a column that was loaded before it was excluded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pytest

from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.exclusion import empty_excluded
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.made_up import INVOICES, build_resource, open_warehouse

LINE: dict[str, Any] = {
    "id": 11,
    "taxes": [{"name": "VAT"}],
    "a_kind_of_tax_that_harvest_adds_under_a_very_long_name": [{"parts": [{"name": "city"}]}],
}
INVOICE: dict[str, Any] = {
    "account_id": 7,
    "id": 1,
    "line_items": [LINE],
    "line_items_sent": [{"id": 12}],
    "creator": {"teams": [{"name": "Sales"}]},
}
"""An invoice with arrays that Harvest may add: in elements, in objects, and beside an array."""


def count_arrays(warehouse: Warehouse) -> dict[str, int]:
    """The rows of each child table, by its name below ``invoices``."""
    with warehouse.sql() as sql:
        return {
            name.removeprefix("invoices").strip("_▶"): sql.count(name, EVERY_ROW)
            for name, table in warehouse.schema.tables.items()
            if table.get("parent")
        }


@pytest.mark.parametrize("naming", ["snake_case", "direct"])
def test_arrays_inside_an_excluded_array_are_emptied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naming: str
) -> None:
    """Whatever an array's elements hold is a part of the excluded column."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))  # Other workers have the same name.
    monkeypatch.setenv("SCHEMA__NAMING", naming)
    warehouse = open_warehouse(tmp_path / "warehouse.duckdb")
    invoices = build_resource(INVOICES, [INVOICE])
    warehouse.load(dlt.source(lambda: [invoices], name="harvest", section="harvest")())
    assert (set(count_arrays(warehouse).values()), len(count_arrays(warehouse))) == ({1}, 6)
    excluded = frozenset({"invoices.line_items", "invoices.creator"})
    texts = empty_excluded(warehouse, excluded)
    left = {name for name, rows in count_arrays(warehouse).items() if rows}
    assert left == {"line_items_sent"}
    assert [each.partition(" is excluded")[0] for each in texts] == sorted(excluded)
    assert empty_excluded(warehouse, excluded) == []
