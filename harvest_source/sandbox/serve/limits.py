"""Rate limits: a sliding window per token, account and budget (behaviour.md 3)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from datetime import datetime

from harvest_source.sandbox.checks import check_choice
from harvest_source.sandbox.settings import Limit


class RateLimits:
    """Counts admitted requests; refused ones do not count. Unverified against a live account."""

    def __init__(self, limits: dict[str, Limit]) -> None:
        self._limits = limits
        self._admitted: dict[tuple[str, Hashable], deque[float]] = {}

    def wait_s(self, budget: str, owner: Hashable, now: datetime) -> int | None:
        """Admit a request and return ``None``, or return the whole seconds until one fits."""
        limit = self._limits[budget]
        moment = now.timestamp()
        times = self._window(budget, owner, moment)
        if len(times) < limit.requests:
            times.append(moment)
            return None
        # Fewer than limit.requests must be left in the window; `use` may have added more than that.
        leaving = times[-limit.requests] if limit.requests else moment
        return max(1, math.ceil(leaving + limit.seconds - moment))

    def use(self, budget: str, owner: Hashable, requests: int, now: datetime) -> None:
        """
        Use up *requests* of the limit, as another integration of the same account would.

        Raises:
            ValueError: There is no such budget.
        """
        check_choice("budget", budget, self._limits)
        moment = now.timestamp()
        self._window(budget, owner, moment).extend([moment] * requests)

    def _window(self, budget: str, owner: Hashable, moment: float) -> deque[float]:
        times = self._admitted.setdefault((budget, owner), deque())
        oldest = moment - self._limits[budget].seconds
        while times and times[0] <= oldest:
            times.popleft()
        return times
