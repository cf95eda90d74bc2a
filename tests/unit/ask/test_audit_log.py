"""The audit log has a line for each call, or the call gets no answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import MCPError
from mcp_types import (
    CallToolRequestParams,
    GetPromptRequestParams,
    ReadResourceRequestParams,
    TextContent,
)

from harvest_source.ask import Runner
from harvest_source.ask.access import Access, Caller
from harvest_source.ask.audit_log import AuditFailed, AuditLog, Call
from harvest_source.ask.callers import People
from harvest_source.ask.mcp.prompts import read_prompts
from harvest_source.ask.mcp.server import AskServer
from harvest_source.clock import SystemClock
from harvest_source.rotated_file import RotatedFile
from tests.support.limited import EXAMPLE, refuse_to_ask
from tests.support.no_room import limit_file_size

FULL = Path("/dev/full")
"""A file that can be opened, but accepts no byte."""


def tell_time() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def told() -> list[str]:
    """What the person who runs the server is told."""
    return []


@pytest.fixture
def server(tmp_path: Path, told: list[str]) -> AskServer:
    """A server whose log is on a full disk."""
    runner, clock = Runner(EXAMPLE.write(tmp_path / "warehouse.duckdb")), SystemClock()
    audit = AuditLog(FULL, tell_time, told.append)
    return AskServer(
        Access(runner, People(refuse_to_ask, clock)), lambda _: Caller("ada"), audit, clock
    )


def ask_tool(server: AskServer) -> str:
    """Call a tool that must fail; return the error text."""
    params = CallToolRequestParams(name="list_records", arguments={"table": "clients"})
    result = anyio.run(server.call_tool, None, params)
    assert result.is_error
    assert result.structured_content is None
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.thorough
def test_no_call_is_answered_without_a_log_line(server: AskServer, told: list[str]) -> None:
    """No tool, resource or prompt is answered; the operator is told once, with the reason."""
    said = ask_tool(server)
    assert "audit log" in said
    assert str(FULL) not in said
    prompt = next(iter(read_prompts()))
    calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: server.list_resources(None, None),
        lambda: server.read_resource(
            None, ReadResourceRequestParams(uri="harvest://tables/clients")
        ),
        lambda: server.get_prompt(None, GetPromptRequestParams(name=prompt)),
    ]
    for call in calls:
        with pytest.raises(MCPError, match="audit log"):
            anyio.run(call)
    assert ask_tool(server) == said
    (text,) = told
    assert f"{FULL} cannot be written (No space left on device)" in text


@pytest.mark.parametrize("name", [".", "file/mcp.log"])
def test_an_unwritable_log_is_an_error_at_the_start(tmp_path: Path, name: str) -> None:
    """A folder in place of the file, or a file in place of the folder, is a short error."""
    (tmp_path / "file").touch()
    with pytest.raises(AuditFailed, match="--audit-log"):
        AuditLog(tmp_path / name, tell_time)


def test_a_truncated_line_damages_no_other_line(tmp_path: Path) -> None:
    """If the disk is full for a while, the lines before and after are complete."""
    path = tmp_path / "mcp.log"
    log = AuditLog(path, tell_time)
    log.write("find", Call(Caller("ada")), ms=1)
    with limit_file_size(path.stat().st_size + 20), pytest.raises(AuditFailed):
        log.write("find", Call(Caller("bo")), ms=1)
    log.write("find", Call(Caller("cy")), ms=1)
    first, _, last = path.read_text().splitlines()
    assert [json.loads(each)["caller"] for each in (first, last)] == ["ada", "cy"]


def test_two_processes_share_a_rotated_log(tmp_path: Path) -> None:
    """Neither process appends to a file that the other has rotated away."""
    path = tmp_path / "mcp.log"
    one, other = (RotatedFile(path, max_bytes=20) for _ in range(2))
    for each in (one, other, one):
        each.append("x" * 12)
    assert path.read_text() == "x" * 12 + "\n"
    assert path.with_name("mcp.log.1").read_text() == ("x" * 12 + "\n") * 2
