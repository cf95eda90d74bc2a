"""Clocks that never wait: sleeping advances them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """
    Wall time and a counter that only advance when told to; thread-safe.

    Attributes:
        slept: Every requested sleep, in order, in seconds.
    """

    def __init__(self, now: datetime = START) -> None:
        self._lock = threading.Lock()
        self._start = now
        self._passed_s = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with self._lock:
            return self._passed_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass without a sleep."""
        with self._lock:
            self._passed_s += seconds


class OwnClock:
    """
    Wall time from elsewhere and a separate counter, which only sleeping advances.

    Args:
        on_sleep: Called after each sleep with the total seconds slept.
    """

    def __init__(self, now: Callable[[], datetime], on_sleep: Callable[[float], object]) -> None:
        self._now = now
        self._on_sleep = on_sleep
        self._slept_s = 0.0

    def now(self) -> datetime:
        return self._now()

    def monotonic(self) -> float:
        return self._slept_s

    def sleep(self, seconds: float) -> None:
        self._slept_s += seconds
        self._on_sleep(self._slept_s)
