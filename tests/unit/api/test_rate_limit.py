"""The rate limiter: never above the allowance, never slower than needed."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.api.rate_limit import (
    GENERAL,
    REPORTS,
    Cancelled,
    RateLimiter,
    build_general_limiter,
    build_report_limiter,
)
from harvest_source.errors import ConfigError
from tests.clocks import FakeClock

EPSILON = 1e-6


def most_in_any_window(times: list[float], seconds: float) -> int:
    """The most requests in any half-open window; a window that matters begins with a request."""
    return max(sum(start <= time < start + seconds - EPSILON for time in times) for start in times)


@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    requests=st.integers(1, 7),
    seconds=st.floats(0.5, 20),
)
def test_no_window_holds_more_than_allowed(
    gaps: list[float], requests: int, seconds: float
) -> None:
    """Whenever requests arrive, no window of *seconds* has more than *requests* of them."""
    clock = FakeClock()
    limiter = RateLimiter(requests=requests, seconds=seconds, clock=clock)
    times: list[float] = []
    for gap in gaps:
        clock.advance(gap)
        limiter.acquire()
        times.append(clock.monotonic())
    assert most_in_any_window(times, seconds) <= requests


@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    requests=st.integers(1, 7),
    seconds=st.floats(0.5, 20),
)
def test_no_request_waits_longer_than_needed(
    gaps: list[float], requests: int, seconds: float
) -> None:
    """A request goes out on arrival, or when the window allows it, whichever is later."""
    clock = FakeClock()
    limiter = RateLimiter(requests=requests, seconds=seconds, clock=clock)
    times: list[float] = []
    for gap in gaps:
        clock.advance(gap)
        due = clock.monotonic()
        if len(times) >= requests:
            due = max(due, times[-requests] + seconds)
        limiter.acquire()
        times.append(clock.monotonic())
        assert times[-1] == pytest.approx(due, abs=0.002)


@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    requests=st.integers(1, 7),
    pause_s=st.none() | st.floats(1, 30),
)
def test_the_limiter_knows_when_the_next_request_may_go(
    gaps: list[float], requests: int, pause_s: float | None
) -> None:
    """Zero or less means at once. After a 429 it may be sooner, as the share grows."""
    clock = FakeClock()
    limiter = RateLimiter(requests=requests, seconds=10, clock=clock)
    if pause_s is not None:
        limiter.pause(pause_s)
    for gap in gaps:
        clock.advance(gap)
        told = clock.monotonic() + max(limiter.until_free_s(), 0)
        limiter.acquire()
        assert clock.monotonic() <= told + 0.002
        if pause_s is None:
            assert clock.monotonic() == pytest.approx(told, abs=0.002)


def test_threads_share_the_window() -> None:
    """Sixteen threads together stay within one allowance."""
    limiter = RateLimiter(requests=5, seconds=10, clock=FakeClock())
    taken: list[float] = []

    class Noting(deque[float]):
        """Notes each time that the limiter counts, which it does under its lock."""

        def append(self, at: float) -> None:
            taken.append(at)
            super().append(at)

    limiter._sent = Noting(maxlen=limiter._sent.maxlen)

    def ask() -> None:
        for _ in range(5):
            limiter.acquire()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == 80
    assert most_in_any_window(sorted(taken), 10) <= 5


def test_a_pause_holds_all_threads_back() -> None:
    """After a 429, no request is sent before the time that the server named."""
    clock = FakeClock()
    limiter = RateLimiter(requests=5, seconds=10, clock=clock)
    limiter.pause(15)
    limiter.acquire()
    assert clock.monotonic() == pytest.approx(15, abs=0.002)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of two overlapping pauses, the one that ends later counts."""
    clock = FakeClock()
    limiter = RateLimiter(requests=5, seconds=10, clock=clock)
    limiter.pause(15)
    limiter.pause(2)
    limiter.acquire()
    assert clock.monotonic() == pytest.approx(15, abs=0.002)


def test_a_429_lowers_the_rate_and_quiet_windows_restore_it() -> None:
    """While other programs use the allowance we use less; each quiet window restores a part."""
    clock = FakeClock()
    limiter = RateLimiter(requests=10, seconds=15, clock=clock)
    limiter.pause(1)
    limiter.pause(1)
    assert limiter.allowed == 6, "answers of one window complain once"
    clock.advance(1)
    times = []
    for _ in range(13):
        limiter.acquire()
        times.append(clock.monotonic())
    assert [round(time) for time in times] == [1] * 6 + [15] + [16] * 6
    assert limiter.allowed == 7
    limiter.pause(0)
    assert limiter.allowed == 4, "a complaint in a later window counts again"
    clock.advance(15 * 6)
    limiter.acquire()
    assert limiter.allowed == 10
    clock.advance(1000)
    limiter.acquire()
    assert limiter.allowed == 10, "never above the allowance"


def test_one_request_per_window_is_always_admitted() -> None:
    """However many 429s arrive, one request per window is admitted."""
    clock = FakeClock()
    limiter = RateLimiter(requests=3, seconds=15, clock=clock)
    for _ in range(5):
        limiter.pause(0)
        clock.advance(15)
    assert limiter.allowed >= 1
    limiter.acquire()


