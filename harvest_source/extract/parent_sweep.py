"""
When the children of all parents are read again, and how many parents in each run. Pure.

A sweep reads them in descending order of the parents' ids, newest first, some per run. It begins
early enough, and reads enough in each run, that no parent waits longer than planned, however many
there are and however often runs take place. Its share of the rate limit is bounded; if that is too
little, the run says how long a sweep takes.

A read of all history is the beginning of a sweep: it asks for a share of the parents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from harvest_source.extract.schedule import DAILY, is_due, is_implausible, parse_instant, plan_next
from harvest_source.extract.stored import load_object

SWEEP_KEY: Final = "walk"
"""Key of the sweep in the state of a table and account."""

SWEEP_PARENTS: Final = 50
"""Minimum of parents that a sweep reads per table and run: half of 100 requests in 15 seconds."""

SWEEP_MOST: Final = 5_000
"""
Maximum number of parents that a sweep reads per table and day: slightly less than 1 % of the
576,000 requests that Harvest allows in a day.
"""


@dataclass(frozen=True, slots=True)
class ParentSweep:
    """
    A scheduled read of the children of all parents.

    Kept in dlt's state per account and table, under :data:`SWEEP_KEY`.
    """

    finished_at: datetime | None = None
    """When the last finished sweep began."""
    began: datetime | None = None
    """When the current sweep began; None between sweeps."""
    before: int | None = None
    """The last parent whose children the current sweep has read: those with lower ids remain."""
    parents: int = 0
    """How many parents there were when last counted."""
    left: int = 0
    """How many of them the current sweep has yet to ask for their children."""
    at: datetime | None = None
    """When parents were last read; None: not known."""
    is_first: bool = False
    """Whether it is the first to ask all parents, so that some were never asked."""
    skips_none: bool = False
    """
    Whether a first sweep began again: children may be loaded, so that no parent is skipped because
    its own columns show none.
    """

    @classmethod
    def load(cls, stored: object) -> ParentSweep:
        """Parse a stored sweep; a malformed one starts over."""
        stored = load_object(stored)
        try:
            return cls(
                finished_at=_parse(stored.get("finished_at")),
                began=_parse(stored.get("began")),
                before=int(stored["before"]) if stored.get("before") is not None else None,
                parents=int(stored.get("parents") or 0),
                left=int(stored.get("left") or 0),
                at=_parse(stored.get("at")),
                is_first=stored.get("is_first") is True,
                skips_none=stored.get("skips_none") is True,
            )
        except (TypeError, ValueError, OverflowError):
            return cls()

    @classmethod
    def whole(cls, parents: int, now: datetime) -> ParentSweep:
        """The sweep after the children of all *parents* were read at once."""
        return cls(finished_at=now, parents=parents, at=now)

    def dump(self) -> dict[str, Any]:
        """As stored in dlt's state."""
        return {
            "finished_at": _format(self.finished_at),
            "began": _format(self.began),
            "before": self.before,
            "parents": self.parents,
            "left": self.left,
            "at": _format(self.at),
            **({"is_first": True} if self.is_first else {}),
            **({"skips_none": True} if self.skips_none else {}),
        }

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """
        Whether a sweep has begun or is to begin now.

        A sweep that takes several days begins that many days before its end is due.
        """
        if self.began is not None:
            return True
        days = min(max(ceil(self.parents / SWEEP_PARENTS) - 1, 0), max(every.days - 1, 0))
        return is_due(self.at or self.finished_at, now, every - days * DAILY)

    def count_next(self, parents: int, now: datetime, every: timedelta) -> int:
        """How many of all *parents* to read now, so that the sweep ends in time."""
        elapsed = self._elapsed(now)
        share = 1.0 if every <= DAILY else elapsed / (every - DAILY)
        needed, most = ceil(parents * share), ceil(SWEEP_MOST * (elapsed / DAILY))
        return max(min(needed, most), SWEEP_PARENTS)

    def days_needed(self, parents: int) -> int:
        """Days that a sweep of all *parents* takes at least."""
        return ceil(parents / SWEEP_MOST)

    def _elapsed(self, now: datetime) -> timedelta:
        """Time since parents were last read; one day if unknown."""
        at = self.at or self.finished_at
        return DAILY if at is None or is_implausible(at, now) else max(now - at, timedelta(0))

    def next_parents(self, parents: Iterable[int], most: int) -> list[int]:
        """The next parents whose children to read, at most *most*, newest first."""
        return sorted(self._find_left(parents), reverse=True)[:most]

    def _find_left(self, parents: Iterable[int]) -> set[int]:
        return {each for each in parents if self.before is None or each < self.before}

    def ends_by(self, now: datetime, every: timedelta) -> datetime | None:
        """When the current sweep ends at the latest, if runs come daily; None between sweeps."""
        if self.began is None:
            return None
        end = now + self.days_needed(self.left) * DAILY
        return max(plan_next(self.began, now, every), end)

    def awaits(self, parent: int) -> bool:
        """Whether no run has asked *parent* for its children yet, and a later one will."""
        return self.is_first and parent in self._find_left([parent])

    def advance(self, read: Sequence[int], parents: Iterable[int], now: datetime) -> ParentSweep:
        """The sweep after the children of *read*, the next of all *parents*, were read."""
        everyone = set(parents)
        began = now if self.began is None or is_implausible(self.began, now) else self.began
        last = read[-1] if read else self.before
        stepped = replace(self, began=began, before=last, parents=len(everyone), at=now)
        if left := len(stepped._find_left(everyone)):
            return replace(stepped, left=left)
        return ParentSweep(finished_at=began, parents=len(everyone), at=now)


def take_step(
    sweep: ParentSweep,
    parents: Sequence[int],
    everyone: Sequence[int],
    *,
    now: datetime,
    every: timedelta,
) -> tuple[list[int], ParentSweep]:
    """
    Take the next step of *sweep*; if it ends late, also begin the sweep after it.

    Otherwise, if runs are rare, each would only end a sweep and leave the parents asked first to
    the next run: a week during which they are due.

    Args:
        parents: The parents that *sweep* is to ask.
        everyone: The parents that the sweep after it is to ask.

    Returns:
        The parents that the run asks for their children, and the sweep afterwards.
    """
    most = sweep.count_next(len(parents), now, every)
    asked = sweep.next_parents(parents, most)
    after, left = sweep.advance(asked, parents, now), most - len(asked)
    is_late = sweep.began is not None and is_due(after.finished_at, now, every)
    if after.began is None and is_late and left > 0:
        again = after.next_parents(everyone, left)
        asked, after = [*asked, *again], after.advance(again, everyone, now)
    return asked, after


def count_at_first(parents: int, share: float) -> int:
    """How many of all *parents* a read of all history asks for their children."""
    return parents if share >= 1 else max(min(ceil(parents * share), SWEEP_MOST), SWEEP_PARENTS)


def _parse(stored: str | None) -> datetime | None:
    return parse_instant(stored) if stored else None


def _format(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
