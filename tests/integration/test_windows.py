"""History too long for one read: it is read in windows of dates and loaded in packages."""

from __future__ import annotations

import pytest

from harvest_source.operations.sync import Hooks
from harvest_source.sandbox import Request
from tests.support.lab import Row
from tests.support.labs import OpenLab

ENTRIES = 20_001
"""More than 20,000 rows: such a list is cut into windows."""
NEWEST, OLDEST = "2026-06-17", "2001-01-01"


def test_a_row_that_moves_between_windows_is_loaded_once(open_lab: OpenLab) -> None:
    """A row that moves from an unread window to one already read is there once, as it is now."""
    lab = open_lab(entries=ENTRIES)
    newest = lab.server.create("time_entries", spent_date=NEWEST)["id"]
    lab.rest()
    moved: list[Row] = []

    def move(request: Request) -> None:
        is_window = "to" in request.params and request.params.get("per_page") != "1"
        if request.table == "time_entries" and is_window and not moved:
            moved.append(lab.server.edit("time_entries", newest, spent_date=OLDEST))

    lab.server.after_request(move)
    hooks = Hooks(clock=lab.shared, package_rows=12_000)
    report = lab.sync("time_entries", hooks=hooks)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert moved
    loads = lab.sql("SELECT count(DISTINCT _dlt_load_id) AS n FROM time_entries")
    assert loads[0]["n"] > 1
    query = "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM time_entries"
    assert lab.sql(query) == [{"rows": ENTRIES + 1, "ids": ENTRIES + 1}]
    (row,) = lab.sql("SELECT spent_date FROM time_entries WHERE id = ?", newest)
    assert row["spent_date"].isoformat() == OLDEST


@pytest.mark.slow
def test_undated_rows_are_loaded_from_a_list_read_in_windows(open_lab: OpenLab) -> None:
    """Drafts in a list of more than 20,000 rows are in no window of days, but are still read."""
    lab = open_lab(entries=0, expenses=0, invoices=0, estimates=ENTRIES)
    drafts = [row["id"] for row in lab.server.rows("estimates")[:5]]
    lab.server.edit_many("estimates", drafts, issue_date=None)
    lab.rest()
    report = lab.sync("estimates")
    assert (report.status, report.run_log.warnings) == ("ok", [])
    found = lab.sql("SELECT id FROM estimates WHERE issue_date IS NULL")
    assert {row["id"] for row in found} >= set(drafts)
    assert lab.ids("estimates") == sorted(row["id"] for row in lab.server.rows("estimates"))
    asked = [r for r in lab.server.requests if r.query and "from=" in r.query]
    assert asked, "it was read in windows"
