"""
The day and id of each of N time entries, computed instead of stored.

Entries are numbered 0..N-1 by (spent date, id). They fill whole working weeks (blocks). Within a
block the days take ids in turn, so ids do not follow dates, but number and id can be computed from
each other. Ten million entries therefore take only the memory of their few hundred weeks.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from harvest_source.sandbox.data.entries.source import FIRST_ID, ID_STEP

SUBMITTED_FROM_S = 8 * 3600  # timesheets are filled in on the week's last day, 08:00 to 23:00
SUBMITTED_FOR_S = 15 * 3600


@dataclass(frozen=True, slots=True)
class Block:
    """A week of *width* working days with *per_day* entries each; numbers start at *first*."""

    first: int
    width: int
    per_day: int
    last_day: int

    @property
    def size(self) -> int:
        """Entries in the block."""
        return self.width * self.per_day


@dataclass(frozen=True, slots=True)
class Day:
    """A working day with entries ``[lo, hi)``; *slot* counts in its week, *month* since year 0."""

    ordinal: int
    lo: int
    hi: int
    slot: int
    month: int
    block: Block


class Workdays:
    """The days of *entries* entries over *years* years up to and including day *until*."""

    def __init__(self, entries: int, years: int, until: int, seed: int) -> None:
        self.entries = entries
        self.blocks = _blocks(entries, _weeks(years, until), random.Random(f"weeks {seed}"))
        self.days = [day for block in self.blocks for day in _days(block)]
        self._day_lo = [day.lo for day in self.days]
        self._ordinals = [day.ordinal for day in self.days]
        self._block_first = [block.first for block in self.blocks]

    def day_of(self, k: int) -> Day:
        """The day that entry number *k* was worked on."""
        return self.days[self.day_index(k)]

    def day_index(self, k: int) -> int:
        """Position in ``days`` of the day of entry *k*; -1 when *k* is below 0."""
        return bisect_right(self._day_lo, k) - 1

    def id_of(self, k: int, day: Day) -> int:
        """The id of entry *k*, which was worked on *day*."""
        return FIRST_ID + ID_STEP * (day.block.first + (k - day.lo) * day.block.width + day.slot)

    def number_of(self, entry_id: int) -> int | None:
        """The entry number of an id; ``None`` when no seeded entry has it."""
        place, rest = divmod(entry_id - FIRST_ID, ID_STEP)
        if rest or not 0 <= place < self.entries:
            return None
        block = self.blocks[bisect_right(self._block_first, place) - 1]
        row, slot = divmod(place - block.first, block.width)
        return block.first + slot * block.per_day + row

    def numbers(self, first_day: int | None, last_day: int | None) -> range:
        """Entry numbers worked on *first_day* to *last_day*, both inclusive; ``None`` is open."""
        low = 0 if first_day is None else bisect_left(self._ordinals, first_day)
        high = len(self.days) if last_day is None else bisect_right(self._ordinals, last_day)
        return range(self._start(low), max(self._start(low), self._start(high)))

    def months(self, first_day: int | None, last_day: int | None) -> Iterator[tuple[int, range]]:
        """`numbers` cut at the ends of months: months since year 0, and the entries in each."""
        window = self.numbers(first_day, last_day)
        if not window:
            return
        within = self.days[self.day_index(window.start) : self.day_index(window.stop - 1) + 1]
        for month, days in groupby(within, key=lambda day: day.month):
            inside = list(days)
            yield month, range(inside[0].lo, inside[-1].hi)

    def number_from(self, key: tuple[int, int]) -> int:
        """The first entry number whose (day, id) is not below *key*."""
        ordinal, entry_id = key
        at = bisect_left(self._ordinals, ordinal)
        if at == len(self.days) or self._ordinals[at] != ordinal:
            return self._start(at)
        day = self.days[at]
        ahead = entry_id - self.id_of(day.lo, day)
        return min(day.hi, day.lo + max(0, -(-ahead // (ID_STEP * day.block.width))))

    def _start(self, day_index: int) -> int:
        return self._day_lo[day_index] if day_index < len(self.days) else self.entries


def _weeks(years: int, until: int) -> list[tuple[int, int]]:
    """(last working day, working days) of each week, oldest first; the latest may be cut short."""
    monday = until - date.fromordinal(until).weekday()
    newest = (min(until, monday + 4), min(until - monday + 1, 5))
    older = [(monday - 7 * week + 4, 5) for week in range(years * 52, 0, -1)]
    return [*older, newest]


def _blocks(entries: int, weeks: list[tuple[int, int]], rng: random.Random) -> list[Block]:
    """Distribute *entries* over the weeks; a rest too small for a week goes on one day before."""
    weights = [rng.uniform(0.6, 1.4) * width for _, width in weeks]
    total = sum(weights)
    counts = [
        int(entries * weight / total) // width
        for weight, (_, width) in zip(weights, weeks, strict=True)
    ]
    left = entries - sum(n * width for n, (_, width) in zip(counts, weeks, strict=True))
    for at in range(len(weeks) - 1, -1, -1):
        if left >= weeks[at][1]:
            counts[at] += 1
            left -= weeks[at][1]
    blocks, first = [], 0
    first_week_end = weeks[0][0]
    for width, per_day, last in [
        (1, left, first_week_end - 7),
        *((width, n, last) for n, (last, width) in zip(counts, weeks, strict=True)),
    ]:
        if per_day:
            blocks.append(Block(first, width, per_day, last))
            first += width * per_day
    return blocks


def _days(block: Block) -> list[Day]:
    days = []
    for slot in range(block.width):
        ordinal = block.last_day - block.width + 1 + slot
        lo = block.first + slot * block.per_day
        day = date.fromordinal(ordinal)
        month = day.year * 12 + day.month - 1
        days.append(Day(ordinal, lo, lo + block.per_day, slot, month, block))
    return days


def last_workday_before(day: date) -> date:
    """The newest Monday to Friday before *day*."""
    before = day - timedelta(days=1)
    return before - timedelta(days=max(0, before.weekday() - 4))
