"""The rate limiter: a sliding window, shared by all threads that read one account."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from harvest_source.clock import Clock
from harvest_source.errors import ConfigError

GENERAL: Final = (97, 15.4)
"""
Requests and seconds. Harvest allows 100 in 15 s, counted when they arrive, and the network can
bunch them up. 97 in 15.4 s caused no 429 when measured against a server with that limit.
"""

REPORTS: Final = (97, 924.0)
"""``/reports/`` has its own limit, 100 in 15 minutes; the same margins apply (15.4/15, 97/100)."""

_ALLOWED: Final = 100
"""What Harvest allows in 15 s, and for reports in 15 minutes; ``rate_limit`` cannot exceed it."""

_NO_LIMIT: Final = 1_000_000
"""More requests in 15 s than any process can send."""

_SHORTEST_S: Final = 0.001
"""Lower bound of a wait: a shorter one may be lost in the rounding of a float clock."""

_BACK_OFF: Final = 0.6
"""Factor applied to our share of the allowance after a 429."""

_RECOVER: Final = 0.1
"""
Fraction of the full share that is restored with every window without a 429. A full recovery takes
about a minute.
"""

_REMEMBERED: Final = 2
"""Windows whose requests are remembered: a request may be in flight for one window."""

LEAST_URGENT: Final = 0.0
"""Lowest urgency: all other requests go first."""

_POLL_S: Final = 1.0
"""Longest time until a waiting request notices that it was cancelled."""


class Cancelled(Exception):
    """The request was cancelled. Only the code that cancelled it sees this."""


def never() -> bool:
    """The default of ``cancelled``: the request is never cancelled."""
    return False


@dataclass(frozen=True, slots=True)
class RecentRequests:
    """Number of requests that one limiter admitted in the last *seconds*."""

    number: int
    seconds: float

    @property
    def is_within_allowance(self) -> bool:
        """
        Whether they are too few to have caused a 429, even if all of them arrived at once.

        The network can hold requests back and deliver them together. The requests of two windows
        are counted, because a request may have been in flight for one whole window.
        """
        return self.number < _ALLOWED


class RateLimiter:
    """
    Admits at most *requests* in any window of *seconds*, fewer after a 429; thread-safe.

    The window is half-open: a request leaves it exactly *seconds* after it was admitted. The most
    urgent waiting thread goes first. Threads of equal urgency go as they wake up, roughly in the
    order in which they arrived.

    Args:
        requests: At least 1.
        seconds: Width of the window, above 0.

    Raises:
        ValueError: A number is out of its bounds.
    """

    def __init__(self, *, requests: int, seconds: float, clock: Clock) -> None:
        if requests < 1 or not seconds > 0:
            msg = f"A limiter needs requests >= 1 and seconds > 0, not {requests} and {seconds}."
            raise ValueError(msg)
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[float] = deque(maxlen=_REMEMBERED * requests)
        self._waiting: list[float] = []
        self._not_before = -math.inf
        self._full_share = requests
        self._allowed = requests
        self._reduced_at = self._changed_at = -math.inf

    @property
    def limit(self) -> tuple[int, float]:
        """The requests of a window, unless Harvest answers 429, and its width in seconds."""
        return self._full_share, self._seconds

    @property
    def allowed(self) -> int:
        """Requests admitted per window at present; reduced for a while after a 429."""
        return self._allowed

    def acquire(self, *, urgency: float = math.inf, cancelled: Callable[[], bool] = never) -> None:
        """
        Wait until a request may be sent, and count it as sent.

        Raises:
            Cancelled: *cancelled* returned True while waiting; nothing is counted.
        """
        if self._take(urgency) <= 0:
            return
        with self._in_line(urgency):
            while (wait_s := self._take(urgency)) > 0:
                if cancelled():
                    raise Cancelled
                self._clock.sleep(min(max(wait_s, _SHORTEST_S), _POLL_S))

    @contextmanager
    def _in_line(self, urgency: float) -> Iterator[None]:
        with self._lock:
            self._waiting.append(urgency)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(urgency)

    def pause(self, seconds: float) -> None:
        """
        Admit no request for *seconds* from now; a longer pause in progress is kept.

        Called after a 429. Fewer requests are admitted from now on; all 429s of one window cause
        only one reduction.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._not_before = max(self._not_before, now + seconds)
            if now - self._reduced_at >= self._seconds:
                self._allowed = max(1, int(self._allowed * _BACK_OFF))
                self._reduced_at = self._changed_at = now

    def count_recent(self) -> RecentRequests:
        """How many requests were admitted in the last two windows."""
        seconds = _REMEMBERED * self._seconds
        with self._lock:
            since = self._clock.monotonic() - seconds
            return RecentRequests(sum(at > since for at in self._sent), seconds)

    def until_free_s(self) -> float:
        """Seconds until a request may be sent; zero or less if it may be sent at once."""
        with self._lock:
            now = self._clock.monotonic()
            self._recover(now)
            return self._wait_s(now, self._allowed)

    def _take(self, urgency: float) -> float:
        """Seconds to wait before calling again; zero or less if the request is admitted."""
        with self._lock:
            now = self._clock.monotonic()
            self._recover(now)
            left = self._allowed - sum(other > urgency for other in self._waiting)
            wait_s = self._wait_s(now, left)
            if wait_s <= 0:
                self._sent.append(now)
            return wait_s

    def _wait_s(self, now: float, left: int) -> float:
        """Seconds until a request may be sent if a window may hold *left* requests."""
        wait_s = self._not_before - now
        if left < 1:
            return max(wait_s, _POLL_S)
        if len(self._sent) >= left:
            return max(wait_s, self._sent[-left] + self._seconds - now)
        return wait_s

    def _recover(self, now: float) -> None:
        """Raise the share by one step for every window without a 429."""
        if self._allowed == self._full_share:
            return
        windows = int((now - self._changed_at) // self._seconds)
        if windows > 0:
            step = max(1, round(self._full_share * _RECOVER))
            self._allowed = min(self._full_share, self._allowed + windows * step)
            self._changed_at += windows * self._seconds


LimiterMaker = Callable[[Clock, int | None], "RateLimiter"]
"""Makes the limiter of one account from ``rate_limit``; see :func:`build_general_limiter`."""


def build_unlimited_limiter(clock: Clock, _: int | None = None) -> RateLimiter:
    """For a server without a rate limit, our sandbox, instead of :func:`build_general_limiter`."""
    return RateLimiter(requests=_NO_LIMIT, seconds=GENERAL[1], clock=clock)


def build_general_limiter(clock: Clock, rate_limit: int | None = None) -> RateLimiter:
    """
    The limiter of one account for everything but reports.

    Args:
        rate_limit: Requests per 15 s, 1..100; None: what Harvest allows. Larger values than
            :data:`GENERAL` are reduced to it.

    Raises:
        ConfigError: *rate_limit* is below 1 or above what Harvest allows.
    """
    requests, seconds = GENERAL
    if rate_limit is None:
        return RateLimiter(requests=requests, seconds=seconds, clock=clock)
    if not 1 <= rate_limit <= _ALLOWED:
        msg = (
            f"rate_limit is {rate_limit}; Harvest allows {_ALLOWED} requests per 15 s, and the "
            "setting can only lower that. Set rate_limit under [sources.harvest] to "
            f"1..{_ALLOWED}, or leave it out."
        )
        raise ConfigError(msg)
    return RateLimiter(requests=min(rate_limit, requests), seconds=seconds, clock=clock)


def build_report_limiter(clock: Clock) -> RateLimiter:
    """The limiter of one account for ``/reports/``, which Harvest counts separately."""
    requests, seconds = REPORTS
    return RateLimiter(requests=requests, seconds=seconds, clock=clock)
