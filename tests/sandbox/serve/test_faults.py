"""Every fault by name, as a client sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harvest_source.sandbox import FAULTS
from tests.sandbox.reader import Reader, Start

Check = Callable[[httpx.Response], bool]


def status(code: int, kind: str = "application/json") -> Check:
    """An answer with that status and content type."""
    return lambda answer: (
        answer.status_code == code and answer.headers["Content-Type"].startswith(kind)
    )


def is_not_json(answer: httpx.Response) -> bool:
    """The body cannot be parsed although the length is right."""
    try:
        answer.json()
    except json.JSONDecodeError:
        return answer.status_code == 200
    return False


def next_link(answer: httpx.Response) -> str:
    """Its next link."""
    link: str = answer.json()["links"]["next"]
    return link


SHAPES: dict[str, Check] = {
    "rate_limited": lambda answer: (
        status(429, "text/html")(answer)
        and answer.headers["Retry-After"] == "1"
        and answer.content == b""
    ),
    "rate_limited_no_retry_after": lambda answer: (
        status(429, "text/html")(answer) and "Retry-After" not in answer.headers
    ),
    "server_error": status(500),
    "server_error_html": status(500, "text/html"),
    "bad_gateway": status(502, "text/html"),
    "unavailable": status(503),
    "unavailable_html": status(503, "text/html"),
    "gateway_timeout": status(504, "text/html"),
    "unauthorized": status(401),
    "token_expired": status(401),
    "login_revoked": status(401),
    "forbidden": status(403),
    "not_found": status(404),
    "not_found_html": status(404, "text/html"),
    "invalid": status(422),
    "oauth_error": lambda answer: (
        answer.status_code == 400 and answer.json()["error"] == "invalid_grant"
    ),
    "slow_body": lambda answer: len(answer.json()["clients"]) == 8,
    "latency": status(200),
    "half_json": is_not_json,
    "html": status(200, "text/html"),
    "empty_body": lambda answer: answer.status_code == 200 and answer.content == b"",
    "list_body": lambda answer: answer.json() == [],
    "redirect": lambda answer: (
        answer.status_code == 302
        and answer.headers["Location"] == "http://elsewhere.example/v2/clients"
    ),
    "date_missing": lambda answer: "Date" not in answer.headers,
    "date_skewed": lambda answer: answer.headers["Date"] == "Wed, 17 Jun 2026 13:00:00 GMT",
    "date_aged": lambda answer: (
        answer.headers["Age"] == "600" and answer.headers["Date"] == "Wed, 17 Jun 2026 11:50:00 GMT"
    ),
    "cache": status(200),
    "empty_list": lambda answer: (
        (answer.json()["clients"], answer.json()["total_entries"]) == ([], 0)
    ),
    "missing_key": lambda answer: "clients" not in answer.json(),
    "null_rows": lambda answer: answer.json()["clients"] is None,
    "repeated_rows": lambda answer: len(answer.json()["clients"]) == 16,
    "next_to_itself": lambda answer: next_link(answer) == str(answer.url),
    "next_cycle": lambda answer: next_link(answer) == answer.json()["links"]["first"],
    "next_to_other_host": lambda answer: next_link(answer).startswith("http://elsewhere.example/"),
    "endless": lambda answer: next_link(answer).endswith("endless=1"),
    "wrong_total": lambda answer: answer.json()["total_entries"] == 9,
}
NEEDS_A_SOCKET = {"stall", "cut_before_headers", "cut_in_body", "gzip_bomb", "lost_answer"}


@pytest.fixture(scope="module")
def reader(shared: Reader) -> Reader:
    """The shared sandbox: every test here clears the faults that it sets."""
    return shared


def test_every_fault_is_tested() -> None:
    """A new row in FAULTS needs a line here."""
    assert set(FAULTS) == set(SHAPES) | NEEDS_A_SOCKET


@pytest.mark.parametrize("name", SHAPES)
def test_each_fault_shows_until_it_is_cleared(reader: Reader, name: str) -> None:
    """An injected fault shows; once cleared the answer is as before."""
    arguments: dict[str, dict[str, Any]] = {"slow_body": {"delay_s": 0}, "latency": {"ms": 1}}
    reader.server.fault(name, table="clients", **arguments.get(name, {}))
    try:
        assert SHAPES[name](reader.get("clients"))
    finally:
        reader.server.clear_faults()
    assert len(reader.get("clients").json()["clients"]) == 8


def test_a_rate_limit_may_have_a_page(reader: Reader) -> None:
    """With html the 429 has a body that is no JSON (quirk 19)."""
    reader.server.fault("rate_limited", times=1, html=True)
    answer = reader.get("clients")
    assert (answer.status_code, answer.content[:6]) == (429, b"<html>")


SPOILT = ("half_json", "html", "empty_body", "list_body", "missing_key", "null_rows")
EDITING = ("missing_key", "null_rows", "repeated_rows", "next_to_itself", "endless", "wrong_total")


@pytest.mark.parametrize("second", EDITING)
@pytest.mark.parametrize("first", SPOILT)
def test_two_faults_may_hit_one_answer(reader: Reader, first: str, second: str) -> None:
    """The second fault works on the result of the first without crashing, whatever that is."""
    reader.server.fault(first, table="clients")
    reader.server.fault(second, table="clients")
    try:
        assert reader.get("clients").status_code == 200
    finally:
        reader.server.clear_faults()


def test_a_connection_cut_before_the_headers(reader: Reader) -> None:
    """The client sees the connection close without an answer."""
    reader.server.fault("cut_before_headers", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        reader.get("clients")
    assert reader.get("clients").status_code == 200


def test_a_connection_cut_in_the_body(reader: Reader) -> None:
    """The body is shorter than Content-Length says."""
    reader.server.fault("cut_in_body", times=1, after=100)
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|closed"):
        reader.get("clients")
    assert reader.get("clients").status_code == 200


def test_a_stalled_request_does_not_block_others(reader: Reader) -> None:
    """No byte comes until the client gives up; other requests are served meanwhile."""
    reader.server.fault("stall", table="clients", times=1)
    with pytest.raises(httpx.ReadTimeout):
        reader.client.get(
            f"{reader.server.api_url}/clients", headers=reader.headers(), timeout=0.05
        )
    assert reader.get("users/me").status_code == 200


def test_a_gzip_bomb_unfolds(reader: Reader) -> None:
    """A small body decompresses to megabytes."""
    reader.server.fault("gzip_bomb", times=1, mb=3)
    with reader.client.stream(
        "GET", f"{reader.server.api_url}/clients", headers=reader.headers()
    ) as answer:
        assert int(answer.headers["Content-Length"]) < 10_000
        assert len(answer.read()) == 3 << 20


def test_endless_pages_never_repeat_an_address(reader: Reader) -> None:
    """Each page links to a further one with a new address."""
    reader.server.fault("endless", table="clients")
    seen, link = set(), f"{reader.server.api_url}/clients?per_page=2"
    for _ in range(5):
        assert link not in seen
        seen.add(link)
        link = next_link(reader.get(link))
    reader.server.clear_faults()


@pytest.mark.parametrize(
    ("matching", "expected"),
    [
        ({"times": 2}, [500, 500, 200, 200]),
        ({"nth": 3}, [200, 200, 500, 200]),
        ({"table": "tasks"}, [200, 200, 200, 200]),
        ({"path": "/v2/cl"}, [500, 500, 500, 500]),
        ({"path": "/v2/cl", "times": 1}, [500, 200, 200, 200]),
        ({"account_id": 2}, [200, 200, 200, 200]),
        ({"method": "POST"}, [200, 200, 200, 200]),
        ({"probability": 0.0}, [200, 200, 200, 200]),
    ],
)
def test_faults_hit_only_the_requests_that_they_select(
    reader: Reader, matching: dict[str, Any], expected: list[int]
) -> None:
    """Table, path, account, method, count and probability say which requests are hit."""
    reader.server.fault("server_error", **matching)
    answers = [reader.get("clients").status_code for _ in range(4)]
    reader.server.clear_faults()
    assert answers == expected


def test_the_probability_of_faults_is_seeded(start: Start) -> None:
    """The same seed hits the same requests: some and not all."""
    runs = []
    for _ in range(2):
        own = start(entries=5, seed=3)
        own.server.fault("unavailable", probability=0.5)
        runs.append([own.get("users/me").status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_faults_combine(reader: Reader) -> None:
    """Several faults may change the same answer."""
    reader.server.fault("wrong_total", by=5)
    reader.server.fault("date_missing")
    answer = reader.get("clients")
    reader.server.clear_faults()
    assert answer.json()["total_entries"] == 13
    assert "Date" not in answer.headers


def test_an_unknown_fault_is_refused(reader: Reader) -> None:
    """An unknown name is an error that lists the names."""
    with pytest.raises(ValueError, match=r"No fault named 429; there are bad_gateway"):
        reader.server.fault("429")
