"""One request: what is sent, how it is retried, and what an error says."""

from __future__ import annotations

import gzip
import json
import ssl
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from harvest_source._version import __version__
from harvest_source.api.attempt import MAX_BODY_BYTES, OkResponse
from harvest_source.api.http_context import (
    Exchange,
    HttpContext,
    RetryLimits,
    build_user_agent,
)
from harvest_source.api.pages import TruncatedBody, parse_object
from harvest_source.api.rate_limit import RateLimiter
from harvest_source.api.requester import Requester
from harvest_source.errors import (
    AuthError,
    ConfigError,
    ForbiddenError,
    HarvestError,
    RateLimitedError,
    ResponseError,
    ServerError,
    StaleAnswerError,
    UnsafeLinkError,
)
from harvest_source.notices import Notice, NoticeKind
from tests.clocks import START, FakeClock

API = "https://api.harvestapp.com/v2"
TOKEN = "1234567.pt.very-secret"
Handler = Callable[[httpx.Request], httpx.Response]


class Bearer(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {TOKEN}"
        yield request


class Chunks(httpx.SyncByteStream):
    """A body in chunks that each take time, and that may end in an error."""

    def __init__(
        self,
        *chunks: bytes,
        clock: FakeClock | None = None,
        delay_s: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        self._chunks = chunks
        self._clock = clock
        self._delay_s = delay_s
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if self._clock:
                self._clock.advance(self._delay_s)
            yield chunk
        if self._error:
            raise self._error


class Noting(RateLimiter):
    """Records the pauses that it was given."""

    def __init__(self, *, requests: int, seconds: float, clock: FakeClock) -> None:
        super().__init__(requests=requests, seconds=seconds, clock=clock)
        self.paused: list[float] = []

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        super().pause(seconds)


def build_requester(
    handler: Handler,
    *,
    base_url: str = API,
    limiter: RateLimiter | None = None,
    url_name: str = "api_url",
    **changes: Any,
) -> Requester:
    """A requester of account 77; *changes* are fields of its :class:`HttpContext`."""
    given: dict[str, Any] = {
        "clock": FakeClock(),
        "contact": "me@example.com",
        "random": lambda: 1.0,
        "transport": httpx.MockTransport(handler),
    }
    return Requester(
        base_url,
        HttpContext(**(given | changes)),
        auth=Bearer(),
        limiter=limiter,
        headers={"Harvest-Account-Id": "77"},
        url_name=url_name,
    )


def get(requester: Requester, url: str, params: dict[str, str] | None = None) -> OkResponse:
    """Return the answer unchanged."""
    return requester.fetch(url, params, parse=lambda answer: answer)


def answer_with(*answers: httpx.Response | Exception) -> Handler:
    """Return the answers one after the other, and the last one forever."""
    left = list(answers)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def fail(handler: Handler, kind: type[HarvestError], **changes: Any) -> HarvestError:
    """The error that a GET raises, checked for secrets."""
    with build_requester(handler, **changes) as requester, pytest.raises(kind) as caught:
        get(requester, "time_entries", {"updated_since": "2024-02-02T02:02:02Z"})
    text = str(caught.value)
    assert TOKEN not in text
    assert "2024-02-02" not in text
    return caught.value


def test_a_get_sends_token_account_user_agent_and_query() -> None:
    """A GET has no body, but has token, account, user agent, and the query as given."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, content=b"{}")

    with build_requester(handler) as requester:
        get(
            requester, "time_entries", {"updated_since": "2024-01-01T00:00:00Z", "per_page": "2000"}
        )
        get(requester, f"{API}/users?cursor=eyJ%3D%3D&a=b+c&x=%2B")
    first, second = sent
    assert (first.method, first.content) == ("GET", b"")
    assert (
        str(first.url) == f"{API}/time_entries?updated_since=2024-01-01T00%3A00%3A00Z&per_page=2000"
    )
    assert str(second.url) == f"{API}/users?cursor=eyJ%3D%3D&a=b+c&x=%2B"
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert first.headers["Harvest-Account-Id"] == "77"
    assert first.headers["User-Agent"] == f"harvest-source/{__version__} (me@example.com)"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v2/users",
        "http://api.harvestapp.com/v2/users",
        "https://api.harvestapp.com:444/v2/users",
        "https://api.harvestapp.com@evil.example/v2/users",
    ],
)
def test_another_host_is_never_asked(url: str) -> None:
    """The token goes only to the configured host, whatever URL is passed in."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    with build_requester(handler) as requester, pytest.raises(UnsafeLinkError):
        get(requester, url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_redirects_are_not_followed(status: int) -> None:
    """A redirect would take the token along."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers={"Location": "https://evil.example/?t=hunter2"})

    error = fail(handler, ResponseError)
    assert "redirect" in str(error)
    assert "hunter2" not in str(error)
    assert len(requests) == 1


def test_401_names_both_causes() -> None:
    """Harvest answers a missing or wrong account exactly like a bad token."""
    body = {"error": "invalid_token", "error_description": f"{TOKEN} is expired"}
    error = fail(answer_with(httpx.Response(401, json=body)), AuthError)
    assert "401 on /v2/time_entries, account 77" in str(error)
    assert "token is wrong" in str(error)
    assert "account id is missing" in str(error)


def test_403_repeats_harvests_reason() -> None:
    """Only Harvest can distinguish a role from a disabled module."""
    handler = answer_with(httpx.Response(403, json={"message": "Not authorized!"}))
    error = fail(handler, ForbiddenError)
    assert "may not read /v2/time_entries (403 on /v2/time_entries, account 77)" in str(error)
    assert '"Not authorized!"' in str(error)


@pytest.mark.parametrize("status", [400, 402, 404, 405, 410, 422])
def test_other_refusals_end_at_once(status: int) -> None:
    """Such a request is not retried; the error has its status and attempt."""
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, json={"message": "Invalid per_page parameter"})

    error = fail(handler, ResponseError)
    assert isinstance(error, ResponseError)
    assert '"Invalid per_page parameter"' in str(error)
    assert (error.status, error.attempts, error.path) == (status, 1, "/v2/time_entries")
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"message":"too many\\n  lines\\u0007"}', '"too many lines"'),
        (b'{"error":"Not Found","status":404}', '"Not Found"'),
        (b'{"error":"x","error_description":"longer"}', '"longer"'),
        (json.dumps({"message": "x" * 5000}).encode(), f'"{"x" * 197}..."'),
        (b'{"message":"see https://h/p?token=hunter2 now"}', '"see https://h/p?... now"'),
        (json.dumps({"message": f"bad {TOKEN}"}).encode(), ""),
        (b'{"message":{"hunter2":1}}', ""),
        (b'["hunter2"]', ""),
        (b"<html>hunter2</html>", ""),
        (b'{"message":"hunter2', ""),
        (b"[" * 100_000, ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
def test_reasons_are_shown_short_and_clean(body: bytes, shown: str) -> None:
    """A reason is one line of Harvest's own words, or nothing; never a raw body, query or token."""
    error = fail(answer_with(httpx.Response(404, content=body)), ResponseError)
    assert "hunter2" not in str(error)
    assert shown in str(error)
    assert str(error).count('"') == (2 if shown else 0)
    assert "\n" not in str(error)


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_successes_other_than_200_are_not_answers(status: int) -> None:
    """A list needs a 200; a part of one, least of all, is not accepted."""
    fail(answer_with(httpx.Response(status, content=b'{"time_entries":[]}')), ResponseError)


def test_a_429_waits_for_retry_after_and_pauses_other_requests() -> None:
    """Retry-After pauses everything that shares the allowance."""
    clock = FakeClock()
    limiter = Noting(requests=97, seconds=15.4, clock=clock)
    handler = answer_with(
        httpx.Response(429, headers={"Retry-After": "15"}, html="<html>Throttled</html>"),
        httpx.Response(200, content=b"{}"),
    )
    with build_requester(handler, clock=clock, limiter=limiter) as requester:
        assert get(requester, "users").body == b"{}"
    assert limiter.paused == [15]
    assert clock.monotonic() == pytest.approx(15, abs=0.01)


def test_a_503_pauses_no_other_request() -> None:
    """A server error does not concern the allowance."""
    clock = FakeClock()
    limiter = Noting(requests=97, seconds=15.4, clock=clock)
    handler = answer_with(httpx.Response(503), httpx.Response(200, content=b"{}"))
    with build_requester(handler, clock=clock, limiter=limiter) as requester:
        get(requester, "users")
    assert limiter.paused == []
    assert clock.monotonic() == pytest.approx(0.5)


def test_retry_after_as_a_date_is_read_by_the_servers_clock() -> None:
    """Our own clock may be wrong by minutes."""
    clock = FakeClock(START - timedelta(hours=1))
    handler = answer_with(
        httpx.Response(
            429,
            headers={
                "Date": "Fri, 01 Mar 2024 12:00:00 GMT",
                "Retry-After": "Fri, 01 Mar 2024 12:00:20 GMT",
            },
        ),
        httpx.Response(200, content=b"{}"),
    )
    with build_requester(handler, clock=clock) as requester:
        get(requester, "users")
    assert clock.monotonic() == pytest.approx(20, abs=0.01)


def warnings_of_429(sent: int) -> list[str]:
    """The warnings when the request after *sent* others gets a 429."""
    clock, notices = FakeClock(), list[Notice]()
    limiter = RateLimiter(requests=97, seconds=15.4, clock=clock)
    for _ in range(sent):
        limiter.acquire()
    headers = {"Date": "Fri, 01 Mar 2024 12:00:00 GMT"}
    answer = httpx.Response(200, headers=headers, content=b"{}")
    handler = answer_with(httpx.Response(429), answer)
    with build_requester(
        handler, clock=clock, limiter=limiter, on_notice=notices.append
    ) as requester:
        get(requester, "users")
    assert [notice.kind for notice in notices] == [NoticeKind.ALLOWANCE]
    return [notice.text for notice in notices]


def test_another_program_is_blamed_only_if_there_must_be_one() -> None:
    """Few requests cannot exceed the allowance, however the network delivered them."""
    [warning] = warnings_of_429(20)
    assert "this run sent 21 requests in the last 31 s: something else uses" in warning
    assert "or a command that ended just before used it up" in warning


def test_a_429_possibly_due_to_bunching_names_both_causes() -> None:
    """With two windows' allowance sent, the warning states what is known, and no more."""
    [warning] = warnings_of_429(150)
    assert "this run sent 151 requests in the last 31 s" in warning
    assert "delivered them together, or something else" in warning


def test_429_for_ever_is_given_up() -> None:
    """The limit on tries applies, and the error says what happened."""
    handler = answer_with(httpx.Response(429, headers={"Retry-After": "15"}))
    error = fail(handler, RateLimitedError)
    assert "8 tries in 105 s, each answered 429 (last Retry-After 15 s)" in str(error)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (httpx.Response(500), "answered 500"),
        (httpx.Response(503, html="<html>"), "answered 503"),
        (httpx.ReadTimeout("slow"), "timed out"),
        (httpx.ReadError("reset by peer"), "was cut short (reset by peer)"),
        (httpx.Response(408), "answered 408"),
        (httpx.RemoteProtocolError("peer closed"), "was cut short (peer closed)"),
        (httpx.ReadError(""), "was cut short (ReadError)"),
    ],
)
def test_failures_are_tried_again_then_given_up(
    failure: httpx.Response | Exception, said: str
) -> None:
    """One failure costs a wait; eight of them end the request."""
    requester = build_requester(answer_with(failure, httpx.Response(200, content=b"{}")))
    with requester:
        assert get(requester, "users").body == b"{}"
        assert requester.requests == 2
    error = fail(answer_with(failure), ServerError)
    assert f"8 tries in 62 s, each {said}." in str(error)


def test_an_unreachable_host_is_given_up_soon() -> None:
    """A host that has never answered is probably the wrong one, so three tries are enough."""
    error = fail(answer_with(httpx.ConnectError("[Errno 111] Connection refused")), ServerError)
    assert "3 tries in 2 s, each could not connect ([Errno 111] Connection refused)." in str(error)
    assert "Check api_url" in str(error)


def test_a_host_that_has_answered_gets_full_patience() -> None:
    """If the network fails in the middle of a long run, the full number of tries applies."""
    down = [httpx.ConnectError("down")] * 6
    handler = answer_with(
        httpx.Response(200, content=b"{}"), *down, httpx.Response(200, content=b"{}")
    )
    with build_requester(handler) as requester:
        get(requester, "users")
        assert get(requester, "users").body == b"{}"
        assert requester.requests == 8


def test_an_untrusted_certificate_is_not_tried_again() -> None:
    """Retrying does not help; the message says what to set."""
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate"
    calls: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        raise httpx.ConnectError("failed", request=request) from cause

    error = fail(handler, ServerError)
    assert "not trusted (self-signed certificate)" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert len(calls) == 1


def test_a_body_cut_short_is_tried_again() -> None:
    """A connection lost inside a body is retried like any other failure."""
    cut = httpx.Response(200, stream=Chunks(b'{"a":', error=httpx.ReadError("reset")))
    with build_requester(answer_with(cut, httpx.Response(200, content=b"{}"))) as requester:
        assert get(requester, "users").body == b"{}"


def test_half_a_json_is_tried_again() -> None:
    """A proxy may end a body cleanly in the middle; the request is retried."""

    def parse(answer: OkResponse) -> dict[str, Any]:
        return parse_object(answer.body)

    handler = answer_with(
        httpx.Response(200, content=b'{"a":'), httpx.Response(200, content=b'{"a":1}')
    )
    with build_requester(handler) as requester:
        assert requester.fetch("users", parse=parse) == {"a": 1}
    with (
        build_requester(answer_with(httpx.Response(200, content=b'{"a":'))) as requester,
        pytest.raises(ServerError, match="8 tries in 62 s, each answered half a JSON body"),
    ):
        requester.fetch("users", parse=parse)


def test_a_trickling_error_does_not_hold_us_up() -> None:
    """An error's status counts; its body gets only seconds."""
    clock = FakeClock()
    stream = Chunks(*[b" "] * 1000, clock=clock, delay_s=30)
    fail(lambda _request: httpx.Response(404, stream=stream), ResponseError, clock=clock)
    assert clock.monotonic() == 30


def test_an_error_with_a_broken_body_is_still_that_error() -> None:
    """The status decides before the body is read."""
    stream = Chunks(b'{"mess', error=httpx.ReadError("reset"))
    fail(lambda _request: httpx.Response(401, stream=stream), AuthError)


def test_a_body_beyond_the_limit_is_refused() -> None:
    """Memory is bounded whatever is sent; a retry would bring the same body."""
    mega = b" " * 2**20
    stream = Chunks(*[mega] * (MAX_BODY_BYTES // 2**20 + 1))
    error = fail(lambda _request: httpx.Response(200, stream=stream), ResponseError)
    assert "more than 256 MB" in str(error)


def test_a_gzip_bomb_is_refused() -> None:
    """The limit counts decompressed bytes, not bytes on the wire."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 2**20) for _ in range(260)) + packer.flush()
    pieces = [bomb[at : at + 4096] for at in range(0, len(bomb), 4096)]
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Chunks(*pieces))
    assert "more than 256 MB" in str(fail(lambda _request: response, ResponseError))


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress"])
def test_compressions_not_asked_for_are_refused(encoding: str) -> None:
    """Stacked and other compressions can exceed any limit within one chunk."""
    response = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=Chunks(b"x"))
    assert "compression" in str(fail(lambda _request: response, ResponseError))


def test_gzip_is_unpacked() -> None:
    """gzip is requested, and decompressed."""
    packed = gzip.compress(b'{"a":1}')
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Chunks(packed))
    with build_requester(lambda _request: response) as requester:
        assert get(requester, "users").body == b'{"a":1}'


def test_broken_gzip_is_tried_again() -> None:
    """Broken gzip counts as damage in transport, and is retried."""
    broken = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Chunks(b"nonsense"))
    with build_requester(answer_with(broken, httpx.Response(200, content=b"{}"))) as requester:
        assert get(requester, "users").body == b"{}"


def test_callbacks_get_every_try() -> None:
    """Progress, counters and an access log get failed tries too, and no query."""
    clock = FakeClock()
    told: list[Exchange] = []
    handler = answer_with(
        httpx.Response(503), httpx.ReadTimeout("slow"), httpx.Response(200, content=b'{"a":1}')
    )
    with build_requester(handler, clock=clock, on_response=told.append) as requester:
        get(requester, "users", {"page": "2"})
        assert requester.requests == 3
    assert [(e.attempt, e.status, e.bytes) for e in told] == [
        (1, 503, 0),
        (2, None, 0),
        (3, 200, 7),
    ]
    assert {(e.method, e.path) for e in told} == {("GET", "/v2/users")}
    assert [e.at - START for e in told] == [timedelta(seconds=s) for s in (0, 0.5, 1.5)]


def test_an_answer_knows_when_its_own_try_began() -> None:
    """Only the duration of the try that was answered is subtracted, not earlier tries."""
    clock = FakeClock()
    date = "Fri, 01 Mar 2024 12:00:00 GMT"

    def handler(request: httpx.Request) -> httpx.Response:
        stream = Chunks(b"{", b"}", clock=clock, delay_s=4)
        return httpx.Response(200, headers={"Date": date}, stream=stream)

    with build_requester(handler, clock=clock) as requester:
        answer = get(requester, "users")
    assert answer.began == START - timedelta(seconds=8)
    assert answer.elapsed_s == 8


def test_a_cached_answer_counts_by_its_date() -> None:
    """``Date`` says when the data was made; an ``Age`` beside it changes nothing."""
    headers = {"Date": "Fri, 01 Mar 2024 11:00:00 GMT", "Age": "3600"}
    with build_requester(lambda _: httpx.Response(200, headers=headers, content=b"{}")) as each:
        assert get(each, "users").began == START - timedelta(hours=1)


def serve_dates(*minutes: int | None, status: int = 200) -> Callable[..., httpx.Response]:
    """A handler that dates its answers *minutes* after the start; None omits the date."""
    dates = iter(minutes)

    def handler(_request: httpx.Request) -> httpx.Response:
        at = next(dates)
        date = None if at is None else START + timedelta(minutes=at)
        headers = {} if date is None else {"Date": format_datetime(date, usegmt=True)}
        return httpx.Response(200 if at == 0 else status, headers=headers, content=b"{}")

    return handler


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_stale_answer_is_requested_twice_more(status: int) -> None:
    """A cached list or refusal proves nothing about today; it is given up after three tries."""
    with build_requester(serve_dates(0, -60, -60, -60, status=status)) as requester:
        get(requester, "company")
        with pytest.raises(StaleAnswerError, match="came from a cache"):
            get(requester, "clients")
        assert requester.requests == 4


def test_a_fresh_answer_after_a_cached_one_counts() -> None:
    """A fresh answer after cached ones counts: the cache has asked Harvest."""
    with build_requester(serve_dates(0, -60, -60, 1)) as requester:
        get(requester, "company")
        assert get(requester, "clients").date == START + timedelta(minutes=1)


@pytest.mark.parametrize("base_url", [API, "https://proxy.example.com/harvest", "https://h.test/"])
def test_an_old_first_answer_is_known_by_its_list(base_url: str) -> None:
    """Evidence is matched to tables by paths below the API, whatever the API's address is."""
    old, now = (
        httpx.Response(200, headers={"Date": format_datetime(START - age, usegmt=True)})
        for age in (timedelta(hours=1), timedelta(0))
    )
    with build_requester(answer_with(old, now), base_url=base_url) as requester:
        get(requester, "invoices/77/payments")
        get(requester, "clients")
        assert requester.server_clock.find_old() == {"invoices/#/payments"}


def test_every_request_has_cache_control_no_cache() -> None:
    """Every request has Cache-Control: no-cache."""
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=b"{}")

    with build_requester(handler) as requester:
        get(requester, "users")
    assert asked[0].headers["Cache-Control"] == "no-cache"


def test_a_missing_date_is_warned_of_once() -> None:
    """The warning is given once, and says what follows."""
    notices: list[Notice] = []
    handler = serve_dates(None, None)
    with build_requester(handler, on_notice=notices.append) as requester:
        get(requester, "users")
        get(requester, "users")
    assert [notice.kind for notice in notices] == [NoticeKind.MISSING_DATE]


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_far_apart_are_warned_of_once(hours: int) -> None:
    """Either clock may be ahead; the earlier one still counts."""
    clock = FakeClock(START + timedelta(hours=hours))
    notices: list[Notice] = []
    response = httpx.Response(200, headers={"Date": "Fri, 01 Mar 2024 12:00:00 GMT"}, content=b"{}")
    with build_requester(
        lambda _request: response, clock=clock, on_notice=notices.append
    ) as requester:
        assert get(requester, "users").began == min(START, clock.now())
        get(requester, "users")
    [notice] = notices
    assert notice.kind is NoticeKind.CLOCK
    assert "60 minutes apart" in notice.text


def test_clocks_close_together_are_not_warned_of() -> None:
    """Clocks up to five minutes apart are normal."""
    clock = FakeClock(START + timedelta(minutes=4))
    notices: list[Notice] = []
    response = httpx.Response(200, headers={"Date": "Fri, 01 Mar 2024 12:00:00 GMT"}, content=b"{}")
    with build_requester(
        lambda _request: response, clock=clock, on_notice=notices.append
    ) as requester:
        get(requester, "users")
    assert notices == []


def test_limits_are_an_argument() -> None:
    """A caller may set its own limits."""
    limits = RetryLimits(attempts=2)
    assert "2 tries in" in str(
        fail(answer_with(httpx.Response(503)), ServerError, retry_limits=limits)
    )


def test_a_requester_shows_no_secret() -> None:
    """repr and vars have no secret, because they end up in tracebacks."""
    with build_requester(answer_with(httpx.Response(200))) as requester:
        assert repr(requester) == f"Requester('{API}')"
        assert TOKEN not in str(vars(requester))


@pytest.mark.parametrize(
    "base_url", ["http://api.harvestapp.com/v2", "https://u:p@api.harvestapp.com/v2", "nonsense"]
)
def test_a_bad_address_is_refused_before_anything_is_sent(base_url: str) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match="id_url"):
        build_requester(answer_with(httpx.Response(200)), base_url=base_url, url_name="id_url")


def test_unusable_proxy_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of an unknown kind is a setting to correct, and its password is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:hunter2@proxy.example")
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        build_requester(answer_with(httpx.Response(200)), transport=None)
    assert "hunter2" not in str(caught.value)


def test_a_missing_certificate_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked up when the client is built, not at the first request."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        build_requester(answer_with(httpx.Response(200)), transport=None)


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("me@example.com", "harvest-source/0.1.0 (me@example.com)"),
        (None, "harvest-source/0.1.0"),
        ("  ", "harvest-source/0.1.0"),
        ("Jörg <j@example.com>", "harvest-source/0.1.0 (Jorg <j@example.com>)"),
        ("a\r\nX-Evil: 1", "harvest-source/0.1.0 (a X-Evil: 1)"),
        ("(a) \\ (b", "harvest-source/0.1.0 (a b)"),
        ("日本", "harvest-source/0.1.0"),
    ],
)
def test_user_agent_is_one_plain_line(contact: str | None, expected: str) -> None:
    """No contact can add a second header or break the comment."""
    assert build_user_agent("0.1.0", contact) == expected


def test_truncated_body_is_private() -> None:
    """Callers see ServerError; the marker for a retry never reaches them."""
    assert not issubclass(TruncatedBody, HarvestError)
