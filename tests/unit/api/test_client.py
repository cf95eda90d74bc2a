"""The client of one account: lists, counts, objects."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from harvest_source.api.client import HarvestClient
from harvest_source.api.http_context import HttpContext
from harvest_source.api.rate_limit import LEAST_URGENT, RateLimiter, never
from harvest_source.errors import (
    AuthError,
    ConfigError,
    ForbiddenError,
    RateLimitedError,
    ResponseError,
    ServerError,
    UnsafeLinkError,
)
from tests.clocks import FakeClock

API = "https://api.harvestapp.com/v2"
THREAD = "harvest-ahead"
Handler = Callable[[httpx.Request], httpx.Response]


def build_client(
    handler: Handler,
    *,
    clock: FakeClock | None = None,
    api_url: str = API,
    limiter: RateLimiter | None = None,
    report_limiter: RateLimiter | None = None,
    **changes: Any,
) -> HarvestClient:
    """A client of account 77; *changes* are fields of its :class:`HttpContext`."""
    clock = clock or FakeClock()
    given: dict[str, Any] = {
        "clock": clock,
        "transport": httpx.MockTransport(handler),
        "random": lambda: 1.0,
    }
    return HarvestClient(
        api_url,
        HttpContext(**(given | changes)),
        account_id=77,
        auth=httpx.Auth(),
        limiter=limiter or RateLimiter(requests=97, seconds=15.4, clock=clock),
        report_limiter=report_limiter,
    )


def build_page(number: int, of: int, *, next_url: str | None = "default") -> httpx.Response:
    if next_url == "default":
        next_url = f"{API}/users?cursor=c{number + 1}&ref=next_cursor" if number < of else None
    return httpx.Response(
        200,
        json={
            "users": [{"id": number}],
            "total_entries": of,
            "total_pages": of,
            "next_page": None,
            "links": {"next": next_url},
        },
    )


def number_of(request: httpx.Request) -> int:
    return int(request.url.params.get("cursor", "c1")[1:])


def wait_for_threads() -> None:
    """Wait until no page is being fetched ahead."""
    end = time.monotonic() + 5
    while any(thread.name == THREAD for thread in threading.enumerate()):
        assert time.monotonic() < end, "a thread hangs"
        time.sleep(0.001)


def test_a_list_follows_links_as_given() -> None:
    """The first URL has the filters and per_page=2000; every later one is Harvest's own link."""
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        assert request.headers["Harvest-Account-Id"] == "77"
        return build_page(number_of(request), 3)

    with build_client(handler) as client:
        pages = list(client.iter_pages("users", key="users", params={"is_active": "true"}))
        assert client.requests == 3
    assert urls == [
        f"{API}/users?is_active=true&per_page=2000",
        f"{API}/users?cursor=c2&ref=next_cursor",
        f"{API}/users?cursor=c3&ref=next_cursor",
    ]
    assert [page.rows for page in pages] == [b'[{"id":1}]', b'[{"id":2}]', b'[{"id":3}]']
    assert [page.number for page in pages] == [1, 2, 3]


class Limited:
    """A Harvest whose largest page has *most* rows; it refuses *invalid* filters the same way."""

    def __init__(self, most: int, *, invalid: str = "") -> None:
        self.most = most
        self.invalid = invalid
        self.asked: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        size = request.url.params.get("per_page")
        self.asked.append(size)
        if int(size or 1) > self.most or self.invalid in request.url.params:
            return httpx.Response(422, json={"message": "Invalid parameter"})
        page = {"users": [], "total_entries": 0, "total_pages": 1, "links": {"next": None}}
        return httpx.Response(200, json={**page, "per_page": int(size or self.most)})


