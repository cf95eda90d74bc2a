"""What people see during a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from harvest_source.activity import Activity, Phase
from harvest_source.api.rate_limit import GENERAL, build_general_limiter
from harvest_source.cli.progress import Board, format_duration, format_line
from harvest_source.extract.run_log import Progress

PAGE = 2000


@dataclass
class Clock:
    """A clock that never waits."""

    at: float = 0.0
    sent: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def now(self) -> None:
        raise NotImplementedError


def read(
    board: Board, clock: Clock, pages: int, *, latency_s: float, rate_limit: int | None
) -> Iterator[tuple[float, float | None]]:
    """Read *pages* pages, eight at a time; yield the time and the estimate."""
    limiter = build_general_limiter(clock, rate_limit)  # type: ignore[arg-type]
    free = [0.0] * 8
    rows = pages * PAGE
    for _ in range(pages):
        worker = free.index(min(free))
        clock.at = max(clock.at, free[worker])
        with board.activity.sending():
            limiter.acquire()
        free[worker] = clock.at + latency_s
        board.add_page(Progress(1, "time_entries", PAGE, rows))
        yield clock.at, board.left_s


@pytest.mark.parametrize(
    ("pages", "latency_s", "rate_limit"),
    [(2000, 0.3, None), (600, 0.3, None), (1000, 3.0, None), (400, 0.3, 20)],
    ids=["long", "short", "slow answers", "a part of the limit"],
)
def test_the_time_left_is_right(pages: int, latency_s: float, rate_limit: int | None) -> None:
    """After a tenth of a run the estimate is within 30 % of the real time left (simulated)."""
    clock, activity = Clock(), Activity()
    board = Board(activity, clock.monotonic)
    activity.allowed = (rate_limit or GENERAL[0], GENERAL[1])
    seen = list(read(board, clock, pages, latency_s=latency_s, rate_limit=rate_limit))
    end = seen[-1][0]
    late = [(at, left) for at, left in seen if end * 0.1 <= at <= end * 0.9]
    assert len(late) > pages / 2
    for at, left in late:
        assert left is not None
        assert left == pytest.approx(end - at, rel=0.3), f"at {at:.0f} of {end:.0f} s"


def test_a_line_names_phase_requests_rows_and_time_left() -> None:
    """Thousands have separators; unknown parts are omitted."""
    clock, activity = Clock(), Activity()
    board = Board(activity, clock.monotonic)
    assert format_line(board) == "progress: reading, 0 requests"
    for _ in range(1500):
        with activity.sending():
            pass
    clock.at = 150.0
    board.add_page(Progress(1, "time_entries", 3_000_000, 4_000_000))
    assert format_line(board) == (
        "progress: reading, 1,500 of about 2,000 requests, 3,000,000 rows, about 0:00:50 left"
    )


def test_lists_that_are_still_to_be_asked_for_count_as_requests() -> None:
    """A run that waits for the limit with lists left does not show that no time is left."""
    clock, activity = Clock(), Activity()
    board = Board(activity, clock.monotonic)
    activity.allowed = (97, 15.4)
    board.add_page(Progress(1, "invoices", 194, 194))
    for _ in range(97):
        with activity.sending():
            pass
    clock.at = 5.0
    lists = activity.announce(iter(range(200)), 200)
    next(lists)
    with activity.during(Phase.LIMIT):
        board.describe()
        clock.at = 10.4
        assert format_line(board) == (
            "progress: waiting for Harvest's limit, 97 of about 296 requests, 194 rows, "
            "about 0:00:35 left"
        )
    lists.close()  # type: ignore[attr-defined]
    assert activity.announced == 0


def test_a_run_without_known_requests_names_no_end() -> None:
    """All pages that were announced are read: further lists may follow, and rows are written."""
    clock, activity = Clock(), Activity()
    board = Board(activity, clock.monotonic)
    for _ in range(2):
        with activity.sending():
            pass
    clock.at = 1.0
    board.add_page(Progress(1, "invoices", 194, 194))
    assert format_line(board) == "progress: reading, 2 requests, 194 rows"
    assert (board.as_dict()["expected_requests"], board.as_dict()["left_s"]) == (None, None)


def test_a_command_that_only_reads_the_warehouse_counts_no_requests() -> None:
    """``export`` never asks Harvest, ``status`` only with ``--check``."""
    activity = Activity(Phase.WAREHOUSE)
    board = Board(activity)
    assert format_line(board) == "progress: reading the warehouse"
    activity.wait_for("duckdb (PID 123)")
    assert format_line(board) == "progress: waiting for the file that duckdb (PID 123) holds"
    activity.stop_waiting()
    with activity.sending():
        pass
    assert "1 requests" in format_line(board)


def test_columns_keep_their_width() -> None:
    """The line does not jump as numbers grow."""
    clock, activity = Clock(), Activity()
    board = Board(activity, clock.monotonic)
    before = [len(each) for each in board.describe()[:2]]
    with activity.sending():
        pass
    with activity.during(Phase.WRITING):
        assert [len(each) for each in board.describe()[:2]] == before


def test_every_phase_is_named() -> None:
    """The more serious of two phases is named, and the process that holds the file, by PID."""
    clock, activity = Clock(), Activity(Phase.COMPARING)
    board = Board(activity, clock.monotonic)
    assert format_line(board).startswith("progress: comparing, ")
    with activity.during(Phase.LIMIT):
        assert "comparing" in format_line(board), "others get through"
        clock.at = 5.0
        assert "waiting for Harvest's limit" in format_line(board)
        with activity.during(Phase.WRITING):
            assert "writing" in format_line(board)
    activity.wait_for("duckdb (PID 123)")
    assert "waiting for the file that duckdb (PID 123) holds" in format_line(board)
    activity.stop_waiting()
    assert "comparing" in format_line(board)


def test_durations_have_days_hours_minutes_and_seconds() -> None:
    """A duration has hours, minutes and seconds, and days if needed."""
    assert format_duration(201) == "0:03:21"
    assert format_duration(90_061) == "1 d 1:01:01"
