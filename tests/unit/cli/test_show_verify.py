"""What a verification prints for people."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.cli.console import Console
from harvest_source.cli.show_verify import show_verify, summarise
from harvest_source.errors import ServerError
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.comparisons import Comparison, Subject
from harvest_source.operations.verify_report import VerifyReport

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]


def compare(here: str, there: str, **fields: Any) -> Comparison:
    given = {"account_id": 1000001, "table": "time_entries", "check": "rows", "scope": "all"}
    return Comparison(**{**given, **fields}, here=Decimal(here), there=Decimal(there))


PROJECT = {
    "scope": "project 17, 2024",
    "subject": Subject("project", 17, "Website relaunch", "Acme"),
    "year": 2024,
}
EQUAL = (compare("5000", "5000"), compare("1200", "1200", scope="2024"))
DIFFERENT = (
    compare("1234567.25", "1234566.25", check="hours", **PROJECT),
    compare("9000", "9000", check="amount", currency="EUR", scope="project 18, 2024"),
    compare("0", "1000", check="amount", currency="EUR", excuse="fixed fee", **PROJECT),
)
AS_OF = datetime(2026, 11, 30, 12, tzinfo=UTC)


def report(*comparisons: Comparison, mended: bool = False) -> VerifyReport:
    return VerifyReport((1000001,), comparisons, RunLog(), 7, mended, AS_OF, 2.5)


EXPECTED = """\

 Check                           Here        Harvest   Difference   Compared       State
 ─────────────────────────────────────────────────────────────────────────────────────────
 Rows                           5,000          5,000            0   all 1          ok
 Hours                   1,234,567.25   1,234,566.25         1.00   all 1          differs
 Billable amounts, EUR       9,000.00       9,000.00         0.00   1 of 2, 90 %   ok

What differs:

 Check   Where                                             Here        Harvest   Difference
 ──────────────────────────────────────────────────────────────────────────────────────────
 Hours   project 17 Website relaunch, Acme, 2024   1,234,567.25   1,234,566.25         1.00

Undecided: Billable amounts, 1 figure: fixed fee (project 17 Website relaunch, Acme, 2024)
differs: 1 of the 4 figures differ, 1 undecided: account 1000001, as of 2026-11-30 12:00:00 \
UTC, 7 requests, 2.5 s
"""


def test_each_check_has_a_line_with_its_differences_below(capsys: Capture, screen: Screen) -> None:
    """Lines have sums by currency and the share compared; below are names, ids and the time."""
    screen(100)
    show_verify(Console(), report(*EQUAL, *DIFFERENT))
    captured = capsys.readouterr()
    assert captured.out == EXPECTED
    assert captured.err == "warning: To reread what differs: harvest-source verify --fix\n"
    show_verify(Console(), replace(report(*DIFFERENT), all_values=True))
    assert "harvest-source verify --all-values --fix\n" in capsys.readouterr().err


def test_names_cannot_send_commands_to_the_terminal(capsys: Capture) -> None:
    """Names are shown without control characters; anyone may have written them."""
    named = {**PROJECT, "subject": Subject("project", 17, "\x1b[2JWeb\x00site\u202e", "Ac\x07me\r")}
    differs = compare("2", "1", check="hours", **named)
    undecided = compare("0", "1000", check="amount", currency="EUR", excuse="fixed fee", **named)
    show_verify(Console(), report(differs, undecided))
    out = capsys.readouterr().out
    assert out.count("project 17 [2JWebsite, Acme, 2024") == 2
    assert all(each.isprintable() for each in out.replace("\n", ""))


@pytest.mark.parametrize("columns", [30, 60, 80, 100, 140])
def test_figures_are_whole_at_any_width(capsys: Capture, screen: Screen, columns: int) -> None:
    """A truncated sum would be read as another sum."""
    screen(columns)
    show_verify(Console(), report(*EQUAL, *DIFFERENT))
    out = capsys.readouterr().out
    for whole in ("1,234,567.25", "1,234,566.25", "9,000.00", "Billable amounts, EUR", "5,000"):
        assert whole in out
    assert "project 17 Website relaunch, Acme, 2024" in out
    assert "…" not in out


def test_a_failed_table_is_never_reported_as_equal(capsys: Capture) -> None:
    """The last line begins with what was not compared, and does not say "0 differ"."""
    found = report(*EQUAL)
    found.run_log.fail("invoices", 1000001, ServerError("Gave up on invoices."))
    show_verify(Console(quiet=True), found)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("partial: not compared: invoices; the other 2 figures compared are ")
    assert "0 differ" not in line


def test_nothing_compared_is_not_ok() -> None:
    """If everything in an account failed, the result is an error."""
    found = report()
    found.run_log.fail("", 1000001, ServerError("Gave up on users/me."))
    assert summarise(found).startswith("error: not compared: account 1000001; nothing else was ")


def test_fix_is_suggested_only_if_it_may_help(capsys: Capture) -> None:
    """``--fix`` is suggested only if there is something it may fix."""
    show_verify(Console(), report(*EQUAL))
    show_verify(Console(), report(*DIFFERENT, mended=True))
    assert capsys.readouterr().err == ""


def test_warnings_and_failures_are_on_stderr(capsys: Capture) -> None:
    """A table that could not be compared is named, with the reason."""
    found = report()
    found.run_log.warn("projects of account 1000001 cannot be compared: 403")
    found.run_log.fail("invoices", 1000001, ServerError("Gave up on invoices."))
    show_verify(Console(), found)
    assert capsys.readouterr().err.splitlines() == [
        "warning: projects of account 1000001 cannot be compared: 403",
        "error: invoices of account 1000001: Gave up on invoices.",
    ]


def test_json_is_the_report(capsys: Capture) -> None:
    """The report is one object with every comparison, and exact figures as text."""
    show_verify(Console(as_json=True), report(*EQUAL, *DIFFERENT))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == report(*EQUAL, *DIFFERENT).as_dict()
    assert captured.err == ""
