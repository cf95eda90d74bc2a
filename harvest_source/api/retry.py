"""
What is tried again, after how long, and when it is given up: decisions as functions of values.

tenacity turns the wheel; every decision, the time and the waiting are ours, on our clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from harvest_source.api.rate_limit import Cancelled, never
from harvest_source.clock import Clock
from harvest_source.errors import ApiError, RateLimitedError, ServerError

T = TypeVar("T")

_SLICE_S = 1.0
"""How long a closed walk may go unnoticed while it waits for its next try."""


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """
    When to stop trying one request; the first limit reached counts.

    What is sent is safe to send again: GET, and the request for a token, where a lost answer has
    either done nothing or ended the login already.

    Attributes:
        attempts: Tries in all, the first included.
        total_s: Seconds of trying and waiting in all; time spent queueing for our own allowance is
            not in it. Also the longest Retry-After we are willing to wait.
        unreached_attempts: Tries in all while the host has never answered anything: an address
            with nobody behind it should not take minutes to say so.
        base_s: Upper bound of the first wait; it doubles with every try.
        cap_s: Upper bound of any wait of our own choosing.
    """

    attempts: int = 8
    total_s: float = 300.0
    unreached_attempts: int = 3
    base_s: float = 0.5
    cap_s: float = 30.0


class TransientFailure(Exception):
    """
    One try that failed in a way another try may mend.

    Attributes:
        reason: What became of the try: ``answered 503``, ``timed out connecting``.
        status: HTTP status; None when no answer came, or only part of one.
        retry_after_s: What the server asked us to wait; None when it did not say.
        elapsed_s: How long the try took.
        unreached: The host could not be connected to, and never has answered.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        elapsed_s: float = 0.0,
        unreached: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s
        self.elapsed_s = elapsed_s
        self.unreached = unreached


def is_retryable(status: int) -> bool:
    """429 and 5xx. Other refusals stay refusals however often one asks."""
    return status == 429 or 500 <= status <= 599


