"""The server over HTTP: the real command, asked by the protocol's own client, and by intruders."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.command import build_environment
from tests.support.limited import EXAMPLE

SCOPES = """
[sources.harvest.scopes.hours]
tools = ["list_tables", "list_records", "sum_time"]
columns = ["time_entries.id", "time_entries.account_id", "time_entries.hours"]

[sources.harvest.scopes.all]
sql = true
"""
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


@dataclass
class Served:
    """A server that runs, its callers' tokens by name, and its files."""

    url: str
    tokens: dict[str, str]
    folder: Path
    log: Path
    stderr: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command in the server's folder."""
        return start(self.folder, *arguments)

    def post(self, name: str = "", **headers: str) -> httpx.Response:
        """A first request, with a caller's token and other headers."""
        given = {"accept": "application/json, text/event-stream", **headers}
        if name:
            given["authorization"] = f"Bearer {self.tokens[name]}"
        return httpx.post(self.url, json=HELLO, headers=given, trust_env=False, timeout=60)

    def ask(self, name: str, era: str, talk: Callable[[Client], Awaitable[Any]]) -> Any:
        """Talk to the server as a caller."""

        async def run() -> Any:
            headers = {"authorization": f"Bearer {self.tokens[name]}"}
            async with (
                httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as web,
                Client(streamable_http_client(self.url, http_client=web), mode=era) as client,
            ):
                return await talk(client)

        return anyio.run(run)


def build_surroundings(folder: Path) -> dict[str, str]:
    """Of the command and of the server: nothing outside of *folder*."""
    clean = {name: os.environ[name] for name in ("PATH",)}
    return {**clean, **build_environment(folder), "HOME": str(folder)}


