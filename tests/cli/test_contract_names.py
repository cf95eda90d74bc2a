"""The names that users rely on: importable, runnable, with the promised defaults."""

from __future__ import annotations

import inspect
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import dlt
import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

import harvest_source
from harvest_source import errors
from harvest_source.cli import main as cli
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.exit_codes import ExitCode
from harvest_source.sandbox import Sandbox
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from tests.support.command import Run

EVERYWHERE = {"--json", "--quiet", "--debug", "--profile"}
WAREHOUSE = {"--destination", "--database", "--dataset", "--pipeline", "--account"}
COMMANDS: dict[str, set[str]] = {
    "sync": WAREHOUSE
    | {
        "--sandbox",
        "--table",
        "--since",
        "--full-refresh",
        "--deletes",
        "--no-deletes",
        "--max-deletes",
        "--exclude",
    },
    "check": WAREHOUSE,
    "verify": WAREHOUSE | {"--fix", "--html"},
    "transform": WAREHOUSE,
    "app": WAREHOUSE | {"--port", "--no-browser"},
    "report": WAREHOUSE | {"--since", "--until", "--client", "--person", "--currency"},
    "dbt": set(),
    "tables": set(),
    "auth login": {"--no-browser"},
    "auth status": {"--check", "--all"},
    "auth accounts": set(),
    "auth logout": set(),
    "auth revoke": set(),
    "sandbox": {"--port", "--entries", "--seed"},
}
"""Commands and their options; every command takes those of ``EVERYWHERE`` too."""

SETTINGS: dict[str, Any] = {
    "account_id": None,
    "contact": None,
    "start_date": None,
    "overlap": 300,
    "rate_limit": None,
    "exclude": None,
    "api_url": "https://api.harvestapp.com/v2",
    "id_url": "https://id.getharvest.com",
}
"""Keys of ``[sources.harvest]`` and their defaults."""

CREDENTIALS = {"access_token", "client_id", "client_secret", "refresh_token"}

EXIT_CODES: dict[type[errors.HarvestError], int] = {
    errors.HarvestError: 1,
    errors.ConfigError: 2,
    errors.AuthError: 3,
    errors.ApiError: 4,
    errors.GuardError: 5,
    errors.DestinationError: 6,
    errors.BusyError: 7,
}

REPORT = {
    "status",
    "account_ids",
    "seconds",
    "requests",
    "tables",
    "skipped",
    "errors",
    "warnings",
}

DELETED_RECORDS = {"account_id", "table_name", "id", "detected_at", "restored_at", "record"}
SYNC_RUNS = {
    "id",
    "started_at",
    "ended_at",
    "status",
    "account_ids",
    "tables",
    "requests",
    "version",
}

VERIFY_RUNS = {"id", "started_at", "ended_at", "status", "account_ids", "checks", "version"}


def find_command(name: str) -> click.Command:
    command: click.Command = cli.main
    for part in name.split():
        assert isinstance(command, click.Group)
        command = command.commands[part]
    return command


