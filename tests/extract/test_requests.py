"""How often Harvest is asked, by the sandbox's own counter: the allowance is everybody's."""

from __future__ import annotations

from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from tests.support.read_lab import OpenReadLab

UNCHANGED = 30
"""More than a run may ask when nothing changed."""
LARGE = {"invoices": 120, "users": 20}


def test_an_unchanged_large_account_is_asked_little(open_lab: OpenReadLab) -> None:
    """However many invoices and people there are: lists are asked for changes, parents not."""
    lab = open_lab(**LARGE)
    tables = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
    first = lab.read(*tables)
    assert first.run_log.failures == []
    assert first.requests > 2 * sum(LARGE.values())
    lab.rest()
    lab.server.reset_requests()
    assert lab.read(*tables).run_log.failures == []
    assert 0 < sum(lab.server.requests.counts().values()) < UNCHANGED
