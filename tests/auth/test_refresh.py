"""Access tokens are renewed once for all users, saved before use, and fail with clear messages."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from harvest_source.api.http_context import Exchange
from harvest_source.auth.oauth import NoPlaceError
from harvest_source.auth.private_files import write_private
from harvest_source.auth.token_endpoint import App, Tokens
from harvest_source.auth.token_stores import CommandTokenStore, NowhereTokenStore
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_keys import Keys, find_places
from harvest_source.errors import (
    AuthError,
    BusyError,
    ConfigError,
    ResponseError,
    ServerError,
    SignInError,
)
from tests.support.bench import ACCOUNT, PROFILE, Bench, Start
from tests.support.children import Child, fork
from tests.support.no_room import limit_file_size

DAY_S = 86_400.0
THREADS, PROCESSES = 20, 4


def kept(bench: Bench) -> Tokens:
    """The tokens that the vault has now."""
    login = bench.vault.read(PROFILE, ACCOUNT)
    assert login is not None
    return login.tokens


def test_a_token_valid_for_more_than_a_day_is_not_renewed(start: Start) -> None:
    """While more than a day is left, the identity host is not asked."""
    bench = start()
    auth = bench.token(bench.keep(bench.issue()))
    bench.clock.advance(12.9 * DAY_S)
    bench.ask(auth)
    assert bench.token_requests == 0


def test_a_token_is_renewed_a_day_before_it_expires(start: Start) -> None:
    """A run of several hours never reaches the end of its token."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.clock.advance(13.1 * DAY_S)
    bench.ask(auth)
    bench.ask(auth)
    assert bench.refreshes == 1
    assert kept(bench).access_token != first.access_token
    assert kept(bench).expires_at == bench.clock.now() + timedelta(days=14)


def test_a_short_lived_token_is_used_for_nine_tenths_of_its_life(start: Start) -> None:
    """Tokens that last an hour are not renewed all the time."""
    bench = start(access_s=3600)
    auth = bench.token(bench.keep(bench.issue(3600)))
    bench.clock.advance(3200)
    bench.ask(auth)
    assert bench.refreshes == 0
    bench.clock.advance(100)
    bench.ask(auth)
    assert bench.refreshes == 1


def test_a_refused_token_is_renewed_and_the_request_sent_again(start: Start) -> None:
    """After a 401 in the middle of a run, both attempts are counted and reported."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.expire(first)
    seen: list[Exchange] = []
    with bench.requester(auth, on_response=seen.append) as requester:
        assert b"Ada" in requester.fetch("users/me", parse=lambda answer: answer.body)
        assert requester.requests == 2
    assert [exchange.status for exchange in seen] == [401, 200]
    assert bench.refreshes == 1


def test_no_second_exchange_follows_if_the_new_token_is_refused_too(start: Start) -> None:
    """If the account itself is refused, the token is exchanged only once."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.server.fault("unauthorized", path="/v2/users/me")
    for _ in range(3):
        with pytest.raises(AuthError, match="401"):
            bench.ask(auth)
    assert bench.refreshes == 1


@pytest.mark.parametrize("path", ["/api/v2/oauth2/token", "/api/v1/oauth2/token"])
def test_either_token_address_can_be_configured(start: Start, path: str) -> None:
    """Old documents name another address; either can be configured."""
    bench = start()
    auth = bench.token(bench.keep(Tokens(refresh_token=bench.issue().refresh_token)),
                       app=bench.app(token_path=path))  # fmt: skip
    bench.ask(auth)
    assert next(entry.path for entry in bench.server.requests) == path


@pytest.mark.parametrize("path", ["//evil.example", "@evil.example", "https://x", "/a?b", ""])
def test_the_token_address_stays_on_its_host(path: str) -> None:
    """oauth_token_path is a path: the client's secret goes to id_url and nowhere else."""
    with pytest.raises(ConfigError, match="oauth_token_path"):
        App("id", "secret", "https://id.getharvest.com", path)


