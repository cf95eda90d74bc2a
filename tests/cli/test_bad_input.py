"""Every mistake gets a short refusal with the next step, and the exit code of its kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from harvest_source.sandbox import Sandbox
from tests.support.command import (
    ACCOUNT,
    API_URL,
    TOKEN,
    Result,
    Run,
    Start,
    build_settings,
    run_command,
    run_interpreter,
)

SECRET = "1.pt.this-must-never-be-printed"
LEAST_WORDS = 6
LONG = "x" * 300
MOST_LINES = 5


@dataclass(frozen=True)
class Mistake:
    """A command line and settings that cannot work."""

    name: str
    code: int
    says: tuple[str, ...]
    """What the refusal must name: the cause, and what to do."""
    arguments: tuple[str, ...] = ("sync",)
    settings: dict[str, str] = field(default_factory=dict)
    """An empty text removes a setting."""


TEN = (
    Mistake(
        "bad token", 3, ("refused the access token", TOKEN, "developers"), settings={TOKEN: SECRET}
    ),
    Mistake("no token", 2, ("No Harvest access token", TOKEN, "--sandbox"), settings={TOKEN: ""}),
    Mistake("account id not digits", 2, ("account_id", "digits"), settings={ACCOUNT: "acme"}),
    Mistake("unknown account", 3, ("999", "account_id"), settings={ACCOUNT: "999"}),
    Mistake(
        "plain http host", 2, ("api_url", "https"), settings={API_URL: "http://example.com/v2"}
    ),
    Mistake("unknown table", 2, ("timesheets", "time_entries"), ("sync", "--table", "timesheets")),
    Mistake(
        "bad date", 2, ("--since", "yesterday", "2024-01-31"), ("sync", "--since", "yesterday")
    ),
    Mistake("unknown destination", 2, ("nowhere", "duckdb"), ("sync", "--destination", "nowhere")),
    Mistake("closed port", 4, ("users/me", "api_url"), settings={API_URL: "http://127.0.0.1:1/v2"}),
    Mistake("not a database", 6, ("notes.txt", "--database"), ("sync", "--database", "notes.txt")),
)

MORE = (
    Mistake("share", 2, ("--max-deletes", "20%"), ("sync", "--max-deletes", "lots")),
    Mistake("share above all", 2, ("--max-deletes", "20%"), ("sync", "--max-deletes", "101")),
    Mistake(
        "file elsewhere",
        2,
        ("--database", "filesystem"),
        ("sync", "--destination", "filesystem", "--database", "a.duckdb"),
    ),
    Mistake(
        "nothing to export",
        2,
        ("loaded nothing into filesystem", "--dataset", "harvest-source sync"),
        ("export", "out", "--destination", "filesystem"),
        settings={"DESTINATION__FILESYSTEM__BUCKET_URL": "bucket"},
    ),
    Mistake(
        "plain files",
        2,
        ("filesystem", "--table-format delta", "harvest-source export"),
        ("sync", "--destination", "filesystem"),
    ),
    Mistake(
        "table format elsewhere",
        2,
        ("--table-format delta", "filesystem", "postgres"),
        ("sync", "--destination", "postgres", "--table-format", "delta"),
    ),
    Mistake(
        "unknown table format",
        2,
        ("hudi", "delta", "iceberg"),
        settings={"SOURCES__HARVEST__TABLE_FORMAT": "hudi"},
    ),
    Mistake(
        "folder missing", 6, ("nowhere", "Make it"), ("sync", "--database", "nowhere/a.duckdb")
    ),
    Mistake(
        "a folder",
        6,
        ("is a folder", "Nothing was read", "--database harvest_data.duckdb"),
        ("sync", "--database", "."),
    ),
    Mistake("a year", 2, ("--since", "2024-01-31"), ("sync", "--since", "2024")),
    Mistake("a month", 2, ("--since", "2024-01-31"), ("sync", "--since", "2024-05")),
    Mistake(
        "unknown column",
        2,
        ("users.shoe_size", "harvest-source tables"),
        ("sync", "--exclude", "users.shoe_size"),
    ),
    Mistake(
        "key excluded", 2, ("users.id", "cannot be excluded"), ("sync", "--exclude", "users.id")
    ),
    Mistake(
        "overlap too small", 2, ("overlap", "60"), settings={"SOURCES__HARVEST__OVERLAP": "59"}
    ),
    Mistake(
        "overlap no number",
        2,
        ("overlap", ".dlt/config.toml"),
        settings={"SOURCES__HARVEST__OVERLAP": "long"},
    ),
    Mistake(
        "rate limit too high",
        2,
        ("rate_limit", "100"),
        settings={"SOURCES__HARVEST__RATE_LIMIT": "101"},
    ),
    Mistake(
        "a proxy that is none",
        2,
        ("HTTPS_PROXY", "http://proxy.example.com:8080"),
        settings={API_URL: "https://api.harvestapp.invalid/v2", "HTTPS_PROXY": "http://[::1"},
    ),
    Mistake(
        "a proxy that is dead",
        4,
        ("the proxy (127.0.0.1:1", "HTTPS_PROXY", "NO_PROXY"),
        settings={
            API_URL: "https://api.harvestapp.invalid/v2",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "NO_PROXY": "localhost,[::1],fe80::/10",
        },
    ),
    Mistake(
        "no name server",
        4,
        ("could not look up api.harvestapp.invalid", "DNS", "api_url"),
        settings={
            API_URL: "https://api.harvestapp.invalid/v2",
            "NO_PROXY": "localhost,127.0.0.0/8,[::1],fe80::/10",
        },
    ),
    Mistake("token as account", 2, ("account_id", "secrets.toml"), settings={ACCOUNT: SECRET}),
    Mistake(
        "token with a word", 2, ("access token", "Bearer"), settings={TOKEN: f"Bearer {SECRET}"}
    ),
    Mistake(
        "start date",
        2,
        ("start_date", "2024-01-31"),
        settings={"SOURCES__HARVEST__START_DATE": "2024-13-45"},
    ),
    Mistake("account option", 2, ("account_id", "digits"), ("sync", "--account", "acme")),
    Mistake(
        "unknown option",
        2,
        ("--tables", "harvest-source sync --help"),
        ("sync", "--tables", "users"),
    ),
    Mistake("unknown command", 2, ("copy", "harvest-source --help"), ("copy",)),
    Mistake("option without value", 2, ("--table", "--help"), ("sync", "--table")),
    Mistake("pipeline as path", 2, ("pipeline", "folder"), ("sync", "--pipeline", "a/b")),
    Mistake("pipeline too long", 2, ("--pipeline", "200 bytes"), ("sync", "--pipeline", "p" * 300)),
    Mistake(
        "dataset of the database's own",
        2,
        ("--dataset information_schema", "Nothing was read", "harvest"),
        ("sync", "--dataset", "information_schema"),
    ),
    Mistake(
        "dataset of the catalog",
        2,
        ("--dataset PG-Catalog", "Nothing was read"),
        ("sync", "--dataset", "PG-Catalog"),
    ),
    Mistake("dataset empty", 2, ("dataset", "empty"), ("sync", "--dataset", "")),
    Mistake("profile", 2, ("work", "--profile"), ("sync", "--profile", "work")),
    Mistake("sandbox host", 2, ("--host",), ("sandbox", "--host", "256.0.0.1")),
    Mistake("sandbox port", 2, ("port", "65535"), ("sandbox", "--port", "70000")),
    Mistake("sandbox entries", 2, ("entries", "-5"), ("sandbox", "--entries", "-5")),
    Mistake("sandbox nan", 2, ("latency-ms", "nan"), ("sandbox", "--latency-ms", "nan")),
    Mistake("sandbox inf", 2, ("latency-ms", "inf"), ("sandbox", "--latency-ms", "inf")),
    Mistake("token in quotes", 2, ("access token", "quotes"), settings={TOKEN: f'"{SECRET}"'}),
    Mistake(
        "the example's token",
        2,
        ("access token", "example"),
        settings={TOKEN: "1234567.pt.your-token"},
    ),
    Mistake(
        "a variable almost right",
        2,
        ("HARVEST_ACCESS_TOKEN is set", "secrets.toml", TOKEN),
        settings={TOKEN: "", "HARVEST_ACCESS_TOKEN": SECRET},
    ),
    Mistake(
        "misspelt variable",
        2,
        ("SOURCES__HARVEST__EXCLUD", "exclude"),
        settings={"SOURCES__HARVEST__EXCLUD": "users.cost_rate"},
    ),
    Mistake(
        "misspelt prefix",
        2,
        ("SOURCES_HARVEST__EXCLUDE", "SOURCES__HARVEST__"),
        settings={"SOURCES_HARVEST__EXCLUDE": "users.cost_rate"},
    ),
    Mistake(
        "log folder missing",
        2,
        ("/nowhere/access.log", "Make it, or name a file in another folder."),
        settings={"SOURCES__HARVEST__ACCESS_LOG": "nowhere/access.log"},
    ),
    Mistake(
        "misspelt section of a variable",
        2,
        ("SOURCES__HARVSET__EXCLUDE", "SOURCES__HARVEST__"),
        settings={"SOURCES__HARVSET__EXCLUDE": "users.cost_rate"},
    ),
    Mistake(
        "one underscore missing",
        2,
        ("SOURCES_HARVEST__CREDENTIALS__ACCESS_TOKEN", "SOURCES__HARVEST__"),
        settings={TOKEN: "", "SOURCES_HARVEST__CREDENTIALS__ACCESS_TOKEN": SECRET},
    ),
    *(
        Mistake(f"excluded: {name}", 2, (name, "cannot be excluded"), ("sync", "--exclude", name))
        for name in ("time_entries.spent_date", "invoices.issue_date", "clients.id")
    ),
    Mistake(
        "excluded in the environment",
        2,
        ("users.shoe_size", "harvest-source tables"),
        settings={"SOURCES__HARVEST__EXCLUDE": '["users.shoe_size", "users.cost_rate"]'},
    ),
    Mistake(
        "home in a path",
        6,
        ("/nowhere-at-all", "does not exist", "Make it"),
        ("sync", "--database", "~/nowhere-at-all/x.duckdb"),
    ),
    *(
        Mistake(
            f"a name that is too long: {' '.join(each)}", 2, ("name", "too long"), (*each, LONG)
        )
        for each in (("verify", "--html"), ("report",), ("dbt",), ("sync", "--publish"))
    ),
    *(
        Mistake(f"{name}: no text", 2, ("There is no dlt destination",), (name, *to))
        for name, to in (
            ("verify", ("--destination", "\udcff")),
            ("export", ("--destination", LONG, "folder")),
        )
    ),
    Mistake("status: account", 2, ("account_id", "digits"), ("status", "--account", "abc")),
    Mistake("check: no token", 2, ("No Harvest access token",), ("check",), {TOKEN: ""}),
)


def assert_refusal(result: Result, mistake: Mistake) -> None:
    """The refusal is short and clear, has the right code, and no traceback or token."""
    assert result.code == mistake.code, result
    assert "Traceback" not in result.err
    assert len(result.complaints.strip().splitlines()) <= MOST_LINES
    assert len(result.err.split()) >= LEAST_WORDS
    assert all(words in result.err for words in mistake.says), result.err
    assert SECRET not in result.err + result.out
    assert result.out == ""


@pytest.fixture
def make(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Make a mistake."""

    def try_it(mistake: Mistake, *more: str) -> Result:
        (folder / "notes.txt").write_text("Harvest hours, to be filed. " * 1000)
        for name, value in mistake.settings.items():
            if value:
                monkeypatch.setenv(name, value)
            else:
                monkeypatch.delenv(name)
        return run(*mistake.arguments, *more)

    return try_it


