"""The varied contents of seeded time entries: hours, notes, timers, links to other tools."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, lru_cache

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.records.time_entries import (
    clock_text,
    hour_members,
    reference_record,
    timer_members,
)
from harvest_source.sandbox.data.values import Record, spelled

REFERENCES = 1088
WORKS = 997


@dataclass(frozen=True, slots=True)
class Work:
    """Members that depend on the work alone, in the two groups that a record keeps apart."""

    amount: Record
    timer: Record


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """
    The tables that hashes of entry numbers index.

    Attributes:
        who: Offset of the hash into *wheel*; *what*, of the hash into *works*.
        wheel: Positions of bookings; some bookings are more frequent than others.
        works: Contents of entries. Shared: do not modify.
    """

    who: int
    what: int
    wheel: list[int]
    works: list[Work]


@lru_cache(16)
def draw_pool(seed: int, bookings: int, *, timers: bool, clock_24h: bool) -> Pool:
    """
    The pool of an account with that number of *bookings*.

    Cached: otherwise a test that starts a sandbox would spend most of its time here.
    """
    rng = random.Random(f"hours {seed}")
    who, what = rng.getrandbits(32), rng.getrandbits(32)
    wheel = [at for at in range(bookings) for _ in range(rng.choice((1, 1, 2, 4)))]
    works = [build_work(rng, timers=timers, clock_24h=clock_24h) for _ in range(WORKS)]
    return Pool(who, what, wheel, works)


def build_work(rng: random.Random, *, timers: bool, clock_24h: bool) -> Work:
    """A random piece of work, of one of the usual lengths."""
    minutes = rng.choice((15, 30, 45, 60, 90, 100, 125, 240, 480, 7))
    idle = rng.random() < 0.01
    start = rng.randrange(8 * 60, 15 * 60)
    hours = 0 if idle else spelled(round(minutes / 60, 2), whole=start % 2 == 0)
    clocked = timers and rng.random() < 0.9
    return Work(
        amount=hour_members(hours) | {"notes": rng.choice(words.NOTES)},
        timer=timer_members(
            clock_text(start, clock_24h) if clocked else None,
            clock_text(start if idle else start + minutes, clock_24h) if clocked else None,
        ),
    )


@cache
def build_references() -> list[Record | None]:
    """External references by place; most places have none. Shared: do not modify."""
    return [reference_record(at) if at % 17 == 3 else None for at in range(REFERENCES)]