def test_a_refused_page_size_is_not_requested_again() -> None:
    """If 2,000 is refused, the page is requested without a number, as are all later lists."""
    harvest = Limited(500)
    with build_client(harvest) as client:
        assert client.page_rows("users") == 2000
        assert len(list(client.iter_pages("users", key="users"))) == 1
        assert client.page_rows("users") == 500
        client.fetch_page("users", key="users")
        assert client.fetch_count("users", key="users") == 0
        assert client.page_rows("users") == 500
    assert harvest.asked == ["2000", None, None, "1"]


def test_a_smaller_page_than_asked_for_is_noted() -> None:
    """A server may cap a page without refusing it; later requests still ask for 2,000."""

    def cap(request: httpx.Request) -> httpx.Response:
        assert request.url.params["per_page"] == "2000"
        page = {"users": [], "total_entries": 0, "total_pages": 1, "links": {"next": None}}
        return httpx.Response(200, json={**page, "per_page": 100})

    with build_client(cap) as client:
        client.fetch_page("users", key="users")
        client.fetch_page("users", key="users")
        assert client.page_rows("users") == 100


def test_another_invalid_parameter_does_not_change_the_page_size() -> None:
    """The original request's refusal is raised, and later requests still ask for 2,000."""
    harvest = Limited(2000, invalid="user_id")
    with build_client(harvest) as client:
        with pytest.raises(ResponseError, match="422 on /v2/users"):
            client.fetch_page("users", key="users", params={"user_id": "x"})
        client.fetch_page("users", key="users")
        with pytest.raises(ResponseError, match="422"):
            client.fetch_count("users", key="users", params={"user_id": "x"})
    assert harvest.asked == ["2000", None, "2000", "1"]


@pytest.mark.parametrize(("most_rows", "asked"), [(2, 1), (3, 3), (None, 3)])
def test_a_list_that_is_too_long_ends_with_its_first_page(
    most_rows: int | None, asked: int
) -> None:
    """Checking a list's length costs one request: the next page is not fetched ahead."""
    with build_client(lambda request: build_page(number_of(request), 3)) as client:
        pages = list(client.iter_pages("users", key="users", most_rows=most_rows))
        assert client.requests == asked
    assert [page.number for page in pages] == list(range(1, asked + 1))


