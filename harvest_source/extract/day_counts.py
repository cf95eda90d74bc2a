"""How many rows there are on each day: what windows are cut by."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import date
from itertools import accumulate

from harvest_source.extract.slices import DateWindow


class DayCounts:
    """Rows by day, to be added up and halved."""

    def __init__(self, counts: Mapping[date | None, int]) -> None:
        self._days = sorted(day for day in counts if day is not None)
        self._before = [0, *accumulate(counts[day] for day in self._days)]
        self.undated = counts.get(None, 0)

    @property
    def total(self) -> int:
        """All rows, those without a day too."""
        return self._before[-1] + self.undated

    def rows(self, window: DateWindow) -> int:
        """Rows dated in *window*."""
        low, high = self._span(window)
        return self._before[high] - self._before[low]

    def halve(self, window: DateWindow) -> tuple[DateWindow, DateWindow] | None:
        """
        Cut *window* where about half of its rows are on each side; open sides stay open.

        By rows, not by days: people type years like 0201 and 9999.

        Returns:
            None when all of them are on one day.
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
        """The first days of *window* that have at most *rows* rows, or the first day with any."""
        low, high = self._span(window)
        at = bisect_right(self._before, self._before[low] + rows, low + 1, high + 1) - 1
        at = max(at, low + 1)
        return window if at >= high else window.cut_at(self._days[at])[0]

    def _span(self, window: DateWindow) -> tuple[int, int]:
        low = 0 if window.start is None else bisect_left(self._days, window.start)
        high = len(self._days) if window.end is None else bisect_left(self._days, window.end)
        return low, max(low, high)
