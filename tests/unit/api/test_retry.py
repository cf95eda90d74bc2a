"""Retry decisions, each a function of values."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.rate_limit import Cancelled
from harvest_source.api.retry import (
    RetryLoop,
    TransientFailure,
    build_final_error,
    choose_wait,
    is_exhausted,
    is_retryable,
    parse_http_date,
    parse_retry_after,
)
from harvest_source.errors import RateLimitedError, ServerError
from tests.clocks import FakeClock

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = RetryLimits(attempts=4, total_s=100)


def throttled(retry_after_s: float | None = None) -> TransientFailure:
    return TransientFailure("answered 429", status=429, retry_after_s=retry_after_s)


def build_retry_loop(
    clock: FakeClock, limits: RetryLimits = LIMITS, *, cancelled: bool = False
) -> RetryLoop:
    return RetryLoop(
        label="time_entries, page 3",
        path="/v2/time_entries",
        http=HttpContext(clock=clock, random=lambda: 1.0, retry_limits=limits),
        on_wait=lambda _failure, _wait: None,
        cancelled=lambda: cancelled,
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 599])
def test_throttling_and_server_errors_are_tried_again(status: int) -> None:
    """408, 429 and every 5xx pass by themselves."""
    assert is_retryable(status)


@pytest.mark.parametrize("status", [200, 301, 304, 400, 401, 403, 404, 410, 422, 451, 600])
def test_refusals_are_not_tried_again(status: int) -> None:
    """Asking again does not turn a refusal into an answer."""
    assert not is_retryable(status)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15", 15.0),
        (" 15 ", 15.0),
        ("1.5", 1.5),
        ("Fri, 01 Mar 2024 12:00:30 GMT", 30.0),
        ("Fri, 01 Mar 2024 11:59:30 GMT", None),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("9" * 400, math.inf),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, expected: float | None) -> None:
    """Both forms count; a time that is not in the future counts as absent."""
    assert parse_retry_after(text, now=NOW) == expected


@given(st.text(max_size=60))
def test_any_date_header_gives_an_aware_time_or_none(text: str) -> None:
    """Reading any header raises nothing, and gives an aware time or None."""
    date = parse_http_date(text)
    assert date is None or date.tzinfo is UTC
    wait_s = parse_retry_after(text, now=NOW)
    assert wait_s is None or wait_s > 0


@pytest.mark.parametrize(
    "text",
    ["Mon, 01 Jan 1601 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 32 Foo 2024", "x"],
)
def test_dates_near_the_limits_of_datetime_are_ignored(text: str) -> None:
    """A date near the limits of datetime would overflow later arithmetic."""
    assert parse_http_date(text) is None


def test_a_date_without_zone_is_utc() -> None:
    """HTTP dates are GMT even if the header does not say so."""
    assert parse_http_date("Fri, 01 Mar 2024 12:00:00 -0000") == NOW


def test_retry_after_wins_over_backoff() -> None:
    """The server knows when it is ready, so our cap does not shorten its wait."""
    limits = RetryLimits(cap_s=1)
    assert choose_wait(throttled(15), 1, limits=limits, random=lambda: 0.0) == 15


@given(st.integers(1, 200), st.floats(0, 1))
def test_backoff_is_full_jitter_below_a_doubling_cap(tries: int, dice: float) -> None:
    """Without Retry-After the wait is between zero and min(cap, base x 2^(tries-1))."""
    limits = RetryLimits(base_s=0.5, cap_s=30)
    wait_s = choose_wait(throttled(), tries, limits=limits, random=lambda: dice)
    assert wait_s == pytest.approx(dice * min(30, 0.5 * 2 ** (tries - 1)))


@pytest.mark.parametrize(
    ("failure", "tries", "spent_s", "wait_s", "over"),
    [
        (throttled(), 3, 0, 1, False),
        (throttled(), 4, 0, 1, True),
        (throttled(), 1, 99, 1, False),
        (throttled(), 1, 99, 1.5, True),
        (throttled(101), 1, 0, 101, True),
        (TransientFailure("could not connect", unreached=True), 2, 0, 1, False),
        (TransientFailure("could not connect", unreached=True), 3, 0, 1, True),
        (TransientFailure("could not connect"), 3, 0, 1, False),
    ],
)
def test_the_first_limit_reached_counts(
    failure: TransientFailure, tries: int, spent_s: float, wait_s: float, over: bool
) -> None:
    """The limits are tries, seconds (with the coming wait), and a host that never answered."""
    assert is_exhausted(failure, tries, spent_s=spent_s, wait_s=wait_s, limits=LIMITS) is over


def test_giving_up_on_429_says_everything() -> None:
    """The error says what failed, how often, in how long, with which answer, and why perhaps."""
    error = build_final_error(
        [throttled(15)] * 6, label="time_entries", path="/v2/x", spent_s=94.4, limits=LIMITS
    )
    assert isinstance(error, RateLimitedError)
    assert str(error).startswith(
        "Gave up on time_entries: 6 tries in 94 s, each answered 429 (last Retry-After 15 s). "
        "Harvest counted more requests than it allows for this account."
    )
    assert (error.path, error.status, error.attempts) == ("/v2/x", 429, 6)


def test_giving_up_on_mixed_failures_counts_each() -> None:
    """Different failures are counted by kind; the last one decides the error's type."""
    failures = [throttled(), throttled(), TransientFailure("timed out")]
    error = build_final_error(failures, label="users", path="", spent_s=9, limits=LIMITS)
    assert isinstance(error, ServerError)
    assert "3 tries in 9 s, 2 answered 429, 1 timed out." in str(error)


