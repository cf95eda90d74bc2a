"""``harvest-source auth`` as people use it: signing in and out, precedence, and every refusal."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.sandbox import Sandbox
from tests.support.command import ACCOUNT, TOKEN, Run, Start, run_command, run_interpreter
from tests.support.signing import (
    CLIENT_SECRET,
    REFRESH_TOKEN,
    Say,
    app_settings,
    browser,
    paste,
    sign_in,
)

pytestmark = pytest.mark.thorough

WORK_TOKEN = "SOURCES__HARVEST__PROFILES__WORK__CREDENTIALS__ACCESS_TOKEN"
WORK_ACCOUNT = "SOURCES__HARVEST__PROFILES__WORK__ACCOUNT_ID"
ACCESS_LOG = "SOURCES__HARVEST__ACCESS_LOG"


def vault_files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder.parent / "data").rglob("*.vault"))


def test_signing_in_with_a_browser(office: Sandbox, folder: Path, bare: Run) -> None:
    """Page, tokens, account, vault; then a sync works without any token in the configuration."""
    settings = {**app_settings(office), **browser(folder)}
    result = run_command("auth", "login", "--json", folder=folder.parent, settings=settings)
    assert result.code == 0, result
    assert result.json["account_id"] == office.account_id
    assert result.json["kind"] == "oauth"
    assert result.json["scope"] == f"harvest:{office.account_id}"
    assert result.json["roles"] == ["administrator"]
    assert "<h1>Signed in</h1>" in (folder / "page.html").read_text()
    assert not any(secret in result.out + result.err for secret in office.secrets)
    assert bare("sync", "--table", "tasks", "--json").json["status"] == "ok"
    status = bare("auth", "status", "--check", "--json")
    assert status.code == 0
    assert (status.json["state"], status.json["user"]) == ("ok", result.json["user"])
    assert bare("auth", "accounts", "--json").json["accounts"][0]["chosen"] is True


def test_signing_in_by_pasting(office: Sandbox, folder: Path, bare: Run) -> None:
    """For servers without a browser: the user opens the address and pastes where it led."""
    result = paste("--json", "--pkce", folder=folder.parent, settings=app_settings(office))
    assert result.code == 0, result
    assert result.json["account_id"] == office.account_id
    assert "code_challenge" in result.err
    assert bare("auth", "status", "--check").code == 0


def test_pkce_is_redeemed_where_it_is_enforced(office: Sandbox, folder: Path) -> None:
    """The verifier is sent along with the code."""
    office.set_oauth(pkce=True)
    assert paste("--pkce", folder=folder.parent, settings=app_settings(office)).code == 0
    assert paste(folder=folder.parent, settings=app_settings(office)).code == 3


def test_an_answer_with_another_state_is_refused(office: Sandbox, folder: Path) -> None:
    """The login exits with 3, keeps nothing, and does not ask the token endpoint."""
    for profile in ((), ("--profile", "work")):
        result = paste(
            *profile,
            folder=folder.parent,
            settings=app_settings(office),
            change=("state=", "state=x"),
        )
        assert result.code == 3
        assert "its state" in result.err
        assert result.err.rstrip().endswith(" ".join(("harvest-source auth login", *profile)))
    assert vault_files(folder) == []
    assert "oauth_token" not in office.requests.counts()


def test_a_denied_consent_is_refused(office: Sandbox, folder: Path) -> None:
    """The browser's page and the terminal say so; exit code 3, and nothing is kept."""
    office.set_oauth(auto="deny")
    settings = {**app_settings(office), **browser(folder)}
    result = run_command("auth", "login", folder=folder.parent, settings=settings)
    assert result.code == 3
    assert "denied in the browser" in result.err
    assert "<h1>Not signed in</h1>" in (folder / "page.html").read_text()
    assert vault_files(folder) == []


def test_login_times_out_if_no_redirect_arrives(office: Sandbox, folder: Path) -> None:
    """The login exits with 3 after --timeout, and names the command to try again."""
    settings = {**app_settings(office), "BROWSER": "true %s"}
    result = run_command("auth", "login", "--timeout", "1", folder=folder.parent, settings=settings)
    assert result.code == 3
    assert "did not come back" in result.err
    assert vault_files(folder) == []


