"""Clocks that never wait: sleeping moves them on at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """
    Wall time and counter that only move when told to; thread-safe.

    Attributes:
        slept: Every sleep asked for, in order, in seconds.
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
        """Let *seconds* pass without anybody having slept."""
        with self._lock:
            self._passed_s += seconds


class OwnClock:
    """
    Wall time from elsewhere and a counter of its own, which only sleeping moves on.

    Args:
        on_sleep: Told the seconds slept in all, after each sleep.
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
