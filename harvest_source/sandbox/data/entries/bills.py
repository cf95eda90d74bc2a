"""Which hours are invoiced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bill:
    """The invoice of a project's hours of one month, and the Unix second of invoicing."""

    invoice_id: int
    at: int


Bills = dict[tuple[int, int], Bill]
"""By project id and month (months since year 0)."""
