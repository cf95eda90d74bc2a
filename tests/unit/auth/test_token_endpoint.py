"""The token endpoint: the request, the meaning of its answer, and the words of a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.pages import TruncatedBody
from harvest_source.auth.token_endpoint import (
    TOKEN_LIMITS,
    App,
    TokenEndpoint,
    Tokens,
    is_token_text,
    parse_tokens,
)
from harvest_source.errors import (
    ConfigError,
    HarvestError,
    RateLimitedError,
    ResponseError,
    ServerError,
    SignInError,
)
from tests.clocks import START, FakeClock

APP = App("app-id", "app-secret", "https://id.getharvest.com")
OLD = Tokens("old-access", "old-refresh", START, START)
DAY = timedelta(days=1)
Handler = Callable[[httpx.Request], httpx.Response]


def build(handler: Handler, *, app: App = APP, **options: Any) -> TokenEndpoint:
    http = HttpContext(
        clock=FakeClock(),
        contact="me@example.com",
        random=lambda: 0.0,
        retry_limits=RetryLimits(attempts=50, total_s=9999),
        transport=httpx.MockTransport(handler),
    )
    return TokenEndpoint(app, http, **options)


def grant(**fields: Any) -> dict[str, Any]:
    """An answer as in Harvest's docs."""
    return {
        "access_token": "new-access",
        "refresh_token": "new-refresh",
        "token_type": "bearer",
        "expires_in": 1_209_600,
        **fields,
    }


def answer(status: int = 200, **fields: Any) -> Handler:
    """Answer every request with the same response."""
    return lambda _: httpx.Response(status, json=grant(**fields) if status == 200 else fields)


def refuse(call: Callable[[], object], kind: type[HarvestError]) -> str:
    """The message of a refusal, checked for secrets."""
    with pytest.raises(kind) as caught:
        call()
    for secret in ("app-secret", "old-access", "old-refresh", "the-code"):
        assert secret not in str(caught.value)
    return str(caught.value)


def test_a_refresh_sends_the_app_and_the_refresh_token() -> None:
    """A form goes to the identity host, with the User-Agent and without any other token."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=grant())

    build(handler).refresh(OLD)
    [request] = sent
    assert (request.method, str(request.url)) == (
        "POST",
        "https://id.getharvest.com/api/v2/oauth2/token",
    )
    assert dict(parse_qsl(request.content.decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "old-refresh",
        "client_id": "app-id",
        "client_secret": "app-secret",
    }
    assert request.headers["User-Agent"].endswith("(me@example.com)")
    assert "Authorization" not in request.headers
    assert "Harvest-Account-Id" not in request.headers


@pytest.mark.parametrize("verifier", [None, "proof"])
def test_a_code_is_redeemed(verifier: str | None) -> None:
    """PKCE's verifier is sent only if the sign-in sent a challenge."""
    sent: list[dict[str, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(dict(parse_qsl(request.content.decode(), keep_blank_values=True)))
        return httpx.Response(200, json=grant())

    assert build(handler).redeem("the-code", verifier).access_token == "new-access"
    proof = {"code_verifier": verifier} if verifier else {}
    assert sent == [
        {
            "grant_type": "authorization_code",
            "code": "the-code",
            "client_id": "app-id",
            "client_secret": "app-secret",
            **proof,
        }
    ]


def test_a_token_lifetime_counts_from_the_request() -> None:
    """The life counts from the request, which is earlier than Harvest's own count."""
    assert build(answer()).refresh(OLD) == Tokens(
        "new-access", "new-refresh", START + 14 * DAY, START
    )


@pytest.mark.parametrize("missing", [{"refresh_token": None}, {"refresh_token": ""}])
def test_the_old_refresh_token_is_kept_if_no_new_one_comes(missing: dict[str, Any]) -> None:
    """Harvest's docs return the same one again; another server may omit it."""
    assert build(answer(**missing)).refresh(OLD).refresh_token == "old-refresh"


@pytest.mark.parametrize("value", [None, 0, -1, "soon", 1.5, 10**12, "9" * 5000, True])
def test_an_implausible_token_lifetime_is_ignored(value: Any) -> None:
    """Then only a 401 shows that the token has expired."""
    assert build(answer(expires_in=value)).refresh(OLD).expires_at is None


@pytest.mark.parametrize("value", ["1209600", 1_209_600])
def test_a_life_may_be_text(value: Any) -> None:
    """Some servers quote numbers."""
    assert build(answer(expires_in=value)).refresh(OLD).expires_at == START + 14 * DAY


@pytest.mark.parametrize(
    "fields",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
        {"access_token": "two words"},
        {"access_token": "line\r\nX-Evil: 1"},
        {"refresh_token": {"a": 1}},
        {"refresh_token": "ünsafe"},
    ],
)
def test_unusable_tokens_are_refused(fields: dict[str, Any]) -> None:
    """If they were stored, they would replace tokens that work."""
    message = refuse(lambda: build(answer(**fields)).refresh(OLD), ResponseError)
    assert "but sent no usable one" in message


def test_a_truncated_answer_is_retried_and_a_wrong_one_is_not() -> None:
    """A truncated answer is requested again, a wrong one is not."""
    body = json.dumps(grant()).encode()
    with pytest.raises(TruncatedBody):
        parse_tokens(body[:-5], START, "/token")
    with pytest.raises(ResponseError):
        parse_tokens(b"<html>", START, "/token")


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_refresh_token_ends_the_login(status: int) -> None:
    """The message ends with the caller's remedy."""
    endpoint = build(answer(status, error="invalid_grant"), remedy="Do this: that")
    message = refuse(lambda: endpoint.refresh(OLD), SignInError)
    assert "refused the refresh token (invalid_grant)" in message
    assert message.endswith("Do this: that")


def test_a_refused_code_ends_the_sign_in() -> None:
    """A code works once, so the remedy is another sign-in, of the same profile."""
    remedy = "Sign in again: harvest-source auth login --profile work"
    endpoint = build(answer(400, error="invalid_grant"), remedy=remedy)
    message = refuse(lambda: endpoint.redeem("the-code"), SignInError)
    assert "refused the code" in message
    assert message.endswith(remedy)


@pytest.mark.parametrize(
    ("status", "fields", "shown"),
    [
        (401, {"error": "invalid_client"}, "invalid_client"),
        (400, {"error": "unauthorized_client"}, "unauthorized_client"),
        (401, {"error": "something_else"}, "401"),
        (401, {}, "401"),
        (401, {"error": {"no": "text"}}, "401"),
    ],
)
def test_a_refused_app_is_distinguished_from_a_refused_login(
    status: int, fields: dict[str, Any], shown: str
) -> None:
    """Signing in again would not help."""
    message = refuse(lambda: build(answer(status, **fields)).refresh(OLD), SignInError)
    assert f"does not accept the app ({shown})" in message
    assert "client_secret" in message


def test_another_refusal_does_not_end_the_login() -> None:
    """The sign-in may well be valid."""
    message = refuse(lambda: build(answer(404, error="not_found")).refresh(OLD), ResponseError)
    assert "404 on /api/v2/oauth2/token" in message


@pytest.mark.parametrize(("status", "kind"), [(503, ServerError), (429, RateLimitedError)])
def test_token_requests_have_shorter_limits_than_pages(
    status: int, kind: type[HarvestError]
) -> None:
    """Every thread waits for the token, so its own limits apply, not the run's."""
    message = refuse(lambda: build(lambda _: httpx.Response(status)).refresh(OLD), kind)
    assert f"Gave up on an access token: {TOKEN_LIMITS.attempts} tries" in message


def test_the_path_can_be_configured() -> None:
    """Older docs name ``/api/v1/oauth2/token``."""
    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json=grant())

    app = App("i", "s", "https://id.getharvest.com", "/api/v1/oauth2/token")
    build(handler, app=app).refresh(OLD)
    assert paths == ["/api/v1/oauth2/token"]


