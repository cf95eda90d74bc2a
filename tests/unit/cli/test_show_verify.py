"""What people see of a verification."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from harvest_source.cli.console import Console
from harvest_source.cli.show_verify import show_verify
from harvest_source.errors import ServerError
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.comparisons import Comparison
from harvest_source.operations.verify import VerifyReport

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]


def compare(here: str, there: str, **fields: Any) -> Comparison:
    given = {"account_id": 1000001, "table": "time_entries", "check": "rows", "scope": "all"}
    return Comparison(**{**given, **fields}, here=Decimal(here), there=Decimal(there))


EQUAL = (compare("5000", "5000"), compare("1200", "1200", scope="2024"))
DIFFERENT = (
    compare("1234567.25", "1234566.25", check="hours", scope="project 17, 2024"),
    compare("100", "99.5", check="amount", scope="project 17, 2024", excuse="fixed fee"),
)


def report(*comparisons: Comparison, mended: bool = False) -> VerifyReport:
    return VerifyReport((1000001,), comparisons, RunLog(), 7, mended)


EXPECTED = """\

 Account   Table          Check    Scope                      Here        Harvest   State         Detail
 ──────────────────────────────────────────────────────────────────────────────────────────────────────────
 1000001   time_entries   rows     2 compared                                       ok
 1000001   time_entries   hours    project 17, 2024   1,234,567.25   1,234,566.25   differs
 1000001   time_entries   amount   project 17, 2024            100           99.5   information   fixed fee

2 equal, 1 differ, 1 cannot be told: 7 requests
"""  # noqa: E501 - as wide as it is printed


def test_equal_figures_are_one_line_and_others_have_their_own(
    capsys: Capture, screen: Screen
) -> None:
    """People read what differs; what is equal is only counted."""
    screen(140)
    show_verify(Console(), report(*EQUAL, *DIFFERENT))
    captured = capsys.readouterr()
    assert captured.out == EXPECTED
    assert captured.err == "warning: To read again what differs: harvest-source verify --fix\n"


@pytest.mark.parametrize("columns", [80, 100])
def test_figures_are_whole_on_narrow_screens(capsys: Capture, screen: Screen, columns: int) -> None:
    """A sum that is cut short would be read as another sum."""
    screen(columns)
    show_verify(Console(), report(*EQUAL, *DIFFERENT))
    out = capsys.readouterr().out
    assert "1,234,567.25   1,234,566.25   differs" in out
    assert "project 17, 2024" in out


def test_no_remedy_where_nothing_differs_or_it_was_tried(capsys: Capture) -> None:
    """``--fix`` is named when there is something that it may mend."""
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
    """One object with every comparison, exact figures as text."""
    show_verify(Console(as_json=True), report(*EQUAL, *DIFFERENT))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == report(*EQUAL, *DIFFERENT).as_dict()
    assert captured.err == ""
