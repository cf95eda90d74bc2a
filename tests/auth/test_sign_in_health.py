"""A check of every sign-in, on the test's own clock: what is renewed, and what a failure stops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from harvest_source.auth.saved_login import SavedLogin
from harvest_source.auth.token_endpoint import Tokens
from harvest_source.config.resolve import read_configuration
from harvest_source.operations.health_report import HealthReport, SignInHealth
from harvest_source.operations.login import SignInContext
from harvest_source.operations.sign_in_health import check_sign_ins
from tests.support.bench import ACCOUNT, Bench, Start
from tests.support.command import API_URL, ID_URL
from tests.support.dlt_project import enter_project
from tests.support.no_room import limit_file_size

DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def _project(tmp_path: Path) -> Iterator[None]:
    """A folder without settings."""
    with enter_project(tmp_path):
        yield


@pytest.fixture
def bench(start: Start, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench with rotating refresh tokens; the settings name the sandbox and the vault."""
    bench = start(rotate=True)
    monkeypatch.setenv(API_URL, bench.server.api_url)
    monkeypatch.setenv(ID_URL, bench.server.id_url)
    monkeypatch.setenv("SOURCES__HARVEST__VAULT_PATH", str(bench.vault.folder))
    return bench


def keep(bench: Bench, profile: str, tokens: Tokens) -> Tokens:
    """Save a login in the vault as *profile*."""
    app = bench.app()
    login = SavedLogin(
        tokens,
        client_id=app.client_id,
        client_secret=app.client_secret,
        account_id=int(ACCOUNT),
        roles=("administrator",),
        signed_in_at=tokens.obtained_at,
    )
    with bench.vault.lock(profile):
        bench.vault.write(profile, ACCOUNT, login)
    return tokens


def check(bench: Bench, transport: httpx.BaseTransport | None = None) -> HealthReport:
    http = bench.http(random=lambda: 0.0, transport=transport)
    return check_sign_ins(SignInContext(read_configuration({}), http), ask=True)


def states(report: HealthReport) -> dict[str, str]:
    return {each.report.profile: str(each.report.state) for each in report.sign_ins}


def test_a_sign_in_is_renewed_before_it_expires(bench: Bench) -> None:
    """An unused sign-in stays alive and reports its new expiry; others are left alone."""
    first = keep(bench, "anna", bench.issue())
    keep(bench, "berta", replace(bench.issue(), expires_at=None))
    assert check(bench).exit_code == 0
    assert bench.token_requests == 0
    bench.clock.advance(13.1 * DAY_S)
    report = check(bench)
    assert states(report) == {"anna": "ok", "berta": "ok"}
    assert bench.token_requests == 1
    renewed = report.sign_ins[0].report.tokens
    assert renewed is not None
    assert renewed.obtained_at == bench.clock.now()
    assert renewed.access_token != first.access_token
    assert bench.vault.read("anna", ACCOUNT).tokens == renewed  # type: ignore[union-attr]


def test_an_unreachable_identity_host_affects_only_expired_sign_ins(bench: Bench) -> None:
    """The expired sign-in is unknown, not refused; the one that needs no token is valid."""
    keep(bench, "anna", replace(bench.issue(), access_token=""))
    keep(bench, "berta", bench.issue())
    bench.server.fault("server_error", table="oauth_token")
    report = check(bench)
    assert states(report) == {"anna": "unknown", "berta": "ok"}
    assert (report.exit_code, report.status) == (4, "partial")
    assert report.sign_ins[0].check.refused_since is None
    bench.server.clear_faults()
    assert states(check(bench)) == {"anna": "ok", "berta": "ok"}


def test_an_expired_sign_in_that_cannot_be_renewed_needs_its_owner(bench: Bench) -> None:
    """An expired and revoked sign-in is distinguished from one that only needs renewal."""
    tokens = [keep(bench, name, bench.issue()) for name in ("anna", "berta")]
    bench.server.revoke(tokens[0].refresh_token)
    bench.clock.advance(15 * DAY_S)
    report = check(bench)
    assert states(report) == {"anna": "dead", "berta": "ok"}
    assert report.exit_code == 3
    assert report.sign_ins[0].check.refused_since == bench.clock.now()
    assert bench.token_requests == 2


def test_an_unexpected_error_stops_the_check_of_one_sign_in_only(bench: Bench) -> None:
    """A bug gives exit code 1, and the other sign-ins are checked."""
    tokens = [keep(bench, name, bench.issue()) for name in ("anna", "berta", "clara")]

    class Broken(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.headers["Authorization"].endswith(tokens[1].access_token):
                raise ZeroDivisionError
            return super().handle_request(request)

    with Broken(verify=False) as transport:
        report = check(bench, transport)
    assert states(report) == {"anna": "ok", "berta": "unknown", "clara": "ok"}
    assert report.exit_code == 1
    assert "ZeroDivisionError" in str(report.sign_ins[1].report.error)


def test_two_concurrent_checks_exchange_a_token_once(bench: Bench) -> None:
    """The vault's lock covers checks like syncs: the second check uses the new token."""
    bench.expire(keep(bench, "anna", replace(bench.issue(), expires_at=None)))
    bench.hold_until_refused(2)
    found: list[SignInHealth] = []
    threads = [
        threading.Thread(target=lambda: found.extend(check(bench).sign_ins)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(each.report.state) for each in found] == ["ok", "ok"]
    assert bench.token_requests == 1


def test_a_token_without_a_place_is_not_exchanged(bench: Bench) -> None:
    """The refresh token is still valid, so it does not count as refused."""
    bench.expire(keep(bench, "anna", replace(bench.issue(), expires_at=None)))
    with limit_file_size(64):
        report = check(bench)
    assert states(report) == {"anna": "unknown"}
    assert (report.exit_code, report.sign_ins[0].needs_owner) == (3, False)
    assert bench.token_requests == 0


def test_a_renewal_that_was_not_kept_needs_its_owner(bench: Bench) -> None:
    """The old refresh token is void and the new one is lost with the check: never exit code 0."""
    keep(bench, "anna", replace(bench.issue(), access_token=""))
    bench.server.before_request(lambda _: (bench.vault.folder / "key").write_text("no key"))
    report = check(bench)
    assert states(report) == {"anna": "dead"}
    assert report.exit_code == 3
    assert "auth login --profile anna" in str(report.sign_ins[0].report.error)