@pytest.mark.parametrize("mistake", TEN + MORE, ids=lambda mistake: mistake.name)
def test_a_mistake_is_refused_in_at_most_five_lines(make: Run, mistake: Mistake) -> None:
    """At most five lines name the cause and the remedy; the exit code is that of its kind."""
    assert_refusal(make(mistake), mistake)


@pytest.mark.parametrize("mistake", TEN, ids=lambda mistake: mistake.name)
def test_with_json_a_refusal_is_one_object(make: Run, mistake: Mistake) -> None:
    """``--json`` also holds for errors: the contract's object on stdout, stderr empty."""
    result = make(mistake, "--json")
    assert result.code == mistake.code
    assert result.err == ""
    assert result.json["status"] == "error"
    [error] = result.json["errors"]
    assert error.keys() == {"account_id", "table", "type", "message"}
    assert all(words in error["message"] for words in mistake.says)
    assert SECRET not in result.out


def test_nothing_is_left_behind_by_a_refusal(make: Run, folder: Path) -> None:
    """A mistake in the settings creates no database."""
    make(TEN[1])
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_file_that_is_not_a_database_is_not_overwritten(make: Run, folder: Path) -> None:
    """A wrong file named with ``--database`` is refused, not overwritten."""
    make(TEN[-1])
    assert (folder / "notes.txt").read_text().startswith("Harvest hours")


