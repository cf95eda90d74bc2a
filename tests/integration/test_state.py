"""State and warehouse agree: what is stored where, and which of the two is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.warehouse import Warehouse
from tests.support.lab import Lab
from tests.support.labs import OpenLab


@contextmanager
def warehouse_of(lab: Lab) -> Iterator[Warehouse]:
    """The lab's warehouse as a run has it, once it is restored."""
    with lab.working():
        target = build_target("duckdb", lab.database, "harvest", "harvest")
        warehouse = Warehouse(target, clock=lab.shared)
        assert warehouse.restore() == []
        yield warehouse


def owe(state: dict[str, Any]) -> None:
    """A change such as a step of a run makes."""
    state["resources"]["clients"]["accounts"]["1"] = {"owed": [1, 2]}


def test_a_change_of_state_reaches_the_destination(open_lab: OpenLab) -> None:
    """It is in the folder at once, and a folder that is lost gets it back."""
    lab = open_lab.loaded("clients")
    with warehouse_of(lab) as warehouse:
        warehouse.write_state(owe)
        assert warehouse.source_state["resources"]["clients"]["accounts"]["1"] == {"owed": [1, 2]}
        (lab.folder / "dlt" / "pipelines" / "harvest" / "state.json").unlink()
    with warehouse_of(lab) as warehouse:
        assert warehouse.source_state["resources"]["clients"]["accounts"]["1"] == {"owed": [1, 2]}


def test_a_change_that_changes_nothing_loads_nothing(open_lab: OpenLab) -> None:
    """No load package is made for it."""
    lab = open_lab.loaded("clients")
    loads = "SELECT COUNT(*) AS n FROM _dlt_loads"
    before = lab.sql(loads)
    with warehouse_of(lab) as warehouse:
        warehouse.write_state(lambda _: None)
    assert lab.sql(loads) == before
