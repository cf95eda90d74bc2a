"""
The server over HTTP, for callers with a token.

Every request needs a bearer token made for this server's address, by us or by the company's issuer.
``Host`` and ``Origin`` are always checked: otherwise a web page could send requests in the name of
the browser's user.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import uvicorn
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from harvest_source.ask.mcp.address import PATH
from harvest_source.ask.mcp.http_callers import HttpCallers
from harvest_source.ask.mcp.server import AskServer
from harvest_source.ask.mcp.server_address import ServerAddress
from harvest_source.clock import Clock

METADATA: Final = f"/.well-known/oauth-protected-resource{PATH}"
"""Path at which, by RFC 9728, callers find the issuer of tokens."""
CALLS: Final = 120
"""Maximum number of requests of one caller in a minute."""
_MINUTE_S: Final = 60.0
_MAX_BODY: Final = 256 * 1024
_STOP_S: Final = 5


@dataclass(slots=True)
class _Allowance:
    """
    Rate limit of requests per caller and minute. Thread-safe.

    Callers who sent nothing for two minutes are forgotten: an issuer may have any number of them.
    """

    clock: Clock
    calls: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _used: dict[str, tuple[float, int]] = field(default_factory=dict)
    _swept_at: float = float("-inf")

    def take(self, name: str) -> float:
        """Count a request; return 0 if it is allowed, else the seconds to wait."""
        now = self.clock.monotonic()
        with self._lock:
            self._forget_ended(now)
            began, used = self._used.get(name, (now, 0))
            if now - began >= _MINUTE_S:
                began, used = now, 0
            if used >= self.calls:
                return _MINUTE_S - (now - began)
            self._used[name] = (began, used + 1)
            return 0.0

    def _forget_ended(self, now: float) -> None:
        """Once a minute, forget the callers whose minute is over."""
        if now - self._swept_at < _MINUTE_S:
            return
        self._swept_at = now
        self._used = {
            name: (began, used)
            for name, (began, used) in self._used.items()
            if now - began < _MINUTE_S
        }


class Gate:
    """
    Lets through requests with a token, from an allowed address, within the rate limit.

    Args:
        challenge: ``WWW-Authenticate`` header of the answer to a request without a token.
    """

    def __init__(
        self, app: ASGIApp, address: ServerAddress, allowance: _Allowance, challenge: bytes
    ) -> None:
        self._app = app
        self._address = address
        self._allowance = allowance
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        user = scope.get("user")
        client = (scope.get("client") or ("",))[0]
        if not self._address.may_connect(client):
            await _refuse(send, 403, "Connections come by the proxy alone.")
        elif scope["path"] == METADATA:
            await self._app(scope, receive, send)
        elif not isinstance(user, AuthenticatedUser):
            why = (b"www-authenticate", self._challenge)
            await _refuse(send, 401, "A bearer token is needed.", why)
        elif wait_s := self._allowance.take(_name_principal(user)):
            after = str(math.ceil(wait_s)).encode()
            await _refuse(send, 429, "Too many calls in a minute.", (b"retry-after", after))
        else:
            await self._app(scope, receive, send)


def _name_principal(user: AuthenticatedUser) -> str:
    """Key for the rate limit: one of our tokens, or one person of the issuer."""
    return f"{user.access_token.client_id} {user.access_token.subject or ''}"


async def _refuse(send: Send, status: int, why: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error": why}).encode()
    kind = (b"content-type", b"application/json")
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, size, *headers]})
    await send({"type": "http.response.body", "body": body})


def build_app(
    server: AskServer, callers: HttpCallers, address: ServerAddress, *, calls: int = CALLS
) -> Starlette:
    """Build the application that serves *server* at the path of *address*."""
    security = address.build_security()
    manager = StreamableHTTPSessionManager(
        server.build(),
        security_settings=security,
        max_request_body_size=_MAX_BODY,
        max_sessions=1_000,
    )
    routes, challenge = [Route(PATH, _Endpoint(manager))], b"Bearer"
    if issuer := callers.issuer_url:
        metadata = _Metadata(address, issuer, TransportSecurityMiddleware(security))
        routes.append(Route(METADATA, metadata, methods=["GET"]))
        challenge = f'Bearer resource_metadata="{address.origin}{METADATA}"'.encode()
    backend = BearerAuthBackend(callers, resource_server_url=AnyHttpUrl(address.url))
    allowance = _Allowance(server.clock, calls)
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(AuthenticationMiddleware, backend=backend),
            Middleware(Gate, address=address, allowance=allowance, challenge=challenge),
        ],
        lifespan=lambda _: manager.run(),
    )


class _Endpoint:
    """An ASGI application. A class, because a route expects a function to return a response."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


class _Metadata:
    """Says whose tokens are accepted. Public, and the same for everyone."""

    def __init__(
        self, address: ServerAddress, issuer: str, security: TransportSecurityMiddleware
    ) -> None:
        self._security = security
        # As configured: the library's own model would add a slash to an address without one.
        self._value = {
            "resource": address.url,
            "authorization_servers": [issuer],
            "bearer_methods_supported": ["header"],
            "resource_name": "Harvest warehouse",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Response | None = await self._security.validate_request(Request(scope))
        answer = refused or JSONResponse(self._value)
        await answer(scope, receive, send)


async def serve_http(
    app: Starlette, address: ServerAddress, on_listening: Callable[[], None]
) -> None:
    """
    Serve until the process is told to stop.

    Args:
        on_listening: Called once, when callers can connect.

    Raises:
        ConfigError: The server cannot listen on the address, or cannot use the certificate.
    """
    # Their lines would contain addresses and headers; the audit log has what is needed.
    for name in ("mcp", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address.check_certificate()
    config = uvicorn.Config(
        app,
        ssl_certfile=address.certificate or None,
        ssl_keyfile=address.key or None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    # The socket is opened here, so that a failure is a ConfigError and not the library's message.
    sockets = address.listen()
    on_listening()
    await uvicorn.Server(config).serve(sockets=sockets)
