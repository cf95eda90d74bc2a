"""What all HTTP calls of one run share, whichever host they ask and whichever token they carry."""

from __future__ import annotations

import random as _random
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from harvest_source._version import __version__
from harvest_source.clock import Clock, SystemClock
from harvest_source.errors import printable
from harvest_source.notices import Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """
    When to stop sending one request; the first limit reached counts.

    Every request of this package is safe to send again: a GET, or the request for a token, where a
    lost answer has either changed nothing or has already ended the login.

    Attributes:
        attempts: Attempts in all, the first included.
        total_s: Seconds of attempts and waits in all. Time spent queueing for our own request
            allowance does not count. Also the longest Retry-After that is accepted.
        stale_attempts: Attempts in all while a cache answers with what it had before the run.
        unreached_attempts: Attempts in all while the host has never answered anything: a wrong
            address should fail within seconds.
        base_s: Upper bound of the first wait; it doubles with every attempt.
        cap_s: Upper bound of any wait that the server did not ask for.
        attempt_s: Seconds one attempt may take from its connection to the last byte of the answer,
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
        """The same limits, with at least *total_s* seconds in all."""
        return replace(self, total_s=max(self.total_s, total_s))


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One attempt at a request, with or without an answer.

    Attributes:
        at: When it was sent, by this machine's clock.
        path: Without host and query.
        status: None when no answer came.
        elapsed_s: From sending to the last byte, or to the failure.
        attempt: From 1, for the same request.
        bytes: Body bytes received, decompressed.
        account: ``Harvest-Account-Id`` as sent; None without one.
        rows: Rows of the page; 1 for an object; None when there was no usable answer.
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
        clock: Dates, measures and waits.
        contact: E-mail or URL for the User-Agent, which Harvest asks for; None: not known (yet).
        transport: Replaces the network in tests; None: real connections.
        random: Source of jitter, uniform in [0, 1).
        retry_limits: When a request is given up.
        on_response: Called after every attempt, from the thread that made it; None: not called,
            and rows are not counted for it.
        on_notice: Called with each warning for people.
        sending: Entered while a request waits for its turn; left without an error, it is sent.
    """

    clock: Clock = field(default_factory=SystemClock)
    contact: str | None = None
    transport: httpx.BaseTransport | None = None
    random: Callable[[], float] = _random.random
    retry_limits: RetryLimits = RetryLimits()
    on_response: Callable[[Exchange], None] | None = None
    on_notice: Callable[[Notice], None] = ignore_notice
    sending: Callable[[], AbstractContextManager[object]] = nullcontext

    def warn_of(self, kind: NoticeKind) -> Callable[[str], None]:
        """A function that makes a notice of *kind* from the text it is called with."""
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
