"""Rows whose parent is gone: what Harvest is asked, and which rows are removed."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from harvest_source.api.client import HarvestClient
from harvest_source.api.evidence import ServerClock
from harvest_source.errors import ServerError
from harvest_source.extract.slice_reader import ListPage
from harvest_source.operations.orphan_removal import OrphanRemoval
from harvest_source.sql.conditions import OneOf
from tests.support.made_up import NOW, PAYMENTS, build_workspace, fill, ids, open_warehouse
from tests.support.model import ModelPage

pytestmark = pytest.mark.thorough


class Lists:
    """Parents' lists: none is answered before all of *together* are requested; one may fail."""

    announced = 1
    """Rows that each page says there are; one comes."""

    account_id = 7

    def __init__(self, together: int, fails: str, server_clock: ServerClock) -> None:
        self.server_clock = server_clock
        self._together = threading.Barrier(together, timeout=20)
        self._fails = fails

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        self._together.wait()
        if path == self._fails:
            raise ServerError("Harvest answered 503.")
        yield ModelPage(b'[{"id": 2}]', self.announced, NOW)


@pytest.mark.parametrize("fails", ["", "projects"])
def test_lists_of_parents_are_read_at_once_and_fail_alone(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of invoices and of projects do not wait for each other."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))  # Other workers use the same name.
    warehouse = open_warehouse(tmp_path / "warehouse.duckdb")
    fill(warehouse)
    with warehouse.sql() as sql:
        for table in ("invoices", "projects"):
            sql.delete(table, OneOf("id", [1, 2]))
    workspace = build_workspace(warehouse)
    opened = workspace.sessions.open(7)
    lists = Lists(2, fails, opened.server_clock)
    session = replace(opened, client=cast(HarvestClient, lists))
    OrphanRemoval(workspace, session, NOW).mend(["invoice_payments", "project_user_assignments"])
    assert ids(warehouse, "invoice_payments") == [(7, 92), (8, 91)]
    left = [(7, 71), (7, 72)] if fails else [(7, 72)]
    assert ids(warehouse, "project_user_assignments") == left
    warnings = workspace.run_log.warnings
    assert ["Rows below projects were not" in each for each in warnings] == [True] * bool(fails)


def test_a_search_that_harvest_does_not_answer_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a search that knew all parents is done for the day: not an error, nor a short list."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))  # Other workers have the same name.
    warehouse = open_warehouse(tmp_path / "warehouse.duckdb")
    fill(warehouse)
    with warehouse.sql() as sql:
        sql.delete("invoices", OneOf("id", [1, 2]))
    workspace = replace(build_workspace(warehouse), endpoints=(PAYMENTS,))
    opened = workspace.sessions.open(7)

    def search(fails: str = "", announced: int = 1) -> bool:
        """Whether the table was due."""
        lists = Lists(1, fails, opened.server_clock)
        lists.announced = announced
        session = replace(opened, client=cast(HarvestClient, lists))
        orphans = OrphanRemoval(workspace, session, NOW)
        orphans.read_stored([])
        orphans.run()
        return bool(orphans._alone)

    assert search(fails="invoices")
    assert search(announced=3)
    assert ids(warehouse, "invoice_payments") == [(7, 91), (7, 92), (8, 91)]
    assert search()
    assert ids(warehouse, "invoice_payments") == [(7, 92), (8, 91)]
    assert not search()
