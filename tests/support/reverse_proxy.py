"""A proxy with TLS, as people put one before a server: on a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tests.support.certificates import Certificate

ADDRESS: Final = "127.0.0.2"
"""The address from which it connects, which the server takes for another machine."""


def build_proxy(port: int, *, passes_host: bool = True) -> Starlette:
    """
    An app that passes everything on to *port*, with the headers that proxies add.

    Args:
        passes_host: If False, ``Host`` becomes that of the server behind, as nginx does by default.
    """

    async def pass_on(request: Request) -> StreamingResponse:
        web = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(local_address=ADDRESS), timeout=60
        )
        headers = httpx.Headers(request.headers.raw)
        headers["x-forwarded-for"] = request.client.host if request.client else ""
        headers["x-forwarded-proto"] = "https"
        headers.setdefault("x-forwarded-host", headers["host"])
        if not passes_host:
            del headers["host"]
        url = f"http://127.0.0.1:{port}{request.url.path}"
        asked = web.build_request(
            request.method, url, headers=headers, content=await request.body()
        )
        found = await web.send(asked, stream=True)

        async def read() -> AsyncIterator[bytes]:
            try:
                async for part in found.aiter_raw():
                    yield part
            finally:
                await found.aclose()
                await web.aclose()

        kept = {
            name: value
            for name, value in found.headers.items()
            if name not in ("content-length", "transfer-encoding", "connection")
        }
        return StreamingResponse(read(), found.status_code, kept)

    return Starlette(routes=[Route("/{path:path}", pass_on, methods=["GET", "POST", "DELETE"])])


@contextmanager
def run_proxy(app: Starlette, port: int, certificate: Certificate) -> Iterator[None]:
    """Serve the proxy with TLS."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            ssl_certfile=certificate.certificate,
            ssl_keyfile=certificate.key,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield
    finally:
        server.should_exit = True
        thread.join()
