"""Behaviour that only a real socket shows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from harvest_source.api.attempt import OkResponse
from harvest_source.api.http_context import HttpContext
from harvest_source.api.requester import Requester
from harvest_source.errors import ServerError
from tests.clocks import FakeClock


class Served(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Send header and body in one packet; two packets would wait for each other.
    peers: set[tuple[str, int]]

    def do_GET(self) -> None:
        self.peers.add(self.client_address)
        body = b'{"half":' if self.path.startswith("/cut") else b'{"whole":1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(b'{"whole":1}')))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path.startswith("/cut")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Served.peers = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def build_requester(port: int) -> Requester:
    http = HttpContext(clock=FakeClock())
    return Requester(f"http://127.0.0.1:{port}", http, auth=httpx.Auth())


def get(requester: Requester, url: str, params: dict[str, str] | None = None) -> OkResponse:
    """Return the answer unchanged."""
    return requester.fetch(url, params, parse=lambda answer: answer)


def test_a_loopback_host_is_asked_directly(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loopback host is never reached through a proxy, which would get the token in the clear."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with build_requester(server.server_port) as requester:
        assert get(requester, "/x").body == b'{"whole":1}'


def test_connections_are_kept_and_shared(server: ThreadingHTTPServer) -> None:
    """Sixteen threads with many requests open no more connections than threads."""
    with build_requester(server.server_port) as requester:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: get(requester, "/x").body, range(160)))
        assert requester.requests == 160
    assert answers == [b'{"whole":1}'] * 160
    assert len(Served.peers) <= 16


def test_a_body_shorter_than_promised_is_a_failure(server: ThreadingHTTPServer) -> None:
    """A body that was cut off is detected by its length."""
    with (
        build_requester(server.server_port) as requester,
        pytest.raises(ServerError, match=r"8 tries .* each was cut short"),
    ):
        get(requester, "/cut")


def test_a_refused_connection_is_reported_as_one() -> None:
    """A refused connection is named as such after three attempts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with (
        build_requester(port) as requester,
        pytest.raises(ServerError, match=r"3 tries .* could not connect .*refused"),
    ):
        get(requester, "/x")