OVER = (
    Mistake("page", 2, ("notes.txt", "would be lost"), ("verify", "--html", "notes.txt")),
    Mistake("report", 2, ("notes.txt", "would be lost"), ("report", "notes.txt")),
    Mistake("copy", 2, ("notes.txt", "not a DuckDB file"), ("sync", "--publish", "notes.txt")),
    Mistake(
        "access log",
        2,
        ("access_log", "notes.txt", "would be lost"),
        settings={"SOURCES__HARVEST__ACCESS_LOG": "notes.txt"},
    ),
    Mistake("audit log", 2, ("--audit-log", "notes.txt"), ("mcp", "--audit-log", "notes.txt")),
)


@pytest.mark.parametrize("mistake", OVER, ids=lambda mistake: mistake.name)
def test_a_file_of_another_kind_is_not_written_over(
    make: Run, folder: Path, mistake: Mistake
) -> None:
    """A page or a log whose name is that of a warehouse would replace it, or be appended to it."""
    assert_refusal(make(mistake), mistake)
    assert (folder / "notes.txt").read_text() == "Harvest hours, to be filed. " * 1000


@pytest.fixture
def configure(folder: Path) -> Iterator[Callable[[str], None]]:
    """Write ``.dlt/config.toml`` and have dlt read it in this process."""
    path = folder / ".dlt" / "config.toml"

    def write(text: str) -> None:
        path.parent.mkdir()
        path.write_text(text)
        Container()[PluggableRunContext].reload(".")

    yield write
    path.unlink()
    Container()[PluggableRunContext].reload(".")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[sources.harvest]\nexclud = ["users.cost_rate"]', ("exclud in {file}", "exclude?")),
        ('[sources.harvest.credential]\nx = "1"', ("credential.x", "credentials?")),
        ("[sources.harvest.profiles.work]\naccount = 1", ("profiles.work.account", "account_id?")),
        ("[source.harvest]\naccount_id = 1", ("[source.harvest] in {file}", "[sources.harvest]")),
        ("[harvest]\naccount_id = 1", ("[harvest]", "[sources.harvest]")),
        (
            '[sources.harvset]\nexclude = ["users.cost_rate"]',
            ("[sources.harvset] in {file}", "[sources.harvest]"),
        ),
        ("[sources.havest.profiles.work]\naccount_id = 1", ("[sources.havest]",)),
        ('[sources.harvest]\nclient_id = "1"', ("client_id", "credentials.client_id")),
    ],
)
def test_an_unknown_configuration_key_is_refused(
    run: Run, folder: Path, configure: Callable[[str], None], text: str, says: tuple[str, ...]
) -> None:
    """A misspelt ``exclude`` would load the salaries that it names; the error has the full path."""
    configure(text)
    words = tuple(each.format(file=folder / ".dlt" / "config.toml") for each in says)
    assert_refusal(run("sync"), Mistake("key", 2, words))


