"""
The age of an answer, which decides what the answer proves.

A cache between us and Harvest may serve yesterday's answer, with or without an ``Age`` header.
``Date`` says when an answer was made. Rows of an old answer do no harm, but yesterday's count, list
or 404 makes today's rows look deleted, and a cursor taken from our own clock skips the changes made
since. This is the only module that judges the age of an answer.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from harvest_source.api.urls import find_relative_path
from harvest_source.clock import Clock

STALE_AFTER: Final = timedelta(seconds=2)
"""Tolerance before an answer counts as older than the run: ``Date`` has whole seconds."""


@dataclass(frozen=True, slots=True)
class AnswerAge:
    """
    What is known about the age of one answer.

    Attributes:
        began: Aware, UTC: no later than the moment Harvest began to make the answer, so a cursor
            may be set to it, as far as :meth:`ServerClock.confirm_time` allows.
        skew: Difference between this machine's clock and the server's, never negative.
        is_stale: The answer was made before the run began: it came from a cache.
    """

    began: datetime
    skew: timedelta = timedelta(0)
    is_stale: bool = False


_NUMBER: Final = re.compile(r"/\d+")


class ServerClock:
    """
    The server's clock, as the answers of one run show it; thread-safe.

    The latest ``Date``, minus the seconds since the run began, is the server's time when the run
    began, or slightly earlier. An answer dated before that is older than the run. Only the server's
    own dates are compared, so a wrong clock on this machine does not matter.

    Args:
        clock: Its monotonic counter measures how long the run has lasted.
        home: Path of the API's address, which the paths of requests begin with.
    """

    def __init__(self, clock: Clock, home: str = "") -> None:
        self._clock = clock
        self._home = home
        self._began_s = clock.monotonic()
        self._lock = threading.Lock()
        self._run_began: datetime | None = None
        self._has_undated = False
        self._oldest: dict[str, datetime] = {}
        """Date of the oldest accepted answer for each path below the API, without ids."""

    @property
    def has_undated(self) -> bool:
        """Whether an answer had no ``Date``: it may be of any age, so no row may be removed."""
        with self._lock:
            return self._has_undated

    def date(
        self, date: datetime | None, *, sent_at: datetime, elapsed_s: float, path: str = ""
    ) -> AnswerAge:
        """
        Date one answer that has just been received.

        Its beginning is the earlier of two times: our clock at sending, and *date* minus the
        duration of the request. ``Age`` is ignored. A time too early means that some rows are read
        again; a time too late loses rows.

        Args:
            date: Its ``Date`` header; None if it is missing or cannot be read.
            sent_at: This machine's clock at sending.
            elapsed_s: Seconds from sending to the last byte.
            path: Path of the request.
        """
        run_began = self._observe(date)
        if date is None:
            return AnswerAge(sent_at if run_began is None else min(sent_at, run_began))
        theirs = date - timedelta(seconds=elapsed_s)
        is_stale = run_began is not None and date < run_began - STALE_AFTER
        if not is_stale:
            with self._lock:
                name = _NUMBER.sub("/#", find_relative_path(path, self._home))
                self._oldest[name] = min(date, self._oldest.get(name, date))
        return AnswerAge(min(theirs, sent_at), abs(theirs - sent_at), is_stale)

    def _observe(self, date: datetime | None) -> datetime | None:
        """Record *date*; return the server's time when the run began, as far as it is known."""
        passed = timedelta(seconds=self._clock.monotonic() - self._began_s)
        with self._lock:
            if date is None:
                self._has_undated = True
            elif self._run_began is None or date - passed > self._run_began:
                self._run_began = date - passed
            return self._run_began

    def read(self) -> datetime | None:
        """The server's time now, or slightly earlier; None if no answer has shown it."""
        passed = timedelta(seconds=self._clock.monotonic() - self._began_s)
        with self._lock:
            return None if self._run_began is None else self._run_began + passed

    def find_old(self) -> set[str]:
        """
        Paths whose accepted answers have since turned out to be older than the run.

        The first answers of a run may come from a cache as well, which only later answers reveal. A
        path is relative to the API and has ``#`` for each id: ``invoices/#/payments``.
        """
        with self._lock:
            if self._run_began is None:
                return set()
            least = self._run_began - STALE_AFTER
            return {path for path, date in self._oldest.items() if date < least}

    def confirm_time(self, began: datetime) -> datetime | None:
        """
        *began*, or an earlier time that the server's clock confirms; None if it confirms none.

        Once an answer had no ``Date``, only the server's time at the start of the run is certain.
        """
        with self._lock:
            if not self._has_undated:
                return began
            return None if self._run_began is None else min(began, self._run_began)
