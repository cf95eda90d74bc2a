"""A verification as a sheet that finance can sign: every figure, here and in Harvest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from harvest_source._version import __version__
from harvest_source.errors import counted
from harvest_source.operations.comparisons import ALL, Comparison, State, add_up
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.operations.verify_summary import (
    CheckSummary,
    format_figures,
    format_share,
    name_check,
)
from harvest_source.pages.html import (
    build_page,
    build_table,
    escape,
    heading,
    paragraph,
    write_page,
)

_FIGURES: Final = ("Here", "Harvest", "Difference")
_NOTE: Final = "Note"
_WITHOUT: Final = "without a name"

_INVOICE_CHECKS: Final = frozenset({"invoice total", "payments"})
_AGAINST: Final = {
    "invoice total": "Harvest: lines less discount, plus taxes.",
    "payments": "Harvest: the invoice's amount less what is due.",
}
"""Origin of Harvest's figure, for checks where it is not a total that Harvest reports."""


def write_sheet(path: Path, report: VerifyReport) -> None:
    """
    Write the sheet of *report*.

    Raises:
        ConfigError: The file cannot be written.
    """
    write_page(path, build_sheet(report))


def build_sheet(report: VerifyReport) -> str:
    """Build the sheet as one HTML page."""
    accounts = ", ".join(map(str, report.account_ids))
    title = f"Comparison with Harvest, account {accounts}"
    footer = (
        f"harvest-source {__version__}. Every figure is exact, none is rounded. A difference is "
        "the figure here less Harvest's."
    )
    return build_page(title, _iter_parts(report, title), footer=footer)


def _iter_parts(report: VerifyReport, title: str) -> Iterator[str]:
    yield heading(1, title)
    yield _describe_run(report)
    yield _describe_result(report)
    for account_id in sorted({each.account_id for each in report.checks}):
        many = len(report.account_ids) > 1
        yield heading(2, f"Account {account_id}: all checks" if many else "All checks")
        yield _build_checks([each for each in report.checks if each.account_id == account_id])
    yield from _iter_exceptions(report)
    yield _SIGNATURES
    # Amounts come first, as they are what is signed for; thousands of row counts come last.
    for check in sorted(report.checks, key=lambda check: check.is_count):
        found = [
            each
            for each in report.shown
            if (each.account_id, each.check, each.currency)
            == (check.account_id, check.check, check.currency)
        ]
        yield from _iter_check(check, found, many=len(report.account_ids) > 1)


def _describe_run(report: VerifyReport) -> str:
    as_of = f"As of {report.as_of:%Y-%m-%d %H:%M:%S} UTC" if report.as_of else ""
    parts = [
        as_of,
        f"Warehouse {report.target}",
        counted(report.requests, "request"),
        f"harvest-source {__version__}",
    ]
    spans = " &middot; ".join(f"<span>{escape(each)}</span>" for each in parts if each)
    return f'<p class="sub">{spans}</p>'


def _describe_result(report: VerifyReport) -> str:
    counts = report.count_states()
    told = counts["ok"] + counts["differs"]
    kind = {"ok": "", "differs": " bad"}.get(report.status, " warn")
    if counts["differs"]:
        said = f"{counts['differs']:,} of {counted(told, 'figure')} differ from Harvest's."
    elif told:
        said = f"All {counted(told, 'figure')} that could be compared are equal to Harvest's."
    else:
        said = "Nothing was compared."
    more = []
    if counts["information"]:
        more.append(
            f"{counted(counts['information'], 'figure')} undecided: they are in no sum below."
        )
    if report.uncompared:
        more.append(f"Not compared: {', '.join(dict.fromkeys(report.uncompared))}.")
    if report.mended:
        more.append("What differed was read again; this is the comparison afterwards.")
    text = "".join(paragraph(each) for each in more)
    return f'<div class="result{kind}"><b>{escape(said)}</b>{text}</div>'


def _build_checks(checks: Sequence[CheckSummary]) -> str:
    return build_table(
        ("Check", *_FIGURES, "Compared", "State"),
        [
            (
                name_check(each.check, each.currency),
                *format_figures(each.check, each.here, each.there),
                f"{format_share(each)} {each.unit}",
                str(each.state),
            )
            for each in checks
        ],
        numbers=_FIGURES,
        states=[_mark(each.state) for each in checks],
    )


def _iter_exceptions(report: VerifyReport) -> Iterator[str]:
    if report.differences:
        yield heading(2, "What differs")
        yield _build_rows(report.differences, ("Check", "Where"), _place_exception)
    if report.open_questions:
        yield heading(2, "What is undecided")
        rows = [
            (name_check(question.check, each.currency), each.where, question.reason)
            for question in report.open_questions
            for each in question.comparisons
        ]
        yield build_table(("Check", "Where", "Why"), rows)
    failures = report.run_log.failures
    if failures or report.run_log.warnings:
        yield heading(2, "What was said on the way")
        for failure in failures:
            what = failure.table or "the whole account"
            yield paragraph(f"{what} of account {failure.account_id}: {failure.error}", "bad")
        for warning in report.run_log.warnings:
            yield paragraph(warning)


