"""Four tables that stand for all of them: something new in each, and whole again in the end."""

from __future__ import annotations

from harvest_source.operations.run_report import SyncReport
from tests.support.lab import Lab
from tests.support.truth import assert_equal

TABLES = ("time_entries", "invoices", "clients", "roles")
"""Long, with arrays, short, read whole."""


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
    assert (report.status, report.run_log.warnings) == ("ok", [])


def rows_read(report: SyncReport, table: str = "time_entries") -> int:
    """How many records of *table* a run read."""
    return report.tables[table].rows
