"""The server over HTTP as a process, and the tokens of its callers."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.command import build_environment

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
COMMAND = (sys.executable, "-W", "ignore", "-m", "harvest_source")


@dataclass
class Served:
    """
    A running server, its callers' tokens by name, and its files.

    Attributes:
        url: The address that callers use.
        listens: Host and port; if empty, those of *url*.
        options: Further options of the command.
        tls: The TLS context of the callers.
    """

    url: str
    folder: Path
    log: Path
    stderr: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    listens: str = ""
    options: tuple[str, ...] = ()
    tls: ssl.SSLContext | bool = True

    @property
    def origin(self) -> str:
        """The address without its path."""
        return self.url.removesuffix("/mcp")

    @property
    def stdout(self) -> Path:
        """What the server printed."""
        return self.stderr.with_name("stdout.txt")

    @property
    def surroundings(self) -> dict[str, str]:
        """Environment of the command and of the server, limited to its folder."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        return {**build_environment(self.folder), **self.settings, **own}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command in the server's folder to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.surroundings,
            capture_output=True,
            text=True,
            check=False,
        )

    def add(self, name: str, scope: str, *more: str, url: str = "") -> None:
        """Create a caller's token."""
        made = self.command(
            *("mcp", "token", "add", name, "--scope", scope, "--url", url or self.url), *more
        )
        assert made.returncode == 0, made.stderr
        self.tokens[name] = made.stdout.strip()

    def post(self, name: str = "", **headers: str) -> httpx.Response:
        """Send a first request with a caller's token and other headers."""
        given = {"accept": "application/json, text/event-stream", **headers}
        if name:
            given["authorization"] = f"Bearer {self.tokens[name]}"
        return httpx.post(
            self.url, json=HELLO, headers=given, trust_env=False, timeout=60, verify=self.tls
        )

    def ask(self, name: str, era: str, talk: Callable[[Client], Awaitable[Any]]) -> Any:
        """Connect as a caller, and return what *talk* returns."""

        async def run() -> Any:
            headers = {"authorization": f"Bearer {self.tokens[name]}"}
            async with (
                httpx2.AsyncClient(
                    headers=headers, trust_env=False, timeout=60, verify=self.tls
                ) as web,
                Client(streamable_http_client(self.url, http_client=web), mode=era) as client,
            ):
                return await talk(client)

        return anyio.run(run)

    @contextmanager
    def running(self) -> Iterator[int]:
        """Run the server; yields its process."""
        address = self.listens or self.url.removeprefix("http://").partition("/")[0]
        given = ("--http", address, "--url", self.url, "--audit-log", str(self.log))
        with self.stderr.open("w") as errors, self.stdout.open("w") as printed:
            server = subprocess.Popen(
                [*COMMAND, "mcp", *given, *self.options],
                cwd=self.folder,
                env=self.surroundings,
                stdout=printed,
                stderr=errors,
            )
        try:
            while not self._is_up():
                assert server.poll() is None, self.stderr.read_text()
            yield server.pid
        finally:
            server.terminate()
            server.wait()

    def _is_up(self) -> bool:
        try:
            return self.post().status_code == 401
        except httpx.TransportError:
            return False


def find_port() -> int:
    """A port on which no process listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether a process accepts connections."""
    with closing(socket.socket()) as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def prepare(folder: Path, scopes: str, **settings: str) -> Served:
    """
    A server on a free port that is not started yet.

    Args:
        folder: The folder with the warehouse, ``harvest_data.duckdb``.
        scopes: The configuration.
        settings: Environment variables of the command and of the server.
    """
    (folder / ".dlt").mkdir(exist_ok=True)
    (folder / ".dlt" / "config.toml").write_text(scopes)
    url = f"http://127.0.0.1:{find_port()}/mcp"
    return Served(url, folder, folder / "audit.log", folder / "stderr.txt", settings)