def _place_exception(each: Comparison) -> tuple[str, ...]:
    return name_check(each.check, each.currency), each.where


GroupKey = Callable[[Comparison], tuple[str, ...]]


def _iter_check(check: CheckSummary, found: Sequence[Comparison], *, many: bool) -> Iterator[str]:
    """Yield one check in one currency: sums by year and by client, then every figure."""
    name = name_check(check.check, check.currency)
    yield heading(2, f"{name}, account {check.account_id}" if many else name)
    if check.check in _AGAINST:
        yield paragraph(_AGAINST[check.check], "note")
    if all(each.subject is None for each in found):
        yield _build_rows(found, ("Table", "Part"), lambda each: (each.table, each.scope))
        return
    yield heading(3, "By year")
    yield _build_sums(found, ("Year",), lambda each: (_find_year(each),))
    yield heading(3, "By client")
    yield _build_sums(found, ("Client",), lambda each: (_find_client(each),))
    is_invoice = check.check in _INVOICE_CHECKS
    if not is_invoice:
        yield heading(3, "By client and project")
        names = ("Client", "Project")
        yield _build_sums(found, names, lambda each: (_find_client(each), _find_name(each)))
    last = "Invoice" if is_invoice else "Project"
    yield heading(3, f"Every {last.lower()}{'' if is_invoice else ' and year'}")
    yield _build_rows(
        sorted(found, key=_find_place), ("Client", last, "Year"), _find_place, total=check
    )


def _build_sums(found: Iterable[Comparison], names: Sequence[str], key: GroupKey) -> str:
    """Build sums of the compared figures; a note says how many of a group were compared."""
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for each in found:
        groups.setdefault(key(each), []).append(each)
    rows, states = [], []
    for place in sorted(groups):
        ours = groups[place]
        told = [each for each in ours if each.state is not State.INFORMATION]
        here, there = (add_up(getattr(each, side) for each in told) for side in ("here", "there"))
        note = "" if len(told) == len(ours) else f"{len(told)} of {len(ours)} figures compared"
        state = State.DIFFERS if any(e.state is State.DIFFERS for e in told) else State.OK
        rows.append((*place, *_format_cells(ours[0].check, here, there, bool(told)), note))
        states.append(_mark(state if told else State.INFORMATION))
    return build_table((*names, *_FIGURES, _NOTE), rows, numbers=_FIGURES, states=states)


def _build_rows(
    found: Sequence[Comparison],
    names: Sequence[str],
    key: GroupKey,
    *,
    total: CheckSummary | None = None,
) -> str:
    """Build a table of every figure, and of their *total* if there is one."""
    rows = [
        (*key(each), *format_figures(each.check, each.here, each.there), each.detail)
        for each in found
    ]
    states = [_mark(each.state) for each in found]
    if total is not None:
        figures = format_figures(total.check, total.here, total.there)
        note = f"compared: {format_share(total)}"
        rows.append(("Sum", *("" for _ in names[1:]), *figures, note))
        states.append("total")
    return build_table((*names, *_FIGURES, _NOTE), rows, numbers=_FIGURES, states=states)


def _format_cells(
    check: str, here: Decimal, there: Decimal, detects_changes: bool
) -> tuple[str, ...]:
    return tuple(format_figures(check, here, there)) if detects_changes else ("", "", "")


def _mark(state: State) -> str:
    return "" if state is State.OK else str(state)


def _find_place(each: Comparison) -> tuple[str, ...]:
    return _find_client(each), _find_name(each), _find_year(each)


def _find_year(each: Comparison) -> str:
    if each.year is not None:
        return str(each.year)
    start = each.slices[0].window.start if each.slices else None
    return str(start.year) if start else "undated"


def _find_client(each: Comparison) -> str:
    return each.subject.client or _WITHOUT if each.subject else ALL


def _find_name(each: Comparison) -> str:
    if each.subject is None:
        return ALL
    return each.subject.name or f"{each.subject.kind} {each.subject.id}"


_SIGNATURES: Final = """<div class="sign">
<div><h3>Compared by</h3><div class="line"></div><span>Name</span>
<div class="line"></div><span>Place and date</span>
<div class="line"></div><span>Signature</span></div>
<div><h3>Approved by</h3><div class="line"></div><span>Name</span>
<div class="line"></div><span>Place and date</span>
<div class="line"></div><span>Signature</span></div>
</div>"""
