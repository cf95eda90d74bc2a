"""``auth status --check --all``: every sign-in at once, and the notifications about them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvest_source.sandbox import Request, Sandbox
from tests.support.command import TOKEN, Run, start_command
from tests.support.posts import Post, serving
from tests.support.signing import REFRESH_TOKEN, Say, app_settings, paste, sign_in

pytestmark = pytest.mark.thorough

NOTIFY = "SOURCES__HARVEST__NOTIFY_URL"
LOOK = ("auth", "status", "--check", "--all")


@pytest.fixture
def post() -> Iterator[Post]:
    """The server that receives the notifications."""
    with serving() as server:
        yield server


@pytest.fixture
def three(office: Sandbox, say: Say) -> dict[str, str]:
    """Three profiles, each with its own token; the tokens by name."""
    tokens = {
        "anna": office.tokens["administrator"],
        "berta": office.tokens["manager"],
        "clara": office.tokens["member"],
    }
    for name, token in tokens.items():
        assert say(token, "auth", "login", "--token", "--profile", name).code == 0
    return tokens


def look(bare: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the entries by profile."""
    result = bare(*LOOK, "--json", *arguments)
    return result.code, {entry["profile"]: entry for entry in result.json["sign_ins"]}


def sign_in_as(office: Sandbox, folder: Path, profile: str) -> str:
    """Sign in through the consent page; return the new access token."""
    arguments = ("--profile", profile)
    assert paste(*arguments, folder=folder.parent, settings=app_settings(office)).code == 0
    return [item.value for item in office.issued if item.kind == "access_token"][-1]


def count_exchanges(office: Sandbox) -> int:
    """The number of requests to the token endpoint, including each login's first."""
    return office.requests.counts().get("oauth_token", 0)