def query(path: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows that a client gets which only opens the file."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def columns(path: str, table: str) -> set[str]:
    return {name for name, *_ in query(path, f"DESCRIBE harvest.{table}")}


def test_the_package() -> None:
    """Distribution, import package, command and Python version."""
    distribution = metadata.distribution("harvest-source")
    assert distribution.version == harvest_source.__version__
    assert distribution.metadata["Requires-Python"] == ">=3.11"
    scripts = {
        entry.name for entry in distribution.entry_points if entry.group == "console_scripts"
    }
    assert "harvest-source" in scripts


def test_the_source_is_named_harvest() -> None:
    """``@dlt.source(name="harvest", section="harvest")``: one resource for each table."""
    source = harvest_source.harvest(credentials={"access_token": "1.pt.x"}, account_id=1)
    assert (source.name, source.section) == ("harvest", "harvest")
    assert set(source.resources) == set(BY_NAME)
    selected = {endpoint.name for endpoint in DEFAULT_ENDPOINTS}
    assert set(source.resources.selected) == selected


def test_the_sync_function_takes_the_options_of_the_command() -> None:
    """Every option of ``harvest-source sync``, by the same name."""
    options = {option.removeprefix("--") for option in COMMANDS["sync"] - {"--sandbox"}}
    wanted = {option.replace("-", "_") for option in options} - {"no_deletes"}
    assert wanted <= set(inspect.signature(harvest_source.sync).parameters)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options(name: str) -> None:
    """Each command exists with each of its options."""
    parameters = find_command(name).params
    found = {word for each in parameters for word in (*each.opts, *each.secondary_opts)}
    assert COMMANDS[name] | EVERYWHERE <= found


@pytest.mark.parametrize("key", SETTINGS)
def test_settings_and_their_defaults(key: str) -> None:
    """Each key of ``[sources.harvest]``."""
    assert key in HarvestConfiguration.get_resolvable_fields()
    assert getattr(HarvestConfiguration, key) == SETTINGS[key]


def test_credentials() -> None:
    """A personal access token, or an app with a refresh token; no option takes either."""
    assert set(HarvestCredentials.get_resolvable_fields()) == CREDENTIALS
    for name in COMMANDS:
        for option in find_command(name).params:
            assert option.name not in CREDENTIALS
            assert option.name != "token" or (isinstance(option, click.Option) and option.is_flag)


def test_exit_codes() -> None:
    """One for each kind of failure; 130 for an interrupt, 143 for SIGTERM."""
    assert {kind: kind.exit_code for kind in EXIT_CODES} == EXIT_CODES
    assert int(ExitCode.INTERRUPTED) == 130
    assert int(ExitCode.TERMINATED) == 143


@pytest.mark.rare
def test_sync_by_its_default_names(run: Run, shared: Sandbox, folder: Path) -> None:
    """harvest_data.duckdb, schema harvest; queries need no further qualification."""
    report = run("sync", "--json").json
    assert report.keys() == REPORT
    assert [path.name for path in folder.glob("*.duckdb")] == ["harvest_data.duckdb"]
    found = query("harvest_data.duckdb", "SELECT COUNT(*) FROM harvest.time_entries")
    assert found == [(shared.count("time_entries"),)]
    for endpoint in DEFAULT_ENDPOINTS:
        for table in (endpoint.name, *endpoint.child_tables):
            assert columns("harvest_data.duckdb", table)
    assert columns("harvest_data.duckdb", "sync_runs") >= SYNC_RUNS
    assert columns("harvest_data.duckdb", "deleted_records") >= DELETED_RECORDS
    assert columns("harvest_data.duckdb", "verify_runs") >= VERIFY_RUNS
    assert run("check").code == 0
    assert run("verify").code == 0


@pytest.mark.thorough
def test_the_sandbox_uses_its_own_database_and_pipeline_names(
    bare: Run, folder: Path, tmp_path: Path
) -> None:
    """harvest_sandbox.duckdb and pipeline harvest_sandbox, never the account's own names."""
    arguments = ("--sandbox", "--table", "clients", "--json")
    assert json.loads(bare("sync", *arguments).out)["status"] == "ok"
    assert [path.name for path in folder.glob("*.duckdb")] == ["harvest_sandbox.duckdb"]
    pipelines = {path.name for path in (tmp_path / "dlt" / "pipelines").iterdir() if path.is_dir()}
    assert pipelines == {"harvest_sandbox"}
    for command in (("status",), ("query", "SELECT 1"), ("list", "clients"), ("export", "out")):
        assert "add --sandbox" in bare(*command).err
        assert bare(*command, "--sandbox").code == 0
    assert "list clients --sandbox" in bare("get", "clients", "1", "--sandbox").err
    for name, option in (("status", "--account 5"), ("verify", "--dataset other")):
        said = bare(name, "--sandbox", *option.split()).err
        assert f"harvest-source sync --sandbox {option}" in said


@pytest.mark.usefixtures("run")
def test_plain_dlt(shared: Sandbox, folder: Path) -> None:
    """The two lines of Python, with settings from the environment."""
    pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest")
    try:
        pipeline.run(harvest_source.harvest().with_resources("clients"))
        pipeline.run(harvest_source.harvest().with_resources("roles"))
        with pipeline.sql_client() as client:
            rows = client.execute_sql("SELECT COUNT(*) FROM clients")
        assert rows == [(shared.count("clients"),)]
    finally:
        Container()[PipelineContext].deactivate()
    assert [path.suffix for path in folder.iterdir() if path.is_file()] == [".duckdb"]
