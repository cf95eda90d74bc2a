"""
Which years a report is asked for: those with rows, and those that were read before.

Harvest refuses more than 365 days between ``from`` and ``to`` (quirk 64); a leap year has exactly
that. So there is one window for each calendar year, and no two share a day: that day would count
twice (quirk 65).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from harvest_source.extract.slices import DateWindow
from harvest_source.extract.window_plan import EARLIEST

_DAY: Final = timedelta(days=1)
_FIRST: Final = date.min.year
_LAST: Final = date.max.year

CountRows = Callable[[DateWindow], int]
"""Counts the rows in a window of the list that the report is drawn from."""


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """The windows of one report."""

    windows: tuple[DateWindow, ...]
    """One for each year, oldest first; no two share a day."""
    covered: tuple[str, ...]
    """Names of windows that were read before and share days with one of *windows*."""


def year_window(year: int, bound: date | None = None) -> DateWindow:
    """The days of *year* from *bound* on; the last possible year has no end."""
    start = date(year, 1, 1)
    end = None if year == _LAST else date(year + 1, 1, 1)
    return DateWindow(start if bound is None else max(start, bound), end)


def last_day(window: DateWindow) -> date:
    """The last day of a window; for a window without an end, the last possible day."""
    return date.max if window.end is None else window.end - _DAY


def report_params(window: DateWindow) -> dict[str, str]:
    """``from`` and ``to`` of a report: inclusive days, ``YYYYMMDD``, unlike other lists."""
    bounds = {"from": window.start or date.min, "to": last_day(window)}
    return {name: day.isoformat().replace("-", "") for name, day in bounds.items()}


def build_window_key(window: DateWindow) -> str:
    """The window's key in the table's state: ``2024-01-01/2024-12-31``."""
    assert window.start is not None
    return f"{window.start}/{last_day(window)}"


def parse_bounds(name: str) -> tuple[date, date] | None:
    """First and last day of the window with this name; None if it is not a window's name."""
    first, _, last = name.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None


def parse_window(name: str) -> DateWindow | None:
    """The window with this name; None unless it lies in one year and reaches the year's end."""
    bounds = parse_bounds(name)
    if bounds is None:
        return None
    window = year_window(bounds[0].year, bounds[0])
    return window if last_day(window) == bounds[1] else None


def plan_report(years: Iterable[int], start: date | None, stored: Iterable[str]) -> ReportPlan:
    """
    The windows of *years* and of what was read before, each year once.

    A year that was read from an earlier day than *start* keeps its wider window: its rows are in
    the warehouse, and a second window inside it would count days twice.

    Args:
        start: First day to report on; None: all history.
        stored: Names of the windows that were read before.
    """
    names = list(stored)
    windows = {year: year_window(year, start) for year in years}
    for window in filter(None, map(parse_window, names)):
        assert window.start is not None
        planned = windows.setdefault(window.start.year, window)
        if planned.start is not None and window.start < planned.start:
            windows[window.start.year] = window
    chosen = tuple(windows[year] for year in sorted(windows))
    kept = {build_window_key(each) for each in chosen}
    return ReportPlan(chosen, tuple(name for name in names if name not in kept))


def count_years(count: CountRows, today: date, start: date | None) -> Mapping[int, int]:
    """
    The number of rows by year, for years with rows; people date rows 0201 or 2062 by mistake.

    The year of *today* is not counted: it is always read. One request for each year from then back
    to the first, two for later years, and about ten for each year before 2000.

    Args:
        start: Rows dated before it are not counted; None: all are.
    """
    counting = _Counting(count, start)
    first = max(EARLIEST, start or EARLIEST).year
    found = counting.count_after(today.year)
    rows = counting.count_before(today.year)
    for year in range(today.year - 1, first - 1, -1):
        if rows <= 0:
            return found
        older = counting.count_before(year)
        found |= {year: rows - older} if rows > older else {}
        rows = older
    if rows > 0:
        found |= dict(counting.iter_years(_FIRST, first - 1, rows))
    return found


def fill_gaps(counted: Iterable[int], today: date, start: date | None) -> range:
    """
    The years from the first ordinary one of *counted* to that of *today*.

    A report may show money in a year without time entries: expenses, or a fixed fee.
    """
    ordinary = [year for year in counted if EARLIEST.year <= year <= today.year]
    first = min(ordinary, default=today.year)
    return range(max(first, (start or date.min).year), today.year + 1)


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts rows dated from *start* on."""

    count: CountRows
    start: date | None

    def count_before(self, year: int) -> int:
        """Rows of all years before *year*."""
        window = DateWindow(self.start, date(year, 1, 1))
        return 0 if window.is_empty else self.count(window)

    def count_after(self, year: int) -> dict[int, int]:
        """Rows by year after *year*. People plan holidays for the next; later ones are mistakes."""
        following = self._bound(year + 1, year + 1)
        rows = self.count(DateWindow(following.start, None))
        there = self.count(following) if rows and not following.is_empty else 0
        found = {year + 1: there} if there else {}
        if rows > there:
            found |= dict(self.iter_years(year + 2, _LAST, rows - there))
        return found

    def iter_years(self, low: int, high: int, rows: int) -> Iterator[tuple[int, int]]:
        """The years from *low* to *high* that have rows, *rows* in all, found by bisection."""
        if low >= high:
            yield low, rows
            return
        middle = (low + high) // 2
        window = self._bound(low, middle)
        older = 0 if window.is_empty else self.count(window)
        if older:
            yield from self.iter_years(low, middle, older)
        if rows > older:
            yield from self.iter_years(middle + 1, high, rows - older)

    def _bound(self, low: int, high: int) -> DateWindow:
        start = date(low, 1, 1)
        bounded = start if self.start is None else max(start, self.start)
        return DateWindow(bounded, year_window(high).end)
