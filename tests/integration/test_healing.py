"""
What people and machines do to a warehouse between two runs: the next run heals, by itself.

Nothing here may take a step by hand, and in the end the tables are the account's.
"""

from __future__ import annotations

import shutil

import pytest

from harvest_source.run import SyncReport
from tests.integration.conftest import OpenLab
from tests.integration.lab import Lab
from tests.integration.truth import assert_equal

TABLES = ("time_entries", "invoices", "clients", "roles")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab whose tables are loaded, with something new in Harvest."""
    lab = open_lab(invoices=15)
    lab.stop_timers()
    assert lab.sync(*TABLES).status == "ok"
    change(lab)
    return lab


def change(lab: Lab) -> None:
    """Something new in every table, long before the next run."""
    lab.rest()
    for table in TABLES:
        lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at=lab.clock())
        lab.server.create(table)
    lab.rest()


def assert_whole(lab: Lab) -> None:
    """Every table is what Harvest has, and a further run has nothing to complain about."""
    for table in TABLES:
        assert_equal(lab, table)
    lab.rest()
    report = lab.sync(*TABLES)
    assert (report.status, report.ledger.warnings) == ("ok", [])


def rows_read(report: SyncReport, table: str = "time_entries") -> int:
    """How many records of *table* a run read."""
    return report.tables[table].rows


def test_a_lost_folder_is_restored(lab: Lab) -> None:
    """Cursors lie in the warehouse with the rows: a new machine reads only what changed."""
    shutil.rmtree(lab.folder / "dlt")
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    assert rows_read(report) == 2, "the one that changed and the new one"
    assert_whole(lab)
