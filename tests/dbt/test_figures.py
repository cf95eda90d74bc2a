"""
Every mart against :mod:`tests.support.agency_figures`, which computes it from the records.

``python -m tests.dbt.comparison`` prints the comparison as a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.models_figures import COMPARISONS, Comparison
from tests.support.models_lab import ModelsLab

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]


def test_accounts_are_kept_apart(dbt_python: Path, tmp_path: Path) -> None:
    """In a warehouse of two accounts, each has the figures of its own records."""
    accounts = (1000001, 1000002)
    with ModelsLab(tmp_path, entries=2000, users=12, accounts=accounts) as lab:
        lab.stop_timers()
        assert lab.sync(all_children=True).status == "ok"
        assert lab.transform(dbt_python, variables=lab.days_off)["status"] == "ok"
        for comparison in COMPARISONS:
            if comparison.mart not in ("utilization_weekly", "utilization_daily"):
                for account_id in accounts:
                    assert comparison.compare(lab, account_id).differences == []
        lab.transform(dbt_python, "--account", str(accounts[1]), variables=lab.days_off)
        assert {row["account_id"] for row in lab.mart("time_entries")} == {accounts[1]}
        assert COMPARISONS[0].compare(lab, accounts[1]).differences == []


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.mart)
def test_a_mart_has_the_computed_figures(built: Built, comparison: Comparison) -> None:
    """A mart has the same keys, and the same number in every compared column."""
    found = comparison.compare(built.lab)
    assert found.rows > 0
    assert found.differences == []
