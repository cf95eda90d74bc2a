"""The httpx client: time limits, certificates, and network errors in our terms."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx

from harvest_source.api.http_context import IDLE_CONNECTIONS
from harvest_source.api.proxy import choose_proxy
from harvest_source.api.retry import TransientFailure
from harvest_source.api.transport import DeadlineTransport, ProxyUnreached, RequestTooSlow
from harvest_source.errors import (
    ConfigError,
    ResourceError,
    ServerError,
    find_cause,
    printable,
)
from harvest_source.process_limits import explain_lack

CONNECT_S: Final = 10.0
"""Seconds to open a connection."""

READ_S: Final = 60.0
"""Seconds to wait for a byte: a report over a year of a large account takes long."""

_CHECK_HOST: Final = "Check api_url and id_url, the network, and the proxy (HTTPS_PROXY, NO_PROXY)."
_CHECK_NAME: Final = (
    "Its name could not be looked up: check the network and its DNS, and api_url and id_url under "
    "[sources.harvest]. If only a proxy leads out, set HTTPS_PROXY."
)
_CHECK_PROXY: Final = (
    "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY. To go around the proxy, add the host to NO_PROXY."
)


def open_client(
    base_url: httpx.URL,
    *,
    auth: httpx.Auth | None,
    headers: Mapping[str, str],
    transport: httpx.BaseTransport | None,
    request_s: float,
    idle: int = IDLE_CONNECTIONS,
) -> httpx.Client:
    """
    A client that verifies TLS (no option switches that off) and never follows redirects.

    Args:
        base_url: All requests go to this host; its proxy is chosen here, once.
        transport: Replaces the network in tests; None: real connections.
        request_s: Seconds that one whole request may take.
        idle: Connections kept open for the next requests, at most.

    Raises:
        ConfigError: Proxy or certificate settings of the environment cannot be used.
    """
    return httpx.Client(
        auth=auth,
        headers=headers,
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=None),
        follow_redirects=False,
        trust_env=False,
        transport=transport or _build_transport(base_url, request_s, idle),
    )


def _build_transport(base_url: httpx.URL, request_s: float, idle: int) -> DeadlineTransport:
    proxy = choose_proxy(base_url)
    is_encrypted = "https" in {base_url.scheme, proxy.url.scheme if proxy else ""}
    context = _build_ssl_context() if is_encrypted else None
    return DeadlineTransport(proxy=proxy, ssl_context=context, request_s=request_s, idle=idle)


def _build_ssl_context() -> ssl.SSLContext:
    """httpx's own: certifi's bundle, or what ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        msg = (
            f"The certificate settings cannot be used ({printable(error, limit=120)}). Check "
            "SSL_CERT_FILE and SSL_CERT_DIR, or unset them. Nothing was sent."
        )
        raise ConfigError(msg) from error


@contextmanager
def translated_errors(measure_elapsed_s: Callable[[], float]) -> Iterator[None]:
    """
    Turn httpx's network errors into ours.

    Raises:
        ServerError: The server's certificate is not trusted; another attempt would not help.
        ResourceError: The process may open no further connection.
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
        if lack := explain_lack(error):
            raise ResourceError(lack) from error
        raise _build_failure(error, measure_elapsed_s()) from error


def _build_failure(error: httpx.RequestError, elapsed_s: float) -> TransientFailure:
    reason, remedy = _describe_network_error(error)
    unreached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return TransientFailure(reason, elapsed_s=elapsed_s, unreached=unreached, remedy=remedy)


def _describe_network_error(error: httpx.RequestError) -> tuple[str, str]:
    """What happened to the attempt, as the end of a sentence, and what the user should check."""
    detail = printable(error, limit=100) or type(error).__name__
    match error:
        case ProxyUnreached():
            return f"could not connect to the proxy ({detail})", _CHECK_PROXY
        case httpx.ProxyError():
            return f"was refused by the proxy ({detail})", _CHECK_PROXY
        case httpx.ConnectError() if find_cause(error, socket.gaierror):
            return f"could not look up {error.request.url.host} ({detail})", _CHECK_NAME
        case httpx.ConnectError():
            return f"could not connect ({detail})", _CHECK_HOST
        case httpx.ConnectTimeout():
            return "timed out connecting", _CHECK_HOST
        case RequestTooSlow():
            return f"was answered too slowly ({detail})", ""
        case httpx.TimeoutException():
            return "timed out", ""
        case httpx.DecodingError():
            return "could not be decompressed", ""
        case _:
            return f"was cut short ({detail})", ""
