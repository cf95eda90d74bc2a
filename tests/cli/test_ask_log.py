"""``ask log``: the calls that the server received."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import Run


def test_the_log_is_read_by_caller_and_time(bare: Run, folder: Path) -> None:
    """Older files are included, and a line that was cut off is left out."""
    lines = [
        {"at": f"2026-01-0{day}T12:00:00+00:00", "caller": name, "tool": "find", "outcome": "ok"}
        for day, name in ((1, "ada"), (2, "bo"), (3, "ada"))
    ]
    (folder / "mcp.log.1").write_text(json.dumps(lines[0]) + "\n")
    (folder / "mcp.log").write_text("\n".join(map(json.dumps, lines[1:])) + '\n{"at": "20')
    log = ("ask", "log", "--audit-log", str(folder / "mcp.log"), "--json")
    assert bare(*log).json["calls"] == lines
    assert bare(*log, "--caller", "ada").json["calls"] == [lines[0], lines[2]]
    assert bare(*log, "--since", "2026-01-02").json["calls"] == lines[1:]
    assert bare(*log, "--since", "yesterday").code == 2
    shown = bare(*log[:-1]).out
    assert shown.count("find") == 3


def test_a_log_that_cannot_be_read_is_a_short_error(bare: Run, folder: Path) -> None:
    """A folder in the log's place is refused; a line with an invalid time is left out."""
    (folder / "mcp.log").mkdir()
    log = ("ask", "log", "--audit-log", str(folder / "mcp.log"))
    refused = bare(*log)
    assert refused.code == 2
    assert "cannot be read" in refused.err
    (folder / "mcp.log").rmdir()
    (folder / "mcp.log").write_text('{"at": "soon", "tool": "find"}\n{"at": "2026-01-01"}\n')
    assert bare(*log, "--json", "--since", "2026-01-01").json["calls"] == []


def test_a_missing_log_is_an_error(bare: Run, folder: Path) -> None:
    """A mistyped file name is an error, not an empty log."""
    refused = bare("ask", "log", "--audit-log", str(folder / "mpc.log"))
    assert refused.code == 2
    assert "There is no audit log" in refused.err
    assert bare("ask", "log", "--json").json["calls"] == []
