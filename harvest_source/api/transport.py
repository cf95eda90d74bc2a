"""The transport under httpx: a connection pool with deadlines, optionally through a proxy."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, TypedDict

import httpcore
import httpx

from harvest_source.api.deadline import DeadlineBackend, DeadlineExceeded
from harvest_source.errors import find_cause

_CONNECTIONS: Final = 64
"""Enough for 16 threads, each of which processes one page while it fetches the next."""

_IDLE_S: Final = 20.0
"""Keeps idle connections open longer than one window of the rate limiter (15.4 s)."""


_NETWORK_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)
"""Each has a counterpart in httpx with the same name."""


class RequestTooSlow(httpx.TimeoutException):
    """The request as a whole took too long, although single reads may have been fast enough."""


class ProxyUnreached(httpx.ProxyError):
    """No connection to the proxy could be made; the text names it without user and password."""


class DeadlineTransport(httpx.BaseTransport):
    """
    Sends requests over HTTP/1.1; thread-safe.

    Args:
        proxy: None: connect directly.
        ssl_context: Verifies servers and ``https`` proxies; None: httpcore's own, if one is needed.
        request_s: Seconds that one request may take, from sending to the last byte of its answer.
            A host name lookup is not interrupted: the system limits its time.
        idle: Connections kept open for the next requests, at most.

    Raises:
        httpx.TransportError: From requests and from reading answers, as httpx's own transport does;
            :class:`RequestTooSlow` after *request_s*, :class:`ProxyUnreached` where a proxy is set.
    """

    def __init__(
        self,
        *,
        proxy: httpx.Proxy | None,
        ssl_context: ssl.SSLContext | None,
        request_s: float,
        idle: int,
    ) -> None:
        self._request_s = request_s
        self._backend = DeadlineBackend()
        self._pool = _build_pool(proxy, ssl_context, self._backend, idle)
        self._proxy = f"{proxy.url.host}:{proxy.url.port or 'default port'}" if proxy else ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        deadline = time.monotonic() + self._request_s
        sent = httpcore.Request(
            request.method,
            _convert(request.url),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        guard = partial(self._guard, deadline)
        with guard():
            answer = self._pool.handle_request(sent)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, guard),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections; requests in flight raise RuntimeError on their threads."""
        self._backend.close()
        self._pool.close()

    @contextmanager
    def _guard(self, deadline: float) -> Iterator[None]:
        """Apply *deadline* to the block and translate httpcore's errors to httpx's."""
        try:
            with self._backend.until(deadline):
                yield
        except DeadlineExceeded as error:
            raise RequestTooSlow(f"not complete after {self._request_s:g} s") from error
        except _NETWORK_ERRORS as error:
            if self._backend.is_closed:  # The error that httpx raises for later requests.
                raise RuntimeError("the client has been closed") from error
            if self._proxy and _is_unreached(error):
                raise ProxyUnreached(f"{self._proxy}: {error}") from error
            kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
            raise kind(str(error)) from error


class _Body(httpx.SyncByteStream):
    """The body of an answer; each part is read under its request's guard."""

    def __init__(
        self, answer: httpcore.Response, guard: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._answer = answer
        self._guard = guard

    def __iter__(self) -> Iterator[bytes]:
        parts = self._answer.iter_stream()
        while True:
            with self._guard():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        self._answer.close()


def _is_unreached(error: Exception) -> bool:
    """Whether no connection to the proxy was made; a TLS failure concerns the server behind it."""
    is_early = isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
    return is_early and find_cause(error, ssl.SSLError) is None


class _PoolOptions(TypedDict):
    """Arguments that every kind of pool accepts."""

    ssl_context: ssl.SSLContext | None
    max_connections: int
    max_keepalive_connections: int
    keepalive_expiry: float
    network_backend: httpcore.NetworkBackend


def _build_pool(
    proxy: httpx.Proxy | None,
    ssl_context: ssl.SSLContext | None,
    backend: httpcore.NetworkBackend,
    idle: int,
) -> httpcore.ConnectionPool:
    options: _PoolOptions = {
        "ssl_context": ssl_context,
        "max_connections": _CONNECTIONS,
        "max_keepalive_connections": idle,
        "keepalive_expiry": _IDLE_S,
        "network_backend": backend,
    }
    if proxy is None:
        return httpcore.ConnectionPool(**options)
    url, auth = _convert(proxy.url), proxy.raw_auth
    if proxy.url.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(url, auth, **options)
    own_context = ssl_context if proxy.url.scheme == "https" else None
    return httpcore.HTTPProxy(url, auth, proxy_ssl_context=own_context, **options)


def _convert(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