def test_login_refuses_a_port_in_use(office: Sandbox, folder: Path, bare: Run) -> None:
    """Exit code 2 before a browser opens."""
    assert office.account_id
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = bare("auth", "login", "--port", str(taken.getsockname()[1]))
    assert result.code == 2
    assert "--port" in result.err
    assert "oauth2/authorize" not in result.err
    assert vault_files(folder) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--redirect-url", "https://example.com/back"), "--no-browser"),
        (("--redirect-url", "http://127.0.0.1/", "--port", "5005"), "Leave one of them out"),
        (("--port", "0"), "port"),
        (("--timeout", "0"), "timeout"),
        (("--timeout", "99999999999999"), "timeout"),
        (("--redirect-url", "http://["), "--no-browser"),
    ],
)
def test_login_options_that_cannot_work_are_refused(
    office: Sandbox, bare: Run, arguments: tuple[str, ...], says: str
) -> None:
    """Exit code 2, and nothing is sent."""
    result = bare("auth", "login", *arguments)
    assert result.code == 2
    assert says in result.err
    assert office.requests.counts() == {}


def test_login_names_the_missing_app_setting(
    office: Sandbox, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is no terminal to ask on, the error names the missing setting."""
    assert office.account_id
    monkeypatch.delenv(CLIENT_SECRET)
    result = say("", "auth", "login")
    assert result.code == 2
    assert "credentials.client_secret" in result.err
    assert "credentials.client_id" not in result.err


def test_a_personal_access_token_is_kept(office: Sandbox, say: Say, bare: Run) -> None:
    """The login reads the token from stdin only, checks it, and later runs need no setting."""
    assert sign_in(office, say, "--json").json["kind"] == "personal"
    assert bare("sync", "--table", "tasks").code == 0
    status = bare("auth", "status", "--json").json
    assert (status["kind"], status["account_ids"]) == ("personal", [office.account_id])
    assert "--token VALUE" not in bare("auth", "login", "--help").out


@pytest.mark.parametrize(("token", "code"), [("1.pt.wrong", 3), ("", 2), ("a b", 2)])
def test_a_token_that_does_not_work_is_not_kept(
    office: Sandbox, say: Say, folder: Path, token: str, code: int
) -> None:
    """The login refuses the token and does not show it."""
    assert office.account_id
    result = say(token, "auth", "login", "--token")
    assert result.code == code
    assert "1.pt.wrong" not in result.err
    assert vault_files(folder) == []


@pytest.mark.parametrize("arguments", [("--token",), ("--no-browser",)])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape", None])
def test_a_piped_token_that_is_not_text_is_refused(
    office: Sandbox,
    bare: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Bytes in another encoding, however Python reads them, or no stdin at all: exit code 2."""
    assert office.account_id
    text = io.BytesIO(b"http://127.0.0.1/?state=canary\xff\n")
    stdin = io.TextIOWrapper(text, encoding="utf-8", errors=errors) if errors else None
    monkeypatch.setattr("sys.stdin", stdin)
    result = bare("auth", "login", *arguments)
    assert result.code == 2, result
    assert "canary" not in result.err
    assert vault_files(folder) == []


def test_login_goes_on_if_the_browser_cannot_be_started(office: Sandbox, folder: Path) -> None:
    """BROWSER may hold anything: a warning, no traceback, and the login waits for its answer."""
    settings = {**app_settings(office), "BROWSER": 'browser "%s'}
    result = run_command("auth", "login", "--timeout", "1", folder=folder.parent, settings=settings)
    assert result.code == 3
    assert "No browser could be opened" in result.err
    assert "Traceback" not in result.err


def test_login_never_guesses_among_several_accounts(
    say: Say, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--account names one; otherwise the login is kept and a warning says what to do."""
    server = start(accounts=(1000001, 1000002), forecast_accounts=(77,))
    monkeypatch.delenv(TOKEN)
    monkeypatch.delenv(ACCOUNT)
    chosen = sign_in(server, say, "--account", "1000002", "--json").json
    assert chosen["account_id"] == 1000002
    assert [row["id"] for row in chosen["accounts"]] == [77, 1000001, 1000002]
    unreached = say(server.token, "auth", "login", "--token", "--account", "77")
    assert unreached.code == 2
    assert "1000001" in unreached.err
    undecided = sign_in(server, say)
    assert "No account was chosen" in undecided.err
    refused = say("", "sync")
    assert refused.code == 2
    assert "1000002" in refused.err


def test_status_without_a_sign_in_exits_with_3(office: Sandbox, bare: Run) -> None:
    """status exits with 3, so that cron notices; logging out changes nothing."""
    assert office.account_id
    result = bare("auth", "status", "--json")
    assert result.code == 3
    assert result.json["state"] == "none"
    assert bare("auth", "logout", "--json").json["forgotten"] is False


def test_a_dead_sign_in_is_found_by_check_and_stops_a_sync(
    office: Sandbox, say: Say, bare: Run
) -> None:
    """status shows it as kept; --check finds it dead (exit 3); a sync stops before any table."""
    sign_in(office, say)
    office.revoke(office.token)
    assert bare("auth", "status").code == 0
    result = bare("auth", "status", "--check", "--json")
    assert (result.code, result.json["state"]) == (3, "dead")
    assert bare("sync").code == 3
    with duckdb.connect("harvest_data.duckdb") as connection:
        found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    made = {name for (name,) in found if not name.startswith("_dlt")}
    assert made <= {"sync_runs", "verify_runs", "deleted_records"}, "no table of Harvest's"


def test_harvest_being_away_is_not_a_dead_sign_in(
    office: Sandbox, say: Say, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command exits with 4, so that cron does not ask people to sign in."""
    sign_in(office, say)
    monkeypatch.setenv("SOURCES__HARVEST__API_URL", "http://127.0.0.1:1/v2")
    result = bare("auth", "status", "--check", "--json")
    assert (result.code, result.json["state"]) == (4, "unknown")


def test_the_configuration_takes_precedence_over_the_vault(
    office: Sandbox, say: Say, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secrets manager that dlt reads takes precedence; status shows the source, login warns."""
    monkeypatch.setenv(TOKEN, office.tokens["member"])
    result = sign_in(office, say)
    assert f"{TOKEN} takes precedence over this sign-in" in result.err
    monkeypatch.setenv(REFRESH_TOKEN, "1.rt.other")
    status = bare("auth", "status", "--check", "--json").json
    assert (status["source"], status["roles"]) == (TOKEN, ["member"])
    assert status["unused"] == [REFRESH_TOKEN]
    monkeypatch.delenv(TOKEN)
    monkeypatch.delenv(REFRESH_TOKEN)
    assert bare("auth", "status", "--json").json["source"] == "the vault, profile default"


def test_profiles_are_kept_apart(
    office: Sandbox, say: Say, bare: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A named profile ignores the general token and account, and other profiles' logins."""
    monkeypatch.setenv(TOKEN, office.token)
    monkeypatch.setenv(ACCOUNT, "999")
    missing = bare("auth", "status", "--profile", "work", "--json")
    assert (missing.code, missing.json["state"]) == (3, "none")
    refused = bare("sync", "--profile", "work")
    assert refused.code == 2
    assert "auth login --profile work" in refused.err
    result = say(office.tokens["manager"], "auth", "--profile", "work", "login", "--token")
    assert result.code == 0, result
    status = bare("auth", "status", "--profile", "work", "--check", "--json").json
    assert (status["roles"], status["account_ids"]) == (["manager"], [office.account_id])
    assert bare("sync", "--profile", "work", "--table", "users").code == 0
    assert bare("check", "--profile", "work", "--json").json["findings"][0]["state"] == "ok"
    assert vault_files(folder) == ["work.vault"]
    assert bare("auth", "status", "--json").json["source"] == TOKEN
    assert bare("auth", "logout", "--profile", "work", "--json").json["forgotten"] is True
    assert bare("auth", "status", "--profile", "work").code == 3


def test_a_profile_has_a_section_of_its_own(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sources.harvest.profiles.NAME has the token and account for that name only."""
    monkeypatch.setenv(WORK_TOKEN, office.tokens["member"])
    monkeypatch.setenv(WORK_ACCOUNT, str(office.account_id))
    status = bare("auth", "status", "--profile", "work", "--check", "--json").json
    assert (status["source"], status["roles"]) == (WORK_TOKEN, ["member"])
    assert bare("auth", "status").code == 3


def test_profiles_may_share_an_app(office: Sandbox, folder: Path, bare: Run) -> None:
    """The app belongs to no account, so a named profile signs in with the general app."""
    settings = {**app_settings(office), **browser(folder)}
    arguments = ("auth", "login", "--profile", "work")
    result = run_command(*arguments, folder=folder.parent, settings=settings)
    assert result.code == 0, result
    assert vault_files(folder) == ["work.vault"]
    assert bare("auth", "status", "--check", "--profile", "work").code == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that even root cannot write")
def test_no_token_is_exchanged_if_the_vault_cannot_be_written(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place, no token is exchanged and no login starts; token_command is a place."""
    office.set_oauth(rotate=True)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    monkeypatch.setenv("SOURCES__HARVEST__VAULT_PATH", "/proc/vault")
    for arguments in (("sync", "--table", "tasks", "--quiet"), ("auth", "accounts")):
        result = bare(*arguments)
        assert result.code == 3
        assert "token_command" in result.err
        assert "vault_path" in result.err
    assert bare("verify").code == 2, "nothing was loaded: Harvest need not be asked"
    assert "oauth_token" not in office.requests.counts()
    monkeypatch.setenv("SOURCES__HARVEST__TOKEN_COMMAND", "cat")
    told = bare("sync", "--table", "tasks", "--json").json
    assert told["status"] == "ok"
    assert not any("token" in warning for warning in told["warnings"])
    assert office.requests.counts()["oauth_token"] == 1
    result = bare("auth", "login")
    assert result.code == 2
    assert "vault_path" in result.err


def test_a_rotated_refresh_token_replaces_the_configured_one(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token's rotated successor wins in every run until the configuration has another."""
    office.set_oauth(rotate=True)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    for _ in range(2):
        assert bare("sync", "--table", "tasks").code == 0
        for item in office.issued:
            if item.kind == "access_token":
                office.expire_access_token(item.value)
    assert office.requests.counts()["oauth_token"] == 2
    first = len(office.issued)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens(person=1)["refresh_token"])
    assert bare("sync", "--table", "tasks").code == 0
    status = bare("auth", "status", "--check", "--json").json
    assert status["roles"] == ["manager"]
    assert len(office.issued) == first + 4


@pytest.mark.parametrize("command", [("check",), ("auth", "status", "--check")])
def test_a_check_exchanges_no_refresh_token(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A look tries no refresh token; it tries a kept access token, and reports a refused one."""
    office.set_oauth(rotate=True)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    result = bare(*command)
    assert result.code == 0, result
    assert "Not tried: there is a refresh token" in result.out + result.err
    assert "oauth_token" not in office.requests.counts()
    assert bare("sync", "--table", "tasks").code == 0
    result = bare(*command)
    assert result.code == 0, result
    assert "Not tried" not in result.out + result.err
    assert "administrator" in result.out
    for item in office.issued:
        if item.kind == "access_token":
            office.expire_access_token(item.value)
    result = bare(*command)
    assert result.code == 3
    assert "refuses the saved access token" in result.out + result.err
    assert office.requests.counts()["oauth_token"] == 1


def test_quiet_still_warns_that_a_new_token_was_not_kept(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--quiet`` for cron hides warnings, but not that a new token was not kept."""
    office.set_oauth(rotate=True)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    monkeypatch.setenv("SOURCES__HARVEST__TOKEN_COMMAND", "false")
    result = bare("sync", "--table", "tasks", "--quiet")
    assert result.code == 0
    assert "token_command ended with code 1" in result.err
    assert bare("sync", "--table", "tasks", "--quiet", "--since", "2099-01-01").err == ""


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the warehouse in *folder*."""
    with duckdb.connect(str(folder / "harvest_data.duckdb"), read_only=True) as connection:
        connection.execute("USE harvest")
        return connection.execute(sql).fetchall()


def test_a_revoked_login_stops_before_any_table(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The sync exits with 3, touches no table, and names the remedy without any token."""
    tokens = office.issue_tokens()
    monkeypatch.setenv(REFRESH_TOKEN, tokens["refresh_token"])
    monkeypatch.setenv(ACCOUNT, str(office.account_id))
    assert bare("sync", "--table", "tasks").code == 0
    before = query(folder, "SELECT * FROM tasks ORDER BY id")
    office.revoke(tokens["refresh_token"])
    result = bare("sync", "--table", "tasks")
    assert result.code == 3
    assert "put a new refresh token there" in result.err
    assert REFRESH_TOKEN in result.err
    assert not any(secret in result.err + result.out for secret in office.secrets)
    assert query(folder, "SELECT * FROM tasks ORDER BY id") == before
    runs = query(folder, "SELECT status, tables FROM sync_runs ORDER BY started_at")
    assert [status for status, _ in runs] == ["ok", "error"], "the run is on record"
    assert json.loads(runs[-1][1]) == {}


def test_an_incomplete_app_configuration_is_named(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh token without its app's secret cannot work."""
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    monkeypatch.delenv(CLIENT_SECRET)
    result = bare("sync")
    assert result.code == 2
    assert "credentials.client_secret of the app" in result.err


def test_changing_the_key_reseals_all_profiles(office: Sandbox, say: Say, bare: Run) -> None:
    """All profiles are sealed with the new key, and still work."""
    sign_in(office, say)
    sign_in(office, say, "--profile", "work")
    assert bare("auth", "rotate-key", "--json").json["logins"] == 2
    assert bare("auth", "status", "--check", "--profile", "work").code == 0


def test_a_vault_open_to_others_is_refused(
    office: Sandbox, say: Say, bare: Run, folder: Path
) -> None:
    """The sync exits with 2 and names the command that fixes the permissions."""
    sign_in(office, say)
    vault = folder.parent / "data" / "harvest-source" / "vault"
    vault.chmod(0o755)
    result = bare("sync")
    assert result.code == 2
    assert f"chmod 700 {vault}" in result.err


@pytest.mark.parametrize(
    ("spoil", "code", "state", "needs_owner"),
    [
        (lambda vault: (vault / "key").write_text("no key"), 2, "unknown", False),
        (lambda vault: (vault / "key").chmod(0o644), 2, "unknown", False),
        (lambda vault: vault.chmod(0o755), 2, "unknown", False),
        (lambda vault: (vault / "key").unlink(), 3, "dead", True),
    ],
    ids=["not a key", "key open to others", "vault open to others", "no key"],
)
def test_a_sign_in_that_cannot_be_read_is_not_none(
    office: Sandbox,
    say: Say,
    bare: Run,
    folder: Path,
    spoil: Callable[[Path], object],
    code: int,
    state: str,
    needs_owner: bool,
) -> None:
    """It may be intact, so its owner is asked for a new one only if the key is gone."""
    sign_in(office, say)
    spoil(folder.parent / "data" / "harvest-source" / "vault")
    result = bare("auth", "status", "--json")
    assert (result.code, result.json["state"]) == (code, state)
    health = bare("auth", "status", "--all", "--json")
    assert health.code == code
    assert [each["needs_owner"] for each in health.json["sign_ins"]] == [needs_owner]


def test_a_token_of_the_configuration_needs_no_key(
    office: Sandbox, say: Say, bare: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync uses the token, so status ends with 0 and warns of the vault that cannot be read."""
    sign_in(office, say)
    (folder.parent / "data" / "harvest-source" / "vault" / "key").write_text("no key")
    monkeypatch.setenv(TOKEN, office.token)
    result = bare("auth", "status", "--check", "--json")
    assert (result.code, result.json["state"], result.json["source"]) == (0, "ok", TOKEN)
    assert any("holds no key" in warning for warning in result.json["warnings"])


def test_the_access_log_of_a_sync(
    office: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """With the setting there is one line for each request of the run, without it none."""
    assert office.account_id
    assert run("sync", "--table", "tasks").code == 0
    assert not (folder / "access.log").exists()
    monkeypatch.setenv(ACCESS_LOG, "access.log")
    report = run("sync", "--table", "tasks", "--json").json
    lines = [json.loads(line) for line in (folder / "access.log").read_text().splitlines()]
    assert len(lines) == report["requests"]
    assert {line["account"] for line in lines} == {office.account_id}
    assert lines[0]["path"] == "/v2/users/me"


IMPORTS = """
import sys
from harvest_source.cli.main import run
code = run(sys.argv[1:])
print(sorted({"cryptography", "keyring", "platformdirs"} & sys.modules.keys()))
print([name for name in sys.modules if name in ("harvest_source.auth.vault",)])
sys.exit(code)
"""


def script(folder: Path, text: str) -> str:
    (folder / "as_if.py").write_text(text)
    return "as_if"


def test_a_personal_access_token_never_loads_the_vault(office: Sandbox, folder: Path) -> None:
    """Importing cryptography and keyring would cost every sync start-up time."""
    settings = {**app_settings(office), TOKEN: office.token}
    result = run_interpreter(
        "sync", "--table", "tasks", folder=folder, settings=settings, module=script(folder, IMPORTS)
    )
    assert result.code == 0, result
    assert result.out.splitlines()[-2:] == ["[]", "[]"]


def test_an_account_that_is_no_id_is_refused_before_the_sign_in(say: Say, folder: Path) -> None:
    """Otherwise a person would sign in through a browser for nothing."""
    assert folder.is_dir()
    for kind in ("--token", "--no-browser"):
        refused = say("", "auth", "login", kind, "--account", "Acme")
        assert refused.code == 2
        assert "not a number" in refused.err
