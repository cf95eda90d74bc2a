"""
Date windows: half-open inside; Harvest's inclusive ``from``/``to`` only in ``DateWindow.params``.

Days are calendar days of the account; nothing here knows of zones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

EARLIEST = date(2000, 1, 1)
"""Where a search for the bulk of history begins. Older rows are in the first, open window."""

RECENT = timedelta(days=90)
"""Hours this young are still being edited: reports that reach into them are read every run."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DateWindow:
    """The days ``[start, end)``. None leaves a side open: people type years like 0201 and 2062."""

    start: date | None = None
    end: date | None = None

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date):
            return False
        after_start = self.start is None or day >= self.start
        return after_start and (self.end is None or day < self.end)

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return "all days"
        return f"{self.start or 'the beginning'} to {self.end or 'the end'}"

    @property
    def is_empty(self) -> bool:
        """True when no day can be inside."""
        return self.end is not None and (self.start or date.min) >= self.end

    @property
    def is_one_day(self) -> bool:
        """True for a window that no date can cut."""
        if self.start is None or self.end is None:
            return self.start == date.max
        return self.end - self.start <= _DAY

    def nearest(self, day: date) -> date:
        """*day*, or the day inside that is nearest to it."""
        if self.start is not None and day < self.start:
            return self.start
        return day if self.end is None or day < self.end else self.end - _DAY

    def params(self) -> dict[str, str]:
        """Harvest's ``from`` and ``to``, both inclusive calendar days, ``YYYY-MM-DD``."""
        params = {}
        if self.start is not None:
            params["from"] = self.start.isoformat()
        if self.end is not None:
            params["to"] = (self.end - _DAY).isoformat()
        return params

    def cut_at(self, day: date) -> tuple[DateWindow, DateWindow]:
        """The days before *day*, and *day* and after. They touch and never overlap."""
        return DateWindow(self.start, day), DateWindow(day, self.end)


ALL_DAYS = DateWindow()


def halve(window: DateWindow, first: date, last: date) -> tuple[DateWindow, DateWindow] | None:
    """
    Cut *window* between the *first* and *last* day seen in it; open sides stay open.

    Days outside, should Harvest ever serve some, count as the nearest day inside.

    Returns:
        None when it is a single day, which no date can cut.
    """
    if window.is_one_day or window.is_empty:
        return None
    first, last = window.nearest(first), window.nearest(last)
    if first >= last:
        # Everything seen is on one day: give that day a part of its own.
        cut = first if window.start is None or window.start < first else first + _DAY
        return window.cut_at(cut)
    return window.cut_at(first + (last - first) // 2 + _DAY)


def plan(
    window: DateWindow,
    total: int,
    count: Callable[[DateWindow], int],
    *,
    most: int,
    today: date,
) -> list[DateWindow]:
    """
    Cut *window* into touching windows of at most about *most* rows, oldest first.

    Asks *count* once per cut, so ``n`` windows cost about ``n`` requests. Counts may move while we
    ask: sizes are a wish, coverage is exact by construction (the sides stay as *window* has them).

    Args:
        total: Rows in *window*.
        today: Last day the bulk of history is expected on; later ones are in the last window.
    """
    low = window.start or EARLIEST
    high = window.end or today + _DAY
    if total <= most or low >= high:
        return [window]
    leaves = list(_bisect(DateWindow(low, high), total, count, most))
    return _close_ranks(leaves, window, most)


def _bisect(
    window: DateWindow, total: int, count: Callable[[DateWindow], int], most: int
) -> Iterator[tuple[DateWindow, int]]:
    """Yield windows and their row counts, oldest first."""
    assert window.start is not None
    assert window.end is not None
    days = (window.end - window.start).days
    if total <= most or days <= 1:
        yield window, total
        return
    older, newer = window.cut_at(window.start + timedelta(days=days // 2))
    in_older = count(older)
    yield from _bisect(older, in_older, count, most)
    yield from _bisect(newer, max(total - in_older, 0), count, most)


def _close_ranks(
    leaves: list[tuple[DateWindow, int]], window: DateWindow, most: int
) -> list[DateWindow]:
    """Join neighbours that fit together, and give the ends the sides of *window*."""
    joined: list[tuple[DateWindow, int]] = []
    for leaf, rows in leaves:
        if joined and joined[-1][1] + rows <= most:
            before, rows_before = joined.pop()
            joined.append((DateWindow(before.start, leaf.end), rows_before + rows))
        else:
            joined.append((leaf, rows))
    windows = [leaf for leaf, _ in joined]
    windows[0] = DateWindow(window.start, windows[0].end)
    windows[-1] = DateWindow(windows[-1].start, window.end)
    return windows


def report_windows(first: date, today: date) -> list[DateWindow]:
    """
    The calendar years from *first* to the one *today* is in, oldest first; no two share a day.

    Harvest takes at most 365 days between ``from`` and ``to``: a leap year is just that. The last
    one always ends with its year, so that its key stays the same until then.
    """
    years = range(first.year, today.year + 1)
    starts = [max(first, date(year, 1, 1)) for year in years]
    return [DateWindow(start, date(start.year + 1, 1, 1)) for start in starts]
