"""Sums of time on models that dbt built: ``pytest -m dbt``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harvest_source import ask

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]


@pytest.mark.parametrize("by", [["person"], ["client", "month"], ["project"], ["task", "week"]])
def test_models_and_tables_give_the_same_sums(built: Built, by: list[str]) -> None:
    """Model and table give the same sums to the last digit; the model is read where possible."""
    database = built.lab.database
    of_model = ask.sum_time(by, warehouse=database)
    # The model lacks this column, and no entry has a value in it.
    of_table = ask.sum_time(by, where=["timer_started_at=null"], warehouse=database)
    assert of_model.tables == ("harvest_models.harvest__time_entries",)
    assert of_table.tables == ("harvest.time_entries",)
    assert of_model.as_of == of_table.as_of
    assert of_model.rows
    assert of_model.rows == of_table.rows
