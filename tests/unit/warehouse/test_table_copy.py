"""Which rows of a table a reread affects."""

from __future__ import annotations

from datetime import date
from typing import cast

import pytest

from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.table_copy import TableCopy
from harvest_source.warehouse.warehouse import Warehouse

YEAR = DateWindow(date(2025, 1, 1), date(2026, 1, 1))
COLUMNS = ("id", "spent_date", "project__id")
OF_YEAR = "spent_date IS NOT NULL AND spent_date >= %s AND spent_date < %s"


class Plain:
    """Names without quotes."""

    def table(self, name: str) -> str:
        return name

    def column(self, name: str) -> str:
        return name


@pytest.mark.parametrize(
    ("parts", "condition", "values"),
    [
        ([Slice()], "(account_id = %s)", [1]),
        (
            [Slice(YEAR, only=("project__id", 7))],
            f"((account_id = %s)) AND ((({OF_YEAR}) AND (project__id = %s)))",
            [1, YEAR.start, YEAR.end, 7],
        ),
        (
            [Slice(only=("project__id", 7)), Slice(YEAR, only=("user__id", 8))],
            f"((account_id = %s)) AND (((project__id = %s)) OR (({OF_YEAR})))",
            [1, 7, YEAR.start, YEAR.end],
        ),
        ([Slice(YEAR), Slice(ALL_DAYS)], "(account_id = %s)", [1]),
    ],
)
def test_a_part_is_its_window_and_its_filter(
    parts: list[Slice], condition: str, values: list[object]
) -> None:
    """A project's part of a year is far smaller than all rows of that year."""
    copy = TableCopy(cast("Warehouse", None), BY_NAME["time_entries"], 1)
    assert copy.condition_of(parts, COLUMNS).render(Plain()) == (condition, values)
