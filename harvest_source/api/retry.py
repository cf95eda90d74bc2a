"""
Retry policy: which failed attempts are repeated, after how long, and when to give up.

The decisions are pure functions. tenacity runs the loop; time and waiting come from our clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.rate_limit import Cancelled, never
from harvest_source.errors import ApiError, RateLimitedError, ServerError, StaleAnswerError

T = TypeVar("T")

_POLL_S: Final = 1.0
"""Longest time until a waiting request notices that it was cancelled."""


class TransientFailure(Exception):
    """
    One attempt failed in a way that another attempt may not.

    Attributes:
        reason: What happened, as the end of a sentence: ``answered 503``, ``timed out connecting``.
        status: HTTP status; None if there was no answer, or only part of one.
        retry_after_s: Seconds the server asked us to wait; None if it did not say.
        elapsed_s: How long the attempt took.
        unreached: No connection to the host could be made, and it has never answered.
        remedy: What to check when the request is given up; empty: nothing in particular.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        elapsed_s: float = 0.0,
        unreached: bool = False,
        remedy: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_after_s = retry_after_s
        self.elapsed_s = elapsed_s
        self.unreached = unreached
        self.remedy = remedy


class StaleAnswer(TransientFailure):
    """A cache served an answer from before the run."""


def is_retryable(status: int) -> bool:
    """
    True for 408, 429 and 5xx; retrying does not change any other status.

    408 comes from a proxy or load balancer that closed the connection before it got the request.
    """
    return status in {408, 429} or 500 <= status <= 599