def test_an_unencrypted_identity_host_is_refused() -> None:
    """The app's secret would be sent unencrypted."""
    app = App("i", "s", "http://id.getharvest.com")
    with pytest.raises(ConfigError, match="id_url"):
        build(answer(), app=app).refresh(OLD)


def test_nothing_shows_a_secret() -> None:
    """reprs end up in logs."""
    shown = f"{APP!r} {OLD!r} {build(answer())!r}"
    for secret in ("app-secret", "old-access", "old-refresh"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("tokens", "after", "is_due", "is_expired"),
    [
        (Tokens("", "r"), timedelta(0), True, True),
        (Tokens("a", "r"), 9999 * DAY, False, False),
        (Tokens("a", "r", START + 14 * DAY, START), 12.9 * DAY, False, False),
        (Tokens("a", "r", START + 14 * DAY, START), 13 * DAY, True, False),
        (Tokens("a", "r", START + 14 * DAY, START), 14 * DAY, True, True),
        (Tokens("a", "r", START + DAY, START), 0.89 * DAY, False, False),
        (Tokens("a", "r", START + DAY, START), 0.9 * DAY, True, False),
        (Tokens("a", "r", START + 14 * DAY), 13.8 * DAY, False, False),
        (Tokens("a", "r", START + 14 * DAY), 13.9 * DAY, True, False),
    ],
)
def test_a_token_is_renewed_before_it_expires(
    tokens: Tokens, after: timedelta, is_due: bool, is_expired: bool
) -> None:
    """Renewed a day before its end, or after 90% of a short life; without dates, after a 401."""
    now: datetime = START + after
    assert (tokens.is_due(now), tokens.is_expired(now)) == (is_due, is_expired)


@pytest.mark.parametrize(
    ("text", "expected"), [("abc.-_~", True), ("a b", False), ("a\n", False), ("é", False)]
)
def test_a_header_carries_only_printable_ascii_without_blanks(text: str, expected: bool) -> None:
    """A header carries printable ASCII without blanks."""
    assert is_token_text(text) is expected
