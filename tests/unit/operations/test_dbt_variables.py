"""Values of the dbt package's variables: those that would build other figures are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from harvest_source.errors import ConfigError
from harvest_source.operations.dbt_runs import PACKAGE
from harvest_source.operations.dbt_variables import check_variables


def test_every_default_of_the_package_passes() -> None:
    """Each variable has a check, which its own default passes."""
    declared = yaml.safe_load((PACKAGE / "dbt_project.yml").read_text())["vars"]["harvest_source"]
    assert declared
    for name, value in declared.items():
        check_variables(PACKAGE, {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("harvest_as_of", "2026-01-31"),
        ("harvest_working_weekdays", [7, 1, 2]),
        ("harvest_time_off_task_ids", [8083449, "8083456"]),
        ("harvest_hours", "rounded"),
        ("harvest_invoices", False),
        ("harvest_account_ids", (1000001,)),
        ("harvest_optional_tables", ["teammates", "project_assignments__task_assignments"]),
    ],
)
def test_values_that_the_models_know_pass(name: str, value: Any) -> None:
    """Ids may be numbers or digits, and lists from Python may be tuples."""
    check_variables(PACKAGE, {name: value})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("harvest_hours", "round", "is not exact or rounded"),
        ("harvest_hours", None, "is not exact or rounded"),
        ("harvest_invoices", "false", "is not true or false, without quotation marks"),
        ("harvest_expenses", 0, "is not true or false"),
        ("harvest_as_of", "20260131", "is not a date"),
        ("harvest_as_of", "2026-02-30", "is not a date"),
        ("harvest_working_weekdays", [], "is not a list of weekdays"),
        ("harvest_working_weekdays", [0, 1], "is not a list of weekdays"),
        ("harvest_working_weekdays", [1, 1, 2], "is not a list of weekdays"),
        ("harvest_time_off_task_ids", 8083449, "is not a list of ids"),
        ("harvest_holiday_task_ids", "80834", "is not a list of ids"),
        ("harvest_account_ids", ["one"], "is not a list of ids"),
        ("harvest_account_ids", [True], "is not a list of ids"),
        ("harvest_optional_tables", "teammates", "is not a list of tables"),
        ("harvest_optional_tables", ["teamates"], "teamates, which is not a table that a sync"),
        ("harvest_schema", "", "is not the name of a schema"),
        ("harvest_exchange_rates", "rates", "need a dbt project of your own"),
    ],
)
def test_other_values_are_refused(name: str, value: Any, words: str) -> None:
    """dbt would build with such a value: from exact hours, with invoices, or without a row."""
    with pytest.raises(ConfigError, match=words) as refused:
        check_variables(PACKAGE, {name: value})
    assert str(refused.value).startswith(name)
