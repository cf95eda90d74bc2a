"""``check``, ``tables`` and ``sandbox``."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from harvest_source.sandbox import Sandbox
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, ENDPOINTS
from harvest_source.schema.own_tables import OWN_TABLES
from tests.support.command import TOKEN, Run, Start, start_command


def findings(report: dict[str, list[dict[str, str]]], subject: str) -> dict[str, str]:
    """State by name of the findings on one *subject*."""
    return {f["name"]: f["state"] for f in report["findings"] if f["subject"] == subject}


def test_check_shows_everything_that_a_sync_needs(run: Run, shared: Sandbox) -> None:
    """The token's source, account, role, modules, limit, each table, and the destination."""
    result = run("check")
    assert result.code == 0
    assert (TOKEN in result.out, str(shared.account_id) in result.out) == (True, True)
    words = ("administrator", "invoice", "97 requests per 15.4 s", "harvest_data.duckdb", "60 rows")
    assert all(word in result.out for word in words)
    assert all(f" {endpoint.name} " in result.out for endpoint in DEFAULT_ENDPOINTS)


def test_check_writes_nothing(run: Run, folder: Path) -> None:
    """A check does not create a database."""
    assert run("check").code == 0
    assert list(folder.iterdir()) == []


def test_check_as_json(run: Run) -> None:
    """One object: a status and the findings, each with subject, name, state and detail."""
    report = run("check", "--json").json
    assert report["status"] == "ok"
    assert all(f.keys() == {"subject", "name", "state", "detail"} for f in report["findings"])
    assert findings(report, "table") == {endpoint.name: "ok" for endpoint in DEFAULT_ENDPOINTS}


def test_check_lists_settings_and_where_they_came_from(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file by its absolute path, a variable, an option or a default; never a secret."""
    config = folder / ".dlt" / "config.toml"
    config.parent.mkdir()
    config.write_text('[sources.harvest]\nexclude = ["users.cost_rate"]\n')
    monkeypatch.setenv("SOURCES__HARVEST__OVERLAP", "400")
    monkeypatch.setenv("SOURCES__HARVEST__TOKEN_COMMAND", "keep --password hidden")
    monkeypatch.setenv("SOURCES__HARVEST__NOTIFY_URL", "https://hooks.example.com/hidden")
    Container()[PluggableRunContext].reload(".")
    result = run("check", "--json", "--database", "a.duckdb", "--account", "1000001")
    found = {each["name"]: (each["value"], each["source"]) for each in result.json["settings"]}
    assert found["exclude"] == ("users.cost_rate", f"sources.harvest.exclude in {config}")
    assert found["overlap"] == ("400", "SOURCES__HARVEST__OVERLAP in the environment")
    assert found["account_id"] == ("1000001", "option")
    assert found["--database"] == ("a.duckdb", "option")
    assert found["full_walk"] == ("7", "default")
    assert found["start_date"] == ("", "default")
    assert found["token_command"][0] == "keep ..."
    assert found["notify_url"][0] == "set, not shown"
    assert found["credentials.access_token"] == ("set, not shown", f"{TOKEN} in the environment")
    assert "hidden" not in result.out
    shown = run("check")
    assert str(config) in "".join(shown.out.split())
    assert "hidden" not in shown.out


def test_check_marks_tables_that_a_member_may_not_read(bare: Run, start: Start) -> None:
    """Forbidden tables are marked and partial ones get a warning; neither is a failure."""
    server = start()
    server.set_role(server.token, "member")
    result = bare("check", "--json")
    assert result.code == 0
    tables = findings(result.json, "table")
    assert (tables["invoices"], tables["time_entries"]) == ("skipped", "ok")
    assert findings(result.json, "role") == {"member": "warning"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--destination", "nowhere"), 2, "nowhere"),
        (("--destination", "postgres"), 2, "postgres"),
        (("--database", "notes.txt"), 6, "not a DuckDB database"),
        (("--database", "nowhere/a.duckdb"), 6, "nowhere"),
    ],
)
def test_check_reports_a_destination_that_does_not_work(
    run: Run, folder: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """The destination is tried as well; problems on Harvest's side are still reported."""
    (folder / "notes.txt").write_text("Harvest hours, to be filed. " * 1000)
    result = run("check", "--json", *arguments)
    assert result.code == code
    assert result.json["status"] == "error"
    [last] = [f for f in result.json["findings"] if f["subject"] == "destination"]
    assert last["state"] == "error"
    assert words in last["name"] + last["detail"]


def test_check_with_a_bad_token_fails_as_sync_does(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check exits with 3 and names the account and the reason."""
    monkeypatch.setenv(TOKEN, "1.pt.wrong")
    result = run("check", "--json")
    assert result.code == 3
    assert findings(result.json, "account") == {"1000001": "error"}


def test_tables_shows_every_column_whole(bare: Run) -> None:
    """Every table and child table with key, cursor and columns; no name is truncated."""
    out = bare("tables").out
    for endpoint in ENDPOINTS:
        assert f"{endpoint.name}  key {', '.join(endpoint.key)}" in out
        assert all(f" {column.name} " in out for column in endpoint.record if not column.secret)
        assert all(child in out for child in endpoint.child_tables)


def test_tables_as_json(bare: Run) -> None:
    """One object: tables by name, with key, cursor, typed and described columns, children."""
    tables = bare("tables", "--json").json["tables"]
    own = [table.name for table in OWN_TABLES]
    assert list(tables) == [*(endpoint.name for endpoint in ENDPOINTS), *own]
    assert all(c["description"] for name in own for c in tables[name]["columns"].values())
    entries = tables["time_entries"]
    assert entries["key"] == ["account_id", "id"]
    assert entries["columns"]["hours"]["type"] == "decimal"
    assert entries["columns"]["hours"]["description"]
    assert "invoices__line_items" in tables["invoices"]["children"]


def test_document_keys_are_not_listed_as_columns(bare: Run) -> None:
    """``client_key`` and ``statement_key`` are left out of the tables, and so of this list."""
    out = bare("tables", "--json").out
    assert "client_key" not in out
    assert "statement_key" not in out


def test_the_sandbox_command_serves_until_told_to_stop(folder: Path) -> None:
    """``sandbox --json`` prints its address and accounts; Ctrl-C ends it cleanly."""
    command = ("sandbox", "--port", "0", "--json")
    with start_command(*command, folder=folder, settings={}) as child:
        said = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        assert child.wait() == 0
    assert said["api_url"].startswith("http://127.0.0.1:")
    assert said["account_ids"] == [1000001]


def test_quiet_is_one_line(run: Run) -> None:
    """As the help says: only the result, and nothing on stderr unless there is an error."""
    for arguments, says in ((("check",), "ok: 0 errors"), (("auth", "status"), "profile default")):
        result = run(*arguments, "--quiet")
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(says)
        assert len(result.out.splitlines()) == 1
