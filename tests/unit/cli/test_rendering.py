"""What commands print for people: on screens, in pipes and in old encodings."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.cli.console import Console
from harvest_source.cli.show_check import show_check
from harvest_source.cli.show_sync import show_sync
from harvest_source.cli.show_verify import show_verify
from harvest_source.cli.show_warehouse_status import show_warehouse_status
from harvest_source.config.effective import Setting
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.check import CheckReport, Finding
from harvest_source.operations.comparisons import Comparison, Subject
from harvest_source.operations.run_report import SyncReport, TableCount
from harvest_source.operations.sign_in_status import SignInState, StatusReport
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.operations.warehouse_status import TableStatus, WarehouseStatus
from harvest_source.schema.run_record import RunRecord
from harvest_source.schema.verify_record import VerifyRecord
from harvest_source.warehouse.target import Target

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
LONG = "estimate_item_categories"
FIGURES = ("1,234,567.25", "1,234,566.25", "12,345,678")
NAMES = ("Website relaunch", "Alder & Finch")


def compare(check: str, here: str, there: str, **fields: Any) -> Comparison:
    given = {"account_id": 1, "table": "time_entries", "scope": "all"}
    return Comparison(**{**given, **fields}, check=check, here=Decimal(here), there=Decimal(there))


def show_all(name: str) -> None:
    """Print a report of one command, as for a large account."""
    log = RunLog()
    log.warn("Two clocks differ by 400 s, and the earlier one counts. Set this machine's clock.")
    if name == "sync":
        counts = {each: TableCount(12_345_678, 3, {1: (12_345_678, 3)}) for each in (LONG, "users")}
        show_sync(
            Console(),
            SyncReport(Target(), (1,), AT, AT + timedelta(seconds=9), 9.0, 31, counts, log),
        )
    elif name == "check":
        findings = (
            Finding("credentials", "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN", "ok", "accepted"),
            Finding("table", LONG, "ok", "12,345,678 rows"),
        )
        settings = (Setting("overlap", "300", "sources.harvest.overlap in /a/.dlt/config.toml"),)
        show_check(Console(), CheckReport(findings, settings))
    elif name == "status":
        runs = (RunRecord(AT, AT + timedelta(hours=2), "partial", 12_345, {}, ({},)),)
        plan = AT + timedelta(days=6, hours=23), AT + timedelta(hours=30, minutes=59)
        tables = tuple(
            TableStatus(each, 1, 12_345_678, AT, *plan, 1_234, is_stale=True)
            for each in (LONG, "invoice_payments", "user_assignments")
        )
        last = VerifyRecord(AT, "differs", 123_456, 7_890, AT - timedelta(days=300))
        sign_in = StatusReport("default", SignInState.KEPT)
        now = AT + timedelta(days=12, hours=3)
        show_warehouse_status(
            Console(),
            WarehouseStatus(Target(), now, runs, tables, (), sign_in, False, (), last),
        )
    else:
        project = Subject("project", 17, *NAMES)
        found = (
            compare("rows", "12345678", "12345678"),
            compare("hours", "1234567.25", "1234566.25", subject=project, year=2026),
            compare("amount", "0", "9", currency="EUR", subject=project, excuse="fixed fee"),
        )
        show_verify(Console(), VerifyReport((1,), found, log, 7, as_of=AT))


class Stream(io.TextIOWrapper):
    """A standard stream with one encoding, a terminal or a pipe."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding, errors="backslashreplace", newline="\n")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def said(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


Render = Callable[..., tuple[str, str]]


@pytest.fixture
def render(monkeypatch: pytest.MonkeyPatch) -> Iterator[Render]:
    """A function that returns what a command prints on stdout and stderr."""
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    streams: list[Stream] = []

    def run(
        name: str, *, encoding: str = "utf-8", columns: int | None = None, **environment: str
    ) -> tuple[str, str]:
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
            monkeypatch.setenv("TERM", "xterm")
        ours = [Stream(encoding, is_terminal=columns is not None) for _ in range(2)]
        streams.extend(ours)
        monkeypatch.setattr(sys, "stdout", ours[0])
        monkeypatch.setattr(sys, "stderr", ours[1])
        show_all(name)
        return ours[0].said(), ours[1].said()

    yield run
    monkeypatch.undo()
    for each in streams:
        each.close()


COMMANDS = pytest.mark.parametrize("name", ["sync", "check", "status", "verify"])


@COMMANDS
@pytest.mark.parametrize("columns", [80, 100, 140])
def test_lines_fit_the_screen(render: Render, name: str, columns: int) -> None:
    """Nothing is cut, no figure or name is broken, and no line exceeds the screen."""
    out, err = render(name, columns=columns, NO_COLOR="1")
    assert "\u2026" not in out + err
    assert "\x1b[3" not in out + err, "colours"
    out, err = (re.sub(r"\x1b\[[\d;]*m", "", each) for each in (out, err))  # Bold is not a colour.
    whole = {
        "sync": (LONG, FIGURES[2]),
        "check": (LONG,),
        "status": (LONG, FIGURES[2], "7,890 of 123,456 figures differ"),
        "verify": FIGURES + NAMES,
    }[name]
    for each in whole:
        assert any(each in line for line in (out + err).splitlines()), each
    assert all(len(line) <= columns for line in (out + err).splitlines()), out


@COMMANDS
def test_a_terminal_has_colours_unless_no_color_is_set(render: Render, name: str) -> None:
    """With ``NO_COLOR``, a terminal gets no colours either."""
    out, err = render(name, columns=100)
    assert "\x1b[" in out + err
    out, err = render(name, columns=100, NO_COLOR="1")
    assert "\x1b[3" not in out + err


@COMMANDS
def test_a_pipe_gets_plain_text(render: Render, name: str) -> None:
    """Each message is one line, without colours or wrapping."""
    out, err = render(name)
    assert "\x1b" not in out + err
    assert all(
        line.startswith(("warning: ", "error: ", "sign-in: ", "last verify: "))
        for line in err.splitlines()
    )


@COMMANDS
def test_an_old_encoding_gets_no_escapes(render: Render, name: str) -> None:
    """In cp1252, the encoding of Windows consoles and pipes, rules are hyphens."""
    out, err = render(name, encoding="cp1252")
    assert "\\u" not in out + err
    assert "-----" in out
