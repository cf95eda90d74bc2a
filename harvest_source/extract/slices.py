"""
What to request of a Harvest list: a half-open window of days, changes since an instant, filters.

Pure values. Harvest's inclusive ``from`` and ``to`` appear in :meth:`DateWindow.params` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DateWindow:
    """
    The calendar days ``[start, end)``; None leaves a side open.

    A window over all of history has to be open on both sides: entries are dated 0201 or 2062 by
    mistake, and must be read too.
    """

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
        """Whether the window has no day in it."""
        return self.end is not None and (self.start or date.min) >= self.end

    @property
    def is_one_day(self) -> bool:
        """Whether the window is a single day, which no date can cut."""
        if self.end is None:
            return self.start == date.max
        return self.end - (self.start or date.min) <= _DAY

    def overlaps(self, other: DateWindow) -> bool:
        """Whether the windows share a day."""
        starts = [each.start for each in (self, other) if each.start is not None]
        ends = [each.end for each in (self, other) if each.end is not None]
        return not DateWindow(max(starts, default=None), min(ends, default=None)).is_empty

    def clamp(self, day: date) -> date:
        """*day* if it is inside, otherwise the day inside that is nearest to it."""
        if self.start is not None and day < self.start:
            return self.start
        return day if self.end is None or day < self.end else self.end - _DAY

    def params(self) -> dict[str, str]:
        """Harvest's ``from`` and ``to``: inclusive calendar days, ``YYYY-MM-DD``."""
        params = {}
        if self.start is not None:
            params["from"] = self.start.isoformat()
        if self.end is not None:
            params["to"] = (self.end - _DAY).isoformat()
        return params

    def cut_at(self, day: date) -> tuple[DateWindow, DateWindow]:
        """The days before *day*, and *day* with those after it. They touch and never overlap."""
        return DateWindow(self.start, day), DateWindow(day, self.end)


ALL_DAYS = DateWindow()


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of a list that pass some filters. Without any: the whole list."""

    window: DateWindow = ALL_DAYS
    since: datetime | None = None
    """Rows with ``updated_at`` after this instant; Harvest's comparison is strictly greater."""
    only: tuple[str, int] | None = None
    """A column and the id it must have. Splits a single day."""
    flag: tuple[str, str] | None = None
    """Another filter and its value, such as ``is_running`` and ``true``."""

    def __str__(self) -> str:
        words = [str(self.window)]
        if self.since is not None:
            words.append(f"changed since {self.since:%Y-%m-%d %H:%M:%S}")
        if self.flag is not None:
            words.append("=".join(self.flag))
        if self.only is not None:
            words.append(f"{self.only[0]} {self.only[1]}")
        return ", ".join(words)

    def params(self) -> dict[str, str]:
        """The query parameters that ask for this slice."""
        params = self.window.params()
        if self.since is not None:
            # Whole seconds and a "Z" are the only documented form. Fractions are cut off, which
            # asks for more rows and never for fewer.
            params["updated_since"] = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        if self.only is not None:
            column, value = self.only
            params[column.replace("__", "_")] = str(value)
        return params | dict([self.flag] if self.flag else [])
