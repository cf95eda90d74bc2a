"""A cache in front of Harvest: its answers of yesterday remove nothing."""

from __future__ import annotations

from harvest_source.load.settings import Hooks
from harvest_source.sandbox import Request
from tests.clocks import OwnClock
from tests.support.lab import DAY
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

FOUR = ("time_entries", "expenses", "clients", "roles")
FRESH = r"updated_since|is_running|/time_entries/\d"
"""Addresses whose answers the cache does not keep."""


def test_an_outdated_cache_deletes_nothing(open_lab: OpenLab) -> None:
    """The cache's counts and lists lack today's entries, so the run refuses them and says so."""
    lab = open_lab.loaded(*FOUR)
    lab.server.fault("cache", table="time_entries", fresh=FRESH, age=False)
    lab.rest(DAY)
    lab.sync("time_entries")
    for _ in range(20):
        lab.server.create("time_entries", hours=1.0, spent_date="2026-06-18")
    lab.rest(DAY)
    report = lab.sync("time_entries", deletes=True)
    assert report.exit_code == 5
    assert {failure.table for failure in report.run_log.failures} == {"time_entries"}
    assert report.tables["time_entries"].deleted == 0
    assert_equal(lab, "time_entries")


def test_a_machine_that_slept_during_a_run_is_told_to_run_again(open_lab: OpenLab) -> None:
    """Its counter stood still, so lists look older than the run; the next run reads them."""
    lab = open_lab.loaded("roles")
    lab.server.edit("roles", lab.server.rows("roles")[0]["id"], name="Edited")
    lab.rest()
    lab.server.reset_requests()

    def sleep(request: Request) -> None:
        if request.table == "roles":
            lab.rest()

    lab.server.after_request(sleep)
    report = lab.sync("roles", hooks=Hooks(clock=OwnClock(lab.clock, lambda _: None)))
    lab.server.clear_hooks()
    assert report.exit_code == 5
    assert "this machine slept during it. Run the same command again" in str(report.as_dict())
    assert lab.sync("roles").status == "ok"
    assert_equal(lab, "roles")
