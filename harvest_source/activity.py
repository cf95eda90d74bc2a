"""What a run is doing at the moment, for progress displays. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Phase(StrEnum):
    """What a run spends its time on now. Later members take precedence over earlier ones."""

    WAREHOUSE = "reading the warehouse"
    ASKING = "asking"
    READING = "reading"
    COMPARING = "comparing"
    LIMIT = "waiting for Harvest's limit"
    WRITING = "writing"
    FILE = "waiting for the file"


class Activity:
    """
    The phase of a run and the number of requests it has sent.

    Attributes:
        requests: How many requests were sent.
        announced: How many more are certain, one for each list that :meth:`announce` awaits.
        allowed: The rate limit as (requests, seconds); None if not known.
        on_sent: Called after the rate limiter admitted a request, on that request's thread.
    """

    def __init__(self, base: Phase = Phase.READING) -> None:
        """
        Start with no requests sent.

        Args:
            base: The phase while no other phase is entered.
        """
        self.requests = self.announced = 0
        self.allowed: tuple[int, float] | None = None
        self.on_sent: Callable[[], None] = lambda: None
        self._base = base
        self._entered: dict[Phase, int] = {}
        self._holder = ""
        self._lock = threading.Lock()

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Enter *phase* for the block. Threads may be in the same phase or in different ones."""
        self._change(phase, 1)
        try:
            yield
        finally:
            self._change(phase, -1)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Wrap a request's wait for the rate limiter; when the block ends, it counts as sent."""
        with self.during(Phase.LIMIT):
            yield
        with self._lock:
            self.requests += 1
        self.on_sent()

    def announce(self, lists: Iterable[T], count: int) -> Iterator[T]:
        """Yield the *count* lists as they are read; those not read yet count as announced."""
        self._change_announced(count)
        try:
            for each in lists:
                count -= 1
                self._change_announced(-1)
                yield each
        finally:
            self._change_announced(-count)

    def _change_announced(self, by: int) -> None:
        with self._lock:
            self.announced += by

    def wait_for(self, holder: str) -> None:
        """Record that *holder* has the warehouse's file open, until :meth:`stop_waiting`."""
        with self._lock:
            self._holder = holder

    def stop_waiting(self) -> None:
        """Record that the warehouse's file can be used."""
        self.wait_for("")

    @property
    def phase(self) -> Phase:
        """The phase that takes precedence among those any thread is in."""
        with self._lock:
            if self._holder:
                return Phase.FILE
            entered = [each for each in Phase if self._entered.get(each)]
        return entered[-1] if entered else self._base

    def describe(self) -> str:
        """The phase in words, including the process that holds the file."""
        phase, holder = self.phase, self._holder
        if phase is Phase.FILE and holder:
            return f"waiting for the file that {holder} holds"
        return str(phase)

    @property
    def base(self) -> Phase:
        """The phase while no other phase is entered."""
        return self._base

    def _change(self, phase: Phase, by: int) -> None:
        with self._lock:
            self._entered[phase] = self._entered.get(phase, 0) + by
