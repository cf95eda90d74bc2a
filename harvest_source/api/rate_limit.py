"""How often we may ask: a sliding window, shared by all threads of one account."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from harvest_source.clock import Clock
from harvest_source.errors import ConfigError

GENERAL: Final = (97, 15.4)
"""
Requests and seconds. Harvest allows 100 in 15 s, counted where the requests arrive: the network
bunches them up. 97 in 15.4 s was measured to give no 429 at all.
"""

REPORTS: Final = (97, 924.0)
"""``/reports/`` has a budget of its own, 100 in 15 minutes: the same margins (15.4/15, 97/100)."""

_ALLOWED: Final = 100
"""What Harvest allows in 15 s; ``rate_limit`` cannot be set above."""

_SHORTEST_S: Final = 0.001
"""A wait so short that adding it changes nothing would never end."""

_BACK_OFF: Final = 0.6
"""What is left of our share when Harvest says that the account asks too much."""

_RECOVER: Final = 0.1
"""The part of it that comes back with every quiet window: full speed after about a minute."""

_LONGEST_S: Final = 1.0
"""How long a closed walk may go unnoticed while it waits for its turn."""


class Cancelled(Exception):
    """Nobody wants this answer any more. Reaches nobody but who said so."""


def never() -> bool:
    """Whoever asked still wants the answer."""
    return False


class RateLimiter:
    """
    Lets at most *requests* through in any *seconds*, fewer after a complaint; thread-safe.

    The window is half-open: a request leaves it exactly *seconds* after it was let through.
    Of the threads that wait, the most urgent goes first; equals are served as they wake, roughly
    first come first served.

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
        self._sent: deque[float] = deque(maxlen=requests)
        self._waiting: list[float] = []
        self._not_before = -math.inf
        self._most = requests
        self._allowed = requests
        self._complained = self._changed = -math.inf

    @property
    def allowed(self) -> int:
        """Requests let through in a window now: fewer while others use the allowance, too."""
        return self._allowed

    def acquire(self, *, urgency: float = math.inf, cancelled: Callable[[], bool] = never) -> None:
        """
        Wait until a request may be sent, and count it as sent.

        Raises:
            Cancelled: *cancelled* said so while waiting; nothing is counted.
        """
        if self._take(urgency) <= 0:
            return
        with self._in_line(urgency):
            while (wait_s := self._take(urgency)) > 0:
                if cancelled():
                    raise Cancelled
                self._clock.sleep(min(max(wait_s, _SHORTEST_S), _LONGEST_S))

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
        Let nobody through for *seconds* from now; a longer pause under way stays.

        Whoever sets the pause was told to wait although we kept to the allowance: somebody else
        uses it, too. So fewer go through from then on, once for all answers of one window.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._not_before = max(self._not_before, now + seconds)
            if now - self._complained >= self._seconds:
                self._allowed = max(1, int(self._allowed * _BACK_OFF))
                self._complained = self._changed = now

    def _take(self, urgency: float) -> float:
        """Seconds to wait before asking again; zero or less: the turn is taken."""
        with self._lock:
            now = self._clock.monotonic()
            self._recover(now)
            wait_s = self._not_before - now
            left = self._allowed - sum(other > urgency for other in self._waiting)
            if left < 1:
                wait_s = max(wait_s, _LONGEST_S)
            elif len(self._sent) >= left:
                wait_s = max(wait_s, self._sent[-left] + self._seconds - now)
            if wait_s <= 0:
                self._sent.append(now)
            return wait_s

    def _recover(self, now: float) -> None:
        """A step up for every window that passed without a complaint."""
        windows = 0 if self._allowed == self._most else int((now - self._changed) // self._seconds)
        if windows > 0:
            step = max(1, round(self._most * _RECOVER))
            self._allowed = min(self._most, self._allowed + windows * step)
            self._changed += windows * self._seconds


def general_limiter(clock: Clock, rate_limit: int | None = None) -> RateLimiter:
    """
    The limiter for everything but reports.

    Args:
        rate_limit: Requests per 15 s, 1..100; None means what Harvest allows. Values above the
            measured safe rate are taken as that rate.

    Raises:
        ConfigError: *rate_limit* is below 1 or above what Harvest allows.
    """
    requests, seconds = GENERAL
    if rate_limit is None:
        return RateLimiter(requests=requests, seconds=seconds, clock=clock)
    if not 1 <= rate_limit <= _ALLOWED:
        msg = (
            f"rate_limit is {rate_limit}; Harvest allows {_ALLOWED} requests per 15 s, and the "
            f"setting only lowers that. Set rate_limit under [sources.harvest] to 1..{_ALLOWED}, "
            "or leave it out."
        )
        raise ConfigError(msg)
    return RateLimiter(requests=min(rate_limit, requests), seconds=seconds, clock=clock)


def report_limiter(clock: Clock) -> RateLimiter:
    """The limiter for ``/reports/``, which Harvest counts apart."""
    requests, seconds = REPORTS
    return RateLimiter(requests=requests, seconds=seconds, clock=clock)
