"""Memory: every kind of run fits a small container."""

from __future__ import annotations

import pytest

from tests.benchmarks.place import open_place
from tests.benchmarks.small_machine import ORDER, limit_memory, measure

ENTRIES = 150_000
LIMIT = 512 * 1024 * 1024


@pytest.mark.slow
def test_every_kind_of_run_fits_a_small_container() -> None:
    """A first load, a bulk edit, the days after it and the rest end well under a hard limit."""
    with limit_memory(LIMIT) as limiter, open_place(ENTRIES, limit=False) as place:
        lines = list(measure(place, limiter, ENTRIES, ORDER))
    assert len(lines) == 1 + len(ORDER)
    assert max(line.run.peak_mb for line in lines) < LIMIT / 1024 / 1024