@pytest.mark.parametrize("oauth", [{}, {"omit_refresh": True}, {"rotate": True}])
def test_the_next_refresh_works_whether_or_not_the_refresh_token_changes(
    start: Start, oauth: dict[str, bool]
) -> None:
    """Whether the answer has the same refresh token, none or another, the next refresh works."""
    bench = start(**oauth)
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    for _ in range(3):
        bench.clock.advance(13.5 * DAY_S)
        bench.ask(auth)
    assert bench.refreshes == 3
    assert (kept(bench).refresh_token == first.refresh_token) is ("rotate" not in oauth)


@pytest.mark.parametrize("fault", ["server_error", "unavailable_html", "cut_before_headers"])
def test_errors_of_the_identity_host_are_retried(start: Start, fault: str) -> None:
    """5xx and broken connections are retried, as everywhere."""
    bench = start(rotate=True)
    auth = bench.token(bench.keep(replace(bench.issue(), access_token="")))
    bench.server.fault(fault, table="oauth_token", times=2)
    bench.ask(auth)
    assert bench.refreshes == 1


def test_a_lasting_error_of_the_identity_host_is_named(start: Start) -> None:
    """The client gives up with the identity host's error, not as if the login were revoked."""
    bench = start()
    auth = bench.token(bench.keep(replace(bench.issue(), access_token="")))
    bench.server.fault("server_error", table="oauth_token")
    with pytest.raises(ServerError, match="Gave up on an access token"):
        bench.ask(auth)


def test_the_old_token_is_used_if_an_early_renewal_fails(start: Start) -> None:
    """A failed early renewal is no error: it warns, and the old token is used while it lasts."""
    bench = start()
    auth = bench.token(bench.keep(bench.issue()))
    bench.server.fault("server_error", table="oauth_token")
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    asked = bench.token_requests
    bench.ask(auth)
    assert bench.token_requests == asked, "not before every request"
    [warning] = bench.warnings
    assert "could not be renewed" in warning
    bench.server.clear_faults()
    bench.clock.advance(301)
    bench.ask(auth)
    assert bench.refreshes == 1


def test_a_revoked_login_says_what_to_do(start: Start) -> None:
    """invalid_grant gives exit code 3 and the command to type, without a token."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first), remedy="Sign in again: harvest-source auth login")
    bench.server.revoke(first.refresh_token)
    with pytest.raises(SignInError, match="harvest-source auth login") as caught:
        bench.ask(auth)
    assert caught.value.exit_code == 3
    assert first.refresh_token not in str(caught.value)


def test_a_revoked_login_is_asked_about_once(start: Start) -> None:
    """Sixteen tables that all meet the 401 do not send sixteen requests."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.server.revoke(first.refresh_token)
    for _ in range(5):
        with pytest.raises(SignInError):
            bench.ask(auth)
    assert bench.token_requests == 1


