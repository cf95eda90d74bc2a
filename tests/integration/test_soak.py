"""A hundred syncs of one warehouse under faults, kills and changes: it equals the account."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.benchmarks.soak import Storm
from tests.support.lab import Lab


@pytest.mark.rare
@pytest.mark.parametrize("runs", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_the_warehouse_equals_the_account_throughout_a_soak(tmp_path: Path, runs: int) -> None:
    """After each block of syncs every cell equals Harvest's."""
    with Lab(tmp_path, entries=100, invoices=20) as lab:
        storm = Storm(lab, random.Random(1))
        storm.run(runs)
        assert storm.wrong == []
        assert storm.counts["tables compared, every cell"] > 0