def parse_http_date(text: str | None) -> datetime | None:
    """Parse a ``Date``-like header as aware UTC; None if absent, unreadable or implausible."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    date = date.replace(tzinfo=date.tzinfo or UTC)
    # Harvest dates from 2006; arithmetic near the years 1 and 9999 overflows.
    return date.astimezone(UTC) if 2000 <= date.year <= 9000 else None


def parse_retry_after(text: str | None, *, now: datetime) -> float | None:
    """
    Seconds to wait; None if the header is absent, unreadable or not in the future.

    Args:
        text: Seconds, or an HTTP date.
        now: The server's time, or ours if the answer has no ``Date``.
    """
    try:
        seconds = float(text or "")
    except ValueError:
        date = parse_http_date(text)
        seconds = (date - now).total_seconds() if date else 0.0
    return seconds if seconds > 0 else None  # False for NaN too.


def choose_wait(
    failure: TransientFailure, attempts: int, *, limits: RetryLimits, random: Callable[[], float]
) -> float:
    """
    Seconds to wait after attempt number *attempts* failed.

    ``Retry-After`` wins. Without it: exponential backoff with full jitter, so that threads that
    failed together do not retry together.
    """
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    return random() * min(limits.cap_s, limits.base_s * 2.0 ** (attempts - 1))


def is_exhausted(
    failure: TransientFailure, attempts: int, *, spent_s: float, wait_s: float, limits: RetryLimits
) -> bool:
    """Whether to give up instead of waiting *wait_s* and sending again."""
    if isinstance(failure, StaleAnswer) and attempts >= limits.stale_attempts:
        return True
    if attempts >= limits.attempts or spent_s + wait_s > limits.total_s:
        return True
    return failure.unreached and attempts >= limits.unreached_attempts


def build_final_error(
    failures: Sequence[TransientFailure],
    *,
    label: str,
    path: str,
    spent_s: float,
    limits: RetryLimits,
) -> ApiError:
    """The error for a request given up: what, how often, how long, why, and what to do next."""
    last, count = failures[-1], len(failures)
    attempts = "1 try" if count == 1 else f"{count} tries"
    said = f"Gave up on {label}: {attempts} in {spent_s:.0f} s, {_summarize(failures)}."
    if (last.retry_after_s or 0.0) > limits.total_s:
        said += f" That is more than the {limits.total_s:.0f} s we are willing to wait."
    kind: type[ApiError] = ServerError
    if last.status == 429:
        kind = RateLimitedError
        advice = (
            "Harvest counted more requests than it allows for this account. Run the same command "
            "again in a few minutes. If other programs read the account too, lower rate_limit "
            "under [sources.harvest] to leave them a share."
        )
    elif isinstance(last, StaleAnswer):
        kind = StaleAnswerError
        advice = (
            "An answer that a cache stored before the run proves nothing, so what was asked for "
            "is left unchanged. Set the proxy or cache on the way to Harvest to store no answers "
            "of api_url."
        )
    elif last.remedy:
        advice = last.remedy
    else:
        advice = (
            "Harvest, or the network on the way to it, has a problem. Run the same command again "
            "later."
        )
    return kind(f"{said} {advice}", path=path, status=last.status, attempts=count)


def _summarize(failures: Sequence[TransientFailure]) -> str:
    """``each answered 429 (last Retry-After 15 s)``, ``5 answered 503, 3 timed out``."""
    counts = Counter(failure.reason for failure in failures)
    if len(failures) == 1:
        text = failures[0].reason
    elif len(counts) == 1:
        text = f"each {failures[0].reason}"
    else:
        text = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    waits = [failure.retry_after_s for failure in failures if failure.retry_after_s is not None]
    if not waits:
        return text
    last = f"{waits[-1]:.0f} s" if math.isfinite(waits[-1]) else "for ever"
    return f"{text} ({'last ' if len(failures) > 1 else ''}Retry-After {last})"


class RetryLoop:
    """
    All attempts at one request. Not thread-safe: use it on one thread.

    Args:
        label: Name of the request in messages: ``time_entries, page 3``.
        http: Provides clock, jitter and limits.
        on_wait: Called before each wait with the failed attempt and the seconds to wait.
        cancelled: Polled while waiting.
    """

    def __init__(
        self,
        *,
        label: str,
        path: str,
        http: HttpContext,
        on_wait: Callable[[TransientFailure, float], None],
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._label = label
        self._path = path
        self._http = http
        self._limits = http.retry_limits
        self._on_wait = on_wait
        self._cancelled = cancelled
        self._failures: list[TransientFailure] = []
        self._spent_s = 0.0

    def run(self, send: Callable[[int], T]) -> T:
        """
        Call *send* with 1, 2, ... until it returns.

        Raises:
            RateLimitedError: Given up; the last answer was a 429.
            StaleAnswerError: Given up; the last answer came from a cache, from before the run.
            ServerError: Given up after any other retryable failure.
            Cancelled: *cancelled* returned True while waiting.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(TransientFailure),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            sleep=self._sleep,
            retry_error_callback=self._give_up,
        )
        return retrying(lambda: send(len(self._failures) + 1))

    def _wait(self, state: RetryCallState) -> float:
        """Record the failure. tenacity calls this first, once after each failed attempt."""
        failure = _get_failure(state)
        self._failures.append(failure)
        self._spent_s += failure.elapsed_s
        return choose_wait(
            failure, len(self._failures), limits=self._limits, random=self._http.random
        )

    def _stop(self, state: RetryCallState) -> bool:
        return is_exhausted(
            self._failures[-1],
            len(self._failures),
            spent_s=self._spent_s,
            wait_s=state.upcoming_sleep,
            limits=self._limits,
        )

    def _before_sleep(self, state: RetryCallState) -> None:
        self._on_wait(self._failures[-1], state.upcoming_sleep)

    def _sleep(self, seconds: float) -> None:
        self._spent_s += seconds
        clock = self._http.clock
        end = clock.monotonic() + seconds
        while (rest := end - clock.monotonic()) > 0:
            if self._cancelled():
                raise Cancelled
            clock.sleep(min(max(rest, 0.001), _POLL_S))

    def _give_up(self, state: RetryCallState) -> NoReturn:
        error = build_final_error(
            self._failures,
            label=self._label,
            path=self._path,
            spent_s=self._spent_s,
            limits=self._limits,
        )
        raise error from _get_failure(state).__cause__


def _get_failure(state: RetryCallState) -> TransientFailure:
    """The exception that tenacity caught; it retries no other type."""
    failure = state.outcome.exception() if state.outcome else None
    assert isinstance(failure, TransientFailure)
    return failure
