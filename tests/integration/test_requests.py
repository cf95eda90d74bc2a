"""How often Harvest is asked, by the sandbox's own counter: the allowance is everybody's."""

from __future__ import annotations

from pathlib import Path

from harvest_source.api.rate_limit import GENERAL
from tests.support.lab import HOUR, Lab

UNCHANGED = 30
"""More than a run may ask when nothing changed."""


def count(lab: Lab) -> int:
    """Requests of any kind that reached the sandbox since they were last forgotten."""
    return sum(lab.server.requests.counts().values())


def test_the_first_sync_of_the_sandbox_fits_one_allowance(tmp_path: Path) -> None:
    """What the README shows first does not wait for Harvest's limit; a second asks little."""
    with Lab(tmp_path, entries=5000) as lab:
        assert lab.sync().status == "ok"
        assert 0 < count(lab) < GENERAL[0]
        assert 0 < ask_unchanged(lab) < UNCHANGED


def ask_unchanged(lab: Lab) -> int:
    """How often a run asks an hour later, without a change in Harvest."""
    lab.rest(HOUR)
    lab.server.reset_requests()
    report = lab.sync()
    assert report.status == "ok"
    assert report.requests == count(lab)
    return count(lab)