def parse_http_date(text: str | None) -> datetime | None:
    """A ``Date``-like header, aware and UTC; None when absent, unreadable or absurd."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    date = date.replace(tzinfo=date.tzinfo or UTC)
    # Harvest is from 2006; arithmetic near year 1 or 9999 overflows.
    return date.astimezone(UTC) if 2000 <= date.year <= 9000 else None


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """
    Seconds to wait; None when the header is absent, unreadable or not in the future.

    Args:
        text: Seconds, or an HTTP date.
        now: The server's time, or ours when it did not say.
    """
    try:
        seconds = float(text or "")
    except ValueError:
        date = parse_http_date(text)
        seconds = (date - now).total_seconds() if date else 0.0
    return seconds if seconds > 0 else None  # false for NaN too


def choose_wait(
    fault: TransientFailure, tries: int, *, limits: RetryLimits, random: Callable[[], float]
) -> float:
    """
    Seconds to wait after the *tries*-th try failed.

    ``Retry-After`` wins; without it exponential backoff with full jitter, so that threads that
    failed together do not come back together.
    """
    if fault.retry_after_s is not None:
        return fault.retry_after_s
    return random() * min(limits.cap_s, limits.base_s * 2.0 ** (tries - 1))


def is_over(
    fault: TransientFailure, tries: int, *, spent_s: float, wait_s: float, limits: RetryLimits
) -> bool:
    """Whether to give up instead of waiting *wait_s* and trying again."""
    if tries >= limits.attempts or spent_s + wait_s > limits.total_s:
        return True
    return fault.unreached and tries >= limits.unreached_attempts


def build_give_up(
    faults: list[TransientFailure], *, label: str, path: str, spent_s: float, limits: RetryLimits
) -> ApiError:
    """The error that ends a request: what, how often, how long, answered what, what to do."""
    last, tries = faults[-1], len(faults)
    attempts = "1 try" if tries == 1 else f"{tries} tries"
    said = f"Gave up on {label}: {attempts} in {spent_s:.0f} s, {_describe(faults)}."
    if (last.retry_after_s or 0.0) > limits.total_s:
        said += f" That is more than the {limits.total_s:.0f} s we are willing to wait."
    kind: type[ApiError]
    if last.status == 429:
        kind = RateLimitedError
        advice = (
            "Something else may be using this account's allowance. Run the same command again in "
            "a few minutes; if it happens often, lower rate_limit under [sources.harvest]."
        )
    elif last.unreached:
        kind = ServerError
        advice = "Check api_url and id_url, the network, and the proxy (HTTPS_PROXY, NO_PROXY)."
    else:
        kind = ServerError
        advice = "Harvest, or the way to it, has trouble. Run the same command again later."
    return kind(f"{said} {advice}", path=path, status=last.status, attempts=tries)


def _describe(faults: list[TransientFailure]) -> str:
    """``each answered 429 (last Retry-After 15 s)``, ``5 answered 503, 3 timed out``."""
    counts = Counter(fault.reason for fault in faults)
    if len(faults) == 1:
        text = faults[0].reason
    elif len(counts) == 1:
        text = f"each {faults[0].reason}"
    else:
        text = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    asked = [fault.retry_after_s for fault in faults if fault.retry_after_s is not None]
    if not asked:
        return text
    last = f"{asked[-1]:.0f} s" if math.isfinite(asked[-1]) else "for ever"
    return f"{text} ({'last ' if len(faults) > 1 else ''}Retry-After {last})"


class RetryLoop:
    """
    The tries of one request, up to now. Not thread-safe: one request, one thread.

    Args:
        label: What is asked for, for messages: ``time_entries, page 3``.
        on_wait: Told each failed try and the seconds until the next, before waiting.
        cancelled: Looked at while waiting.
    """

    def __init__(
        self,
        *,
        label: str,
        path: str,
        limits: RetryLimits,
        clock: Clock,
        random: Callable[[], float],
        on_wait: Callable[[TransientFailure, float], None],
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._label = label
        self._path = path
        self._limits = limits
        self._clock = clock
        self._random = random
        self._on_wait = on_wait
        self._cancelled = cancelled
        self._faults: list[TransientFailure] = []
        self._spent_s = 0.0

    def run(self, send: Callable[[int], T]) -> T:
        """
        Call *send* with 1, 2, ... until it returns.

        Raises:
            RateLimitedError: Given up, last on a 429.
            ServerError: Given up, last on anything else that was worth another try.
            Cancelled: Nobody wants the answer any more.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(TransientFailure),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            sleep=self._sleep,
            retry_error_callback=self._give_up,
        )
        return retrying(lambda: send(len(self._faults) + 1))

    def _wait(self, state: RetryCallState) -> float:
        """tenacity asks this first, once a try."""
        fault = _pick_fault(state)
        self._faults.append(fault)
        self._spent_s += fault.elapsed_s
        return choose_wait(fault, len(self._faults), limits=self._limits, random=self._random)

    def _stop(self, state: RetryCallState) -> bool:
        return is_over(
            self._faults[-1],
            len(self._faults),
            spent_s=self._spent_s,
            wait_s=state.upcoming_sleep,
            limits=self._limits,
        )

    def _before_sleep(self, state: RetryCallState) -> None:
        self._on_wait(self._faults[-1], state.upcoming_sleep)

    def _sleep(self, seconds: float) -> None:
        self._spent_s += seconds
        end = self._clock.monotonic() + seconds
        while (rest := end - self._clock.monotonic()) > 0:
            if self._cancelled():
                raise Cancelled
            self._clock.sleep(min(max(rest, 0.001), _SLICE_S))

    def _give_up(self, state: RetryCallState) -> NoReturn:
        error = build_give_up(
            self._faults,
            label=self._label,
            path=self._path,
            spent_s=self._spent_s,
            limits=self._limits,
        )
        raise error from _pick_fault(state).__cause__


def _pick_fault(state: RetryCallState) -> Any:
    """The exception tenacity caught; a :class:`Fault`, since it retries nothing else."""
    return state.outcome.exception() if state.outcome else None
