"""``harvest-source transform`` and ``dbt``, as far as they work without dbt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harvest_source.defaults import SANDBOX_DAYS_OFF
from harvest_source.installation import build_extra_command
from harvest_source.operations.dbt_runs import PACKAGE
from harvest_source.sandbox import Sandbox, agency_settings
from tests.support.command import Run


def test_models_without_dbt_name_the_extra_to_install(bare: Run) -> None:
    """The base install has no dbt: one sentence says how to install it."""
    result = bare("transform")
    assert result.code == 2
    assert f"Install the extra: {build_extra_command('dbt')}" in " ".join(result.err.split())


def test_other_destinations_are_referred_to_the_package(bare: Run) -> None:
    """Models are built in DuckDB and PostgreSQL; the package serves every adapter of dbt."""
    result = bare("transform", "--destination", "bigquery")
    assert result.code == 2
    assert "harvest-source dbt PATH" in result.err


@pytest.mark.parametrize("variables", ["as_of", "[1]", "{"])
def test_variables_are_one_object(bare: Run, variables: str) -> None:
    """Anything but one JSON object is refused before anything starts."""
    result = bare("transform", "--vars", variables)
    assert result.code == 2
    assert "is not a JSON object" in result.err


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ('{"harvest_asof": "2026-01-31"}', "no variable harvest_asof. Known: harvest_schema, "),
        ('{"harvest_as_of": "yesterday"}', "harvest_as_of is yesterday, which is not a date"),
        ('{"harvest_hours": "round"}', "harvest_hours is round, which is not exact or rounded"),
    ],
)
def test_unknown_and_invalid_variables_are_refused(bare: Run, variables: str, words: str) -> None:
    """dbt would ignore a mistyped name, and an invalid date would fail in every model."""
    result = bare("transform", "--vars", variables)
    assert result.code == 2
    assert words in result.err


def test_the_package_folder_is_printed_or_copied(bare: Run, folder: Path) -> None:
    """Without PATH it prints the place, with PATH it copies; a non-empty folder is refused."""
    assert bare("dbt").out.strip() == str(PACKAGE)
    assert json.loads(bare("dbt", "--json").out) == {"status": "ok", "path": str(PACKAGE)}
    assert bare("dbt", "mine").code == 0
    copied = {path.relative_to(folder / "mine") for path in (folder / "mine").rglob("*")}
    assert copied == {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*")}
    again = bare("dbt", "mine")
    assert again.code == 2
    assert "is not empty" in again.err
    (folder / "file").touch()
    refused = bare("dbt", "file/below")
    assert refused.code == 2
    assert "file/below (Not a directory). Name another folder." in refused.err


def test_the_command_knows_the_tasks_for_days_off_in_the_sandbox() -> None:
    """No Harvest field says which tasks are days off; the command knows the sandbox's tasks."""
    with Sandbox(agency_settings(2000, limit=False)).start() as server:
        ids = {row["name"]: row["id"] for row in server.rows("tasks")}
    assert {
        "harvest_time_off_task_ids": [ids["Vacation"], ids["Sick leave"]],
        "harvest_holiday_task_ids": [ids["Public holiday"]],
    } == SANDBOX_DAYS_OFF


def test_models_of_an_account_that_was_never_read_are_refused(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models without a row would replace the existing ones."""
    for name in ("dbt-core", "dbt-duckdb"):  # As if installed; neither of them is started.
        info = folder / "installed" / f"{name.replace('-', '_')}-1.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.9\n")
    monkeypatch.syspath_prepend(folder / "installed")
    assert run("sync", "--table", "roles").code == 0
    for option in (["--account", "5"], ["--vars", '{"harvest_account_ids": [5]}']):
        refused = run("transform", *option)
        assert refused.code == 2
        assert "No data of account 5 has been read" in refused.err