def test_settings_for_all_folders_are_read_below_those_of_the_folder(
    run: Run, folder: Path, configure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt also reads ``~/.dlt/config.toml``, and a key of the folder's file takes precedence."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # dlt has another place for root.
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    own = folder.parent / ".dlt" / "config.toml"
    own.parent.mkdir(exist_ok=True)
    own.write_text("[sources.harvest]\noverlap = 600\nfull_walk = 5\n")
    configure("[sources.harvest]\noverlap = 900\n")
    listed = {each["name"]: each["value"] for each in run("check", "--json").json["settings"]}
    assert (listed["overlap"], listed["full_walk"]) == ("900", "5")


def test_a_secret_in_the_open_settings_file_is_refused(
    run: Run, configure: Callable[[str], None]
) -> None:
    """dlt reads no secret from ``.dlt/config.toml``, so the advice is to move it."""
    configure(f'[sources.harvest.credentials]\nclient_secret = "{SECRET}"')
    says = (
        "config.toml has sources.harvest.credentials.client_secret",
        "Move client_secret into .dlt/secrets.toml under [sources.harvest.credentials]",
    )
    assert_refusal(run("sync"), Mistake("secret", 2, says))


def test_known_configuration_keys_are_accepted(run: Run, configure: Callable[[str], None]) -> None:
    """Our keys pass, those of a profile, and dlt's own below our section."""
    configure(
        "[sources.harvest]\noverlap = 300\n[sources.harvest.schema]\nnaming = 'snake_case'\n"
        "[sources.harvest.profiles.work.credentials]\naccess_token = 'x'\n"
        "[sources.harvest.time_entries.data_writer]\nbuffer_max_items = 5\n"
        "[sources.harvest_2]\naccount_id = 2\n[sources.harvset]\nharbours = 5\n"
        "[sources.hubspot]\nexclude = 'users.cost_rate'\n"
    )
    assert run("check").code == 0


@pytest.mark.parametrize("command", ["sync", "check"])
def test_a_settings_file_with_invalid_toml_is_named(
    shared: Sandbox, folder: Path, command: str
) -> None:
    """A syntax error in ``.dlt/config.toml`` is refused with the file's name."""
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text("[sources.harvest\n")
    result = run_interpreter(command, folder=folder, settings=build_settings(shared))
    assert_refusal(result, Mistake("toml", 2, ("config.toml", "line 1")))


def test_a_syntax_error_in_the_secrets_does_not_show_them(shared: Sandbox, folder: Path) -> None:
    """The refusal of a broken ``secrets.toml`` quotes no line of it."""
    (folder / ".dlt").mkdir()
    broken = f'[sources.harvest.credentials]\naccess_token = "{SECRET}\n'
    (folder / ".dlt" / "secrets.toml").write_text(broken)
    settings = build_settings(shared)
    del settings[TOKEN]
    result = run_interpreter("sync", folder=folder, settings=settings)
    assert_refusal(result, Mistake("toml", 2, ("secrets.toml",)))


def test_a_settings_file_in_another_encoding_is_refused(folder: Path) -> None:
    """The error has its absolute path, its encoding, and how to save it in the right one."""
    path = folder / ".dlt" / "secrets.toml"
    path.parent.mkdir()
    path.write_bytes(f'[sources.harvest.credentials]\naccess_token = "{SECRET}"'.encode("utf-16"))
    result = run_interpreter("sync", folder=folder, settings={})
    says = (str(path), "is in UTF-16", "Save it as UTF-8")
    assert_refusal(result, Mistake("encoding", 2, says))


@pytest.mark.thorough
def test_secrets_that_everybody_can_read_are_warned_of(
    run: Run, configure: Callable[[str], None], folder: Path
) -> None:
    """The warning has the command that closes the file; an owner-only file draws no warning."""
    configure("")
    secrets = folder / ".dlt" / "secrets.toml"
    secrets.touch()
    for mode, warned in ((0o644, True), (0o640, False), (0o600, False)):
        secrets.chmod(mode)
        Container()[PluggableRunContext].reload(".")
        for command in (("sync", "--table", "clients"), ("auth", "status")):
            assert (f"chmod 600 {secrets}" in run(*command).err) is warned, (command, oct(mode))
        checked = run("check", "--json").json["findings"]
        assert any(f"chmod 600 {secrets}" in each["detail"] for each in checked) is warned


def test_a_start_in_the_future_is_warned_of(run: Run) -> None:
    """People do plan hours, so it is no error; a warning says what is read and what to do."""
    result = run("sync", "--table", "clients", "--since", "2091-01-31")
    assert result.code == 0
    assert "2091-01-31, which is in the future" in result.err
    assert "Leave it out" in result.err


def test_a_dataset_that_dlt_renames_is_warned_of(run: Run) -> None:
    """Queries need the name that the schema finally has."""
    result = run("sync", "--table", "clients", "--dataset", "Harvest Data!", "--quiet")
    assert "dataset harvest_datax" in result.out
    result = run("sync", "--table", "clients", "--dataset", "Harvest Data!")
    assert "harvest_datax.time_entries" in result.err
    assert "--dataset" in result.err


def test_a_database_in_use_is_refused(shared: Sandbox, folder: Path) -> None:
    """A database that another process writes is not touched: exit code 6, nothing read."""
    settings = build_settings(shared) | {"SOURCES__HARVEST__DESTINATION_WAIT": "0"}
    with duckdb.connect(str(folder / "busy.duckdb")):
        result = run_command("sync", "--database", "busy.duckdb", folder=folder, settings=settings)
    assert_refusal(result, Mistake("busy", 6, ("busy.duckdb", "in use", "run again")))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that even root cannot write")
def test_a_folder_that_cannot_be_written_is_refused(run: Run) -> None:
    """No permission to create the database: exit code 6, with the file's name."""
    result = run("sync", "--database", "/proc/a.duckdb")
    assert_refusal(result, Mistake("read-only", 6, ("/proc/a.duckdb", "Nothing was read")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_refused(run: Run, folder: Path) -> None:
    """An ordinary folder without write permission is refused in the same way."""
    (folder / "fixed").mkdir(mode=0o555)
    result = run("sync", "--database", "fixed/a.duckdb")
    assert_refusal(result, Mistake("read-only", 6, ("fixed/a.duckdb", "Nothing was read")))


def test_an_account_is_never_guessed_among_several(
    bare: Run, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token with two accounts is refused with both named; none is picked."""
    start(accounts=(1000001, 1000002))
    monkeypatch.delenv(ACCOUNT)
    mistake = Mistake("accounts", 2, ("1000001", "1000002", "account_id", "--account"))
    assert_refusal(bare("sync"), mistake)


def test_a_403_for_the_owner_of_the_token_is_refused(bare: Run, start: Start) -> None:
    """403 on ``users/me``, which every role may read: the token's owner is unknown."""
    start().fault("forbidden", table="users_me")
    refusal = Mistake("403", 3, ("403 on users/me", "archived", "developers"))
    assert_refusal(bare("sync"), refusal)
    assert bare("check").code == 3


@pytest.mark.rare
def test_a_run_is_partial_if_fewer_rows_come_than_announced(
    bare: Run, start: Start, folder: Path
) -> None:
    """
    If fewer rows come than announced, the run is partial (exit 5), and the rows are loaded.

    A list below a parent would replace what is there, so it is loaded only when complete.
    """
    server = start(invoices=10)
    for invoice in server.rows("invoices")[:3]:
        server.create("invoice_payments", invoice_id=invoice["id"])
    server.fault("wrong_total", by=1, table="clients")
    server.fault("wrong_total", by=1, table="invoice_payments")
    result = bare("sync", "--json")
    assert (result.code, result.json["status"]) == (5, "partial")
    errors = {error["table"]: error for error in result.json["errors"]}
    assert errors.keys() == {"clients", "invoice_payments"}
    assert all(error["type"] == "IncompleteListError" for error in errors.values())
    with duckdb.connect(str(folder / "harvest_data.duckdb"), read_only=True) as connection:
        found = {
            table: connection.sql(f"SELECT COUNT(*) FROM harvest.{table}").fetchall()[0][0]
            for table in errors
        }
    assert found == {"clients": len(server.rows("clients")), "invoice_payments": 0}
    assert result.json["tables"]["time_entries"]["rows"] == len(server.rows("time_entries"))


def test_a_port_in_use_is_refused(bare: Run, shared: Sandbox) -> None:
    """Two sandboxes cannot share a port; the second one says so."""
    port = shared.id_url.rpartition(":")[2]
    assert_refusal(bare("sandbox", "--port", port), Mistake("port", 2, (port, "--port")))


def test_the_bare_command_shows_the_help(bare: Run) -> None:
    """The bare command prints its help on stderr and counts as a usage error."""
    result = bare()
    assert result.code == 2
    assert "Usage: harvest-source" in result.err
    assert "sync" in result.err


@pytest.mark.thorough
def test_the_real_command_refuses_alike(shared: Sandbox, folder: Path) -> None:
    """The real process has the same exit code and streams as the tests above."""
    settings = {**build_settings(shared), TOKEN: SECRET}
    result = run_interpreter("sync", folder=folder, settings=settings)
    assert_refusal(result, TEN[0])


def test_no_option_takes_a_token(bare: Run) -> None:
    """No option takes a token, which would show in the process list."""
    result = bare("sync", "--token", SECRET)
    assert result.code == 2
    assert SECRET not in result.err + result.out
