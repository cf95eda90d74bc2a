"""How often Harvest is asked, by the sandbox's own counter: the allowance is everybody's."""

from __future__ import annotations

from pathlib import Path

from harvest_source.api.rate_limit import GENERAL
from tests.support.lab import HOUR, Lab

UNCHANGED = 18
"""What a run asks when nothing changed: each list once."""


def count(lab: Lab) -> int:
    """Requests of any kind that reached the sandbox since they were last forgotten."""
    return sum(lab.server.requests.counts().values())


def test_the_first_sync_of_the_sandbox_fits_one_allowance(tmp_path: Path) -> None:
    """What the README shows first does not wait for Harvest's limit; a second asks little."""
    with Lab(tmp_path, entries=5000) as lab:
        assert lab.sync().status == "ok"
        assert 0 < count(lab) < GENERAL[0]
        assert any(row["is_running"] for row in lab.server.rows("time_entries"))
        assert ask_unchanged(lab, 0) == UNCHANGED
        # The hours of running timers have grown, and before rows are loaded the owner is asked for.
        assert ask_unchanged(lab, HOUR) == UNCHANGED + 1


def ask_unchanged(lab: Lab, seconds: float) -> int:
    """How often a run asks *seconds* later, without a change in Harvest."""
    lab.rest(seconds)
    lab.server.reset_requests()
    report = lab.sync()
    assert report.status == "ok"
    assert report.requests == count(lab)
    return count(lab)
