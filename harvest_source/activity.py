"""What a run is doing at the moment, for those who watch it. Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Phase(StrEnum):
    """What takes the time now; the later ones take precedence over the earlier ones."""

    ASKING = "asking"
    READING = "reading"
    COMPARING = "comparing"
    LIMIT = "waiting for Harvest's limit"
    WRITING = "writing"
    FILE = "waiting for the file"


class Activity:
    """
    The phase of a run and the requests that it has sent.

    Attributes:
        requests: How many requests were sent.
        allowed: How many requests may be sent in how many seconds; None: not known.
        on_sent: Called after each request got its turn, from its thread.
    """

    def __init__(self, base: Phase = Phase.READING) -> None:
        """
        Start with nothing sent.

        Args:
            base: The phase as long as no other is entered.
        """
        self.requests = 0
        self.allowed: tuple[int, float] | None = None
        self.on_sent: Callable[[], None] = lambda: None
        self._base = base
        self._entered: dict[Phase, int] = {}
        self._holder = ""
        self._lock = threading.Lock()

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Enter *phase* for the block; several threads may be in one, or in different ones."""
        self._change(phase, 1)
        try:
            yield
        finally:
            self._change(phase, -1)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """While a request waits for its turn; afterwards it counts as sent."""
        with self.during(Phase.LIMIT):
            yield
        with self._lock:
            self.requests += 1
        self.on_sent()

    def wait_for(self, holder: str) -> None:
        """Note that *holder* has the warehouse's file; until :meth:`go_on`."""
        with self._lock:
            self._holder = holder

    def go_on(self) -> None:
        """Note that the warehouse's file can be used."""
        self.wait_for("")

    @property
    def phase(self) -> Phase:
        """The phase with precedence, of those that any thread is in."""
        with self._lock:
            if self._holder:
                return Phase.FILE
            entered = [each for each in Phase if self._entered.get(each)]
        return entered[-1] if entered else self._base

    def describe(self) -> str:
        """The phase in words, with the process that holds the file."""
        phase, holder = self.phase, self._holder
        if phase is Phase.FILE and holder:
            return f"waiting for the file that {holder} holds"
        return str(phase)

    @property
    def base(self) -> Phase:
        """The phase as long as no other is entered."""
        return self._base

    def _change(self, phase: Phase, by: int) -> None:
        with self._lock:
            self._entered[phase] = self._entered.get(phase, 0) + by
