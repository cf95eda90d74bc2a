"""The sandbox as a server: on a thread, in the foreground, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from harvest_source.sandbox.app import SandboxApp
from harvest_source.sandbox.app import Scope as AsgiScope
from harvest_source.sandbox.control import World
from harvest_source.sandbox.settings import Settings
from harvest_source.sandbox.values import dumps

LOOPBACK = "127.0.0.1"
STOP_WITHIN_S = 10
SIGNAL_CHECK_S = 0.1
BACKLOG = 2048


class _Connections:
    """Open connections by peer address, for a fault that has to break one."""

    def __init__(self) -> None:
        self._open: dict[Any, Any] = {}

    def protocol(self) -> type[Any]:
        """uvicorn's HTTP protocol, telling us of every connection."""
        opened = self._open

        class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
            def connection_made(self, transport: Any) -> None:
                opened[transport.get_extra_info("peername")] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                opened.pop(self.transport.get_extra_info("peername"), None)
                super().connection_lost(exc)

        return Protocol

    def cut(self, scope: AsgiScope) -> None:
        """Close the connection of a request once what was sent has left."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is not None:
            transport.close()

    def cut_all(self) -> None:
        """Break every connection."""
        for transport in list(self._open.values()):
            transport.abort()


class _Uvicorn(uvicorn.Server):
    """uvicorn, but `end` takes effect at once: its own loop looks ten times a second."""

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
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        self._connections.cut_all()
        await self.lifespan.shutdown()

    def end(self) -> None:
        """From another thread: stop serving and break what is open."""
        self.should_exit = self._at_once = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ended.set)


class Server:
    """A uvicorn server for one world, bound to its port from the start."""

    def __init__(self, world: World, host: str = LOOPBACK, port: int = 0) -> None:
        self.ready = threading.Event()
        connections = _Connections()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)  # From here on connections wait rather than fail.
        except OSError:
            self._socket.close()
            raise
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            SandboxApp(world, self.ready.set, connections.cut),
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
        """Ask `run`, on another thread, to return; open connections are broken."""
        self._server.end()


class Sandbox(World):
    """
    A simulated Harvest account over real HTTP.

    ``with Sandbox(entries=100).start() as server:`` serves on a free loopback port from a thread;
    every method of `World` works meanwhile.

    Args:
        settings: As a whole; or its fields as keywords.
    """

    def __init__(self, settings: Settings | None = None, **fields: Any) -> None:
        if settings is not None and fields:
            msg = "Give settings as a whole or by their fields, not both"
            raise TypeError(msg)
        super().__init__(settings or Settings(**fields))
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0, host: str = LOOPBACK) -> Self:
        """
        Serve from a thread; returns once it listens.

        Raises:
            RuntimeError: It serves already.
            OSError: The port is taken.
        """
        if self._server is not None:
            msg = "This sandbox serves already"
            raise RuntimeError(msg)
        self._server = Server(self, host, port)
        self._thread = threading.Thread(target=self._server.run, name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        return self

    def stop(self) -> None:
        """Stop serving; no harm when it does not."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(STOP_WITHIN_S)
        self._server = self._thread = None

    @property
    def id_url(self) -> str:
        """Base address of the identity host."""
        if self._server is None:
            msg = "The sandbox is not serving; call start() first"
            raise RuntimeError(msg)
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def api_url(self) -> str:
        """Base address of the API."""
        return f"{self.id_url}/v2"

    @property
    def authorize_url(self) -> str:
        """Address of the consent page."""
        return f"{self.id_url}/oauth2/authorize"

    @property
    def token_url(self) -> str:
        """Address of the token endpoint; ``/api/v1/`` works as well."""
        return f"{self.id_url}/api/v2/oauth2/token"

    @property
    def headers(self) -> dict[str, str]:
        """What a request as the first person to the first account needs."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Harvest-Account-Id": str(self.account_id),
            "User-Agent": "sandbox-check (sandbox@example.com)",
        }

    def __enter__(self) -> Self:
        return self if self._server else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(
    settings: Settings, host: str = LOOPBACK, port: int = 0, *, as_json: bool = False
) -> None:
    """
    Serve in the foreground until SIGINT or SIGTERM, after one line that says where and for whom.

    Raises:
        OSError: The port is taken.
    """
    world = World(settings)
    server = Server(world, host, port)
    announcer = threading.Thread(
        target=_announce, args=(world, server, as_json), name="announce", daemon=True
    )
    announcer.start()
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn raises it again once it has shut down in order.
        return


def _announce(world: World, server: Server, as_json: bool) -> None:
    server.ready.wait()
    root = f"http://{server.host}:{server.port}"
    if as_json:
        line = dumps(
            {
                "api_url": f"{root}/v2",
                "id_url": root,
                "account_ids": list(world.settings.accounts),
                "token": world.token,
                "tokens": world.tokens,
                "client_id": world.app.client_id,
                "client_secret": world.app.client_secret,
            }
        ).decode()
    else:
        accounts = ", ".join(map(str, world.settings.accounts))
        line = f"Sandbox on {root}/v2  identity {root}  account {accounts}  token {world.token}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class SandboxProcess:
    """A sandbox in a process of its own; see `start_process`."""

    def __init__(self, child: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self._child = child
        self.pid = child.pid
        self.api_url: str = said["api_url"]
        self.id_url: str = said["id_url"]
        self.token: str = said["token"]
        self.tokens: dict[str, str] = said["tokens"]
        self.client_id: str = said["client_id"]
        self.client_secret: str = said["client_secret"]
        self.account_ids: list[int] = said["account_ids"]
        self.account_id = self.account_ids[0]

    def control(self, command: str, **arguments: Any) -> Any:
        """
        A method of `World` by name, over HTTP, with its JSON result.

        Raises:
            urllib.error.HTTPError: 400 for an unknown command or a refused edit.
        """
        request = urllib.request.Request(  # noqa: S310 - our own child on loopback
            f"{self.id_url}/_sandbox/{command}",
            data=dumps(arguments),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        # No proxy: the environment's would be asked for a loopback address too.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        """End the process; waits for it."""
        if self._child.poll() is None:
            self._child.terminate()
        self._child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_process(*options: str) -> SandboxProcess:
    """
    Start ``python -m harvest_source.sandbox`` with *options*; returns once it listens.

    Raises:
        RuntimeError: It ended instead.
    """
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "harvest_source.sandbox", "--json", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    line = child.stdout.readline() if child.stdout else ""
    if not line:
        child.communicate()
        msg = f"The sandbox ended with exit code {child.returncode} before it listened"
        raise RuntimeError(msg)
    return SandboxProcess(child, json.loads(line))