def test_signing_in_again_revives_a_run(start: Start) -> None:
    """A new refresh token in the vault is tried, though the last one was refused."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.server.revoke(first.refresh_token)
    with pytest.raises(SignInError):
        bench.ask(auth)
    bench.keep(replace(bench.issue(), access_token=""))
    bench.ask(auth)


def test_an_unknown_app_is_distinguished_from_a_dead_login(start: Start) -> None:
    """invalid_client names the two settings to check, and shows neither value."""
    bench = start()
    app = replace(bench.app(), client_secret="not-the-secret")
    auth = bench.token(bench.keep(replace(bench.issue(), access_token="")), app=app)
    with pytest.raises(SignInError, match=r"credentials\.client_secret") as caught:
        bench.ask(auth)
    assert "not-the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(307, headers={"Location": "https://evil.example/"}), ResponseError),
        (httpx.Response(200, json={}), ResponseError),
        (httpx.Response(200, json={"access_token": "a b"}), ResponseError),
        (httpx.Response(200, json={"access_token": "a", "refresh_token": "r\n"}), ResponseError),
        (httpx.Response(200, text="<html>"), ResponseError),
        (httpx.Response(400, json={"error": "invalid_request"}), ResponseError),
    ],
)
def test_odd_answers_are_errors(
    start: Start, answer: httpx.Response, error: type[Exception]
) -> None:
    """The secret does not follow a redirect, and no unusable token is saved."""
    bench = start()
    first = replace(bench.issue(), access_token="")
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    auth = bench.token(bench.keep(first), transport=httpx.MockTransport(handler))
    with pytest.raises(error):
        bench.ask(auth)
    assert len(asked) == 1
    assert kept(bench) == first


def test_an_error_never_repeats_what_was_sent(start: Start) -> None:
    """An error description that quotes the refresh token is not shown."""
    bench = start()
    first = replace(bench.issue(), access_token="")
    told = {"error": "invalid_request", "error_description": f"bad {first.refresh_token}"}
    transport = httpx.MockTransport(lambda _: httpx.Response(400, json=told))
    auth = bench.token(bench.keep(first), transport=transport)
    with pytest.raises(ResponseError) as caught:
        bench.ask(auth)
    assert first.refresh_token not in str(caught.value)


def test_a_token_without_a_lifetime_is_renewed_only_after_a_401(start: Start) -> None:
    """Without expires_in the token is used until a 401."""
    bench = start()
    first = replace(bench.issue(), expires_at=None)
    auth = bench.token(bench.keep(first))
    bench.clock.advance(10 * DAY_S)
    bench.ask(auth)
    assert bench.refreshes == 0
    bench.expire(first)
    bench.ask(auth)
    assert bench.refreshes == 1


def test_twenty_threads_refresh_once(start: Start) -> None:
    """All meet the same 401; one exchanges the token, the others wait and use the new one."""
    bench = start(rotate=True)
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.expire(first)
    together = threading.Barrier(THREADS)
    answers: list[bytes] = []

    with bench.requester(auth) as requester:

        def ask() -> None:
            together.wait()
            answers.append(requester.fetch("users/me", parse=lambda answer: answer.body))

        threads = [threading.Thread(target=ask) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == THREADS
    assert bench.token_requests == 1


def spawn(bench: Bench, how: str = "") -> Child:
    """Start a process that waits for a line and then asks with the vault's login."""
    server, folder = bench.server, bench.vault.folder
    arguments = (str(folder), server.id_url, server.api_url, server.app.client_id, how)
    call = "tests.support.login_children:ask"
    child = fork(*arguments, folder=folder, environment=os.environ, call=call)
    child.stdin.write(server.app.client_secret + "\n")
    child.stdin.flush()
    return child


def finish(child: Child) -> int:
    """Let the child continue; return its exit code."""
    child.communicate("\n")
    return child.wait()


