"""Formats figures, days and findings for the pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

_PLACES: Final = 9
"""Decimals of a percentage that count: in later ones, sums of floats may err."""


def format_day(day: date) -> str:
    """Format a day: ``6 Jan 2027``."""
    return f"{day.day} {day:%b %Y}"


def format_month(day: date) -> str:
    """Format a month: ``January 2027``."""
    return f"{day:%B %Y}"


def format_hours(hours: float) -> str:
    """Format hours: ``1,234 h``; below 100 with tenths."""
    return f"{hours:z,.0f} h" if abs(hours) >= 100 else f"{hours:z,.1f}".removesuffix(".0") + " h"


def format_money(amount: float, *, cents: bool = False) -> str:
    """Format an amount: ``12,345``; with *cents*, two decimals, for amounts to be paid."""
    return f"{amount:z,.2f}" if cents else f"{amount:z,.0f}"


def format_share(share: float) -> str:
    """
    Format a share: ``87 %``. Only an exact 0 or 1 is 0 % or 100 %; those next to them are 1, 99 or
    101 %, and the same below 0.
    """
    percent = round(share * 100, _PLACES)
    size = abs(percent)
    if 0 < size < 1 or 100 < size < 101:
        size = math.ceil(size)
    elif 99 < size < 100:
        size = 99
    return f"{math.copysign(size, percent):z,.0f} %"


FINDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "missing_billable_rate": ("Billable, without a rate", "Amounts lack these hours"),
    "missing_cost_rate": ("Without a cost rate", "Margins lack these hours"),
    "missing_fee": ("Fixed fee without an amount", "No revenue is known"),
    "missing_project_dates": ("Fixed fee without dates", "The fee cannot be spread over months"),
    "billable_entry_on_non_billable_project": (
        "Billable entry on a project that is not",
        "Counts as billable; Harvest invoices none of it",
    ),
    "stale_timer": ("Timer running since an earlier day", "Its hours still grow"),
    "day_over_24_hours": ("More than 24 hours on a day", "Utilization is too high"),
    "missing_issue_date": ("Invoice without an issue date", "Belongs to no month"),
    "missing_paid_date": ("Payment without a date", "Belongs to no month"),
    "currency_mismatch": (
        "Invoice in a currency other than its client's",
        "Its amounts are beside the client's, never in them",
    ),
    "over_invoiced": ("Invoiced beyond the fixed fee", "Nothing is left to invoice"),
    "value_does_not_fit": ("Value that its column cannot hold", "Sums lack it"),
}
"""Title and consequence, in words for people, of each finding of the mart."""


def describe_finding(name: str) -> tuple[str, str]:
    """Describe a finding and its consequence in words."""
    return FINDINGS.get(name, (name.replace("_", " "), ""))
