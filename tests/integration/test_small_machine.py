"""Memory: every kind of run fits into a small container."""

from __future__ import annotations

import pytest

from tests.benchmarks.place import Line, open_place
from tests.benchmarks.small_machine import ORDER, limit_memory, measure

ENTRIES = 150_000
LIMIT = 512 * 1024 * 1024
PEAK_MB = 400


@pytest.mark.slow
@pytest.mark.parametrize("destination", ["duckdb", "delta"])
def test_every_kind_of_run_fits_a_small_container(destination: str) -> None:
    """A first load, a bulk edit, the days after it and the rest stay well below a hard limit."""
    if destination == "delta":
        pytest.importorskip("deltalake")
    with limit_memory(LIMIT) as limiter, open_place(ENTRIES, limit=False) as place:
        lines = list(measure(place, limiter, ENTRIES, ORDER, destination))
    peaks = {line.name: line.run.peak_mb for line in lines if isinstance(line, Line)}
    assert len(peaks) == len(lines) == 1 + len(ORDER), lines
    assert max(peaks.values()) < PEAK_MB, peaks
