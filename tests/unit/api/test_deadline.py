"""A whole request has a deadline that no pattern of bytes can extend, on real sockets."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from pathlib import Path

import httpcore
import httpx
import pytest

from harvest_source.api.attempt import OkResponse
from harvest_source.api.deadline import DeadlineBackend
from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.requester import Requester
from harvest_source.errors import ResponseError, ServerError
from tests.clocks import FakeClock
from tests.support.trickle import (
    HOST,
    Trickler,
    make_certificate,
    receive_head,
    serve,
    speak_tls,
    trickle,
    trickle_unasked,
    tunnel,
)

LIMIT_S = 0.25
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

GZIP_NAME = gzip.compress(b"")[:3] + b"\x08" + b"\x00" * 6
"""A gzip header whose file name never ends: it decompresses to nothing."""

PATTERNS = {
    "status line": (b"HTTP/1.1 200 O", b"K"),
    "header": (OK + b"X-Slow: ", b"a"),
    "headers": (OK, b"A: b\r\n"),
    "1xx answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "body": (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "body without length": (OK + b"Connection: close\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "chunk extension": (CHUNKED + b"1;x=", b"y"),
    "trailers": (CHUNKED + b"0\r\n", b"A: b\r\n"),
    "compressed to nothing": (
        OK + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n" + GZIP_NAME,
        b"n",
    ),
}


def ask(url: str, limit_s: float = LIMIT_S, attempts: int = 1) -> bytes:
    """Send one request with a short deadline; return the answer's body."""
    limits = RetryLimits(attempts=attempts, attempt_s=limit_s)
    http = HttpContext(clock=FakeClock(), retry_limits=limits)
    with Requester(url, http, auth=httpx.Auth()) as requester:
        return requester.fetch("x", parse=_pick_body)


def _pick_body(answer: OkResponse) -> bytes:
    return answer.body


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS context, with a certificate that clients trust."""
    public, context = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    return context


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove this machine's proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


class Recorder(httpcore.NetworkStream):
    """A connection that records how many bytes are requested of it."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        self.asked.append(max_bytes)
        return b""


def test_a_body_is_read_in_parts_of_the_chosen_size() -> None:
    """httpcore requests 64 KB of a body at a time, and less of anything else."""
    inner, backend = Recorder(), DeadlineBackend(part=500_000)
    stream = backend.adopt(inner)
    for asked in (4_096, 64 * 1024):
        stream.read(asked)
    assert inner.asked == [4_096, 500_000]
    assert httpcore.HTTP11Connection.READ_NUM_BYTES == 64 * 1024


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_a_trickling_answer_ends_at_the_deadline(pattern: tuple[bytes, bytes]) -> None:
    """Each read is in time but the whole is not, so the request is given up as too slow."""
    with (
        serve(trickle(*pattern)) as server,
        pytest.raises(ServerError, match=r"answered too slowly \(not complete after 0.25 s\)"),
    ):
        ask(f"http://127.0.0.1:{server.port}")


def test_a_trickled_refusal_is_still_that_refusal() -> None:
    """An error's status counts even if its body never ends."""
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\n"
    with serve(trickle(refusal, b" ")) as server, pytest.raises(ResponseError, match="404 on /x"):
        ask(f"http://127.0.0.1:{server.port}")


def test_a_silent_server_meets_the_same_deadline() -> None:
    """If nothing arrives at all, the deadline comes before the read timeout."""

    def keep_silent(connection: socket.socket, server: Trickler) -> None:
        receive_head(connection)
        server.over.wait()

    with serve(keep_silent) as server, pytest.raises(ServerError, match="answered too slowly"):
        ask(f"http://127.0.0.1:{server.port}")


def test_closing_the_client_ends_requests_under_way() -> None:
    """Closing the client ends a thread's wait for an answer, and closes the socket at once."""
    ended: list[bytes] = []

    def keep_silent(connection: socket.socket, _: Trickler) -> None:
        receive_head(connection)
        asked.set()
        ended.append(connection.recv(1))

    def wait() -> None:
        with pytest.raises(RuntimeError, match="closed"):
            requester.fetch("x", parse=_pick_body)

    asked = threading.Event()
    with serve(keep_silent) as server:
        http = HttpContext(clock=FakeClock(), retry_limits=RetryLimits(attempts=3))
        requester = Requester(f"http://127.0.0.1:{server.port}", http, auth=httpx.Auth())
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert asked.wait(5)
        requester.close()
        thread.join(5)
        assert not thread.is_alive()
    assert ended == [b""]


def test_a_connection_made_while_the_client_closes_is_closed() -> None:
    """A connection made during the close would be in no list, so it is closed too."""
    backend = DeadlineBackend()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        backend.connect_tcp("127.0.0.1", port)
        backend.close()
        with pytest.raises(httpcore.ConnectError, match="closed"):
            backend.connect_tcp("127.0.0.1", port)
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1) == b""


def test_every_attempt_has_its_own_full_deadline() -> None:
    """A slow connection is not reused, and the next attempt may succeed."""
    calls: list[int] = []

    def slow_then_quick(connection: socket.socket, server: Trickler) -> None:
        receive_head(connection)
        calls.append(1)
        if len(calls) < 3:
            connection.sendall(OK)
            server.repeat(connection, b"A: b\r\n")
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    with serve(slow_then_quick) as server:
        assert ask(f"http://127.0.0.1:{server.port}", attempts=3) == b"{}"
    assert len(calls) == 3


def test_a_trickled_tls_handshake_ends(trusted: ssl.SSLContext) -> None:
    """The deadline covers the TLS handshake, before any HTTP."""
    with serve(trickle_unasked) as server, pytest.raises(ServerError, match="too slowly"):
        ask(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize("pattern", ["header", "chunks"])
def test_a_trickle_inside_tls_ends(trusted: ssl.SSLContext, pattern: str) -> None:
    """The deadline holds if each TLS record carries one byte."""

    def speak(connection: socket.socket, server: Trickler) -> None:
        with trusted.wrap_socket(connection, server_side=True) as inside:
            trickle(*PATTERNS[pattern])(inside, server)

    with serve(speak) as server, pytest.raises(ServerError, match="answered too slowly"):
        ask(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_trickles_is_given_up(
    scheme: str, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that trickles while it opens the tunnel is given up, over HTTP and HTTPS alike."""
    plain = trickle(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n")

    def encrypted(connection: socket.socket, server: Trickler) -> None:
        with trusted.wrap_socket(connection, server_side=True) as outer:
            plain(outer, server)

    with serve(plain if scheme == "http" else encrypted) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://127.0.0.1:{proxy.port}")
        with pytest.raises(ServerError, match="answered too slowly"):
            ask(f"https://{HOST}")


def test_tls_through_an_https_proxy_works_and_meets_the_deadline(
    trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer arrives through an ``https`` proxy; a trickled one meets its deadline there too."""

    def answer(connection: socket.socket, server: Trickler) -> None:
        receive_head(connection)
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    with serve(tunnel(trusted, speak_tls(trusted, answer))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        assert ask(f"https://{HOST}", limit_s=5) == b"{}"
    for inside in (speak_tls(trusted, trickle(*PATTERNS["header"])), trickle_unasked):
        with serve(tunnel(trusted, inside)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
            with pytest.raises(ServerError, match="answered too slowly"):
                ask(f"https://{HOST}")
