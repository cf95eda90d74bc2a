"""Objects shared by all HTTP calls of one run, independent of host and token."""

from __future__ import annotations

import random as _random
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import httpx

from harvest_source._version import __version__
from harvest_source.clock import Clock, SystemClock
from harvest_source.errors import printable
from harvest_source.notices import Notice, NoticeKind

IDLE_CONNECTIONS: Final = 32
"""Idle connections that the only account of a run keeps open, at most."""


def share_connections(accounts: int, files: int | None) -> int:
    """
    How many idle connections each of *accounts* may keep open, so that a run has files left.

    All of them together take at most a quarter of what the process may have open. The rest is for
    requests in flight, of which there are up to about a hundred, and for the destination's files.

    Args:
        files: Files that the process may have open; None: there is no limit.
    """
    if files is None:
        return IDLE_CONNECTIONS
    return max(1, min(IDLE_CONNECTIONS, files // 4 // max(accounts, 1)))


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """
    When to stop sending one request; the first limit reached counts.

    Every request of this package is safe to send again: it is either a GET or a token request. If
    the answer to a token request is lost, nothing has changed, or the login has already ended.

    Attributes:
        attempts: Total number of attempts, including the first.
        total_s: Total seconds of attempts and waits, without the time spent waiting for our own
            rate limiter. Also the longest Retry-After that is accepted.
        stale_attempts: Number of attempts if a cache keeps serving an answer from before the run.
        unreached_attempts: Number of attempts if the host has never answered anything: a wrong
            address should fail within seconds.
        base_s: Upper bound of the first wait; it doubles with every attempt.
        cap_s: Upper bound of any wait that the server did not ask for.
        attempt_s: Seconds one attempt may take, from connecting to the last byte of the answer,
            whatever the server sends.
    """

    attempts: int = 8
    total_s: float = 300.0
    stale_attempts: int = 3
    unreached_attempts: int = 3
    base_s: float = 0.5
    cap_s: float = 30.0
    attempt_s: float = 180.0

    def with_patience(self, total_s: float) -> RetryLimits:
        """The same limits, with at least *total_s* seconds in total."""
        return replace(self, total_s=max(self.total_s, total_s))


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One attempt at a request, with or without an answer.

    Attributes:
        at: When it was sent, by this machine's clock.
        path: Without host and query.
        status: HTTP status; None if there was no answer.
        elapsed_s: Seconds from sending to the last byte, or to the failure.
        attempt: Number of the attempt at the same request, from 1.
        bytes: Body bytes received, after decompression.
        account: ``Harvest-Account-Id`` as sent; None without one.
        rows: Rows of the page; 1 for an object; None if there was no usable answer.
    """

    at: datetime
    method: str
    path: str
    status: int | None
    elapsed_s: float
    attempt: int
    bytes: int
    account: str | None = None
    rows: int | None = None


def ignore_notice(notice: Notice) -> None:
    """Drop a notice: the default where a caller does not listen."""
    del notice


def ignore_warning(message: str) -> None:
    """Drop a warning: the default where a caller does not listen."""
    del message


@dataclass(frozen=True, slots=True)
class HttpContext:
    """
    Clock, network and callbacks of a run.

    Attributes:
        clock: Source of dates, durations and waits.
        contact: E-mail or URL for the User-Agent, which Harvest asks for; None: not known (yet).
        transport: Replaces the network in tests; None: real connections.
        random: Source of jitter, uniform in [0, 1).
        retry_limits: When to give up a request.
        idle: Connections that each account keeps open for its next requests, at most.
        on_response: Called after every attempt, on the thread that made it; None: not called, and
            rows are not counted for it.
        on_notice: Called with each warning for the user.
        sending: Context entered while a request waits for the rate limiter. If it is left without
            an error, the request is sent.
    """

    clock: Clock = field(default_factory=SystemClock)
    contact: str | None = None
    transport: httpx.BaseTransport | None = None
    random: Callable[[], float] = _random.random
    retry_limits: RetryLimits = RetryLimits()
    idle: int = IDLE_CONNECTIONS
    on_response: Callable[[Exchange], None] | None = None
    on_notice: Callable[[Notice], None] = ignore_notice
    sending: Callable[[], AbstractContextManager[object]] = nullcontext

    def warn_of(self, kind: NoticeKind) -> Callable[[str], None]:
        """A function that reports the text it is called with as a notice of *kind*."""
        return lambda text: self.on_notice(Notice(kind, text))

    @property
    def user_agent(self) -> str:
        """The User-Agent header."""
        return build_user_agent(__version__, self.contact)


def build_user_agent(version: str, contact: str | None) -> str:
    """``harvest-source/0.1.0 (contact)``: Harvest asks for a contact; one line of plain ASCII."""
    ascii_only = unicodedata.normalize("NFKD", contact or "").encode("ascii", "ignore").decode()
    words = printable(ascii_only.translate({ord(char): None for char in '()\\"'}), limit=120)
    return f"harvest-source/{version} ({words})" if words else f"harvest-source/{version}"
