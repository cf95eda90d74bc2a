"""A full refresh of part of history: a row that left that part is not taken for deleted."""

from __future__ import annotations

from datetime import date

from tests.support.read_lab import OpenReadLab
from tests.support.simulation import DAY

BOUND = date(2026, 1, 1)


def test_a_row_that_moved_to_before_the_bound_is_read(open_lab: OpenReadLab) -> None:
    """No list of the days that are read has it, but the query for recent changes does."""
    lab = open_lab(entries=60)
    lab.stop_timers()
    lab.read("time_entries")
    rows = lab.server.rows("time_entries")
    moved = next(row["id"] for row in rows if row["spent_date"] >= str(BOUND))
    lab.rest()
    lab.server.edit("time_entries", moved, spent_date="2025-12-31")
    lab.rest(2 * DAY)
    reading = lab.read("time_entries", start_date=BOUND, full_refresh=True)
    assert reading.run_log.whole == {("time_entries", lab.server.account_id)}
    (here,) = [row for row in lab.table("time_entries") if row["id"] == moved]
    assert here["spent_date"] == date(2025, 12, 31)
