"""Progress of a run: one line that is updated on a terminal, or a line every 5 s in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from harvest_source.activity import Activity, Phase
from harvest_source.cli.console import Console, open_stderr
from harvest_source.cli.json_log import JsonLog
from harvest_source.extract.run_log import PageCounts, Progress

_LINE_EVERY_S: Final = 5.0
_QUIET_S: Final = 2.0
"""Seconds without a request after which the run is shown as waiting for the rate limit."""

_REMEMBERED: Final = 100
"""Requests whose times are remembered: as many as fit in one window of the rate limit."""

_USED_UP: Final = 0.9
"""Used share of the rate limit above which it, and not Harvest's speed, determines the pace."""

MARK: Final = "progress: "
"""Prefix of progress lines in a log."""


class Board:
    """
    The progress of a run: phase, requests, rows, time left. Thread-safe.

    Args:
        monotonic: A monotonic clock in seconds.
    """

    def __init__(self, activity: Activity, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.activity = activity
        self._monotonic = monotonic
        self._began = self._changed = monotonic()
        self._requests = 0
        self._counts = PageCounts()
        self._sent: deque[float] = deque(maxlen=_REMEMBERED)
        activity.on_sent = self._note_sent
        self._lock = threading.Lock()

    def add_page(self, progress: Progress) -> None:
        """Count one more page."""
        with self._lock:
            self._counts.add(progress)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._monotonic() - self._began

    @property
    def expected(self) -> int | None:
        """Total requests, as far as they are announced; None: no further one is."""
        left = self._requests_left
        return None if left is None else self.activity.requests + left

    @property
    def _requests_left(self) -> int | None:
        """
        The pages that the pages read so far announce, and lists whose number is known; None: none.

        A run whose pages are all read may still learn of lists, so none left is not the end.
        """
        with self._lock:
            has_begun, pages = self._counts.rows > 0, self._counts.pages_left
        return pages + self.activity.announced or None if has_begun else None

    @property
    def left_s(self) -> float | None:
        """
        Seconds until the announced requests are answered; None: not known.

        Each page is expected to take as long as the earlier ones did, and no less than the rate
        limit admits: a full window of requests is sent at once, and the next ones when those leave
        the window.
        """
        now, pages = self._monotonic(), self._requests_left
        with self._lock:
            recent = list(self._sent)
        sent, elapsed_s = self.activity.requests, now - self._began
        if pages is None or not sent or elapsed_s <= 0:
            return None
        by_pace = pages * elapsed_s / sent
        if self.activity.allowed is None:
            return by_pace
        allowed, window_s = self.activity.allowed
        by_limit = _wait_for_limit(pages, recent, now, allowed, window_s)
        # When the limit is used up, it alone sets the pace: in bursts, which a mean lags behind.
        is_used_up = sum(at >= now - window_s for at in recent) >= _USED_UP * allowed
        return by_limit if is_used_up else max(by_pace, by_limit)

    def _note_sent(self) -> None:
        with self._lock:
            self._sent.append(self._monotonic())

    def describe(self) -> tuple[str, ...]:
        """Phase, requests, rows and time left, in columns of fixed width."""
        if self.activity.base is Phase.WAREHOUSE and not self.activity.requests:
            return (self._describe_phase(),)  # Harvest may never be asked.
        expected, left_s = self.expected, self.left_s
        sent = f"{self.activity.requests:,}"
        total = f" of about {expected:,}" if expected is not None else ""
        with self._lock:
            rows = f"{self._counts.rows:>11,} rows" if self._counts.rows else ""
        left = "" if left_s is None else f"about {format_duration(left_s)} left"
        return f"{self._describe_phase():<27}", f"{sent:>6}{total} requests", rows, left

    def as_dict(self) -> dict[str, Any]:
        """The same for programs; None: not known yet."""
        with self._lock:
            rows = self._counts.rows
        left_s = self.left_s
        return {
            "phase": self._describe_phase(),
            "requests": self.activity.requests,
            "expected_requests": self.expected,
            "rows": rows,
            "left_s": None if left_s is None else round(left_s, 1),
        }

    def _describe_phase(self) -> str:
        """Describe the phase. Some thread always waits for the limit: shown once none passes it."""
        now, sent = self._monotonic(), self.activity.requests
        if sent != self._requests:
            self._requests, self._changed = sent, now
        if self.activity.phase is Phase.LIMIT and now - self._changed < _QUIET_S:
            return str(self.activity.base)
        return self.activity.describe()


def _wait_for_limit(
    pages: int, recent: Sequence[float], now: float, allowed: int, window_s: float
) -> float:
    """Seconds until the last of *pages* requests may be sent, given the *recent* ones."""
    if pages < 1:
        return 0.0
    windows, at = divmod(pages - 1, allowed)
    in_window = [now - window_s] * allowed + [*recent]
    return max(in_window[-allowed:][at] + window_s * (windows + 1) - now, 0.0)


def format_duration(seconds: float) -> str:
    """``0:03:21``; with days in front if it is longer than a day."""
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {text}" if days else text


@contextmanager
def show_progress(console: Console, base: Phase = Phase.READING) -> Iterator[Board]:
    """Show the state of the yielded board on stderr; nothing with ``--quiet``."""
    board, log = Board(Activity(base)), console.log
    if console.quiet:
        yield board
        return
    as_line = log is None and sys.stderr.isatty()
    show = _show_line(board) if as_line else _write_lines(board, log)
    with show:
        yield board


@contextmanager
def _write_lines(board: Board, log: JsonLog | None) -> Iterator[None]:
    """Write plain progress for logs: a line every five seconds."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(_LINE_EVERY_S):
            if log is None:
                print(format_line(board), file=sys.stderr)
            else:
                log.write("progress", **board.as_dict())

    writer = threading.Thread(target=write, name="harvest-progress", daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def format_line(board: Board) -> str:
    """One progress line for a log."""
    return MARK + ", ".join(" ".join(each.split()) for each in board.describe() if each)


@contextmanager
def _show_line(board: Board) -> Iterator[None]:
    """Show one line at the bottom of the terminal, and remove it when the run is done."""
    from rich.live import Live
    from rich.text import Text

    def build() -> Text:
        line = "  ".join(each for each in board.describe() if each)
        return Text(line, no_wrap=True, overflow="crop")

    with Live(get_renderable=build, console=open_stderr(), transient=True, refresh_per_second=4):
        yield
