"""Harvest may lower its largest page: every table is still read."""

from __future__ import annotations

from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from tests.support.read_lab import OpenReadLab, assert_read

TABLES = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
SIZE = 20


def test_every_table_is_read_in_smaller_pages(open_lab: OpenReadLab) -> None:
    """The refused size is sent at most once for each kind of list, and nothing fails."""
    lab = open_lab(entries=90, max_per_page=SIZE, default_per_page={"invoices": 10})
    lab.stop_timers()
    lab.rest()
    sizes: list[str | None] = []
    lab.server.before_request(lambda request: sizes.append(request.params.get("per_page")))
    reading = lab.read(*TABLES)
    assert reading.run_log.failures == []
    assert reading.run_log.warnings == []
    for table in TABLES:
        assert_read(lab, table)
    assert 0 < sizes.count("2000") <= len(TABLES)