@pytest.mark.parametrize(
    ("path", "pages", "urgencies"),
    [
        ("users", 3, [math.inf] * 3),
        ("users", 10, [math.inf] * 10),
        ("users", 12, [math.inf, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("invoices/7/messages", 12, [LEAST_URGENT] * 12),
    ],
)
def test_the_longest_list_goes_first(path: str, pages: int, urgencies: list[float]) -> None:
    """
    Among long lists, the one with most pages left goes first, so that they end together.

    Short lists go at once. Lists below a parent, of which there are many, go last.
    """

    class Noting(RateLimiter):
        def acquire(
            self, *, urgency: float = math.inf, cancelled: Callable[[], bool] = never
        ) -> None:
            noted.append(urgency)
            super().acquire(urgency=urgency, cancelled=cancelled)

    def handler(request: httpx.Request) -> httpx.Response:
        page = build_page(number_of(request), pages).json()
        return httpx.Response(200, json=page | {"total_entries": pages * 2000})

    noted: list[float] = []
    clock = FakeClock()
    limiter = Noting(requests=97, seconds=15.4, clock=clock)
    with build_client(handler, clock=clock, limiter=limiter) as client:
        assert len(list(client.iter_pages(path, key="users"))) == pages
    assert noted == urgencies


def test_a_single_object_is_one_page_without_per_page() -> None:
    """company takes no paging parameters."""
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return httpx.Response(200, json={"name": "Acme"})

    with build_client(handler) as client:
        pages = list(client.iter_pages("company", key=None))
    assert urls == [f"{API}/company"]
    assert [page.rows for page in pages] == [b'[{"name":"Acme"}]']


def test_the_next_page_is_fetched_while_one_is_in_hand() -> None:
    """Parsing does not wait for the network: one page is fetched ahead, and no more."""
    asked: list[int] = []
    second = threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(number_of(request))
        if number_of(request) == 2:
            second.set()
        return build_page(number_of(request), 5)

    with build_client(handler) as client:
        pages = client.iter_pages("users", key="users")
        next(pages)
        assert second.wait(5)
        wait_for_threads()
        assert asked == [1, 2]
        assert [page.number for page in pages] == [2, 3, 4, 5]


def test_closing_early_leaves_no_thread() -> None:
    """A page in flight is dropped, and the one after it is never requested."""
    asked: list[int] = []
    go_on = threading.Event()

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(number_of(request))
        if number_of(request) == 2:
            go_on.wait(5)
        return build_page(number_of(request), 5)

    with build_client(handler) as client:
        pages = client.iter_pages("users", key="users")
        next(pages)
        pages.close()
        go_on.set()
        wait_for_threads()
    assert asked in ([1], [1, 2])


def test_closing_early_ends_retries() -> None:
    """A dropped page is not retried for minutes."""
    closed, waiting = threading.Event(), threading.Event()

    class Blocking(FakeClock):
        def sleep(self, seconds: float) -> None:
            waiting.set()
            closed.wait(5)
            super().sleep(seconds)

    def handler(request: httpx.Request) -> httpx.Response:
        return build_page(1, 5) if number_of(request) == 1 else httpx.Response(503)

    with build_client(handler, clock=Blocking()) as client:
        pages = client.iter_pages("users", key="users")
        next(pages)
        assert waiting.wait(5)
        pages.close()
        closed.set()
        wait_for_threads()
        assert client.requests == 2


def test_a_link_to_another_host_is_not_followed() -> None:
    """The caller has the earlier rows; the list ends with an error, as if more pages follow."""
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(str(request.url))
        return build_page(1, 2, next_url="https://evil.example/v2/users?page=2")

    with build_client(handler) as client:
        pages = client.iter_pages("users", key="users")
        next(pages)
        with pytest.raises(UnsafeLinkError, match=r"users links to https://evil\.example"):
            next(pages)
    assert len(calls) == 1


def test_a_link_to_itself_ends_the_walk() -> None:
    """No page is requested twice."""
    url = f"{API}/users?page=2"
    with (
        build_client(lambda _request: build_page(1, 9, next_url=url)) as client,
        pytest.raises(UnsafeLinkError, match="Page 2 of users links to a page that was already"),
    ):
        list(client.iter_pages("users", key="users"))


def test_endless_pages_end() -> None:
    """If links go on far beyond the pages first announced, the list is given up with an error."""
    count = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        return build_page(1, 2, next_url=f"{API}/users?cursor=c{count + 1}")

    with (
        build_client(handler) as client,
        pytest.raises(ResponseError, match="Page 52 of users still links to another page"),
    ):
        list(client.iter_pages("users", key="users"))
    assert count == 52


def test_a_list_goes_on_under_the_other_prefix() -> None:
    """Harvest has returned /api/v2/ links to /v2/ requests; they are followed."""

    def handler(request: httpx.Request) -> httpx.Response:
        url = f"{API.replace('/v2', '/api/v2')}/users?cursor=c2"
        return build_page(number_of(request), 2, next_url=url if number_of(request) == 1 else None)

    with build_client(handler) as client:
        assert len(list(client.iter_pages("users", key="users"))) == 2


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (httpx.Response(401), AuthError, "users, page 2 (401 on /v2/users, account 77)"),
        (httpx.Response(403), ForbiddenError, "users, page 2 (403 on /v2/users, account 77)"),
        (httpx.Response(404), ResponseError, "users, page 2"),
        (httpx.Response(503), ServerError, "Gave up on users, page 2: 8 tries"),
        (httpx.Response(429), RateLimitedError, "Gave up on users, page 2: 8 tries"),
        (
            httpx.Response(200, html="<html>"),
            ResponseError,
            "users, page 2, but the body is an HTML",
        ),
        (httpx.Response(200, json={}), ResponseError, 'users, page 2, but the body lacks "users"'),
        (httpx.Response(200, text='{"users":['), ServerError, "Gave up on users, page 2: 8 tries"),
    ],
)
def test_errors_name_the_page(response: httpx.Response, kind: type[Exception], said: str) -> None:
    """An error is raised where the page is used, not in the thread that fetched it."""

    def handler(request: httpx.Request) -> httpx.Response:
        return build_page(1, 2) if number_of(request) == 1 else response

    with build_client(handler) as client:
        pages = client.iter_pages("users", key="users")
        assert next(pages).number == 1
        with pytest.raises(kind) as caught:
            next(pages)
    assert said in str(caught.value)
    assert getattr(caught.value, "path", "/v2/users") == "/v2/users"


