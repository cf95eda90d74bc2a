"""The ASGI application: reads requests, calls hooks, logs, and sends answers, even faulty ones."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from email.utils import format_datetime
from functools import partial
from time import perf_counter
from typing import Any, Protocol, TypeVar

from harvest_source.sandbox.serve.reply import Reply
from harvest_source.sandbox.serve.request_log import (
    Logged,
    RequestLog,
    grant_type_of,
    unknown_params,
)
from harvest_source.sandbox.serve.requests import Request, build_request
from harvest_source.sandbox.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Cut = Callable[[Scope], None]
Hook = Callable[[Request], object]
Control = Callable[[str, Request], Reply]
"""Carries out a control command, given by its name and the request that holds its arguments."""

T = TypeVar("T")

HOOK_THREADS = 64
SECRET_PARAM = re.compile(r"\b(access_token|refresh_token|client_secret|code)=[^&]*")
CONTROL_PREFIX = "/_sandbox/"
ETAG_SAMPLE = 4096


class Site(Protocol):
    """What the application serves."""

    settings: Settings
    requests: RequestLog
    latency_ms: float
    before_hooks: list[Hook]
    after_hooks: list[Hook]

    def answer(self, request: Request) -> Reply:
        """The answer to one request."""


class SandboxApp:
    """
    Serves a site over ASGI.

    Args:
        control: Carries out the commands under ``/_sandbox/``.
        on_ready: Called once the server has started the application.
        cut: Closes the connection of a request, once the data already sent is flushed.
    """

    def __init__(
        self,
        site: Site,
        control: Control,
        on_ready: Callable[[], None] | None = None,
        cut: Cut | None = None,
    ) -> None:
        self._site = site
        self._control = control
        self._on_ready = on_ready
        self._cut = cut
        # The event loop's own pool has few threads: that many waiting hooks would block all others.
        self._threads = ThreadPoolExecutor(HOOK_THREADS, "sandbox-hook")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection: the lifespan or an HTTP request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        if self._on_ready:
            self._on_ready()
        await receive()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        request = build_request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
            body,
            self._site.settings.clock(),
        )
        if request.path.startswith(CONTROL_PREFIX):
            command = request.path.removeprefix(CONTROL_PREFIX)
            reply = await self._aside(partial(self._control, command, request))
        else:
            reply = await self._answer(request)
        await self._deliver(scope, receive, send, request, reply)

    async def _answer(self, request: Request) -> Reply:
        started = perf_counter()
        site = self._site
        await self._call(site.before_hooks, request)
        reply = site.answer(request)
        await self._call(site.after_hooks, request)
        wait_s = site.latency_ms / 1000 + reply.delay_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        site.requests.add(
            Logged(
                request.time,
                request.method,
                request.path,
                SECRET_PARAM.sub(r"\1=", request.query),
                request.table,
                reply.status,
                (perf_counter() - started) * 1000,
                len(reply.body),
                request.account_id,
                unknown_params(request),
                grant_type_of(request),
            )
        )
        return reply

    async def _call(self, hooks: list[Hook], request: Request) -> None:
        for hook in tuple(hooks):
            await self._aside(partial(hook, request))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Do *work* on a thread, so that it may wait without blocking other requests."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _deliver(
        self, scope: Scope, receive: Receive, send: Send, request: Request, reply: Reply
    ) -> None:
        if reply.stall:
            await receive()  # Returns once the client gives up and closes.
            return
        if reply.cut_after == -1:
            await self._break(scope, receive)
            return
        headers = [(name.encode(), text.encode()) for name, text in _headers(request, reply)]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.cut_after is not None:
            part = reply.body[: reply.cut_after]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await self._break(scope, receive)  # Sent less than Content-Length says.
            return
        if reply.chunk is not None:
            await _drip(send, reply)
            return
        await send({"type": "http.response.body", "body": reply.body})

    async def _break(self, scope: Scope, receive: Receive) -> None:
        if self._cut:
            self._cut(scope)
            await receive()  # Wait for the disconnect, or uvicorn sends an answer of its own.


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _drip(send: Send, reply: Reply) -> None:
    size = reply.chunk or 1
    for start in range(0, len(reply.body), size):
        part = reply.body[start : start + size]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(reply.chunk_delay_s)
    await send({"type": "http.response.body", "body": b""})


def _headers(request: Request, reply: Reply) -> list[tuple[str, str]]:
    """Weak ETag and no-store as recorded; ``Date`` by the sandbox's clock (behaviour.md 1)."""
    length = len(reply.body) if reply.declared_length is None else reply.declared_length
    # A sample of the body: hashing all of it would take as long as writing it.
    tag = zlib.crc32(reply.body[:ETAG_SAMPLE] + reply.body[-ETAG_SAMPLE:])
    headers = [
        ("Content-Type", reply.content_type),
        ("Content-Length", str(length)),
        ("Cache-Control", "no-store"),
        ("ETag", f'W/"{tag:08x}{length:x}"'),
        *reply.headers,
    ]
    if reply.date_shift_s is not None:
        moment = (request.time + timedelta(seconds=reply.date_shift_s)).astimezone(UTC)
        headers.append(("Date", format_datetime(moment, usegmt=True)))
    return headers
