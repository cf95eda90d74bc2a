"""Output of ``harvest-source verify``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from harvest_source.cli.console import Console, print_figures, print_json, print_text
from harvest_source.cli.json_log import log_findings
from harvest_source.errors import counted
from harvest_source.operations.verify_summary import (
    format_figures,
    format_share,
    name_check,
)

if TYPE_CHECKING:
    from harvest_source.operations.comparisons import Comparison
    from harvest_source.operations.verify_report import VerifyReport
    from harvest_source.operations.verify_summary import CheckSummary, OpenQuestion

_NAMED: Final = 3
"""How many undecided figures are named for each reason."""


def show_verify(console: Console, report: VerifyReport) -> None:
    """Show one line for each check and currency, then what differs, and what is undecided."""
    if console.log is not None:
        _tell(console, report)
        log_findings(console.log, report.as_dict(), [each.as_dict() for each in report.checks])
    if console.as_json:
        print_json(report.as_dict())
    if not console.as_text:
        return
    _tell(console, report)
    if not console.quiet:
        _show_checks(report)
        _show_differences(report.differences)
        for question in report.open_questions:
            print_text("Undecided", _describe_question(question))
    print_text(*summarise(report).split(": ", 1))
    if report.differences and not report.mended:
        console.note("warning", f"To reread what differs: {report.command_to_mend}")


def _tell(console: Console, report: VerifyReport) -> None:
    for notice in report.run_log.notices:
        console.warn(notice)
    for failure in report.run_log.failures:
        what = f"{failure.table} of account" if failure.table else "account"
        console.error(f"{what} {failure.account_id}: {failure.error}")


def _show_checks(report: VerifyReport) -> None:
    """Show a table for each account."""
    account_ids = sorted({each.account_id for each in report.checks})
    for account_id in account_ids:
        if len(account_ids) > 1:
            print(f"Account {account_id}")
        ours = [each for each in report.checks if each.account_id == account_id]
        print_figures(
            ("Check", "Here", "Harvest", "Difference", "Compared", "State"),
            [_describe_check(each) for each in ours],
            numbers=("Here", "Harvest", "Difference"),
            states=("State",),
            expendable="Difference",
        )


def _describe_check(check: CheckSummary) -> tuple[str, ...]:
    return (
        name_check(check.check, check.currency),
        *format_figures(check.check, check.here, check.there),
        format_share(check),
        str(check.state),
    )


def _show_differences(differences: Sequence[Comparison]) -> None:
    if not differences:
        return
    print("What differs:")
    print_figures(
        ("Check", "Where", "Here", "Harvest", "Difference"),
        [
            (
                name_check(each.check, each.currency),
                _find_place(each),
                *format_figures(each.check, each.here, each.there),
            )
            for each in differences
        ],
        numbers=("Here", "Harvest", "Difference"),
    )


def _find_place(comparison: Comparison) -> str:
    """Where a figure belongs: names that people wrote, without what a terminal would interpret."""
    from harvest_source.ask.shown_text import to_line  # Only needed if something differs.

    return to_line(comparison.where)


def _describe_question(question: OpenQuestion) -> str:
    found = question.comparisons
    named = "; ".join(_find_place(each) for each in found[:_NAMED])
    more = f"; {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    check = name_check(question.check)
    return f"{check}, {counted(len(found), 'figure')}: {question.reason} ({named}{more})"


def summarise(report: VerifyReport) -> str:
    """The last line: the result, which always includes what could not be compared."""
    counts = report.count_states()
    told = counts["ok"] + counts["differs"]
    other = "other " if report.uncompared else ""
    if counts["differs"]:
        result = f"{counts['differs']:,} of the {other}{counted(told, 'figure')} differ"
    elif told:
        result = f"the {other}{counted(told, 'figure')} compared are equal to Harvest's"
    else:
        result = "nothing else was compared" if other else "nothing was compared"
    if report.uncompared:
        result = f"not compared: {', '.join(dict.fromkeys(report.uncompared))}; {result}"
    if counts["information"]:
        result += f", {counts['information']:,} undecided"
    accounts = ", ".join(map(str, report.account_ids))
    as_of = f", as of {report.as_of:%Y-%m-%d %H:%M:%S} UTC" if report.as_of else ""
    return (
        f"{report.status}: {result}: account{'s' if len(report.account_ids) > 1 else ''} "
        f"{accounts}{as_of}, {counted(report.requests, 'request')}, {report.seconds:.1f} s"
    )
