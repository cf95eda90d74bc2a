"""``harvest-source sync``: what it prints, in which form, and what it leaves in the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.sandbox import ManualClock, Sandbox
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from tests.support.command import (
    ACCOUNT,
    TOKEN,
    Run,
    Start,
    build_settings,
    run_command,
    run_interpreter,
)

NAMES = {endpoint.name for endpoint in DEFAULT_ENDPOINTS}
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
PLACE = ("--database", "warehouse.duckdb")
SOME = tuple(f"--table={name}" for name in ("time_entries", "projects", "clients", "invoices"))
"""Enough tables to distinguish them."""


def count(folder: Path, table: str, database: str = "warehouse.duckdb") -> int:
    """Rows of *table* in the database that a command left in *folder*."""
    catalog = Path(database).stem
    with duckdb.connect(str(folder / database), read_only=True) as connection:
        found = connection.execute(f"SELECT COUNT(*) FROM {catalog}.harvest.{table}").fetchone()
    return int(found[0]) if found else 0


def test_people_get_a_table_and_a_last_line(run: Run, shared: Sandbox, folder: Path) -> None:
    """stdout: rows of every table, then one line with status, account, place, requests, time."""
    result = run("sync", *PLACE)
    assert result.code == 0
    assert all(f" {name} " in result.out for name in NAMES)
    last = result.out.splitlines()[-1]
    assert last.startswith("ok: ")
    assert str(shared.account_id) in last
    assert "warehouse.duckdb, dataset harvest" in last
    assert "requests" in last
    assert result.complaints == ""
    assert count(folder, "time_entries") == shared.count("time_entries")


def test_json_is_one_object_of_the_promised_shape(run: Run, shared: Sandbox) -> None:
    """``--json``: exactly one object on stdout, with rows by table and account; no stderr."""
    result = run("sync", *PLACE, "--json")
    report = result.json
    account = str(shared.account_id)
    assert report.keys() == REPORT
    assert report["status"] == "ok"
    assert report["account_ids"] == [shared.account_id]
    assert report["tables"].keys() == NAMES
    entries = report["tables"]["time_entries"]
    assert entries == {"rows": 60, "deleted": 0, "accounts": {account: {"rows": 60, "deleted": 0}}}
    assert (report["skipped"], report["errors"], report["warnings"]) == ([], [], [])
    assert report["requests"] >= len(NAMES)
    assert result.complaints == ""


def test_the_json_log_has_a_line_for_each_table_and_one_for_the_run(
    run: Run, shared: Sandbox
) -> None:
    """``--log-format json``: times, rows and errors as lines on stderr; nothing on stdout."""
    result = run("sync", "--log-format", "json", "--table=roles", "--table=clients", *PLACE)
    lines = [json.loads(line) for line in result.err.splitlines()]
    tables = {line["table"]: line["rows"] for line in lines if line["event"] == "table"}
    assert (result.code, result.out) == (0, "")
    assert tables == {name: shared.count(name) for name in ("roles", "clients")}
    assert all(line["began_at"] < line["ended_at"] for line in lines if line["event"] == "table")
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("run", 0)
    assert lines[-1]["rows"] == sum(tables.values())
    wrong = run("sync", "--log-format=json", "--table=nothing", *PLACE)
    lines = [json.loads(line) for line in wrong.err.splitlines()]
    assert [line["event"] for line in lines] == ["error", "run"]
    assert (wrong.code, lines[1]["exit_code"]) == (2, 2)


@pytest.mark.rare
@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "sync", "--table", "roles", *PLACE),
        ("sync", "--json", "--table", "roles", *PLACE),
        ("--quiet", "sync", "--json", "--table", "roles", *PLACE),
    ],
)
def test_common_options_stand_before_or_after_the_command(
    run: Run, arguments: tuple[str, ...]
) -> None:
    """``harvest-source --json sync`` and ``harvest-source sync --json`` are equivalent."""
    assert run(*arguments).json["tables"].keys() == {"roles"}


@pytest.mark.rare
def test_quiet_keeps_to_the_result(bare: Run, start: Start) -> None:
    """``--quiet`` hides warnings and progress; the result stays."""
    server = start()
    server.set_role(server.token, "member")
    loud = bare("sync", "--table", "time_entries", *PLACE)
    quiet = bare("sync", "--table", "time_entries", "--quiet", *PLACE)
    assert "warning: " in loud.err
    assert quiet.err == ""
    assert len(quiet.out.splitlines()) == 1


@pytest.mark.rare
def test_a_second_run_reads_only_what_changed(bare: Run, start: Start, folder: Path) -> None:
    """A second run brings the edited client, and reads nothing else of that table."""
    clock = ManualClock()
    server = start(clock=clock)
    options = ("sync", "--table", "clients", "--json", *PLACE)
    assert bare(*options).json["tables"]["clients"]["rows"] == server.count("clients")
    clock.advance(3600)
    server.edit("clients", server.rows("clients")[0]["id"], name="Renamed")
    assert bare(*options).json["tables"]["clients"]["rows"] == 1
    assert count(folder, "clients WHERE name = 'Renamed'") == 1


@pytest.mark.rare
def test_the_default_place_is_harvest_data_duckdb(run: Run, folder: Path) -> None:
    """Without options the tables land in ``harvest_data.duckdb``, dataset ``harvest``."""
    result = run("sync", "--table", "roles")
    assert result.code == 0, result.err
    assert "into harvest_data.duckdb, dataset harvest" in result.out
    assert count(folder, "roles", "harvest_data.duckdb") == 5
    assert run("sync", "--table", "roles").code == 0


@pytest.mark.rare
def test_each_folder_has_a_database_of_its_own(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path refers to the current folder, wherever the pipeline ran before."""
    other = folder / "other"
    other.mkdir()
    for place in (folder, other, folder):
        monkeypatch.chdir(place)
        assert run("sync", "--table", "roles").code == 0
        assert count(place, "roles", "harvest_data.duckdb") == 5


