"""Output of ``harvest-source check``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harvest_source.cli.console import Console, print_json, print_table
from harvest_source.cli.json_log import log_findings
from harvest_source.errors import counted

if TYPE_CHECKING:
    from harvest_source.operations.check import CheckReport


def show_check(console: Console, report: CheckReport) -> None:
    """
    Show one line for each finding, then the settings in effect and where each came from.

    With ``--quiet``: the number of findings of each kind, and the errors on stderr.
    """
    if console.log is not None:
        log_findings(console.log, report.as_dict(), [each.as_dict() for each in report.findings])
    if console.as_json:
        print_json(report.as_dict())
    if not console.as_text:
        return
    if console.quiet:
        for each in report.findings:
            if each.state == "error":
                console.error(f"{each.subject} {each.name}: {each.detail}")
        print(_summarise(report))
        return
    print_table(
        ("Subject", "Name", "State", "Detail"),
        ((each.subject, each.name, each.state, each.detail) for each in report.findings),
        whole=("Subject", "Name", "State"),
        states=("State",),
    )
    if not report.settings:
        return
    print_table(
        ("Setting", "Value", "From"),
        ((each.name, each.value or "-", each.source) for each in report.settings),
        whole=("Setting",),
    )


def _summarise(report: CheckReport) -> str:
    states = Counter(each.state for each in report.findings)
    numbers = [
        counted(states["error"], "error"),
        counted(states["warning"], "warning"),
        f"{states['skipped']} skipped",
    ]
    return f"{report.as_dict()['status']}: {', '.join(numbers)}"
