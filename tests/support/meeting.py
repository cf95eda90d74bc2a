"""Requests that must be under way at the same time."""

from __future__ import annotations

import threading


class Meeting:
    """
    The first *parties* requests wait for each other, for at most a minute; later ones pass.

    Raises:
        threading.BrokenBarrierError: In the waiting requests, if some did not come.
    """

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties)
        self._lock = threading.Lock()
        self._missing = parties

    @property
    def has_met(self) -> bool:
        """Whether all of them came."""
        with self._lock:
            return self._missing <= 0

    def attend(self) -> None:
        """Arrive, and wait for the others if this is one of the first."""
        with self._lock:
            self._missing -= 1
            is_awaited = self._missing >= 0
        if is_awaited:
            self._barrier.wait(60)
