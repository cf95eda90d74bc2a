"""
Which windows of which tables an audit reads again.

``updated_at`` does not show every change, so every row is read again from time to time: the least
recently read windows first, as many per day as a fixed number of requests allows. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from harvest_source.defaults import PAGE_ROWS
from harvest_source.extract.audit_state import Coverage, ReadWindow
from harvest_source.extract.schedule import is_due
from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.operations.day_counts import DayCounts

_PROOF_REQUESTS: Final = 2
"""A read of several pages is proven by a catch-up and a count."""


@dataclass(frozen=True, slots=True)
class RereadCandidate:
    """A table of one account that may be read again."""

    name: str
    coverage: Coverage
    days: DayCounts
    is_dated: bool
    """Whether its list can be filtered by date."""
    bound: date | None = None
    """Rows dated earlier are not read again."""
    page_rows: int = PAGE_ROWS
    """Rows that one request brings."""

    def oldest(self) -> ReadWindow | None:
        """The window that was read longest ago, within the bound."""
        return self.coverage.oldest(self.bound)


def plan_rereads(
    tables: Sequence[RereadCandidate], requests: int, now: datetime
) -> tuple[list[tuple[str, DateWindow]], Mapping[str, Coverage]]:
    """
    Choose what to read again: always the least recently read rows, in windows of about one page.

    Rows read less than a day ago are not chosen. A list that cannot be cut by date and needs more
    than all *requests* is chosen only as the first, and then alone.

    Returns:
        Table and window in the order chosen, and the tables' coverage once all of them are read.
    """
    chosen: list[tuple[str, DateWindow]] = []
    waiting = {table.name: table for table in tables}
    coverage: dict[str, Coverage] = {}
    spent = 0
    while waiting and spent < requests:
        oldest = {name: read for name, table in waiting.items() if (read := table.oldest())}
        name = min(oldest, key=lambda each: oldest[each].at, default=None)
        if name is None or not is_due(oldest[name].at, now):
            break
        table = waiting[name]
        window, cost = _next_window(table, oldest[name].window)
        if chosen and spent + cost > requests:
            del waiting[name]  # It is the oldest, so it is chosen first tomorrow.
            continue
        chosen.append((name, window))
        spent += cost
        coverage[name] = table.coverage.after_read(window, now)
        waiting[name] = replace(table, coverage=coverage[name])
    return chosen, coverage


def _next_window(table: RereadCandidate, oldest: DateWindow) -> tuple[DateWindow, int]:
    """The window of *table* to read next, and about how many requests reading it takes."""
    if table.is_dated:
        window = table.days.first(oldest, table.page_rows)
        rows = table.days.rows(window)
    else:
        window, rows = ALL_DAYS, table.days.total
    pages = max(-(-rows // table.page_rows), 1)
    return window, pages if pages == 1 else pages + _PROOF_REQUESTS
