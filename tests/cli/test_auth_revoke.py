"""``auth revoke``: one command ends a sign-in, at Harvest if possible, and here in any case."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from harvest_source.auth.server_tokens import FILE, ServerTokens
from harvest_source.clock import SystemClock
from harvest_source.errors import ConfigError
from harvest_source.operations.login import open_sign_in_context
from harvest_source.operations.revocation import Dependant, HarvestSide, revoke_sign_in
from harvest_source.sandbox import Request, Sandbox
from tests.support.command import TOKEN, Run, start_command
from tests.support.signing import CLIENT_SECRET, REFRESH_TOKEN, Say, app_settings, paste, sign_in

pytestmark = pytest.mark.thorough

REVOKE = ("auth", "revoke")


@pytest.fixture
def anna(office: Sandbox, folder: Path) -> str:
    """A profile that signed in through the consent page; the value is its refresh token."""
    arguments = ("--profile", "anna")
    assert paste(*arguments, folder=folder.parent, settings=app_settings(office)).code == 0
    return next(item.value for item in office.issued if item.kind == "refresh_token")


def audit_lines(folder: Path) -> list[dict[str, Any]]:
    [path] = (folder.parent / "state").rglob("mcp.log")
    assert path.stat().st_mode & 0o077 == 0
    return [json.loads(line) for line in path.read_text().splitlines()]


def still_takes(office: Sandbox, bare: Run, refresh: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether Harvest still takes a refresh token."""
    monkeypatch.setenv(REFRESH_TOKEN, refresh)
    code = bare("auth", "accounts", "--profile", "default").code
    monkeypatch.delenv(REFRESH_TOKEN)
    assert office.account_id
    return code == 0


@pytest.mark.parametrize("is_offered", [True, False])
def test_revoke_works_whether_or_not_harvest_offers_revocation(
    office: Sandbox,
    anna: str,
    bare: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_offered: bool,
) -> None:
    """Harvest ends it, or its owner is told to; it is forgotten and logged without a secret."""
    office.set_oauth(revocation=is_offered)
    assert bare("auth", "status", "--check", "--all").code == 0
    result = bare(*REVOKE, "anna", "--json")
    assert result.code == 0, result
    report = result.json
    assert (report["status"], report["profile"], report["forgotten"]) == ("ok", "anna", True)
    assert report["harvest"] == ("ended" if is_offered else "by_hand")
    assert still_takes(office, bare, anna, monkeypatch) is not is_offered
    assert not list((folder.parent / "data").rglob("anna.vault"))
    assert not list((folder.parent / "data").rglob("anna.look"))
    assert bare("sync", "--profile", "anna").code == 2
    [line] = audit_lines(folder)
    assert (line["tool"], line["arguments"]["profile"]) == ("auth revoke", "anna")
    assert line["outcome"] == "ok"
    written = result.out + result.err + json.dumps(line)
    assert not any(secret in written for secret in office.secrets)


