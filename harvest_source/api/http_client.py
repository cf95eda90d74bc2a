"""The httpx client: time limits, connection pool, proxy rules, and network errors in our terms."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx

from harvest_source.api.retry import TransientFailure
from harvest_source.api.urls import is_loopback
from harvest_source.errors import ConfigError, ServerError, find_cause, printable

CONNECT_S: Final = 10.0
"""Seconds to open a connection."""

READ_S: Final = 60.0
"""Seconds without a byte; a report over a year of a large account takes its time."""

_POOL: Final = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=20)
"""
16 threads, each with one page being processed and the next one being fetched; idle connections
outlive one window of the rate limiter (15.4 s).
"""


def open_client(
    host: str,
    *,
    auth: httpx.Auth | None,
    headers: Mapping[str, str],
    transport: httpx.BaseTransport | None,
) -> httpx.Client:
    """
    A client that verifies TLS (no option switches that off) and never follows redirects.

    Proxies and ``SSL_CERT_FILE`` work as in any httpx program, except that a loopback *host* is
    asked directly: a proxy from the environment would get the token unencrypted.

    Raises:
        ConfigError: Proxy or certificate settings of the environment cannot be used.
    """
    direct: dict[str, httpx.BaseTransport | None] = {}
    if is_loopback(host):
        direct = {f"all://[{host}]" if ":" in host else f"all://{host}": None}
    try:
        return httpx.Client(
            auth=auth,
            headers=headers,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=None),
            limits=_POOL,
            follow_redirects=False,
            mounts=direct,
            transport=transport,
        )
    except (OSError, ValueError, ImportError) as error:
        msg = (
            f"The proxy or certificate settings cannot be used ({printable(error, limit=120)}). "
            "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
        )
        raise ConfigError(msg) from error


@contextmanager
def translated_errors(measure_elapsed_s: Callable[[], float]) -> Iterator[None]:
    """
    Turn httpx's network errors into ours.

    Raises:
        ServerError: The server's certificate is not trusted; another attempt would not help.
        TransientFailure: Anything else.
    """
    try:
        yield
    except httpx.RequestError as error:
        if certificate := find_cause(error, ssl.SSLCertVerificationError):
            reason = printable(certificate.verify_message or certificate.reason, limit=100)
            msg = (
                f"The server's TLS certificate is not trusted ({reason}); nothing was sent. If a "
                "proxy or your company signs it, set SSL_CERT_FILE to their bundle."
            )
            raise ServerError(msg, path=error.request.url.path) from error
        unreached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        raise TransientFailure(
            _describe_network_error(error), elapsed_s=measure_elapsed_s(), unreached=unreached
        ) from error


def _describe_network_error(error: httpx.RequestError) -> str:
    """What happened to the attempt, as the end of a sentence about it."""
    detail = printable(error, limit=100) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return "timed out connecting"
        case httpx.TimeoutException():
            return "timed out"
        case httpx.ConnectError() | httpx.ProxyError():
            return f"found no connection ({detail})"
        case httpx.DecodingError():
            return "could not be decompressed"
        case _:
            return f"was cut short ({detail})"