def test_waiting_does_not_hold_the_lock() -> None:
    """While one thread waits for its turn, another can report a 429."""

    class Reporting(FakeClock):
        def sleep(self, seconds: float) -> None:
            if not self.slept:
                limiter.pause(30)  # Would block forever if the lock were held.
            super().sleep(seconds)

    clock = Reporting()
    limiter = RateLimiter(requests=1, seconds=10, clock=clock)
    limiter.acquire()
    waiting = threading.Thread(target=limiter.acquire, daemon=True)
    waiting.start()
    waiting.join(5)
    assert not waiting.is_alive()
    assert clock.monotonic() == pytest.approx(30, abs=0.002)


def test_waiting_is_no_busy_loop() -> None:
    """A wait of 15 s takes a handful of sleeps, not thousands."""
    clock = FakeClock()
    limiter = RateLimiter(requests=1, seconds=15, clock=clock)
    limiter.acquire()
    limiter.acquire()
    assert len(clock.slept) <= 20


def test_a_dropped_wait_takes_no_turn() -> None:
    """A request that is cancelled while it waits does not count."""
    clock = FakeClock()
    limiter = RateLimiter(requests=1, seconds=10, clock=clock)
    limiter.acquire()
    with pytest.raises(Cancelled):
        limiter.acquire(cancelled=lambda: True)
    limiter.acquire()
    assert clock.monotonic() == pytest.approx(10, abs=0.002)


@pytest.mark.parametrize(("urgency", "goes_at"), [(0, 14), (1, 10), (2, 10)])
def test_a_turn_is_left_to_a_more_urgent_request(urgency: float, goes_at: float) -> None:
    """Turns are free at 10 and 14: a less urgent request takes none from a waiting urgent one."""

    class Meeting(FakeClock):
        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            if len(self.slept) == 1:  # The waiting thread sleeps, and another one arrives.
                limiter.acquire(urgency=urgency)
                went_at.append(self.monotonic())
            else:
                self.advance(seconds)

    went_at: list[float] = []
    clock = Meeting()
    limiter = RateLimiter(requests=2, seconds=10, clock=clock)
    limiter.acquire(urgency=1)
    clock.advance(4)
    limiter.acquire(urgency=1)
    limiter.acquire(urgency=1)
    assert went_at == [pytest.approx(goes_at, abs=0.002)]


def test_a_request_waits_for_all_more_urgent_ones() -> None:
    """With as many urgent requests as turns, no other request gets one, however long it waits."""

    class Meeting(FakeClock):
        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            if len(self.slept) == 1:
                with pytest.raises(Cancelled):
                    limiter.acquire(urgency=1, cancelled=lambda: clock.monotonic() > 60)
            else:
                self.advance(seconds)

    clock = Meeting()
    limiter = RateLimiter(requests=1, seconds=10, clock=clock)
    limiter.acquire(urgency=2)
    limiter.acquire(urgency=2)
    assert max(clock.slept) <= 10
    assert len(clock.slept) < 100, "no busy loop"


@pytest.mark.parametrize(("requests", "seconds"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_numbers_out_of_bounds_are_refused(requests: int, seconds: float) -> None:
    """A limiter that admits nothing, or everything, is refused."""
    with pytest.raises(ValueError, match="A limiter needs"):
        RateLimiter(requests=requests, seconds=seconds, clock=FakeClock())


def test_the_constants_are_below_harvests_limits() -> None:
    """The limits of 100 requests in 15 s, and 100 in 15 minutes for reports, are never reached."""
    for (requests, seconds), window in ((GENERAL, 15.0), (REPORTS, 900.0)):
        assert requests < 100
        assert seconds > window


@pytest.mark.parametrize(
    ("rate_limit", "expected"), [(None, 97), (100, 97), (97, 97), (50, 50), (1, 1)]
)
def test_rate_limit_only_lowers(rate_limit: int | None, expected: int) -> None:
    """``rate_limit`` is requests per 15 s, and never raises the measured safe rate."""
    clock = FakeClock()
    limiter = build_general_limiter(clock, rate_limit)
    for _ in range(expected):
        limiter.acquire()
    assert clock.monotonic() == 0
    limiter.acquire()
    assert clock.monotonic() >= 15.4 - EPSILON


@pytest.mark.parametrize("rate_limit", [0, -1, 101])
def test_rate_limit_out_of_bounds_is_refused(rate_limit: int) -> None:
    """Below 1 nothing would ever be sent; above 100 Harvest answers 429."""
    with pytest.raises(ConfigError, match=r"rate_limit is -?[0-9]+; Harvest allows 100"):
        build_general_limiter(FakeClock(), rate_limit)


def test_reports_have_their_own_window() -> None:
    """The 98th report waits for most of 15 minutes."""
    clock = FakeClock()
    limiter = build_report_limiter(clock)
    for _ in range(98):
        limiter.acquire()
    assert clock.monotonic() == pytest.approx(924, abs=0.01)