def start(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "harvest_source", *arguments],
        cwd=folder,
        env=build_surroundings(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server with four callers; one token is for another server."""
    folder = tmp_path_factory.mktemp("served")
    EXAMPLE.write(folder / "harvest_data.duckdb")
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text(SCOPES)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/mcp"
    tokens = {}
    for name, scope, address in (
        ("ada", "hours", url),
        ("bo", "all", url),
        ("cy", "hours", url),
        ("elsewhere", "all", "http://127.0.0.1:1/mcp"),
    ):
        made = start(folder, "mcp", "token", "add", name, "--scope", scope, "--url", address)
        assert made.returncode == 0, made.stderr
        tokens[name] = made.stdout.strip()
    log, stderr = folder / "audit.log", folder / "stderr.txt"
    command = [sys.executable, "-W", "ignore", "-m", "harvest_source", "mcp"]
    with stderr.open("w") as errors:
        server = subprocess.Popen(
            [*command, "--http", f"127.0.0.1:{port}", "--audit-log", str(log)],
            cwd=folder,
            env=build_surroundings(folder),
            stderr=errors,
        )
    found = Served(url, tokens, folder, log, stderr)
    try:
        while not is_up(found):
            assert server.poll() is None, stderr.read_text()
        yield found
    finally:
        server.terminate()
        server.wait()


def is_up(served: Served) -> bool:
    """Whether it answers."""
    try:
        return served.post().status_code == 401
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_callers_have_the_tools_of_their_scopes(served: Served, era: str) -> None:
    """Listed and called; what is hidden answers as what does not exist."""

    async def limited(client: Client) -> None:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["list_tables", "list_records", "sum_time"]
        hidden = await client.call_tool("query", {"sql": "SELECT 1"})
        unknown = await client.call_tool("nothing", {})
        assert hidden.is_error
        assert hidden.content == unknown.content
        assert (await client.list_prompts()).prompts == []
        answer = await client.call_tool("list_records", {"table": "time_entries"})
        assert answer.structured_content is not None
        assert answer.structured_content["columns"] == ["account_id", "id", "hours"]
        assert (await client.call_tool("list_records", {"table": "users"})).is_error

    async def whole(client: Client) -> None:
        assert len((await client.list_tools()).tools) == 8
        answer = await client.call_tool("query", {"sql": "SELECT COUNT(*) FROM time_entries"})
        assert answer.structured_content is not None
        assert answer.structured_content["rows"] == [[12]]

    served.ask("ada", era, limited)
    served.ask("bo", era, whole)


def test_without_a_token_of_this_server_nothing_is_served(served: Served) -> None:
    """None, a wrong one, another server's, one without its secret: 401 and a plain challenge."""
    served.tokens |= {"wrong": "hsa_0123_wrong", "half": served.tokens["bo"].rpartition("_")[0]}
    served.tokens["other"] = served.tokens["bo"][:-1] + "?"
    for name in ("", "wrong", "half", "other", "elsewhere"):
        answer = served.post(name)
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "server" not in answer.headers


def test_other_hosts_and_origins_are_refused(served: Served) -> None:
    """A page in a browser, or a name that leads here, gets nothing, even with a token."""
    assert served.post("bo", host="evil.example").status_code == 421
    assert served.post("bo", origin="https://evil.example").status_code == 403
    assert served.post("bo").status_code == 200


def test_a_session_belongs_to_its_token(served: Served) -> None:
    """With another caller's token it does not exist."""
    session = served.post("bo").headers["mcp-session-id"]
    own = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
    assert served.post("ada", **own).status_code == 404


def test_cursors_belong_to_their_caller(served: Served) -> None:
    """Another caller with the same scope cannot go on with one."""
    arguments = {"table": "time_entries", "limit": 2}

    async def begin(client: Client) -> Any:
        answer = await client.call_tool("list_records", arguments)
        return answer.structured_content

    def go_on(cursor: str) -> Callable[[Client], Awaitable[Any]]:
        async def talk(client: Client) -> Any:
            return await client.call_tool("list_records", {**arguments, "cursor": cursor})

        return talk

    cursor = served.ask("ada", "auto", begin)["cursor"]
    assert not served.ask("ada", "auto", go_on(cursor)).is_error
    assert served.ask("cy", "auto", go_on(cursor)).is_error


def test_a_revoked_caller_is_out_at_once_and_others_go_on(served: Served) -> None:
    """Also within a session that was open, which a new token of the same name does not get."""
    add = ("mcp", "token", "add", "di", "--scope", "all", "--url", served.url)
    served.tokens["di"] = served.command(*add).stdout.strip()
    session = served.post("di").headers["mcp-session-id"]
    own = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
    assert served.command("mcp", "token", "revoke", "di").returncode == 0
    assert served.post("di", **own).status_code == 401
    assert served.post("di").status_code == 401
    assert served.post("bo").status_code == 200
    served.tokens["di"] = served.command(*add).stdout.strip()
    assert served.post("di", **own).status_code == 404
    assert served.command("mcp", "token", "revoke", "di").returncode == 0
    assert served.command("mcp", "token", "revoke", "di").returncode == 2


def test_no_token_is_in_a_file_but_its_digest(served: Served) -> None:
    """Neither in the audit log, which names caller and scope, nor on stderr, nor in the store."""
    served.post("bo", host=served.tokens["bo"])
    texts = {
        path: path.read_text(errors="replace")
        for path in served.folder.rglob("*")
        if path.is_file() and path.suffix != ".duckdb"
    }
    for path, text in texts.items():
        for name in ("ada", "bo", "cy", "elsewhere"):
            assert served.tokens[name] not in text, path
    assert texts[served.stderr] == ""
    lines = [json.loads(line) for line in texts[served.log].splitlines()]
    assert {"ada", "bo"} <= {each["caller"] for each in lines}
    assert {each["scope"] for each in lines} == {"hours", "all"}
    listed = json.loads(served.command("mcp", "token", "list", "--json").stdout)["tokens"]
    assert {each["name"] for each in listed} >= {"ada", "bo", "cy", "elsewhere"}
    assert not any("digest" in each for each in listed)
