"""Reports in the warehouse: windows that the state does not know."""

from __future__ import annotations

import pytest

from tests.support.labs import OpenLab

REPORT = "report_time_projects"


@pytest.mark.rare
def test_a_window_that_only_the_warehouse_has_is_asked_for(open_lab: OpenLab) -> None:
    """The window's rows leave if Harvest has none; no other rule would request the window."""
    lab = open_lab.loaded(REPORT, entries=10)
    total = "SELECT SUM(total_hours) AS hours FROM report_time_projects"
    before = lab.sql(total)
    lab.alter(
        f"INSERT INTO {REPORT} SELECT * REPLACE (DATE '2016-01-01' AS from_date, "
        f"DATE '2016-12-31' AS to_date) FROM {REPORT} LIMIT 1"
    )
    assert lab.sql(total) != before
    lab.rest()
    report = lab.sync(REPORT)
    assert (report.exit_code, lab.sql(total)) == (0, before)
