"""How old an answer is: cursors, cached answers, answers without a date."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from harvest_source.api.evidence import AnswerAge, ServerClock
from tests.clocks import START, FakeClock

HOUR = timedelta(hours=1)


def receive(clock: FakeClock, server: ServerClock, date: datetime | None) -> AnswerAge:
    """Date an answer that took no time."""
    return server.date(date, sent_at=clock.now(), elapsed_s=0)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(0), START - timedelta(seconds=3)),
        (-HOUR, START - timedelta(seconds=3603)),
        (HOUR, START),
    ],
)
def test_an_answer_began_at_the_earlier_clock(ahead: timedelta, expected: datetime) -> None:
    """The earlier clock counts: a cursor too early rereads rows, one too late loses them."""
    dating = ServerClock(FakeClock()).date(START + ahead, sent_at=START, elapsed_s=3)
    assert dating.began == expected


@pytest.mark.parametrize(
    ("seconds", "is_stale"), [(0, False), (-2, False), (-3, True), (-86400, True)]
)
def test_an_answer_from_before_the_run_is_stale(seconds: int, is_stale: bool) -> None:
    """An answer is compared with the server's time at the run's start, however long ago."""
    clock = FakeClock()
    server = ServerClock(clock)
    assert not receive(clock, server, START).is_stale
    clock.advance(600)
    assert receive(clock, server, START + timedelta(seconds=seconds)).is_stale is is_stale


@pytest.mark.parametrize("hours", [-72, 72])
def test_a_wrong_clock_of_ours_makes_no_answer_stale(hours: int) -> None:
    """Only the server's own dates are compared, so a wrong local clock makes no answer stale."""
    clock = FakeClock(START + hours * HOUR)
    server = ServerClock(clock)
    for seconds in range(0, 300, 60):
        assert not receive(clock, server, START + timedelta(seconds=seconds)).is_stale
        clock.advance(60)


def test_a_slow_answer_makes_no_other_stale() -> None:
    """A slow answer's date is from its first byte, so it never puts the run's start too late."""
    clock = FakeClock()
    server = ServerClock(clock)
    clock.advance(180)
    server.date(START, sent_at=START, elapsed_s=180, path="/v2/clients")
    assert not receive(clock, server, START + timedelta(seconds=180)).is_stale
    assert server.find_old() == set()


@pytest.mark.parametrize(
    ("home", "asked"),
    [
        ("/v2", "/v2"),
        ("/v2", "/api/v2"),
        ("/harvest", "/harvest"),
        ("/harvest", "/harvest/v2"),
        ("/v2/proxy/42", "/v2/proxy/42"),
        ("", ""),
    ],
)
def test_a_stale_first_answer_is_detected_by_the_second(home: str, asked: str) -> None:
    """A run's first answer may come from a cache; the second reveals it, at any API address."""
    clock = FakeClock()
    server = ServerClock(clock, home)
    first = server.date(
        START - HOUR, sent_at=START, elapsed_s=0, path=f"{asked}/invoices/77/payments"
    )
    assert not first.is_stale
    assert server.find_old() == set()
    assert not server.date(START, sent_at=START, elapsed_s=0, path=f"{home}/clients").is_stale
    assert server.find_old() == {"invoices/#/payments"}


def test_without_a_date_no_cursor_passes_the_last_server_date() -> None:
    """Our own clock may be days ahead: a cursor from it would skip days of changes."""
    clock = FakeClock(START + 48 * HOUR)
    server = ServerClock(clock)
    assert server.confirm_time(clock.now()) == clock.now()
    undated = receive(clock, server, None)
    assert server.has_undated
    assert server.confirm_time(undated.began) is None
    receive(clock, server, START)
    assert server.confirm_time(undated.began) == START
    clock.advance(60)
    assert receive(clock, server, None).began == START
