"""One attempt: which parts of a response are read, and what its status means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from harvest_source.api.attempt import Attempt, RequestSpec, pick_message
from harvest_source.api.http_context import Exchange
from harvest_source.api.rate_limit import Cancelled, never
from harvest_source.api.retry import TransientFailure
from harvest_source.errors import (
    ApiError,
    AuthError,
    ForbiddenError,
    HarvestError,
    RemoteError,
    ResponseError,
    SignInError,
)
from tests.clocks import START, FakeClock

URL = httpx.URL("https://api.harvestapp.com/v2/time_entries?updated_since=2024-02-02")
TOKEN = "1234567.pt.very-secret"


class Slow(httpx.SyncByteStream):
    """A body that sends one byte per minute."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(60):
            self._clock.advance(60)
            yield b"x"


def respond(status: int, **content: Any) -> httpx.Response:
    """A response to a request that carried the token."""
    request = httpx.Request("GET", URL, headers={"Authorization": f"Bearer {TOKEN}"})
    return httpx.Response(status, request=request, **content)


def make(
    response: httpx.Response, *, clock: FakeClock | None = None, took_s: float = 0, **spec: Any
) -> Attempt:
    """An attempt that has read *response*."""
    clock = clock or FakeClock()
    request = RequestSpec(URL, "time_entries, page 3", **spec)
    attempt = Attempt(clock, request, number=2, account="77")
    clock.advance(took_s)
    attempt.read(response, never)
    attempt.stop()
    return attempt


def refuse(response: httpx.Response, kind: type[HarvestError], **spec: Any) -> HarvestError:
    """The error that *response* raises, checked for secrets."""
    with pytest.raises(kind) as caught:
        make(response, **spec).build_answer()
    assert TOKEN not in str(caught.value)
    assert "2024-02-02" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (201, ResponseError),
        (204, ResponseError),
        (301, ResponseError),
        (400, ResponseError),
        (401, AuthError),
        (403, ForbiddenError),
        (404, ResponseError),
        (422, ResponseError),
        (429, TransientFailure),
        (500, TransientFailure),
        (503, TransientFailure),
        (599, TransientFailure),
        (600, ResponseError),
    ],
)
def test_a_status_decides_between_answer_retry_and_refusal(
    status: int, kind: type[Exception] | None
) -> None:
    """Only 200 is an answer; 429 and 5xx are worth another attempt; the rest is final."""
    attempt = make(respond(status))
    if kind is None:
        assert attempt.build_answer().body == b""
        return
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its exact type is compared below
        attempt.build_answer()
    assert type(caught.value) is kind
    assert isinstance(caught.value, TransientFailure | RemoteError)


@pytest.mark.parametrize("status", [302, 403, 404])
def test_an_api_error_says_what_was_asked(status: int) -> None:
    """An ApiError has path, status and attempt for the report, label and account for people."""
    error = refuse(respond(status), ApiError)
    assert isinstance(error, ApiError)
    assert (error.path, error.status, error.attempts) == ("/v2/time_entries", status, 2)
    assert "time_entries, page 3" in str(error)
    assert f"({status} on /v2/time_entries, account 77)" in str(error)


def test_a_request_can_explain_its_own_refusals() -> None:
    """A 400 means something else from the token endpoint than from a list."""
    own = SignInError("ended")
    seen: list[tuple[int, bytes]] = []

    def explain(status: int, body: bytes) -> HarvestError | None:
        seen.append((status, body))
        return own if status == 400 else None

    assert refuse(respond(400, content=b"{}"), SignInError, explain=explain) is own
    refuse(respond(404), ResponseError, explain=explain)
    assert seen == [(400, b"{}"), (404, b"")]


def test_a_retryable_status_is_not_explained_away() -> None:
    """A proxy's 503 does not mean that the sign-in has ended."""
    with pytest.raises(TransientFailure):
        make(respond(503), explain=lambda *_: SignInError("ended")).build_answer()