def test_four_processes_refresh_once(start: Start) -> None:
    """Processes share the vault: the first exchanges the token, the others find the new one."""
    bench = start(rotate=True)
    first = bench.issue()
    bench.keep(replace(first, expires_at=None))
    bench.expire(first)
    bench.hold_until_refused(PROCESSES)
    children = [spawn(bench) for _ in range(PROCESSES)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    assert [finish(child) for child in children] == [0] * PROCESSES
    assert bench.token_requests == 1


@pytest.mark.parametrize("oauth", [{}, {"rotate": True, "grace_s": 3600}])
def test_a_kill_before_the_new_token_is_kept_can_be_redone(
    start: Start, oauth: dict[str, float]
) -> None:
    """A SIGKILL before the new token is written spares the vault; the next run asks again."""
    bench = start(**oauth)
    first = replace(bench.issue(), access_token="")
    bench.keep(first)
    assert finish(spawn(bench, "killed")) == -signal.SIGKILL
    assert bench.refreshes == 1
    assert kept(bench) == first
    assert finish(spawn(bench)) == 0
    assert bench.refreshes == 2


def test_a_kill_after_a_rotation_leads_to_a_request_to_sign_in_again(start: Start) -> None:
    """The new token died with the process, so the error says to sign in again, which works."""
    bench = start(rotate=True)
    bench.keep(replace(bench.issue(), access_token=""))
    assert finish(spawn(bench, "killed")) == -signal.SIGKILL
    with pytest.raises(SignInError, match="auth login"):
        bench.ask(bench.token(bench.keep(kept(bench))))
    bench.ask(bench.token(bench.keep(bench.issue())))


@dataclass
class Disk:
    """A store on a disk that may be full, or that fills up after the test write."""

    tokens: Tokens
    obstacle: str = ""
    is_full: bool = True

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def read(self) -> Tokens:
        return self.tokens

    def find_obstacle(self) -> str:
        return self.obstacle

    def write(self, tokens: Tokens) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.tokens = tokens


@pytest.mark.parametrize(("rotate", "says"), [(True, "sign in again"), (False, "another")])
def test_a_token_that_cannot_be_kept_draws_a_warning(start: Start, rotate: bool, says: str) -> None:
    """The run continues with the token, and the warning says what follows for the next run."""
    bench = start(rotate=rotate)
    first = replace(bench.issue(), access_token="")
    bench.ask(bench.token(Disk(first)))
    [warning] = bench.warnings
    assert "No space left" in warning
    assert says in warning


def test_nothing_is_exchanged_without_a_place_for_the_new_token(start: Start) -> None:
    """The error names the two settings (exit code 3), and the refresh token remains valid."""
    bench = start(rotate=True)
    disk = Disk(replace(bench.issue(), access_token=""), obstacle="the disk is full")
    with pytest.raises(NoPlaceError, match="the disk is full") as caught:
        bench.ask(bench.token(disk))
    assert caught.value.exit_code == 3
    for setting in ("token_command", "vault_path"):
        assert setting in str(caught.value)
    assert bench.token_requests == 0
    disk.obstacle, disk.is_full = "", False
    bench.ask(bench.token(disk))
    assert bench.refreshes == 1


def test_a_token_that_still_works_is_used_though_no_other_could_be_kept(start: Start) -> None:
    """The token is used until it ends; each run that should have renewed it warns."""
    bench = start(rotate=True)
    auth = bench.token(Disk(bench.issue(), obstacle="the disk is full"))
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    [warning] = bench.warnings
    assert "the disk is full" in warning
    bench.clock.advance(DAY_S)
    with pytest.raises(NoPlaceError):
        bench.ask(auth)
    assert bench.token_requests == 0


class Keyring(KeyringBackend):
    """A keyring that a desktop locks while its session sleeps."""

    priority = 5
    text = ""
    is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        del service, username
        if self.is_locked:
            raise KeyringLocked("locked")
        return self.text or None

    def set_password(self, service: str, username: str, password: str) -> None:
        del service, username
        self.text = password

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def lock_keyring(bench: Bench) -> Callable[[], None]:
    """The system's keyring, which holds the key, is locked while the run reads."""
    keyring = Keyring()  # type: ignore[no-untyped-call]
    folder = bench.vault.folder.with_name("keyring")
    bench.vault = Vault(folder, keys=Keys(find_places(folder, {}, keyring), print))
    return lambda: setattr(keyring, "is_locked", True)


def spoil_key(bench: Bench) -> Callable[[], None]:
    """The file of the key holds something else."""
    return lambda: write_private(bench.vault.folder / "key", b"no key")


def remove_key(bench: Bench) -> Callable[[], None]:
    """The file of the key is gone."""
    return lambda: (bench.vault.folder / "key").unlink()


def open_to_others(bench: Bench) -> Callable[[], None]:
    """The folder may be read by other users."""
    return lambda: bench.vault.folder.chmod(0o755)


def cut_file(bench: Bench) -> Callable[[], None]:
    """The file of the login is cut off."""
    return lambda: write_private(bench.vault.folder / f"{PROFILE}.vault", b"{")


@pytest.mark.parametrize("prepare", [lock_keyring, spoil_key, remove_key, open_to_others, cut_file])
def test_a_store_that_is_out_of_reach_ends_no_run_while_the_token_works(
    start: Start, prepare: Callable[[Bench], Callable[[], None]]
) -> None:
    """The run goes on, with a warning, until the token ends; nothing is exchanged."""
    bench = start(rotate=True)
    take_away = prepare(bench)
    auth = bench.token(bench.keep(bench.issue()))
    bench.ask(auth)
    take_away()
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    [warning] = bench.warnings
    assert "access token expires soon and could not be renewed: " in warning
    bench.clock.advance(DAY_S)
    with pytest.raises((SignInError, ConfigError)):
        bench.ask(auth)
    assert bench.token_requests == 0


def test_a_store_that_is_back_is_used_after_five_minutes(start: Start) -> None:
    """One renewal, kept, as if nothing had been."""
    bench = start(rotate=True)
    auth = bench.token(bench.keep(bench.issue()))
    bench.ask(auth)
    bench.vault.folder.chmod(0o755)
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    bench.vault.folder.chmod(0o700)
    bench.ask(auth)
    assert bench.refreshes == 0
    bench.clock.advance(300)
    bench.ask(auth)
    assert (bench.refreshes, len(bench.warnings)) == (1, 1)
    assert kept(bench).obtained_at == bench.clock.now()


def test_a_login_that_was_removed_ends_the_run(start: Start) -> None:
    """The user signed out, so the token is not used up to its last day."""
    bench = start(rotate=True)
    auth = bench.token(bench.keep(bench.issue()))
    bench.ask(auth)
    bench.vault.files.forget(PROFILE)
    bench.clock.advance(13.5 * DAY_S)
    with pytest.raises(SignInError, match="signed out during this run"):
        bench.ask(auth)
    assert bench.token_requests == 0


def test_the_vault_is_tested_by_writing_a_file(start: Start) -> None:
    """A test file is written: permissions say nothing about a full disk or about root."""
    bench = start(rotate=True)
    store = bench.keep(replace(bench.issue(), access_token=""))
    assert store.find_obstacle() == ""
    names = {path.name for path in bench.vault.folder.iterdir()}
    with limit_file_size(16 * 1024):
        assert "File too large" in store.find_obstacle()
        with pytest.raises(NoPlaceError, match="File too large"):
            bench.ask(bench.token(store))
    assert bench.token_requests == 0
    assert {path.name for path in bench.vault.folder.iterdir()} == names, "no probe stays"
    bench.ask(bench.token(store))


def test_a_token_command_suffices_if_it_can_be_started(start: Start) -> None:
    """Without a vault, a command that can be started suffices; a misspelt one does not."""
    bench = start(rotate=True)
    nowhere = NowhereTokenStore(replace(bench.issue(), access_token=""), "no home folder")
    missing = CommandTokenStore(nowhere, "/no/such/vault kv put", bench.warnings.append)
    with pytest.raises(NoPlaceError, match="no home folder, and the program of token_command"):
        bench.ask(bench.token(missing))
    assert bench.token_requests == 0
    bench.ask(bench.token(CommandTokenStore(nowhere, "cat", bench.warnings.append)))
    assert bench.token_requests == 1


def test_a_key_lost_during_a_token_exchange_does_not_fail_the_run(start: Start) -> None:
    """If the new token cannot be sealed, this run continues with it and warns."""
    bench = start(rotate=True)
    store = bench.keep(replace(bench.issue(), access_token=""))
    auth = bench.token(store)
    bench.server.before_request(lambda _: (bench.vault.folder / "key").write_text("no key"))
    bench.ask(auth)
    [warning] = bench.warnings
    assert "new refresh token could not be saved" in warning
    assert auth.is_lost


def test_the_token_command_gets_the_new_refresh_token(start: Start, tmp_path: Path) -> None:
    """The command gets the token alone on stdin, only if it is new: for a secrets manager."""
    bench = start(rotate=True)
    told = tmp_path / "told"
    inner = bench.keep(replace(bench.issue(), access_token=""))
    safe = CommandTokenStore(inner, f"tee -a '{told}'", bench.warnings.append)
    auth = bench.token(safe)
    bench.ask(auth)
    assert told.read_text() == kept(bench).refresh_token
    bench.server.set_oauth(rotate=False)
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    assert told.read_text() == kept(bench).refresh_token
    assert bench.refreshes == 2
    assert bench.warnings == []


@pytest.mark.parametrize(("command", "says"), [("false", "code 1"), ("/no/such", "not be started")])
def test_a_failing_token_command_draws_a_warning(start: Start, command: str, says: str) -> None:
    """The token is in the vault all the same; the warning contains no token."""
    bench = start(rotate=True)
    inner = bench.keep(replace(bench.issue(), access_token=""))
    store = CommandTokenStore(inner, command, bench.warnings.append, profile="work")
    bench.ask(bench.token(store))
    [warning] = bench.warnings
    assert says in warning
    assert warning.endswith("auth login --profile work")
    assert kept(bench).refresh_token not in warning
    assert inner.read() == kept(bench)


def test_the_token_command_gets_the_token_if_the_vault_is_unreadable(
    start: Start, tmp_path: Path
) -> None:
    """If the vault's key disappears during the exchange, only the command keeps the new token."""
    bench = start(rotate=True)
    inner = bench.keep(replace(bench.issue(), access_token=""))
    told = tmp_path / "told"
    store = CommandTokenStore(inner, f"tee {told}", bench.warnings.append)
    auth = bench.token(store)
    bench.server.before_request(lambda _: (bench.vault.folder / "key").write_text("no key"))
    bench.ask(auth)
    assert told.read_text() == bench.server.issued[-2].value
    assert not auth.is_lost


def test_an_early_renewal_waits_for_no_other_process(start: Start) -> None:
    """While another process holds the vault, the old token is used as long as it works."""

    class Held(Disk):
        def lock(self) -> AbstractContextManager[object]:
            raise BusyError("Another process holds the vault.")

    bench = start()
    auth = bench.token(Held(bench.issue()))
    bench.clock.advance(13.5 * DAY_S)
    bench.ask(auth)
    assert "could not be renewed" in " ".join(bench.warnings)
    bench.clock.advance(DAY_S)
    with pytest.raises(BusyError, match="holds the vault"):
        bench.ask(auth)


def test_a_refusal_of_the_app_repeats_nothing(start: Start) -> None:
    """A 401 with another error name is not quoted, as the name may contain what was sent."""
    bench = start()
    auth = bench.token(bench.keep(replace(bench.issue(), access_token="")))
    secret = bench.app().client_secret
    bench.server.fault("oauth_error", table="oauth_token", error=f"no {secret}", status=401)
    with pytest.raises(SignInError, match=r"does not accept the app \(401\)"):
        bench.ask(auth)


def test_nothing_shows_the_tokens(start: Start) -> None:
    """repr, str and vars, as in debuggers and logs, show no token, and pickling is refused."""
    bench = start()
    first = bench.issue()
    auth = bench.token(bench.keep(first))
    bench.ask(auth)
    app = bench.app()
    shown = f"{auth!r} {auth} {vars(auth)} {first!r} {app!r} {bench.vault.read(PROFILE, ACCOUNT)!r}"
    for secret in (first.access_token, first.refresh_token, app.client_secret):
        assert secret not in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        auth.__reduce_ex__(2)


def test_a_token_command_with_a_zero_byte_is_refused(start: Start) -> None:
    """Such a command cannot start, which would show only after the token was exchanged."""
    bench = start()
    with pytest.raises(ConfigError, match="token_command is not a command"):
        CommandTokenStore(bench.keep(bench.issue()), "cat\0", bench.warnings.append)
