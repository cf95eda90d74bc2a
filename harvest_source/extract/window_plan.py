"""
How a long list is cut into date windows of about equal size. Pure.

Days are calendar days as Harvest stores them, without a time zone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import Final

from harvest_source.defaults import WINDOW_WORKERS
from harvest_source.extract.slices import DateWindow

LONG_ROWS: Final = 20_000
"""A slice with more rows is cut into windows that are read in parallel."""

WINDOW_ROWS: Final = 125_000
"""Approximate upper bound of a planned window's rows: progress is stored per finished window."""

LAST_ROWS: Final = 12_000
"""
When no window has more rows than this to come, finished windows wait to be proven by one common
catch-up.

The price: if the run is killed at that moment, the windows of the last round are read again.
"""

EARLIEST: Final = date(2000, 1, 1)
"""Windows are planned from this day on. Older rows are in the first window, which is open."""

_FEWEST_WINDOWS: Final = 5
_ROWS_PER_WORKER: Final = 75_000
"""
A long list is cut into as many windows as are read in parallel, or a multiple, so that they end
at about the same time. Each window costs three requests that bring few rows. To keep those below a
tenth of all requests, there is one parallel window for every so many rows, but never fewer than a
few.
"""

_MOST_WINDOWS: Final = 500
"""Windows of one plan, each of which costs a count. Windows of longer lists are cut again."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How one list is cut into windows, and how many of them are read in parallel."""

    today: date
    """Last day on which most rows are expected. Sizes windows; excludes nothing."""
    long_rows: int = LONG_ROWS
    """A slice with more rows is cut into windows."""
    window_rows: int = WINDOW_ROWS
    """Rows a planned window should have at most."""
    last_rows: float = LAST_ROWS
    """A finished window is proven at once while another has more rows to come."""
    workers: int = 1
    """Windows read in parallel, each on a thread of its own when there are several."""

    def rows_per_window(self, total: int) -> int:
        """Rows of each window when *total* rows are cut into one or several full rounds."""
        parallel = min(max(total // _ROWS_PER_WORKER, _FEWEST_WINDOWS), WINDOW_WORKERS)
        rounds = -(-total // (parallel * self.window_rows))
        return max(-(-total // (parallel * rounds)), min(self.long_rows, self.window_rows))


@dataclass(frozen=True, slots=True)
class Sample:
    """The first page of a window, which has its newest rows: their number and days."""

    rows: int
    first: date
    last: date


Count = Callable[[Sequence[DateWindow]], Sequence[int]]
"""The number of rows in each of several windows. The windows may be counted in parallel."""


def plan_windows(
    window: DateWindow, total: int, sample: Sample, count: Count, *, size: int, today: date
) -> list[DateWindow]:
    """
    Cut *window* into touching windows of about *size* rows, oldest first.

    Assumes that all days have as many rows as those of the *sample*, counts the resulting windows,
    and evens out their sizes. If most of the counted cuts lie before the first row or after the
    last, the evened-out windows are counted as well and evened out again. Sizes are approximate.
    Coverage is exact by construction: the windows touch, and the outer sides are those of *window*.

    Args:
        total: Rows in *window*.
        count: Called at most twice, for one window fewer than are returned.
        today: Last day on which most rows are expected; rows dated later are in the last window.

    Returns:
        At least two windows, or *window* alone if it is a single day, which no date can cut.
    """
    if window.is_one_day:
        return [window]
    first, last = (window.clamp(min(day, today)) for day in (sample.first, sample.last))
    days = ((last - first).days + 1) * total / max(sample.rows, 1)
    days = min(days, (last - (window.start or min(EARLIEST, first))).days + 1)
    low = last + _DAY - timedelta(days=round(days))
    windows = min(-(-total // size), int(days), _MOST_WINDOWS)
    guessed = _inside(window, _spread([(low, 0), (last + _DAY, total)], windows))
    if not guessed:
        # By the sample's own days, not capped at today: rows dated 2062 would otherwise be searched
        # for day by day, at one request each.
        return list(halve(window, sample.first, sample.last) or ())

    def count_before(days: Sequence[date]) -> dict[date, int]:
        rows = count([DateWindow(window.start, day) for day in days])
        return dict(zip(days, rows, strict=True))

    def even_out() -> list[date]:
        return _even_out(window, {low: 0, **counted, last + _DAY: total}, windows)

    counted = count_before(guessed)
    cuts = even_out() or guessed
    if 2 * sum(rows in (0, total) for rows in counted.values()) > len(guessed):
        counted |= count_before([day for day in cuts if day not in counted])
        cuts = even_out() or cuts
    return [DateWindow(*sides) for sides in pairwise([window.start, *cuts, window.end])]


def _even_out(window: DateWindow, counted: Mapping[date, int], windows: int) -> list[date]:
    """
    The days that cut *window* into equal *windows*, none twice.

    Args:
        counted: Days and the number of rows before each, which may have changed meanwhile. The last
            day has all rows before it.
    """
    days = sorted(counted)
    total = counted[days[-1]]
    rows_before = accumulate((min(counted[day], total) for day in days), max)
    return _inside(window, _spread(list(zip(days, rows_before, strict=True)), windows))


def _spread(known: Sequence[tuple[date, int]], windows: int) -> list[date]:
    """
    The days that cut the rows into equal *windows*, interpolated between known days.

    Args:
        known: Days and the number of rows before each, both ascending.
    """
    rows, cuts = [before for _, before in known], []
    for number in range(1, windows):
        wanted = rows[-1] * number / windows
        at = bisect_left(rows, wanted, lo=1)
        (start, before), (end, after) = known[at - 1], known[at]
        share = (wanted - before) / (after - before) if after > before else 0
        cuts.append(start + timedelta(days=round(share * (end - start).days)))
    return cuts


def _inside(window: DateWindow, days: Iterable[date]) -> list[date]:
    """The *days* at which *window* can be cut, each once, ascending."""
    return sorted({day for day in days if day in window and day != (window.start or date.min)})


def halve(window: DateWindow, first: date, last: date) -> tuple[DateWindow, DateWindow] | None:
    """
    Cut *window* between the *first* and the *last* day seen in it; open sides stay open.

    A day outside the window, should Harvest serve one, counts as the nearest day inside.

    Returns:
        None for a single day, which no date can cut, and for an empty window.
    """
    if window.is_one_day or window.is_empty:
        return None
    first, last = window.clamp(first), window.clamp(last)
    if first >= last:
        # All rows are on one day. Two such cuts give that day a window of its own.
        cut = first if (window.start or date.min) < first else first + _DAY
        return window.cut_at(cut)
    return window.cut_at(first + (last - first) // 2 + _DAY)


def find_gaps(window: DateWindow, done: Iterable[DateWindow]) -> list[DateWindow]:
    """The windows of *window* that none of *done* covers, oldest first."""
    rest, start = [], window.start
    for each in sorted(done, key=lambda each: each.start or date.min):
        if each.start is not None and (start is None or each.start > start):
            rest.append(DateWindow(start, _earlier(each.start, window.end)))
        if each.end is None:
            break
        start = each.end if start is None else max(start, each.end)
    else:
        rest.append(DateWindow(start, window.end))
    return [each for each in rest if not each.is_empty]


def _earlier(day: date, end: date | None) -> date:
    return day if end is None else min(day, end)
