"""A clock that never waits: sleeping moves it on at once."""

from __future__ import annotations

import threading
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
