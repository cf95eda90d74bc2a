"""
The server over HTTP, for callers with a token.

Every request needs a bearer token of ours, made for this server's address. Off the own machine it
listens only where connections are encrypted: with a certificate, or behind a proxy that is named.
``Host`` and ``Origin`` are checked always: otherwise a page in a browser could ask in its user's
name.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from harvest_source.api.urls import is_loopback
from harvest_source.ask.access import Caller
from harvest_source.ask.mcp.server import AskServer
from harvest_source.ask.scopes import Scope as AskScope
from harvest_source.auth.server_tokens import ServerToken, ServerTokens
from harvest_source.clock import Clock
from harvest_source.errors import ConfigError

PATH: Final = "/mcp"
CALLS: Final = 120
"""Requests of one token a minute at most."""
_MINUTE_S: Final = 60.0
_MAX_BODY: Final = 256 * 1024
_STOP_S: Final = 5


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where the server listens, and under which address it is reached.

    Attributes:
        url: What callers use, and what tokens are bound to.
        certificate: File; empty: connections are not encrypted here.
        key: File of the certificate's key.
        proxy: Address from which alone connections are taken: of a proxy that encrypts; empty: any.
    """

    host: str
    port: int
    url: str
    certificate: str = ""
    key: str = ""
    proxy: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ConfigError(
                "A certificate and its key belong together: --tls-cert and --tls-key."
            )
        parts = urlsplit(self.url)
        if not parts.hostname or parts.path != PATH or parts.query or parts.username:
            msg = (
                f"--url is the address that callers use, such as https://harvest.example.com{PATH}."
            )
            raise ConfigError(msg)
        if is_loopback(self.host):
            return
        if not (self.certificate or self.proxy):
            msg = (
                f"{self.host} is reached by other machines, so connections have to be encrypted: "
                "give --tls-cert and --tls-key, or --proxy with the address of a proxy that does."
            )
            raise ConfigError(msg)
        if parts.scheme != "https":
            raise ConfigError("--url has to begin with https:// where other machines connect.")

    def build_security(self) -> TransportSecuritySettings:
        """Which ``Host`` and ``Origin`` are accepted: those of the address, and no other."""
        parts = urlsplit(self.url)
        return TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=[parts.netloc],
            allowed_origins=[f"{parts.scheme}://{parts.netloc}"],
        )


class OwnTokens(TokenVerifier):
    """
    Recognizes our tokens.

    Args:
        scopes: Of the configuration. A token whose scope is not among them is no token.
    """

    def __init__(self, tokens: ServerTokens, scopes: Mapping[str, AskScope]) -> None:
        self._tokens = tokens
        self._scopes = scopes

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the protocol library wants to know of a token; None: it is none."""
        found = self._tokens.find(token)
        if found is None or found.scope not in self._scopes:
            return None
        # The id, not the name: a new token of the same name does not take over a session.
        return AccessToken(token="", client_id=found.id, scopes=[], resource=found.url)

    def find_caller(self, context: Any) -> Caller:
        """
        Who a request is from.

        Raises:
            MCPError: The token was revoked since the request came.
        """
        user = context.request.scope.get("user") if context.request is not None else None
        token_id = user.access_token.client_id if isinstance(user, AuthenticatedUser) else ""
        found: ServerToken | None = self._tokens.get(token_id)
        if found is None or found.scope not in self._scopes:
            raise MCPError(INVALID_REQUEST, "A bearer token is needed.")
        return Caller(found.name, self._scopes[found.scope], found.profile)


@dataclass(slots=True)
class _Allowance:
    """How many requests of each token are left in this minute. Thread-safe."""

    clock: Clock
    calls: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _used: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, name: str) -> float:
        """Use one; returns the seconds to wait, 0 when there was one."""
        now = self.clock.monotonic()
        with self._lock:
            began, used = self._used.get(name, (now, 0))
            if now - began >= _MINUTE_S:
                began, used = now, 0
            if used >= self.calls:
                return _MINUTE_S - (now - began)
            self._used[name] = (began, used + 1)
            return 0.0


class Gate:
    """Lets requests through that have a token, come from where they may, and are not too many."""

    def __init__(self, app: ASGIApp, place: Place, allowance: _Allowance) -> None:
        self._app = app
        self._place = place
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        user = scope.get("user")
        address = (scope.get("client") or ("",))[0]
        if self._place.proxy and address != self._place.proxy:
            await _refuse(send, 403, "Connections come by the proxy alone.")
        elif not isinstance(user, AuthenticatedUser):
            # No metadata of an authorization server: there is none.
            await _refuse(send, 401, "A bearer token is needed.", (b"www-authenticate", b"Bearer"))
        elif wait_s := self._allowance.take(user.access_token.client_id):
            after = str(math.ceil(wait_s)).encode()
            await _refuse(send, 429, "Too many calls in a minute.", (b"retry-after", after))
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Send, status: int, why: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error": why}).encode()
    kind = (b"content-type", b"application/json")
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, size, *headers]})
    await send({"type": "http.response.body", "body": body})


def build_app(
    server: AskServer, verifier: OwnTokens, place: Place, *, calls: int = CALLS
) -> Starlette:
    """The application that serves *server* at the path of the place's address."""
    manager = StreamableHTTPSessionManager(
        server.build(),
        security_settings=place.build_security(),
        max_request_body_size=_MAX_BODY,
        max_sessions=1_000,
    )
    backend = BearerAuthBackend(verifier, resource_server_url=AnyHttpUrl(place.url))
    return Starlette(
        routes=[Route(PATH, _Endpoint(manager))],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend),
            Middleware(Gate, place=place, allowance=_Allowance(server.clock, calls)),
        ],
        lifespan=lambda _: manager.run(),
    )


class _Endpoint:
    """A class, because a route takes a function for one that returns an answer."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


async def serve_http(app: Starlette, place: Place) -> None:
    """Serve until the process is told to stop."""
    # Lines of these would have addresses and headers; the audit log says what is to be known.
    for name in ("mcp", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app,
        host=place.host,
        port=place.port,
        ssl_certfile=place.certificate or None,
        ssl_keyfile=place.key or None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    await uvicorn.Server(config).serve()