def test_errors_name_the_window() -> None:
    """An error names the window, as a table is read in many."""
    params = {"from": "2024-03-01", "to": "2024-03-31", "updated_since": "2020-01-01T00:00:00Z"}
    with (
        build_client(lambda _request: httpx.Response(503)) as client,
        pytest.raises(ServerError, match="Gave up on users, 2024-03-01 to 2024-03-31: ") as caught,
    ):
        client.fetch_page("users", key="users", params=params)
    assert "2020" not in str(caught.value)


def test_a_count_is_one_request_for_one_row() -> None:
    """A count is Harvest's own total."""
    urls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        return build_page(1, 4711)

    with build_client(handler) as client:
        assert client.fetch_count("users", key="users", params={"from": "2024-03-01"}) == 4711
    assert urls == [f"{API}/users?from=2024-03-01&per_page=1"]


@pytest.mark.parametrize("total", [None, "7", -1, True])
def test_a_count_without_a_usable_total_is_an_error(total: Any) -> None:
    """A missing total never counts as zero: rows would be treated as deleted."""
    body = {"users": [], "total_entries": total, "links": {"next": None}}
    with (
        build_client(lambda _request: httpx.Response(200, json=body)) as client,
        pytest.raises(ResponseError, match="without a usable total_entries"),
    ):
        client.fetch_count("users", key="users")


def test_an_object_keeps_its_decimals() -> None:
    """Rates are money, so they stay decimals."""
    with build_client(lambda _request: httpx.Response(200, text='{"rate":10.10}')) as client:
        assert client.fetch_object("users/me") == {"rate": Decimal("10.10")}


def test_params_are_not_changed() -> None:
    """The caller's params are not modified."""
    params = {"from": "2024-03-01"}
    with build_client(lambda _request: build_page(1, 1)) as client:
        list(client.iter_pages("users", key="users", params=params))
    assert params == {"from": "2024-03-01"}


def test_reports_have_their_own_allowance() -> None:
    """Reports neither use up the general budget nor wait for it."""
    clock = FakeClock()
    general = RateLimiter(requests=1, seconds=100, clock=clock)
    reports = RateLimiter(requests=1, seconds=1000, clock=clock)

    def handler(request: httpx.Request) -> httpx.Response:
        url = f"{API}/reports/uninvoiced?page=2" if "page" not in request.url.params else None
        return httpx.Response(200, json={"results": [], "links": {"next": url}})

    with build_client(handler, clock=clock, limiter=general, report_limiter=reports) as client:
        pages = client.iter_pages("reports/uninvoiced", key="results")
        next(pages)
        general.acquire()
        assert clock.monotonic() < 1001
        next(pages)
    assert clock.monotonic() >= 1000


def test_a_client_shows_no_secret() -> None:
    """repr has no secret, because it ends up in logs."""
    with build_client(lambda _request: build_page(1, 1)) as client:
        assert repr(client) == f"HarvestClient('{API}', account_id=77)"


def test_a_bad_api_url_is_refused() -> None:
    """A bad api_url is refused before anything is sent."""
    with pytest.raises(ConfigError, match=r"api_url is http://api\.harvestapp"):
        build_client(lambda _request: build_page(1, 1), api_url="http://api.harvestapp.com/v2")
