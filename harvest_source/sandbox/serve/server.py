"""The HTTP server around the application."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from harvest_source.sandbox.serve.app import Control, SandboxApp, Scope, Site

LOOPBACK = "127.0.0.1"
SIGNAL_CHECK_S = 0.1
BACKLOG = 2048
ACCEPTED_TURNS = 8
"""
Event-loop turns after which a newly accepted connection is fully closed: asyncio creates the
connection in one of the next turns, and closes its socket in the turn after `cut_all` aborts it.
"""


class _Connections:
    """Open connections by peer address, for faults that break one."""

    def __init__(self) -> None:
        self._open: dict[Any, Any] = {}

    def protocol(self) -> type[Any]:
        """uvicorn's HTTP protocol, which registers every connection here."""
        opened = self._open

        class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
            def connection_made(self, transport: Any) -> None:
                opened[transport.get_extra_info("peername")] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                opened.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        return Protocol

    def cut(self, scope: Scope) -> None:
        """Close the connection of a request, once the data already sent is flushed."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is not None:
            transport.close()

    def cut_all(self) -> None:
        """Break every connection."""
        for transport in list(self._open.values()):
            transport.abort()


class _Uvicorn(uvicorn.Server):
    """uvicorn with an `end` that takes effect at once: its own loop polls ten times a second."""

    def __init__(self, config: uvicorn.Config, connections: _Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._at_once = False

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self.should_exit:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), SIGNAL_CHECK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if not self._at_once:
            await super().shutdown(sockets)
            return
        for bound in sockets or []:
            asyncio.get_running_loop().remove_reader(bound)  # Nothing more is accepted.
        for _ in range(ACCEPTED_TURNS):
            self._connections.cut_all()
            await asyncio.sleep(0)
        # Not earlier: asyncio creates no connection for a closed server, and drops its socket.
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        await self.lifespan.shutdown()

    def end(self) -> None:
        """Stop serving and break open connections; call it from another thread."""
        self.should_exit = self._at_once = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)


class Server:
    """
    A uvicorn server for one site, bound to its port from the start.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, site: Site, control: Control, host: str = LOOPBACK, port: int = 0) -> None:
        self.ready = threading.Event()
        connections = _Connections()
        # asyncio sets TCP_NODELAY only on sockets that are explicitly TCP. Without it, the body of
        # a small answer waits 40 ms for the client to acknowledge the headers.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)  # From here on connections wait instead of failing.
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            SandboxApp(site, control, self.ready.set, connections.cut),
            http=connections.protocol(),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        self._server = _Uvicorn(config, connections)

    def run(self) -> None:
        """Serve until `stop` or, on the main thread, a signal."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` on another thread return, and break open connections."""
        self._server.end()