@pytest.mark.parametrize(("seconds", "shown"), [(900.0, "900 s"), (math.inf, "for ever")])
def test_giving_up_on_a_long_retry_after_says_so(seconds: float, shown: str) -> None:
    """A Retry-After above the limit ends the request at once."""
    error = build_final_error(
        [throttled(seconds)], label="users", path="", spent_s=0, limits=LIMITS
    )
    assert f"1 try in 0 s, answered 429 (Retry-After {shown}). That is more than the 100 s" in str(
        error
    )


def test_a_loop_ends_with_the_first_answer() -> None:
    """Each failure is followed by a wait; attempts are numbered from 1."""
    clock = FakeClock()
    seen: list[int] = []

    def send(attempt: int) -> str:
        seen.append(attempt)
        if attempt < 3:
            raise throttled(10)
        return "answer"

    assert build_retry_loop(clock).run(send) == "answer"
    assert seen == [1, 2, 3]
    assert clock.monotonic() == pytest.approx(20)


def test_time_in_tries_counts_towards_the_total() -> None:
    """An attempt's seconds count towards the total like its waits."""
    clock = FakeClock()
    count = 0

    def send(attempt: int) -> str:
        nonlocal count
        count += 1
        clock.advance(60)
        raise TransientFailure("timed out", elapsed_s=60)

    with pytest.raises(ServerError, match=r"2 tries in 120 s, each timed out"):
        build_retry_loop(clock).run(send)
    assert count == 2


def test_time_queued_for_the_allowance_does_not_count_as_trying() -> None:
    """Only a try's own duration counts: a report may queue for minutes before it is sent."""
    clock = FakeClock()

    def send(attempt: int) -> str:
        clock.advance(900)
        if attempt < 4:
            raise TransientFailure("answered 503", status=503, elapsed_s=1)
        return "answer"

    assert build_retry_loop(clock).run(send) == "answer"


def test_other_exceptions_pass_at_once() -> None:
    """Only transient failures are retried, not bugs or refusals."""
    clock = FakeClock()

    def send(attempt: int) -> str:
        raise KeyError(attempt)

    with pytest.raises(KeyError, match="1"):
        build_retry_loop(clock).run(send)
    assert clock.slept == []


def test_a_cancelled_loop_stops_waiting() -> None:
    """A cancelled request does not wait for its Retry-After."""
    clock = FakeClock()

    def send(attempt: int) -> str:
        raise throttled(50)

    with pytest.raises(Cancelled):
        build_retry_loop(clock, cancelled=True).run(send)
    assert clock.slept == []
