"""Send single attempts over one httpx client, count them, and report each to a callback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

import httpx

from harvest_source.api.attempt import Attempt, OkResponse
from harvest_source.api.http_client import translated_errors
from harvest_source.api.http_context import HttpContext
from harvest_source.api.pages import Page, TruncatedBody, count_rows
from harvest_source.api.rate_limit import RecentRequests
from harvest_source.api.retry import TransientFailure
from harvest_source.notices import Notice, NoticeKind

T = TypeVar("T")

_MAX_SKEW: Final = timedelta(minutes=5)
_OTHERS: Final = (
    "something else uses the allowance too, or a command that ended just before used it up"
)


class Sender:
    """
    Sends attempts; thread-safe.

    Args:
        http: Its ``on_response`` gets every attempt. Its ``on_notice`` gets at most one notice of
            each kind: a wrong clock on this machine, answers without a date, 429s.
    """

    def __init__(self, client: httpx.Client, http: HttpContext) -> None:
        self._client = client
        self._on_response = http.on_response
        self._on_notice = http.on_notice
        self._lock = threading.Lock()
        self._warned_of: set[NoticeKind] = set()
        self._requests = 0
        self._has_answered = False

    @property
    def requests(self) -> int:
        """Attempts sent so far."""
        with self._lock:
            return self._requests

    def send(
        self, attempt: Attempt, parse: Callable[[OkResponse], T], cancelled: Callable[[], bool]
    ) -> T:
        """
        Send one attempt and parse its answer.

        Raises:
            TransientFailure: Another attempt may succeed.
            HarvestError: Another attempt would fail as well.
            Cancelled: *cancelled* returned True while the body was read.
        """
        try:
            parsed = parse(self._receive(attempt, cancelled))
            if self._on_response:
                attempt.rows = _count(parsed)
            return parsed
        except TruncatedBody:
            raise TransientFailure(
                "answered half a JSON body", elapsed_s=attempt.elapsed_s
            ) from None
        finally:
            if self._on_response:
                self._on_response(attempt.build_exchange())

    def _receive(self, attempt: Attempt, cancelled: Callable[[], bool]) -> OkResponse:
        spec = attempt.spec
        with self._lock:
            self._requests += 1
        stream = self._client.stream(spec.method, spec.url, data=spec.form)
        try:
            with translated_errors(attempt.stop), stream as response:
                attempt.read(response, cancelled)
        except TransientFailure as failure:
            failure.unreached = failure.unreached and not self._has_answered
            raise
        finally:
            attempt.stop()
        self._has_answered = True
        answer = attempt.build_answer()
        if answer.clock_skew > _MAX_SKEW:
            self._warn_of_skew(answer.clock_skew)
        if answer.date is None:
            self._warn_of_missing_date()
        return answer

    def _warn_of_skew(self, skew: timedelta) -> None:
        self._warn(
            NoticeKind.CLOCK,
            f"This machine's clock and Harvest's are {skew.total_seconds() / 60:.0f} minutes "
            "apart. The earlier one counts, so nothing is lost, but rows may be read twice. "
            "Set this machine's clock.",
        )

    def _warn_of_missing_date(self) -> None:
        self._warn(
            NoticeKind.MISSING_DATE,
            "Answers came without the Date header, so it is not known whether they are current. "
            "Rows are loaded, but nothing is removed, and cursors stay where Harvest's clock "
            "last confirmed them: rows are read again. Set the proxy on the way to pass Date on.",
        )

    def warn_of_429(self, recent: RecentRequests) -> None:
        """
        Warn that Harvest counted too many requests, and name the possible causes.

        Args:
            recent: Requests recently admitted by the limiter of the refused request.
        """
        sent = f"this run sent {recent.number} requests in the last {recent.seconds:.0f} s"
        if recent.is_within_allowance:
            cause = f"although {sent}: {_OTHERS}"
        else:
            cause = (
                f"although this run keeps below what it allows ({sent}): the network held some "
                f"back and delivered them together, or {_OTHERS}"
            )
        self._warn(
            NoticeKind.ALLOWANCE,
            f"Harvest answered that too many requests were made for this account, {cause}. This "
            "run goes slower. If other programs use the allowance all the time, a lower rate_limit "
            "under [sources.harvest] leaves more to them.",
        )

    def _warn(self, kind: NoticeKind, text: str) -> None:
        """Give at most one warning of each kind."""
        with self._lock:
            is_new = kind not in self._warned_of
            self._warned_of.add(kind)
        if is_new:
            self._on_notice(Notice(kind, text))


def _count(parsed: object) -> int | None:
    """Rows of a parsed answer."""
    if isinstance(parsed, Page):
        return count_rows(parsed)
    return len(parsed) if isinstance(parsed, list) else 1
