"""Slices of a list: half-open windows of days, changes since an instant, one more filter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)


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
        if self.end is None:
            return self.start == date.max
        return self.end - (self.start or date.min) <= _DAY

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


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list: days, changes since an instant, and one more filter."""

    window: DateWindow = ALL_DAYS
    since: datetime | None = None
    only: tuple[str, int] | None = None
    """A column and the id it must have: how a single day is cut."""
    flag: tuple[str, str] | None = None
    """A filter and its value, such as ``is_running``."""

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
        """The query that asks for this part."""
        params = self.window.params()
        if self.since is not None:
            params["updated_since"] = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        if self.only is not None:
            column, value = self.only
            params[column.replace("__", "_")] = str(value)
        return params | dict([self.flag] if self.flag else [])
