"""Callers over HTTP learn nothing about the server's machine; the person who runs it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from mcp import MCPError
from mcp_types import CallToolRequestParams, ReadResourceRequestParams, TextContent

from harvest_source.ask import Runner
from harvest_source.ask.access import Access, Caller
from harvest_source.ask.audit_log import AuditLog
from harvest_source.ask.callers import People
from harvest_source.ask.mcp.server import AskServer
from harvest_source.ask.runner import Limits
from harvest_source.ask.trouble import Trouble
from harvest_source.clock import SystemClock
from tests.support.limited import EXAMPLE, refuse_to_ask

pytestmark = pytest.mark.thorough

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"


def remove(path: Path) -> None:
    path.unlink()


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[12_288:12_800] = b"x" * 512
    path.write_bytes(content)


def damage_log(path: Path) -> None:
    path.with_name(f"{path.name}.wal").mkdir()


def build(path: Path, tell: Callable[[str], None]) -> AskServer:
    """A server as ``mcp --http`` builds it."""
    clock = SystemClock()
    access = Access(Runner(path, limits=Limits(wait_s=0)), People(refuse_to_ask, clock))
    audit = AuditLog(path.parent / "mcp.log", lambda: datetime.now(UTC))
    return AskServer(access.for_server(), lambda _: Caller("bo"), audit, clock, Trouble(tell))


def ask(server: AskServer) -> tuple[bool, str]:
    params = CallToolRequestParams(name="list_records", arguments={"table": "clients"})
    result = anyio.run(server.call_tool, None, params)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return bool(result.is_error), content.text


@pytest.mark.parametrize("spoil", [remove, make_folder, make_pipe, cut, damage, damage_log])
def test_no_reason_names_a_file_of_the_server(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """The caller gets one sentence, the server's owner the reason once, and later calls work."""
    path, told = EXAMPLE.write(tmp_path / "warehouse.duckdb"), list[str]()
    whole = path.read_bytes()
    server = build(path, told.append)
    spoil(path)
    for _ in range(2):
        is_error, said = ask(server)
        assert is_error
        assert "cannot be read at the moment" in said
        assert "/" not in said
        assert "warehouse.duckdb" not in said
    uri = "harvest://tables/clients"
    with pytest.raises(MCPError, match="cannot be read at the moment"):
        anyio.run(server.read_resource, None, ReadResourceRequestParams(uri=uri))
    (reason,) = told
    assert str(path)[:40] in reason
    for each in (path, path.with_name(f"{path.name}.wal")):
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert not ask(server)[0]


def test_a_writing_process_is_not_named(tmp_path: Path) -> None:
    """Neither its name nor its number reaches a caller."""
    path, told = EXAMPLE.write(tmp_path / "warehouse.duckdb"), list[str]()
    command = [sys.executable, "-c", HOLD, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        said = ask(build(path, told.append))[1]
        child.kill()
        assert "PID" not in said
        assert "a sync may be writing it" in said
        assert f"PID {child.pid}" in told[0]
