"""One attempt at a request: read the answer within limits and interpret its status."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from harvest_source.api.evidence import ServerClock
from harvest_source.api.http_client import CONNECT_S
from harvest_source.api.http_context import Exchange
from harvest_source.api.rate_limit import Cancelled
from harvest_source.api.retry import (
    StaleAnswer,
    TransientFailure,
    is_retryable,
    parse_http_date,
    parse_retry_after,
)
from harvest_source.clock import Clock
from harvest_source.errors import (
    AuthError,
    ForbiddenError,
    HarvestError,
    ResponseError,
    printable,
)

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
"""Largest decompressed body. A full page is 2.5 MB; 2,000 rows with notes of 100 kB still fit."""

_MAX_REFUSAL_BYTES: Final = 64 * 1024
"""Bytes of an error's body that are read: only a short message in it is used."""

_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""
Accepted compressions. One layer of these expands a chunk at most 1,000-fold, so the size limit
works. Other encodings, or several layers, can exceed any limit within one chunk.
"""

_TOKEN: Final = re.compile(r"\d\.[a-z]{2}\.[\w-]")
"""Matches Harvest's tokens (``1234567.pt.``...), including one from an earlier request."""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """
    What to request; the same in every attempt.

    Attributes:
        label: Name of the request in messages: ``time_entries, page 3``.
        form: Body of a POST.
        explain: Maps status and body of a refusal to an error. If it is None, or returns None, the
            general meaning of the status applies.
    """

    url: httpx.URL
    label: str
    method: str = "GET"
    form: Mapping[str, str] | None = field(default=None, repr=False)
    explain: Callable[[int, bytes], HarvestError | None] | None = None

    @property
    def secrets(self) -> list[str]:
        """Values of the form that no message may repeat."""
        return [value for name, value in (self.form or {}).items() if name != "grant_type"]


@dataclass(frozen=True, slots=True)
class OkResponse:
    """
    A response with status 200.

    Attributes:
        body: Decompressed.
        began: Aware, UTC: see :meth:`~harvest_source.api.evidence.ServerClock.date`.
        elapsed_s: Seconds from sending to the body's last byte.
        clock_skew: Difference between this machine's clock and the server's, never negative.
        date: When the server made the answer, according to its ``Date`` header; None without one.
    """

    body: bytes
    began: datetime
    elapsed_s: float
    clock_skew: timedelta = timedelta(0)
    date: datetime | None = None


class Attempt:
    """
    One attempt at a request, from sending to its outcome.

    Args:
        number: Number of the attempt at this request, from 1.
        account: ``Harvest-Account-Id`` as sent; None without one.
        server_clock: Dates the answer; None: a new one that has seen no other answer.

    Attributes:
        token: The token as sent; compared with later tokens, never shown.
        status: HTTP status; None until an answer arrives.
        elapsed_s: Seconds from sending to :meth:`stop`.
        rows: Rows of the answer, for the :class:`Exchange`; None until it has been parsed.
    """

    def __init__(
        self,
        clock: Clock,
        spec: RequestSpec,
        *,
        number: int,
        account: str | None,
        server_clock: ServerClock | None = None,
    ) -> None:
        self.spec = spec
        self.token = ""
        self.status: int | None = None
        self.elapsed_s = 0.0
        self.rows: int | None = None
        self._clock = clock
        self._server_clock = server_clock or ServerClock(clock)
        self._sent_at = clock.now()
        self._started = clock.monotonic()
        self._path = spec.url.path
        self._number = number
        self._account = account
        self._headers = httpx.Headers()
        self._chunks: list[bytes] = []
        self._size = 0

    def read(self, response: httpx.Response, cancelled: Callable[[], bool]) -> None:
        """
        Read the body within the size limit. The transport limits the time.

        Raises:
            ResponseError: The body is too large, or its compression could exceed any limit.
            Cancelled: *cancelled* returned True.
        """
        self.status = response.status_code
        self._headers = response.headers
        self.token = response.request.headers.get("Authorization", "").rpartition(" ")[2]
        is_readable = response.headers.get("Content-Encoding", "").strip().lower() in _ENCODINGS
        if self.status != 200:
            if is_readable:
                self._read_refusal(response)
            return
        if not is_readable:
            raise self._build_error("with a compression that was not requested. Check the proxy.")
        for chunk in response.iter_bytes():
            self._keep(chunk)
            if self._size > MAX_BODY_BYTES:
                size = f"{MAX_BODY_BYTES // 2**20} MB"
                raise self._build_error(f"with more than {size}. Not reading on.")
            if cancelled():
                raise Cancelled

    def stop(self) -> float:
        """Set and return :attr:`elapsed_s`."""
        self.elapsed_s = self._clock.monotonic() - self._started
        return self.elapsed_s

    def build_answer(self) -> OkResponse:
        """
        Return the answer if the status is 200.

        An old refusal proves no more than an old list: a GET that a cache answers from before the
        run is sent again, whatever the status. (408, 429 and 5xx are sent again anyway.)

        Raises:
            TransientFailure: 408, 429 or 5xx, or an answer that is older than the run.
            AuthError: 401.
            ForbiddenError: 403.
            ResponseError: Any other status.
            HarvestError: The request's own ``explain`` maps the status to it.
        """
        status, body = self.status or 0, b"".join(self._chunks)
        self._chunks.clear()  # Keeping them would double the memory while the body is parsed.
        date = parse_http_date(self._headers.get("Date"))
        dating = self._server_clock.date(
            date, sent_at=self._sent_at, elapsed_s=self.elapsed_s, path=self._path
        )
        if is_retryable(status):
            now = date or self._clock.now()
            raise TransientFailure(
                f"answered {status}",
                status=status,
                retry_after_s=parse_retry_after(self._headers.get("Retry-After"), now=now),
                elapsed_s=self.elapsed_s,
            )
        if dating.is_stale and self.spec.method == "GET":
            raise StaleAnswer(
                "came from a cache that stored it before this run", elapsed_s=self.elapsed_s
            )
        if status != 200:
            raise self._build_refusal(status, body)
        return OkResponse(body, dating.began, self.elapsed_s, dating.skew, date)

    def build_exchange(self) -> Exchange:
        """The exchange that ``on_response`` gets."""
        return Exchange(
            at=self._sent_at,
            method=self.spec.method,
            path=self._path,
            status=self.status,
            elapsed_s=self.elapsed_s,
            attempt=self._number,
            bytes=self._size,
            account=self._account,
            rows=self.rows,
        )

    def _read_refusal(self, response: httpx.Response) -> None:
        """Read the start of an error's body. A broken transfer is ignored: the status decides."""
        deadline = self._started + CONNECT_S
        try:
            for chunk in response.iter_bytes():
                self._keep(chunk)
                if self._size > _MAX_REFUSAL_BYTES or self._clock.monotonic() > deadline:
                    return
        except httpx.RequestError:
            return

    def _keep(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)

    def _build_refusal(self, status: int, body: bytes) -> HarvestError:
        if self.spec.explain and (error := self.spec.explain(status, body)):
            return error
        account = f", account {self._account}" if self._account else ""
        what = f"{status} on {self._path}{account}"
        if status == 401:
            return AuthError(
                f"Harvest refused the sign-in for {self.spec.label} ({what}). Either the token is "
                "wrong, expired or revoked, or the account id is missing or not one of the "
                "token's: Harvest answers both alike. Check account_id, "
                "or make a new token at https://id.getharvest.com/developers."
            )
        said = pick_message(body, secrets=(self.token, *self.spec.secrets))
        if status == 403:
            msg = (
                f"This token may not read {self.spec.label} ({what}){said}. Its owner's role does "
                "not allow it, or the module is switched off in Harvest."
            )
            return ForbiddenError(msg, path=self._path, status=status, attempts=self._number)
        if 300 <= status < 400:
            return self._build_error(
                f"with a redirect ({what}). Not following it: the request would carry your "
                "access token. Check api_url and id_url."
            )
        return self._build_error(f"with an error that another try does not fix ({what}){said}.")

    def _build_error(self, how: str) -> ResponseError:
        msg = f"Harvest answered {self.spec.label} {how}"
        return ResponseError(msg, path=self._path, status=self.status, attempts=self._number)


def pick_message(body: bytes, *, secrets: Iterable[str]) -> str:
    """
    Harvest's own reason, as ``: "Not authorized!"``; empty if there is none that can be shown.

    Harvest sends it as ``message``, ``error_description`` or ``error``, or sends HTML. Never show a
    raw body, nor a message that contains a secret or anything that looks like one.
    """
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    texts = (value.get(name) for name in ("message", "error_description", "error"))
    text = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    if not text or _TOKEN.search(text) or any(secret and secret in text for secret in secrets):
        return ""
    return f': "{printable(text)}"'
