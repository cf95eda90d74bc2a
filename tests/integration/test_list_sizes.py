"""Lists that are read whole, whose rows were deleted or duplicated in the warehouse by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

WHOLE = ("roles", "company")
IN_PARTS = ("report_time_projects", "report_project_budget", "project_assignments")
CHILDREN = ("roles__user_ids", "project_assignments__task_assignments")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab that was synced twice; the second run loaded no row."""
    lab = open_lab.loaded(*WHOLE, *IN_PARTS, entries=40, invoices=0, expenses=0)
    before = contents(lab)
    lab.rest()
    assert lab.sync(*WHOLE, *IN_PARTS).status == "ok"
    assert contents(lab) == before
    return lab


def contents(lab: Lab) -> dict[str, Any]:
    """Every row of every table, with the load that brought it."""
    with lab.reading():
        return {
            name: lab.sql(f"SELECT * FROM {name} ORDER BY ALL")
            for name in (*WHOLE, *IN_PARTS, *CHILDREN)
        }


def without_dlt(found: dict[str, Any]) -> dict[str, Any]:
    return {
        table: sorted(repr([(k, v) for k, v in row.items() if "_dlt_" not in k]) for row in rows)
        for table, rows in found.items()
    }


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {}",
        "DELETE FROM {} WHERE rowid % 2 = 0",
        "INSERT INTO {0} SELECT * FROM {0}",
    ],
)
def test_a_list_whose_row_count_differs_is_loaded_again(lab: Lab, statement: str) -> None:
    """Harvest's list is unchanged since its load, so only the warehouse shows the difference."""
    before = without_dlt(contents(lab))
    lab.alter("; ".join(statement.format(name) for name in (*WHOLE, *IN_PARTS)))
    assert without_dlt(contents(lab)) != before
    lab.rest()
    assert lab.sync(*WHOLE, *IN_PARTS, all_children=True).status == "ok"
    after = without_dlt(contents(lab))
    assert {name for name, rows in after.items() if rows != before[name]} == set()
    assert_equal(lab, "roles")
    lab.rest()
    loaded = contents(lab)
    assert lab.sync(*WHOLE, *IN_PARTS, all_children=True).status == "ok"
    assert contents(lab) == loaded


@pytest.mark.rare
def test_lost_elements_of_arrays_are_restored(lab: Lab) -> None:
    """Elements are rows of a child table, and the state records how many there are."""
    before = without_dlt(contents(lab))
    lab.alter("; ".join(f"DELETE FROM {name} WHERE rowid % 2 = 0" for name in CHILDREN))
    lab.rest()
    assert lab.sync(*WHOLE, *IN_PARTS, all_children=True).status == "ok"
    after = without_dlt(contents(lab))
    assert {name: after[name] for name in CHILDREN} == {name: before[name] for name in CHILDREN}