@pytest.mark.rare
def test_the_sandbox_needs_no_settings(bare: Run, folder: Path) -> None:
    """``sync --sandbox`` works in an empty folder and uses its own database."""
    result = bare("sync", "--sandbox", "--json", "--table", "time_entries")
    assert result.code == 0, result
    assert result.json["tables"]["time_entries"]["rows"] == 24_000
    assert [path.name for path in folder.glob("*.duckdb")] == ["harvest_sandbox.duckdb"]


@pytest.mark.rare
def test_a_failing_table_is_named_and_the_others_land(
    bare: Run, start: Start, folder: Path
) -> None:
    """Status ``partial``, exit code 4, the table with its reason; the rest is in the database."""
    server = start()
    server.fault("missing_key", table="projects")
    result = bare("sync", "--json", *SOME, *PLACE)
    assert result.code == 4
    assert result.json["status"] == "partial"
    [error] = result.json["errors"]
    assert (error["account_id"], error["table"]) == (server.account_id, "projects")
    assert error["type"] == "ResponseError"
    assert count(folder, "clients") == server.count("clients")
    told = bare("sync", *SOME, *PLACE)
    assert told.code == 4
    assert f"projects of account {server.account_id}" in told.err
    assert told.out.splitlines()[-1].startswith("partial: ")


@pytest.mark.rare
def test_a_forbidden_table_is_skipped_by_name(bare: Run, start: Start) -> None:
    """403 is no failure: exit code 0, with the table and the reason under ``skipped``."""
    server = start()
    server.set_role(server.token, "member")
    result = bare("sync", "--json", *SOME, *PLACE)
    assert result.code == 0
    assert result.json["status"] == "ok"
    skipped = {skip["table"]: skip for skip in result.json["skipped"]}
    assert "invoices" in skipped
    assert skipped["invoices"].keys() == {"account_id", "table", "reason"}
    assert any("not an administrator" in warning for warning in result.json["warnings"])
    assert "skipped: invoices of account" in bare("sync", *SOME, *PLACE).err