def test_secrets_of_a_form_are_not_repeated() -> None:
    """An error that quotes a secret that was sent is not shown."""
    form = {"grant_type": "refresh_token", "client_secret": "app-secret"}
    told = {"error_description": "refresh_token app-secret is unknown"}
    assert "app-secret" not in str(refuse(respond(422, json=told), ResponseError, form=form))
    harmless = {"error_description": "unknown refresh_token"}
    assert '"unknown refresh_token"' in str(
        refuse(respond(422, json=harmless), ResponseError, form=form)
    )
    assert "app-secret" not in repr(RequestSpec(URL, "", form=form))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "15"}, 15.0),
        ({"Retry-After": "Fri, 01 Mar 2024 12:00:20 GMT"}, 20.0),
        (
            {
                "Retry-After": "Fri, 01 Mar 2024 13:00:20 GMT",
                "Date": "Fri, 01 Mar 2024 13:00:00 GMT",
            },
            20,
        ),
        ({}, None),
    ],
)
def test_retry_after_is_measured_by_the_servers_clock(
    headers: dict[str, str], wait_s: float | None
) -> None:
    """A date is compared with the server's clock, or with ours if the server sent no date."""
    with pytest.raises(TransientFailure) as caught:
        make(respond(429, headers=headers), took_s=0).build_answer()
    failure = caught.value
    assert (failure.reason, failure.status) == ("answered 429", 429)
    assert failure.retry_after_s == wait_s


def test_an_answer_knows_when_it_began() -> None:
    """The beginning is the server's clock minus the duration; the clock skew is known."""
    response = respond(200, headers={"Date": "Fri, 01 Mar 2024 11:50:04 GMT"}, content=b"{}")
    answer = make(response, took_s=4).build_answer()
    assert (answer.body, answer.elapsed_s) == (b"{}", 4)
    assert answer.began == START - timedelta(minutes=10)
    assert answer.clock_skew == timedelta(minutes=10)


def test_a_body_may_be_cancelled() -> None:
    """Reading can be cancelled between two chunks, so Ctrl-C does not wait for a long page."""
    attempt = Attempt(FakeClock(), RequestSpec(URL, ""), number=1, account=None)
    with pytest.raises(Cancelled):
        attempt.read(respond(200, content=b"{}"), lambda: True)


def test_a_refusal_is_judged_without_a_body_that_cannot_be_read() -> None:
    """A 403 in an unrequested compression is still a 403."""
    refuse(
        respond(403, headers={"Content-Encoding": "br"}, stream=Slow(FakeClock())), ForbiddenError
    )


def test_callbacks_get_every_field_of_an_exchange_but_no_query() -> None:
    """Callbacks get every field of the exchange, whatever the attempt's outcome, but no query."""
    attempt = make(respond(503, content=b"down"), took_s=3, method="POST")
    attempt.rows = 5
    assert attempt.build_exchange() == Exchange(
        at=START,
        method="POST",
        path="/v2/time_entries",
        status=503,
        elapsed_s=3,
        attempt=2,
        bytes=4,
        account="77",
        rows=5,
    )
    unanswered = Attempt(FakeClock(), RequestSpec(URL, ""), number=1, account=None)
    assert unanswered.build_exchange().status is None


def test_an_attempt_remembers_the_token_it_was_sent_with() -> None:
    """An attempt knows its token: a 401 on a token renewed meanwhile causes no second renewal."""
    assert make(respond(401)).token == TOKEN


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"message":"Not authorized!"}', ': "Not authorized!"'),
        (b'{"message":" ","error_description":"longer","error":"x"}', ': "longer"'),
        (b'{"error":"Not Found"}', ': "Not Found"'),
        (b'{"message":"1.pt.a-token-of-some-kind"}', ""),
        (b'{"message":"the secret"}', ""),
        (b"<html>", ""),
        (b"[1]", ""),
        (b"", ""),
    ],
)
def test_a_reason_is_harvests_own_text_or_absent(body: bytes, shown: str) -> None:
    """A reason is never a raw body, a secret, or text that looks like a token."""
    assert pick_message(body, secrets=("secret", "")) == shown
