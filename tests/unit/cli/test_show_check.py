"""What a check prints for people."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from harvest_source.cli.console import Console
from harvest_source.cli.show_check import show_check
from harvest_source.operations.check import CheckReport, Finding

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]

REPORT = CheckReport(
    (
        Finding("credentials", "the vault, profile default", "ok", "Harvest accepts the token"),
        Finding("role", "member", "warning", "time entries and projects may be partial"),
        Finding("table", "invoices", "skipped", "Harvest answered 403 for invoices"),
    )
)

AT_80 = """\

 Subject       Name                         State     Detail
 ──────────────────────────────────────────────────────────────────────────────
 credentials   the vault, profile default   ok        Harvest accepts the token
 role          member                       warning   time entries and projects
                                                      may be partial
 table         invoices                     skipped   Harvest answered 403 for
                                                      invoices

"""

WIDER = """\

 Subject       Name                         State     Detail
 ─────────────────────────────────────────────────────────────────────────────────────────────
 credentials   the vault, profile default   ok        Harvest accepts the token
 role          member                       warning   time entries and projects may be partial
 table         invoices                     skipped   Harvest answered 403 for invoices

"""


@pytest.mark.parametrize(("columns", "expected"), [(80, AT_80), (100, WIDER), (140, WIDER)])
def test_a_line_for_each_finding(
    capsys: Capture, screen: Screen, columns: int, expected: str
) -> None:
    """Details wrap if the screen is narrow; names never do."""
    screen(columns)
    show_check(Console(), REPORT)
    captured = capsys.readouterr()
    assert captured.out == expected
    assert captured.err == ""


def test_json_is_the_report(capsys: Capture) -> None:
    """The report is one object with every finding."""
    show_check(Console(as_json=True), REPORT)
    assert json.loads(capsys.readouterr().out) == REPORT.as_dict()
