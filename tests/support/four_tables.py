"""Four tables that stand for all: a change in each, and everything equal in the end."""

from __future__ import annotations

from harvest_source.operations.run_report import SyncReport
from tests.support.lab import Lab
from tests.support.truth import assert_equal

TABLES = ("time_entries", "invoices", "clients", "roles")
"""Long, with arrays, short, read whole."""


def change(lab: Lab) -> None:
    """Change something in every table, long before the next run."""
    lab.rest()
    for table in TABLES:
        lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at=lab.clock())
        lab.server.create(table)
    lab.rest()


def assert_whole(lab: Lab) -> None:
    """Every table equals Harvest's, and a further run has nothing to report."""
    for table in TABLES:
        assert_equal(lab, table)
    lab.rest()
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])


def rows_read(report: SyncReport, table: str = "time_entries") -> int:
    """The number of records of *table* that a run read."""
    return report.tables[table].rows
