"""``--log-format json``: one object per line, one line per table and one for the run."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harvest_source.cli import json_log
from harvest_source.cli.console import Console
from harvest_source.cli.json_log import EVENTS, JsonLog, wants_json_log
from harvest_source.cli.show_sync import show_sync
from harvest_source.errors import IncompleteListError, ServerError
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.run_report import SyncReport, TableCount
from harvest_source.warehouse.target import Target
from tests.clocks import START, FakeClock

FOLDER = Path(json_log.__file__).parent
Capture = pytest.CaptureFixture[str]
LATER = START + timedelta(seconds=2)


WITHOUT_LOG = frozenset(
    {
        *("ask_commands", "auth_commands", "export_command", "mcp_commands", "page_commands"),
        *("dependants", "show_auth", "show_warehouse_status"),
    }
)
"""Modules of commands that have no --log-format."""


def list_marks(path: Path) -> set[str]:
    """The literal marks of messages, and events of lines, that a module writes."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {
        first.value
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"note", "write", "_print"}
        for first in call.args[:1]
        if isinstance(first, ast.Constant) and isinstance(first.value, str)
    }


def test_every_event_is_declared() -> None:
    """docs/command-line.md shows the declared ones; each is written by a command with this log."""
    modules = [path for path in FOLDER.glob("*.py") if path.stem not in WITHOUT_LOG]
    assert set().union(*map(list_marks, modules)) == EVENTS.keys()


def read_lines(capsys: Capture) -> list[dict[str, Any]]:
    """The lines of stderr; stdout must be empty."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def build_report() -> SyncReport:
    """A run whose tables end in each possible way."""
    log = RunLog()
    for table in ("clients", "invoices", "projects", "roles"):
        log.note_times(table, 7, START, LATER)
    log.fail("projects", 7, ServerError("Harvest answered 500."))
    log.skip("invoices", 7, "The module is off.")
    log.unproven.append(log.failures[0].__class__(7, "roles", IncompleteListError("It grew.")))
    log.warn("Something to know.")
    tables = {
        "clients": TableCount(5, 2, {7: (5, 2)}),
        "roles": TableCount(1, 0, {7: (1, 0)}),
    }
    return SyncReport(Target(), (7,), START, LATER, 2.0, 9, tables, log)


def test_the_log_has_a_line_per_table_and_ends_with_the_run(capsys: Capture) -> None:
    """Tables read, failed, skipped and unproven; then, once, what the exit code means."""
    console = Console(log=JsonLog(FakeClock()))
    show_sync(console, build_report())
    assert console.log is not None
    console.log.end(4)
    lines = read_lines(capsys)
    tables = {line["table"]: line for line in lines if line["event"] == "table"}
    assert {name: line["status"] for name, line in tables.items()} == {
        "clients": "ok",
        "invoices": "skipped",
        "projects": "error",
        "roles": "unproven",
    }
    times = (START.isoformat(), LATER.isoformat())
    assert {(line["began_at"], line["ended_at"]) for line in tables.values()} == {times}
    assert (tables["clients"]["rows"], tables["clients"]["deleted"]) == (5, 2)
    assert tables["projects"]["message"] == "Harvest answered 500."
    run = lines[-1]
    assert (run["event"], run["status"], run["exit_code"]) == ("run", "partial", 4)
    assert (run["rows"], run["deleted"], run["requests"], run["errors"]) == (6, 2, 9, 2)
    assert {"warning", "skipped", "error"} <= {line["event"] for line in lines}
    assert all("at" in line for line in lines)


def test_a_run_without_a_report_is_logged_as_an_error(capsys: Capture) -> None:
    """A command that ends before it has a report is an error with its exit code."""
    log = JsonLog(FakeClock())
    log.end(7)
    (line,) = read_lines(capsys)
    assert (line["event"], line["status"], line["exit_code"]) == ("run", "error", 7)
    assert {"began_at", "ended_at", "seconds"} <= line.keys()


def test_json_on_stdout_is_independent_of_the_log(capsys: Capture) -> None:
    """With ``--json``, stdout has the one object, and stderr the lines."""
    console = Console(as_json=True, log=JsonLog(FakeClock()))
    show_sync(console, build_report())
    captured = capsys.readouterr()
    assert json.loads(captured.out)["status"] == "partial"
    assert all(json.loads(line)["event"] for line in captured.err.splitlines())


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["sync", "--log-format", "json"], True),
        (["sync", "--log-format=json", "--nothing"], True),
        (["sync", "--log-format", "text", "--json"], False),
        (["sync", "--table", "json"], False),
        (["sync", "--log-format"], False),
    ],
)
def test_the_log_is_chosen_before_the_command_line_is_parsed(
    arguments: list[str], wanted: bool
) -> None:
    """So that a mistake in the command line is a line of the log too."""
    assert wants_json_log(arguments) is wanted
