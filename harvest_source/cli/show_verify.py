"""What people see of a verification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from harvest_source.cli.console import Console, print_json, print_table

if TYPE_CHECKING:
    from harvest_source.operations.comparisons import Comparison
    from harvest_source.operations.verify import VerifyReport

_HEADINGS: Final = ("Account", "Table", "Check", "Scope", "Here", "Harvest", "State", "Detail")


def show_verify(console: Console, report: VerifyReport) -> None:
    """What was compared, and every comparison that is not equal."""
    if console.as_json:
        print_json(report.as_dict())
        return
    for notice in report.run_log.notices:
        console.warn(notice)
    for failure in report.run_log.failures:
        what = f"{failure.table} of account" if failure.table else "account"
        console.error(f"{what} {failure.account_id}: {failure.error}")
    print_table(
        _HEADINGS,
        _iter_rows(report.comparisons),
        numbers=("Here", "Harvest"),
        whole=_HEADINGS[:-1],
        states=("State",),
    )
    counts = report.count_states()
    print(
        f"{counts['ok']:,} equal, {counts['differs']:,} differ, {counts['information']:,} "
        f"cannot be told: {report.requests} requests"
    )
    if report.differences and not report.mended:
        console.note("warning", "To read again what differs: harvest-source verify --fix")


def _write(figure: Decimal) -> str:
    """The figure with all of its digits and no zeros behind them."""
    text = f"{figure:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _iter_rows(comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """One line for all equal figures of a table and check; every other figure has its own."""
    groups: dict[tuple[str, str, str], list[Comparison]] = {}
    for each in comparisons:
        group = str(each.account_id), each.table, each.check
        groups.setdefault(group, []).append(each)
    for group, found in groups.items():
        equal = sum(each.is_equal for each in found)
        if equal:
            yield (*group, f"{equal} compared", "", "", "ok", "")
        for each in found:
            if not each.is_equal:
                figures = (_write(each.here), _write(each.there))
                yield (*group, each.scope, *figures, str(each.state), each.detail)
