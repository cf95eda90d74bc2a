"""
When each part of a table was last read, changed or not; and which parts are due to be read again.

``updated_at`` does not show everything, so every row is read again once in a while: the windows
that were read longest ago, as many a day as a share of the allowance lets. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from harvest_source.defaults import PAGE_ROWS
from harvest_source.extract.day_counts import DayCounts
from harvest_source.extract.slices import ALL_DAYS, DateWindow

DAILY: Final = timedelta(days=1)

_Side = DateWindow | None

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """A window, and when all of its rows were last read."""

    window: DateWindow
    at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read when: windows that touch, oldest days first, all days together."""

    seen: tuple[ReadWindow, ...]

    @classmethod
    def whole(cls, at: datetime) -> Coverage:
        """All of it was read at *at*."""
        return cls((ReadWindow(ALL_DAYS, at),))

    def read(self, window: DateWindow, at: datetime) -> Coverage:
        """The coverage once *window* was read at *at*."""
        pieces: list[ReadWindow] = []
        for each in self.seen:
            before, rest = _cut(each.window, window.start)
            inside, after = _cut(rest, window.end) if window.end else (rest, None)
            pieces += [ReadWindow(before, each.at)] if before else []
            pieces += [ReadWindow(inside, at)] if inside else []
            pieces += [ReadWindow(after, each.at)] if after else []
        return Coverage(tuple(_join(pieces)))

    def dump(self) -> list[list[str | None]]:
        """As stored: first day and time; a window ends where the next begins."""
        return [
            [each.window.start.isoformat() if each.window.start else None, each.at.isoformat()]
            for each in self.seen
        ]


def _cut(
    window: DateWindow | None, day: date | None
) -> tuple[DateWindow | None, DateWindow | None]:
    """The days of *window* before *day*, and the others; None for no days at all."""
    if window is None or day is None:
        return None, window
    if window.end is not None and window.end <= day:
        return window, None
    if window.start is not None and window.start >= day:
        return None, window
    return window.cut_at(day)


def _join(pieces: Iterable[ReadWindow]) -> list[ReadWindow]:
    """Neighbours read at the same time are one."""
    joined: list[ReadWindow] = []
    for piece in pieces:
        if joined and joined[-1].at == piece.at:
            before = joined.pop().window
            piece = ReadWindow(DateWindow(before.start, piece.window.end), piece.at)
        joined.append(piece)
    return joined


@dataclass(frozen=True, slots=True)
class Audited:
    """What is stored of one table of one account."""

    coverage: Coverage
    counted_at: datetime
    """When its rows were last compared with Harvest's."""
    reread_at: datetime
    """When a part of it was last read again."""

    @classmethod
    def whole(cls, at: datetime) -> Audited:
        """All of it was read just now, with proof."""
        return cls(Coverage.whole(at), at, at)

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "seen": self.coverage.dump(),
            "counted_at": self.counted_at.isoformat(),
            "reread_at": self.reread_at.isoformat(),
        }


def load_audited(stored: Mapping[str, Any] | None) -> Audited:
    """Read what is stored; what cannot be understood was never audited."""
    try:
        stored = stored or {}
        starts = [None if day is None else date.fromisoformat(day) for day, _ in stored["seen"]]
        times = [_parse(at) for _, at in stored["seen"]]
        windows = map(DateWindow, starts, [*starts[1:], None])
        seen = tuple(map(ReadWindow, windows, times))
        if not seen or starts[0] is not None or None in starts[1:]:
            raise ValueError(starts)
        return Audited(Coverage(seen), _parse(stored["counted_at"]), _parse(stored["reread_at"]))
    except (KeyError, TypeError, ValueError):
        return Audited.whole(_NEVER)


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def is_due(at: datetime, now: datetime) -> bool:
    """Whether a day has passed since *at*; a clock that was set back counts, too."""
    return abs(now - at) >= DAILY


@dataclass(frozen=True, slots=True)
class RereadCandidate:
    """A table as it stands."""

    name: str
    coverage: Coverage
    days: DayCounts
    is_dated: bool
    bound: date | None = None
    """Rows dated before are not read again."""

    def oldest(self) -> ReadWindow | None:
        """What was read longest ago, within the bound."""
        within = [
            ReadWindow(inside, each.at)
            for each in self.coverage.seen
            if (inside := _cut(each.window, self.bound)[1]) is not None
        ]
        return min(within, key=lambda each: each.at, default=None)


def plan_rereads(
    tables: Sequence[RereadCandidate], requests: int, now: datetime
) -> tuple[list[tuple[str, DateWindow]], Mapping[str, Coverage]]:
    """
    Choose what to read again: always what was read longest ago, in windows of about a page.

    Nothing that was read within a day is chosen. What cannot be cut and takes more than all
    *requests* is chosen only as the first, and then alone.

    Returns:
        Table and window, in the order chosen, and the coverage of the tables once all are read.
    """
    chosen: list[tuple[str, DateWindow]] = []
    waiting = {table.name: table for table in tables}
    coverage: dict[str, Coverage] = {}
    spent = 0
    while waiting and spent < requests:
        oldest = {name: seen for name, table in waiting.items() if (seen := table.oldest())}
        name = min(oldest, key=lambda each: oldest[each].at, default=None)
        if name is None or not is_due(oldest[name].at, now):
            break
        table = waiting[name]
        window, cost = _next_window(table, oldest[name].window)
        if chosen and spent + cost > requests:
            del waiting[name]  # Its turn comes first tomorrow.
            continue
        chosen.append((name, window))
        spent += cost
        coverage[name] = table.coverage.read(window, now)
        waiting[name] = RereadCandidate(
            name, coverage[name], table.days, table.is_dated, table.bound
        )
    return chosen, coverage


def _next_window(table: RereadCandidate, oldest: DateWindow) -> tuple[DateWindow, int]:
    """What to read of a table next, and about how many requests that takes."""
    if table.is_dated:
        window = table.days.first(oldest, PAGE_ROWS)
        rows = table.days.rows(window)
    else:
        window, rows = ALL_DAYS, table.days.total
    pages = max(-(-rows // PAGE_ROWS), 1)
    return window, pages if pages == 1 else pages + 2  # What proves a longer read.
