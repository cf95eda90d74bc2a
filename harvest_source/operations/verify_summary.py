"""Sum up a verification: one line per check and currency, and open questions by reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from harvest_source.operations.comparisons import (
    ALL,
    EXACT,
    Comparison,
    State,
    add_up,
    format_plain,
)

UNITS: Final = {
    "rows": "tables",
    "ids": "tables",
    "values": "tables and rows",
    "list": "lists",
    "open versions": "tables",
    "orphans": "tables",
    "hours": "projects and years",
    "amount": "projects and years",
    "cost": "projects and years",
    "billable cost": "projects and years",
    "invoice total": "invoices",
    "payments": "invoices",
}
"""What one figure of each check stands for, in the order in which people read the checks."""

_NAMES: Final = {
    "rows": "Rows",
    "ids": "Ids",
    "values": "Rows with all values",
    "list": "Rows of lists",
    "hours": "Hours",
    "amount": "Billable amounts",
    "cost": "Expenses",
    "billable cost": "Billable expenses",
    "invoice total": "Invoice totals",
    "payments": "Payments",
    "open versions": "Open versions",
    "orphans": "Rows without parent",
}
"""What people call the checks."""

_COUNTS: Final = frozenset({"rows", "ids", "values", "list", "open versions", "orphans"})
"""Checks whose figures are numbers of rows; the others are hours and money."""


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """
    One check of one account in one currency.

    Attributes:
        currency: Empty for rows and hours, and where it is not known.
        here, there: Sums of the figures that could be compared.
        compared: How many figures those are.
        figures: How many there are in all.
        differing: How many of them differ, parts of a table counted separately.
        share: The part of the sum in Harvest that could be compared, from 0 to 1.
    """

    account_id: int
    check: str
    currency: str
    here: Decimal
    there: Decimal
    compared: int
    figures: int
    differing: int
    share: Decimal

    @property
    def unit(self) -> str:
        """What one figure stands for: ``tables``, ``invoices``, ..."""
        return UNITS.get(self.check, "figures")

    @property
    def is_count(self) -> bool:
        """Whether the figures are numbers of rows, and not hours or money."""
        return self.check in _COUNTS

    @property
    def difference(self) -> Decimal:
        """What is here, minus what is there."""
        return EXACT.subtract(self.here, self.there)

    @property
    def state(self) -> State:
        """``differs`` if any figure does; ``information`` if none could be compared."""
        if self.differing:
            return State.DIFFERS
        return State.OK if self.compared else State.INFORMATION

    def as_dict(self) -> dict[str, Any]:
        """One entry of ``checks`` in ``--json``; numbers as exact text."""
        return {
            "account_id": self.account_id,
            "check": self.check,
            "currency": self.currency,
            "here": format_plain(self.here),
            "there": format_plain(self.there),
            "difference": format_plain(self.difference),
            "compared": self.compared,
            "figures": self.figures,
            "unit": self.unit,
            "share": format_plain(self.share),
            "differing": self.differing,
            "state": str(self.state),
        }


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """Figures of one check that differ for one known reason, which may be legitimate."""

    check: str
    reason: str
    comparisons: tuple[Comparison, ...]


def summarise_checks(comparisons: Iterable[Comparison]) -> tuple[CheckSummary, ...]:
    """One summary for each account, check and currency, in the order of :data:`UNITS`."""
    groups: dict[tuple[int, str, str], list[Comparison]] = {}
    for each in comparisons:
        groups.setdefault((each.account_id, each.check, each.currency), []).append(each)
    order = list(UNITS)

    def rank(place: tuple[int, str, str]) -> tuple[int, int, str]:
        account_id, check, currency = place
        return account_id, order.index(check) if check in order else len(order), currency

    return tuple(_summarise(place, groups[place]) for place in sorted(groups, key=rank))


def _summarise(place: tuple[int, str, str], found: Sequence[Comparison]) -> CheckSummary:
    account_id, check, currency = place
    whole = [each for each in found if check != "rows" or each.scope == ALL]
    decided = [each for each in whole if each.state is not State.INFORMATION]
    of_all = add_up(abs(each.there) for each in whole)
    of_decided = add_up(abs(each.there) for each in decided)
    share = of_decided / of_all if of_all else Decimal(bool(decided))
    return CheckSummary(
        account_id=account_id,
        check=check,
        currency=currency,
        here=add_up(each.here for each in decided),
        there=add_up(each.there for each in decided),
        compared=len(decided),
        figures=len(whole),
        differing=sum(each.state is State.DIFFERS for each in found),
        share=share,
    )


def find_open_questions(comparisons: Iterable[Comparison]) -> tuple[OpenQuestion, ...]:
    """The differences that could not be decided, grouped by check and reason."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for each in comparisons:
        if each.state is State.INFORMATION:
            groups.setdefault((each.check, each.detail), []).append(each)
    return tuple(OpenQuestion(*place, tuple(found)) for place, found in groups.items())


def name_check(check: str, currency: str = "") -> str:
    """What people call a check: ``Billable amounts, EUR``."""
    name = _NAMES.get(check, check)
    return f"{name}, {currency}" if currency else name


def format_figures(check: str, here: Decimal, there: Decimal) -> Iterator[str]:
    """Here, Harvest and the difference in all digits; hours and money with two decimals or more."""
    for figure in (here, there, EXACT.subtract(here, there)):
        text = f"{figure:,f}"
        whole, _, decimals = text.partition(".")
        decimals = decimals.rstrip("0")
        if check not in _COUNTS:
            decimals = decimals.ljust(2, "0")
        yield f"{whole}.{decimals}" if decimals else whole


def format_share(check: CheckSummary) -> str:
    """How much was compared, rounded down: 100 % only where nothing is left out."""
    if check.compared >= check.figures:
        return f"all {check.figures:,}"
    percent = (check.share * 100).quantize(Decimal("0.1"), ROUND_DOWN)
    return f"{check.compared:,} of {check.figures:,}, {percent.normalize():f} %"