def test_one_revoked_sign_in_among_three_is_reported(
    office: Sandbox, three: dict[str, str], bare: Run, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look exits with 3, finds the others valid, and notifies by name, without a secret."""
    monkeypatch.setenv(NOTIFY, post.url)
    assert look(bare)[0] == 0
    assert post.got == []
    office.revoke(three["berta"])
    result = bare(*LOOK, "--json")
    assert result.code == 3
    assert result.json["status"] == "partial"
    found = {entry["profile"]: entry for entry in result.json["sign_ins"]}
    assert [entry["state"] for entry in found.values()] == ["ok", "dead", "ok"]
    berta = found["berta"]
    assert (berta["needs_owner"], berta["role_changes"]) == (True, [])
    assert berta["worked_at"] <= berta["refused_since"]
    assert found["anna"]["roles"] == ["administrator"]
    [(_, body)] = post.got
    assert body["event"] == "sign_in"
    assert "berta needs its owner" in body["text"]
    assert "anna" not in body["text"]
    shown = bare(*LOOK)
    assert shown.code == 3
    assert "error: profile berta: Harvest refused the access token" in shown.err
    said = json.dumps(post.got) + result.out + result.err + shown.out + shown.err
    assert not any(secret in said for secret in office.secrets)
    assert "canary" not in result.out + shown.out + shown.err


def test_the_time_of_the_first_refusal_is_kept(
    office: Sandbox, three: dict[str, str], bare: Run
) -> None:
    """Harvest does not say when it was revoked; a sign-in that works again has no such time."""
    office.revoke(three["berta"])
    first = look(bare)[1]["berta"]
    second = look(bare)[1]["berta"]
    assert first["refused_since"] == second["refused_since"]
    office.restore_token(three["berta"])
    code, found = look(bare)
    assert (code, found["berta"]["refused_since"]) == (0, None)
    assert found["berta"]["worked_at"]


def test_a_new_login_does_not_inherit_the_past_of_the_previous_one(
    office: Sandbox, three: dict[str, str], say: Say, bare: Run
) -> None:
    """A new login inherits neither the refusal nor the roles of the previous one."""
    office.revoke(three["berta"])
    assert look(bare)[1]["berta"]["refused_since"]
    sign_in(office, say, "--profile", "berta")
    code, found = look(bare)
    assert code == 0
    assert found["berta"]["roles"] == ["administrator"]
    assert (found["berta"]["refused_since"], found["berta"]["role_changes"]) == (None, [])


def test_a_changed_role_is_notified_once(
    office: Sandbox, three: dict[str, str], bare: Run, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since the login or the last look, even with ``--quiet``; a failed notice is sent again."""
    monkeypatch.setenv(NOTIFY, post.url)
    office.set_role(three["anna"], "member")
    post.status = 500
    result = bare(*LOOK, "--quiet")
    assert result.code == 0
    assert "profile anna: administrator became member in account" in result.err
    assert "was not sent" in result.err
    post.status = 200
    code, found = look(bare)
    assert (code, found["anna"]["state"]) == (0, "ok")
    change = {"account_id": office.account_id, "before": ["administrator"], "now": ["member"]}
    assert found["anna"]["role_changes"] == [change]
    assert "anna: administrator became member" in post.got[-1][1]["text"]
    told = len(post.got)
    assert look(bare)[1]["anna"]["role_changes"] == []
    assert len(post.got) == told


def test_configured_tokens_are_checked_too(
    office: Sandbox,
    three: dict[str, str],
    say: Say,
    bare: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The general token and configured profiles count; the sign-ins they override are unused."""
    assert three
    sign_in(office, say)
    monkeypatch.setenv(TOKEN, office.tokens["member"])
    monkeypatch.setenv("SOURCES__HARVEST__PROFILES__DORA__CREDENTIALS__ACCESS_TOKEN", "1.pt.wrong")
    monkeypatch.setenv("SOURCES__HARVEST__PROFILES__DORA__ACCOUNT_ID", str(office.account_id))
    result = bare(*LOOK, "--json")
    assert result.code == 3
    found = [
        (entry["profile"], entry["place"], entry["used"], entry["state"])
        for entry in result.json["sign_ins"]
    ]
    assert found == [
        ("default", "configuration", True, "ok"),
        ("default", "vault", False, "ok"),
        ("anna", "vault", True, "ok"),
        ("berta", "vault", True, "ok"),
        ("clara", "vault", True, "ok"),
        ("dora", "configuration", True, "dead"),
    ]
    office.revoke(office.token)
    monkeypatch.delenv("SOURCES__HARVEST__PROFILES__DORA__CREDENTIALS__ACCESS_TOKEN")
    code, entries = look(bare, "--quiet")
    assert entries["anna"]["state"] == "dead"
    assert code == 3
    bare("auth", "logout", "--profile", "anna")
    assert look(bare)[0] == 0, "a sign-in that is not used needs no owner"


def test_no_token_is_exchanged_without_need(office: Sandbox, folder: Path, bare: Run) -> None:
    """A lasting token is used unchanged; a refused one is renewed once, and the new one kept."""
    office.set_oauth(rotate=True)
    access = sign_in_as(office, folder, "anna")
    sign_in_as(office, folder, "berta")
    before = count_exchanges(office)
    code, found = look(bare)
    assert (code, count_exchanges(office)) == (0, before)
    assert found["anna"]["kind"] == "oauth"
    assert found["anna"]["expires_at"] > found["anna"]["refreshed_at"]
    office.expire_access_token(access)
    code, found = look(bare)
    assert (code, found["anna"]["state"], count_exchanges(office)) == (0, "ok", before + 1)
    assert (look(bare)[0], count_exchanges(office)) == (0, before + 1)


def test_a_revoked_login_is_asked_about_once(office: Sandbox, folder: Path, bare: Run) -> None:
    """If a refresh token is refused, its owner is needed, and the other profile goes on."""
    access = sign_in_as(office, folder, "anna")
    refresh = next(item.value for item in office.issued if item.kind == "refresh_token")
    sign_in_as(office, folder, "berta")
    office.revoke(refresh)
    before = count_exchanges(office)
    code, found = look(bare)
    assert (code, found["anna"]["state"], found["berta"]["state"]) == (3, "dead", "ok")
    assert "auth login --profile anna" in found["anna"]["error"]
    assert count_exchanges(office) == before + 1
    assert access not in json.dumps(found)


def test_an_unreachable_harvest_does_not_call_for_the_owners(
    three: dict[str, str], bare: Run, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look exits with 4 and sends no notification; no sign-in counts as refused."""
    assert three
    monkeypatch.setenv(NOTIFY, post.url)
    monkeypatch.setenv("SOURCES__HARVEST__API_URL", "http://127.0.0.1:1/v2")
    code, found = look(bare)
    assert code == 4
    assert {(entry["state"], entry["needs_owner"]) for entry in found.values()} == {
        ("unknown", False)
    }
    assert {entry["refused_since"] for entry in found.values()} == {None}
    assert post.got == []


@pytest.mark.parametrize("content", ["", "{", '{"format": "harvest-source vault 1"}', "[]"])
def test_a_damaged_login_stops_no_other(
    three: dict[str, str], bare: Run, folder: Path, content: str
) -> None:
    """A damaged login needs its owner, but is not refused, as Harvest was not asked."""
    assert three
    vault = folder.parent / "data" / "harvest-source" / "vault"
    (vault / "anna.vault").write_text(content)
    (vault / "not a name.vault").write_text("{}")
    code, found = look(bare)
    assert code == 3
    assert [entry["state"] for entry in found.values()] == ["dead", "ok", "ok"]
    assert found["anna"]["refused_since"] is None
    assert "auth login --profile anna" in found["anna"]["error"]
    assert "not a name" in bare(*LOOK).err


@pytest.mark.parametrize("content", ["", "[]", '{"format": "harvest-source looks 1", "vault": 7}'])
def test_a_damaged_note_of_the_last_check_is_rewritten(
    three: dict[str, str], bare: Run, folder: Path, content: str
) -> None:
    """The note neither grants nor refuses anything, so a damaged one is rewritten."""
    assert three
    note = folder.parent / "data" / "harvest-source" / "vault" / "anna.look"
    note.write_text(content)
    note.chmod(0o600)
    assert look(bare)[0] == 0
    assert json.loads(note.read_text())["vault"]["worked_at"]


def test_a_note_that_cannot_be_written_is_reported(
    three: dict[str, str], bare: Run, folder: Path
) -> None:
    """Without the note the next look could not tell what changed."""
    assert three
    note = folder.parent / "data" / "harvest-source" / "vault" / "anna.look"
    note.write_text("{}")
    note.chmod(0o644)
    result = bare(*LOOK, "--quiet")
    assert result.code == 0
    assert f"chmod 600 {note}" in result.err


def test_a_login_of_another_folders_configuration_is_not_asked(
    office: Sandbox, bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login whose first refresh token is not configured here is not tried here."""
    monkeypatch.setenv(REFRESH_TOKEN, office.issue_tokens()["refresh_token"])
    code, found = look(bare)
    assert (code, found["default"]["place"], found["default"]["state"]) == (
        0,
        "configuration",
        "ok",
    )
    monkeypatch.delenv(REFRESH_TOKEN)
    code, found = look(bare)
    assert (code, found["default"]["state"], found["default"]["used"]) == (0, "kept", False)
    assert "does not apply in this folder" in found["default"]["warnings"][0]


def test_without_check_nothing_is_sent(office: Sandbox, three: dict[str, str], bare: Run) -> None:
    """Only the state that is known is shown, as the vault has no note of a look."""
    assert three
    office.reset_requests()
    result = bare("auth", "status", "--all", "--json")
    assert (result.code, result.json["checked"]) == (0, False)
    assert [entry["state"] for entry in result.json["sign_ins"]] == ["kept"] * 3
    assert office.requests.counts() == {}


def test_checking_all_without_any_sign_in_exits_with_3(office: Sandbox, bare: Run) -> None:
    """The look exits with 3, so that cron notices; --profile is refused beside --all."""
    assert office.account_id
    result = bare(*LOOK, "--json")
    assert (result.code, result.json["status"]) == (3, "error")
    assert [entry["state"] for entry in result.json["sign_ins"]] == ["none"]
    refused = bare(*LOOK, "--profile", "anna")
    assert refused.code == 2
    assert "--all looks at every profile" in refused.err


def test_a_kill_in_the_middle_loses_no_login(office: Sandbox, folder: Path, bare: Run) -> None:
    """After a SIGKILL during a token exchange, the next look succeeds with every sign-in."""
    office.set_oauth(rotate=True, grace_s=3600)
    for name in ("anna", "berta"):
        office.expire_access_token(sign_in_as(office, folder, name))
    child = start_command(*LOOK, folder=folder.parent, settings=app_settings(office))

    def kill(request: Request, *_: object) -> None:
        if request.table == "oauth_token":
            child.kill()

    office.after_request(kill)
    child.communicate()
    assert child.wait() == -signal.SIGKILL
    office.clear_hooks()
    code, found = look(bare)
    assert (code, [entry["state"] for entry in found.values()]) == (0, ["ok", "ok"])


def test_a_run_that_lost_its_sign_in_ends_with_3(office: Sandbox, folder: Path, bare: Run) -> None:
    """The run read everything, but lost its new refresh token, so no later run can sign in."""
    office.set_oauth(rotate=True)
    access = sign_in_as(office, folder, "anna")
    assert bare("sync", "--table=clients", "--profile=anna").code == 0
    office.expire_access_token(access)
    [key] = folder.parent.rglob("vault/key")

    def spoil(request: Request) -> None:
        if "token" in request.path:
            key.write_text("no key")

    office.before_request(spoil)
    result = bare("sync", "--table=clients", "--profile=anna", "--json")
    assert result.code == 3
    assert result.json["status"] == "partial"
    assert result.json["tables"]["clients"]["rows"] >= 0
    [error] = result.json["errors"]
    assert "auth login --profile anna" in error["message"]
