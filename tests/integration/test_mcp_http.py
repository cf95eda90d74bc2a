"""The server over HTTP: the real command, called by the protocol's own client and by intruders."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from mcp import Client

from tests.support.limited import EXAMPLE
from tests.support.served import Served, prepare

SCOPES = """
[sources.harvest.scopes.hours]
tools = ["list_tables", "list_records", "sum_time"]
columns = ["time_entries.id", "time_entries.account_id", "time_entries.hours"]

[sources.harvest.scopes.all]
sql = true
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with four callers; one of the tokens belongs to another server."""
    folder = tmp_path_factory.mktemp("served")
    EXAMPLE.write(folder / "harvest_data.duckdb")
    served = prepare(folder, SCOPES)
    for name, scope in (("ada", "hours"), ("bo", "all"), ("cy", "hours")):
        served.add(name, scope)
    served.add("elsewhere", "all", url="http://127.0.0.1:1/mcp")
    with served.running():
        yield served


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_callers_have_the_tools_of_their_scopes(served: Served, era: str) -> None:
    """Callers list and call the tools of their scope; a hidden tool answers like an unknown one."""

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


def test_requests_without_a_token_of_this_server_are_refused(served: Served) -> None:
    """A missing, wrong, foreign or truncated token gets 401 and a plain challenge."""
    served.tokens |= {"wrong": "hsa_0123_wrong", "half": served.tokens["bo"].rpartition("_")[0]}
    served.tokens["other"] = served.tokens["bo"][:-1] + "?"
    for name in ("", "wrong", "half", "other", "elsewhere"):
        answer = served.post(name)
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "server" not in answer.headers


def test_other_hosts_and_origins_are_refused(served: Served) -> None:
    """A web page, or another name that resolves to this host, gets nothing even with a token."""
    assert served.post("bo", host="evil.example").status_code == 421
    assert served.post("bo", origin="https://evil.example").status_code == 403
    assert served.post("bo").status_code == 200


def test_a_session_belongs_to_its_token(served: Served) -> None:
    """For another caller's token the session does not exist."""
    session = served.post("bo").headers["mcp-session-id"]
    own = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
    others = served.post("ada", **own)
    assert others.status_code == 404
    made_up = served.post("ada", **own | {"mcp-session-id": session[::-1]})
    assert (made_up.status_code, made_up.content) == (404, others.content)


def test_cursors_belong_to_their_caller(served: Served) -> None:
    """Another caller with the same scope cannot continue a cursor."""
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


@pytest.mark.rare
def test_a_revoked_caller_loses_its_session_at_once_and_others_do_not(served: Served) -> None:
    """An open session ends too, and a new token of the same name does not get it back."""
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


def test_only_the_digest_of_a_token_is_stored(served: Served) -> None:
    """No token is in the audit log, which names caller and scope, on stderr or in the store."""
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
