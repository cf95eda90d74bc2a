"""A simulated installation that serves: on a thread, or in the foreground."""

from __future__ import annotations

import sys
import threading
from functools import partial
from types import TracebackType
from typing import Any, Self

from harvest_source.sandbox.control.remote import control_reply
from harvest_source.sandbox.control.world import World
from harvest_source.sandbox.data.values import dumps
from harvest_source.sandbox.serve.server import LOOPBACK, Server
from harvest_source.sandbox.settings import Settings

STOP_WITHIN_S = 10


class Sandbox(World):
    """
    A simulated Harvest account over real HTTP.

    ``with Sandbox(entries=100).start() as server:`` serves on a free loopback port from a thread;
    every method of `World` works meanwhile.

    Args:
        settings: All settings at once; otherwise pass single fields as keywords.
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
        Serve on a thread; returns once it listens.

        Raises:
            RuntimeError: It is serving already.
            OSError: The port is taken.
        """
        if self._server is not None:
            msg = "This sandbox serves already"
            raise RuntimeError(msg)
        self._server = Server(self, partial(control_reply, self), host, port)
        self._thread = threading.Thread(target=self._server.run, name="sandbox", daemon=True)
        self._thread.start()
        self._server.ready.wait()
        return self

    def stop(self) -> None:
        """Stop serving; does nothing when it is not serving."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(STOP_WITHIN_S)
        self._server = self._thread = None

    @property
    def id_url(self) -> str:
        """Base URL of the identity host."""
        if self._server is None:
            msg = "The sandbox is not serving; call start() first"
            raise RuntimeError(msg)
        return f"http://{self._server.host}:{self._server.port}"

    @property
    def api_url(self) -> str:
        """Base URL of the API."""
        return f"{self.id_url}/v2"

    @property
    def authorize_url(self) -> str:
        """URL of the consent page."""
        return f"{self.id_url}/oauth2/authorize"

    @property
    def token_url(self) -> str:
        """URL of the token endpoint; ``/api/v1/`` works as well."""
        return f"{self.id_url}/api/v2/oauth2/token"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request by the first person to the first account."""
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
    Print one line with addresses, accounts and tokens, then serve until SIGINT or SIGTERM.

    Raises:
        OSError: The port is taken.
        Exception: The line cannot be printed, and without it the server cannot be reached.
    """
    world = World(settings)
    server = Server(world, partial(control_reply, world), host, port)
    failures: list[Exception] = []

    def announce() -> None:
        try:
            _announce(world, server, as_json)
        except Exception as error:
            failures.append(error)
            server.stop()

    threading.Thread(target=announce, name="announce", daemon=True).start()
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn raises it again after its shutdown.
        return
    if failures:
        raise failures[0]


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
