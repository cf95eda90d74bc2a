"""Sums of time on models that dbt built: ``pytest -m dbt``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from harvest_source import ask

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]


CHANGE = """
UPDATE harvest.projects SET client__id = other.id, client__name = other.name,
    client__currency = other.currency
FROM harvest.clients AS other
WHERE other.id = (SELECT MIN(id) FROM harvest.clients) AND projects.id % 2 = 0;
UPDATE harvest.clients SET name = name || ', renamed' WHERE id % 2 = 0;
UPDATE harvest.users SET last_name = 'Renamed' WHERE id % 2 = 0;
UPDATE harvest.tasks SET name = name || ', renamed';
UPDATE harvest.company SET week_start_day = 'Sunday'
"""
"""What Harvest may change without a change of the entries."""


@pytest.fixture(scope="module")
def changed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse in which projects have moved and names have changed, with its models."""
    copy = tmp_path_factory.mktemp("changed") / "changed.duckdb"
    shutil.copy(built.lab.database, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(CHANGE)
    command = ["transform", "--json", "--database", str(copy)]
    done = built.lab.run(built.python, *command, "--vars", json.dumps(built.lab.days_off))
    assert done.returncode == 0, done.stderr
    return copy


JOINED = {"person": {"users"}, "client": set(), "project": set(), "task": {"tasks"}}
"""The tables that each group needs besides those of the currency."""


@pytest.mark.parametrize("by", [["person"], ["client", "month"], ["project"], ["task", "week"]])
def test_models_and_tables_give_the_same_sums(built: Built, changed: Path, by: list[str]) -> None:
    """Model and table give the same sums to the last digit, also after projects have moved."""
    of_week = {"company"} if "week" in by else set()
    for database in (built.lab.database, changed):
        of_model = ask.sum_time(by, warehouse=database)
        # The model lacks this column, and no entry has a value in it.
        of_table = ask.sum_time(by, where=["timer_started_at=null"], warehouse=database)
        model = {"harvest_models.harvest__time_entries", *(f"harvest.{each}" for each in of_week)}
        names = {"time_entries", "projects", "clients", *of_week, *JOINED[by[0]]}
        assert {*of_model.tables} == model
        assert {*of_table.tables} == {f"harvest.{each}" for each in names}
        assert of_model.as_of == of_table.as_of
        assert of_model.rows
        assert of_model.rows == of_table.rows
