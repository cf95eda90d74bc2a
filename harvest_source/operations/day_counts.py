"""How many rows of a table are dated on each day: the basis for cutting windows by rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import date
from itertools import accumulate

from harvest_source.extract.slices import DateWindow


class DayCounts:
    """
    Rows by day, as prefix sums: the rows of any window cost two binary searches.

    Args:
        counts: Rows by day; None stands for rows without a date.
    """

    def __init__(self, counts: Mapping[date | None, int]) -> None:
        self._days = sorted(day for day in counts if day is not None)
        self._before = [0, *accumulate(counts[day] for day in self._days)]
        self.undated = counts.get(None, 0)

    @property
    def total(self) -> int:
        """All rows, those without a date included."""
        return self._before[-1] + self.undated

    def rows(self, window: DateWindow) -> int:
        """Rows dated in *window*."""
        low, high = self._span(window)
        return self._before[high] - self._before[low]

    def halve(self, window: DateWindow) -> tuple[DateWindow, DateWindow] | None:
        """
        Cut *window* so that each half has about half of its rows; open sides stay open.

        The cut is by rows and not by days, because some entries are dated 0201 or 9999 by mistake.

        Returns:
            None when all of its rows are on one day.
        """
        low, high = self._span(window)
        if high - low < 2:
            return None
        middle = (self._before[low] + self._before[high]) / 2
        at = bisect_left(self._before, middle, low + 1, high)
        if at > low + 1 and middle - self._before[at - 1] < self._before[at] - middle:
            at -= 1
        return window.cut_at(self._days[min(at, high - 1)])

    def first(self, window: DateWindow, rows: int) -> DateWindow:
        """The first days of *window* with at most *rows* rows, and at least one day with rows."""
        low, high = self._span(window)
        at = bisect_right(self._before, self._before[low] + rows, low + 1, high + 1) - 1
        at = max(at, low + 1)
        return window if at >= high else window.cut_at(self._days[at])[0]

    def _span(self, window: DateWindow) -> tuple[int, int]:
        """Indices of the days inside *window*: from the first to one past the last."""
        low = 0 if window.start is None else bisect_left(self._days, window.start)
        high = len(self._days) if window.end is None else bisect_left(self._days, window.end)
        return low, max(low, high)
