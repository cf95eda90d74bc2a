"""
The audit's stored state: when each window of a table was last read in full.

Kept in dlt's state per account and table, under ``audit``. Times are ISO 8601, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from harvest_source.extract.schedule import is_implausible, parse_instant
from harvest_source.extract.slices import ALL_DAYS, DateWindow
from harvest_source.extract.stored import dump_day, load_day

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """A window, and when all of its rows were last read."""

    window: DateWindow
    at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """When each day was last read: adjacent windows, oldest first, that cover all days."""

    seen: tuple[ReadWindow, ...]

    @classmethod
    def whole(cls, at: datetime) -> Coverage:
        """Every day was read at *at*."""
        return cls((ReadWindow(ALL_DAYS, at),))

    def after_read(self, window: DateWindow, at: datetime) -> Coverage:
        """The coverage after *window* was read at *at*."""
        pieces: list[ReadWindow] = []
        for each in self.seen:
            before, rest = _cut(each.window, window.start)
            inside, after = _cut(rest, window.end) if window.end else (rest, None)
            pieces += [ReadWindow(before, each.at)] if before else []
            pieces += [ReadWindow(inside, at)] if inside else []
            pieces += [ReadWindow(after, each.at)] if after else []
        return Coverage(tuple(_join(pieces)))

    def oldest(self, bound: date | None = None) -> ReadWindow | None:
        """The window read longest ago; days before *bound* are left out."""
        within = [
            ReadWindow(inside, each.at)
            for each in self.seen
            if (inside := _cut(each.window, bound)[1]) is not None
        ]
        return min(within, key=lambda each: each.at, default=None)

    def dump(self) -> list[list[str | None]]:
        """As stored: first day and read time of each window, which ends where the next begins."""
        return [[dump_day(each.window.start), each.at.isoformat()] for each in self.seen]


def _cut(
    window: DateWindow | None, day: date | None
) -> tuple[DateWindow | None, DateWindow | None]:
    """Split *window* into the days before *day* and the rest; None means no days."""
    if window is None or day is None:
        return None, window
    if window.end is not None and window.end <= day:
        return window, None
    if (window.start or date.min) >= day:
        return None, window
    return window.cut_at(day)


def _join(pieces: Iterable[ReadWindow]) -> list[ReadWindow]:
    """Join neighbours that were read at the same time."""
    joined: list[ReadWindow] = []
    for piece in pieces:
        if joined and joined[-1].at == piece.at:
            before = joined.pop().window
            piece = ReadWindow(DateWindow(before.start, piece.window.end), piece.at)
        joined.append(piece)
    return joined


@dataclass(frozen=True, slots=True)
class AuditState:
    """The audit's state of one table of one account."""

    coverage: Coverage
    counted_at: datetime
    """When its rows were last counted and compared with Harvest's count."""
    reread_at: datetime
    """When one of its windows was last read again."""

    @classmethod
    def whole(cls, at: datetime) -> AuditState:
        """The state after a proven read of the whole table at *at*."""
        return cls(Coverage.whole(at), at, at)

    def after_whole_read(self, at: datetime) -> AuditState:
        """
        The state after another proven read of the whole table at *at*.

        Such a read brings every row that Harvest has but removes no row that Harvest deleted, so
        the time of the last count does not change.
        """
        return replace(self, coverage=Coverage.whole(at))

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "seen": self.coverage.dump(),
            "counted_at": self.counted_at.isoformat(),
            "reread_at": self.reread_at.isoformat(),
        }


def load_audit_state(stored: Mapping[str, Any] | None, now: datetime) -> AuditState:
    """
    Parse *stored*; missing or malformed state counts as never audited, which costs only reads.

    A window whose read time is more than a day in the future, because a clock was wrong, also
    counts as never read.
    """
    try:
        stored = stored or {}
        starts = [load_day(day) for day, _ in stored["seen"]]
        read_at = [parse_instant(at) for _, at in stored["seen"]]
        times = [_NEVER if is_implausible(at, now) else at for at in read_at]
        windows = map(DateWindow, starts, [*starts[1:], None])
        seen = tuple(map(ReadWindow, windows, times))
        if not seen or starts[0] is not None or None in starts[1:] or seen[0].window.is_empty:
            raise ValueError(starts)
        return AuditState(
            Coverage(seen), parse_instant(stored["counted_at"]), parse_instant(stored["reread_at"])
        )
    except (KeyError, TypeError, ValueError):
        return AuditState.whole(_NEVER)