@pytest.mark.rare
def test_a_failing_account_does_not_stop_the_other(
    bare: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that the token does not reach fails by name; the other one lands."""
    server = start()
    monkeypatch.setenv(ACCOUNT, f"[{server.account_id}, 999]")
    result = bare("sync", "--json", *SOME, *PLACE)
    assert result.code == 3
    assert result.json["status"] == "partial"
    assert [(e["account_id"], e["table"]) for e in result.json["errors"]] == [(999, None)]


@pytest.mark.rare
def test_two_accounts_are_counted_apart(bare: Run, start: Start) -> None:
    """``--account`` may be repeated; people see a column for it, programs a key."""
    start(accounts=(1000001, 1000002))
    options = ("sync", "--table", "roles", "--account", "1000001", "--account", "1000002", *PLACE)
    table = bare(*options)
    assert "Account" in table.out
    assert "accounts 1000001, 1000002" in table.out
    rows = bare(*options, "--json").json["tables"]["roles"]
    assert rows["accounts"].keys() == {"1000001", "1000002"}


@pytest.mark.rare
def test_since_bounds_the_run(bare: Run, start: Start, folder: Path) -> None:
    """``--since`` is the ``start_date`` of one run: older entries are not read."""
    server = start(entries=300)
    dates = sorted(str(row["spent_date"]) for row in server.rows("time_entries"))
    middle = dates[150]
    expected = sum(1 for day in dates if day >= middle)
    result = bare("sync", "--table", "time_entries", "--since", middle, "--json", *PLACE)
    assert result.json["tables"]["time_entries"]["rows"] == expected < 300


def test_excluded_columns_are_not_loaded(run: Run, folder: Path) -> None:
    """``--exclude users.email`` leaves the column out of the table."""
    assert run("sync", "--table", "users", "--exclude", "users.email", *PLACE).code == 0
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        described = connection.execute("DESCRIBE warehouse.harvest.users").fetchall()
    names = {column[0] for column in described}
    assert "first_name" in names
    assert "email" not in names


@pytest.mark.rare
def test_a_full_refresh_removes_deleted_rows(bare: Run, start: Start, folder: Path) -> None:
    """``--full-refresh`` removes a row that Harvest no longer has, and says so."""
    server = start()
    options = ("sync", "--table", "contacts", "--json", *PLACE)
    bare(*options)
    server.delete("contacts", server.rows("contacts")[0]["id"])
    assert bare(*options, "--full-refresh").json["tables"]["contacts"]["deleted"] == 1
    assert count(folder, "contacts") == server.count("contacts")


def test_a_mass_delete_is_refused_until_allowed(bare: Run, start: Start, folder: Path) -> None:
    """Over the share and over 25 rows, the sync exits with 5 and removes nothing until allowed."""
    server = start(contacts=60)
    options = ("sync", "--table", "contacts", "--json", *PLACE)
    bare(*options)
    for row in server.rows("contacts")[:40]:
        server.delete("contacts", row["id"])
    refused = bare(*options, "--full-refresh")
    assert refused.code == 5
    assert refused.json["errors"][0]["type"] == "GuardError"
    assert count(folder, "contacts") == 60
    allowed = bare(*options, "--full-refresh", "--max-deletes", "100%")
    assert allowed.code == 0
    assert count(folder, "contacts") == 20


@pytest.mark.rare
def test_the_real_command_copies_an_account(shared: Sandbox, folder: Path) -> None:
    """The process exits with 0, prints its table on stdout and nothing on stderr."""
    settings = build_settings(shared)
    result = run_interpreter("sync", *SOME, *PLACE, folder=folder, settings=settings)
    assert (result.code, result.complaints) == (0, "")
    assert "time_entries" in result.out
    assert count(folder, "time_entries") == 60


@pytest.mark.rare
def test_settings_come_from_the_files(shared: Sandbox, folder: Path) -> None:
    """A sync reads ``.dlt/config.toml`` and ``.dlt/secrets.toml`` of the current folder."""
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text(
        f'[sources.harvest]\naccount_id = {shared.account_id}\napi_url = "{shared.api_url}"\n'
        'exclude = ["users.email"]\n'
    )
    (folder / ".dlt" / "secrets.toml").write_text(
        f'[sources.harvest.credentials]\naccess_token = "{shared.token}"\n'
    )
    result = run_command("sync", "--json", "--table", "users", *PLACE, folder=folder, settings={})
    assert result.code == 0, result
    assert result.json["tables"]["users"]["rows"] == shared.count("users")


@pytest.mark.rare
def test_the_token_is_nowhere(shared: Sandbox, folder: Path) -> None:
    """No output of ``--debug``, database or file in dlt's working folder holds the token."""
    settings = build_settings(shared)
    result = run_command("sync", "--debug", *SOME, *PLACE, folder=folder, settings=settings)
    assert result.code == 0
    assert settings[TOKEN] not in result.out + result.err
    secret = settings[TOKEN].encode()
    files: list[Any] = [path for path in folder.parent.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if secret in path.read_bytes()] == []