@pytest.mark.parametrize(
    "fault", ["html", "redirect", "forbidden", "unauthorized", "invalid", "not_found"]
)
def test_revoke_distrusts_an_answer_that_does_not_end_the_token(
    office: Sandbox, anna: str, bare: Run, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """After any other page, or a refusal, the token still works, and the report says so."""
    office.set_oauth(revocation=True)
    office.fault(fault, table="oauth_revoke")
    result = bare(*REVOKE, "anna", "--json")
    assert (result.code, result.json["harvest"]) == (0, "by_hand")
    assert still_takes(office, bare, anna, monkeypatch)


def test_a_kill_in_the_middle_is_completed_by_the_same_command(
    office: Sandbox, anna: str, bare: Run, folder: Path
) -> None:
    """After a SIGKILL between Harvest's end and the vault's, the same command completes it."""
    assert anna
    office.set_oauth(revocation=True)
    child = start_command(*REVOKE, "anna", folder=folder.parent, settings=app_settings(office))

    def kill(request: Request) -> None:
        if request.table == "oauth_revoke":
            child.kill()

    office.after_request(kill)
    child.communicate()
    assert child.wait() == -signal.SIGKILL
    office.clear_hooks()
    assert bare("auth", "status", "--check", "--profile", "anna").code == 3
    result = bare(*REVOKE, "anna", "--json")
    assert (result.code, result.json["harvest"], result.json["forgotten"]) == (0, "ended", True)


def test_an_app_that_is_not_accepted_is_named(
    office: Sandbox, anna: str, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command exits with 3, as it is unknown whether Harvest ended the sign-in."""
    assert anna
    office.set_oauth(revocation=True)
    monkeypatch.setenv(CLIENT_SECRET, "canary")
    result = bare(*REVOKE, "anna")
    assert result.code == 3
    assert "credentials.client_secret" in result.err
    assert "canary" not in result.err


def test_revoking_a_sign_in_that_was_already_revoked_succeeds(
    office: Sandbox, anna: str, bare: Run
) -> None:
    """If its owner revoked it in the browser before, the result is the same."""
    office.set_oauth(revocation=True)
    office.revoke(anna)
    result = bare(*REVOKE, "anna", "--json")
    assert (result.code, result.json["harvest"]) == (0, "ended")


def test_revoke_forgets_the_sign_in_if_harvest_is_unreachable(
    office: Sandbox, anna: str, bare: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in is forgotten; exit code 4 and a remedy, as Harvest may still accept it."""
    assert anna
    monkeypatch.setenv("SOURCES__HARVEST__ID_URL", "http://127.0.0.1:1")
    result = bare(*REVOKE, "anna")
    assert result.code == 4
    assert "partial: profile anna is forgotten here" in result.out
    assert "https://id.getharvest.com/developers" in result.err
    assert not list((folder.parent / "data").rglob("anna.vault"))
    assert audit_lines(folder)[-1]["outcome"] == "ServerError"
    assert not any(secret in result.out + result.err for secret in office.secrets)


def test_a_damaged_sign_in_can_be_ended(
    office: Sandbox, anna: str, bare: Run, folder: Path
) -> None:
    """The report says that Harvest could not be told; the file is removed."""
    assert office.account_id
    assert anna
    [path] = (folder.parent / "data").rglob("anna.vault")
    path.write_text("{}")
    result = bare(*REVOKE, "anna")
    assert result.code == 3
    assert "Harvest may still accept this sign-in" in result.err
    assert not path.exists()


def test_only_its_owner_can_revoke_a_personal_access_token(
    office: Sandbox, say: Say, bare: Run
) -> None:
    """Harvest ends it only on its page: it is forgotten here, and the report says so."""
    sign_in(office, say, "--profile", "berta")
    result = bare(*REVOKE, "berta")
    assert result.code == 0
    assert "Its owner has to revoke it at https://id.getharvest.com/developers" in result.err
    assert "oauth_revoke" not in office.requests.counts()


def test_revoke_names_the_setting_of_a_configured_token(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We cannot remove a setting: exit code 2 with its name, unless Harvest ended the token."""
    monkeypatch.setenv(TOKEN, office.token)
    result = bare(*REVOKE, "default")
    assert result.code == 2
    assert TOKEN in result.err
    assert office.token not in result.err
    monkeypatch.delenv(TOKEN)
    office.set_oauth(revocation=True)
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    assert bare("auth", "accounts").code == 0
    result = bare(*REVOKE, "default", "--json")
    assert (result.code, result.json["harvest"]) == (0, "ended")
    assert result.json["configured"] == [REFRESH_TOKEN]
    assert bare("auth", "accounts").code == 3


def test_revoking_an_unknown_profile_is_an_error(office: Sandbox, anna: str, bare: Run) -> None:
    """A misspelt name must not look like a sign-in that has ended."""
    assert office.account_id
    assert anna
    result = bare(*REVOKE, "ana")
    assert result.code == 2
    assert "There is no sign-in named ana" in result.err
    assert "The vault has: anna." in result.err
    assert bare(*REVOKE, "../anna").code == 2
    assert bare(*REVOKE, "anna", "--profile", "berta").code == 2
    assert bare("auth", "status", "--profile", "anna", "--check").code == 0


def test_revoke_ends_tokens_and_sessions_despite_a_failure(
    office: Sandbox, anna: str, bare: Run
) -> None:
    """Tokens and sessions end with the sign-in; a failure stops nothing, and can be repeated."""
    assert office.account_id
    assert anna
    left = {"anna": 2}

    def fail(profile: str) -> int:
        raise ConfigError(f"The sessions of {profile} cannot be read.")

    context = open_sign_in_context({"auth_profile": "anna"}, lambda _: None)
    tokens = Dependant("tokens", lambda profile: left.pop(profile, 0))
    report = revoke_sign_in(context, (tokens, Dependant("sessions", fail)))
    assert (report.ended, report.was_saved) == ({"tokens": 2, "sessions": 0}, True)
    assert report.harvest is HarvestSide.BY_HAND
    assert report.exit_code == 2
    assert left == {}
    again = revoke_sign_in(context, (Dependant("sessions", lambda _: 1),))
    assert (again.exit_code, again.was_saved, again.ended) == (0, False, {"sessions": 1})
    with pytest.raises(ConfigError, match="no sign-in named anna"):
        revoke_sign_in(context, (tokens,))
    assert bare("auth", "status", "--profile", "anna").code == 3


def test_the_tokens_of_a_person_end_with_the_sign_in(
    office: Sandbox, anna: str, say: Say, bare: Run, folder: Path
) -> None:
    """Other people's tokens stay; an unreadable token file does not save the sign-in."""
    assert anna
    sign_in(office, say, "--profile", "berta")
    vault = folder.parent / "data" / "harvest-source" / "vault"
    tokens = ServerTokens(vault, SystemClock().now)
    people = (("desk", "anna"), ("phone", "anna"), ("other", "berta"), ("fax", "carol"))
    for name, profile in people:
        tokens.add(name, scope="figures", profile=profile, url="http://127.0.0.1/mcp", days=None)
    result = bare(*REVOKE, "anna", "--json")
    assert (result.code, result.json["ended"]) == (0, {"tokens": 2})
    (vault / "carol.vault").mkdir()
    result = bare(*REVOKE, "carol", "--json")
    assert (result.code, result.json["ended"]) == (2, {"tokens": 1})
    assert "carol.vault cannot be removed: it is a folder" in result.json["errors"][1]
    assert "forgotten here" not in result.out
    left = bare("mcp", "token", "list", "--json").json["tokens"]
    assert [each["name"] for each in left] == ["other"]
    (vault / FILE).write_text("[]")
    result = bare(*REVOKE, "berta", "--json")
    assert (result.code, result.json["forgotten"]) == (2, True)
    assert "is not a token file" in result.json["errors"][0]


def test_an_audit_line_that_cannot_be_written_is_an_error(
    office: Sandbox, anna: str, bare: Run, folder: Path
) -> None:
    """The sign-in has ended, but the exit code is not 0, as it is not on record."""
    assert office.account_id
    assert anna
    (folder.parent / "state").write_text("")
    result = bare(*REVOKE, "anna")
    assert result.code == 2
    assert "The audit log could not be written" in result.err
    assert "forgotten here" in result.out
