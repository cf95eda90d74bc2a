"""
Every mart against :mod:`tests.support.agency_figures`, which computes the same from the records.

``python -m tests.dbt.comparison`` prints what was compared as a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.models_figures import COMPARISONS, Comparison

if TYPE_CHECKING:
    from tests.dbt.conftest import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.mart)
def test_a_mart_has_the_computed_figures(built: Built, comparison: Comparison) -> None:
    """The same keys, and the same number in every column that is compared."""
    found = comparison.compare(built.lab)
    assert found.rows > 0
    assert found.differences == []
