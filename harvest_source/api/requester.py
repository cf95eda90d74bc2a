"""One request at a time: turn, token, time limits, size limit, status, what to say about it."""

from __future__ import annotations

import json
import math
import random as _random
import re
import ssl
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, Final, Protocol, Self, TypeVar, runtime_checkable

import httpx

from harvest_source.api.pages import Page, TruncatedBody, count_rows
from harvest_source.api.rate_limit import Cancelled, RateLimiter, never
from harvest_source.api.retry import (
    RetryLimits,
    RetryLoop,
    TransientFailure,
    is_retryable,
    parse_http_date,
    parse_retry_after,
)
from harvest_source.api.urls import check_url, is_loopback, same_origin
from harvest_source.clock import Clock
from harvest_source.errors import (
    AuthError,
    ConfigError,
    ForbiddenError,
    HarvestError,
    ResponseError,
    ServerError,
    UnsafeLinkError,
    printable,
)

__all__ = [
    "Answer",
    "Exchange",
    "Renewable",
    "Requester",
    "check_url",
    "earliest_begin",
    "user_agent",
]

T = TypeVar("T")

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
"""Silence on the line; a report over a year of a large account takes its time."""

BODY_S: Final = 180.0
"""One body, first byte to last: a server that trickles would otherwise never end."""

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
"""Decompressed. A full page is 2.5 MB; 2,000 rows with notes of 100 kB still pass."""

_MAX_REFUSAL_BYTES: Final = 64 * 1024
"""Of an error's body, only a short message is of use."""

_SKEW: Final = timedelta(minutes=5)

_POOL: Final = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=20)
"""16 threads, each with a page in hand and the next under way; idle for one limiter window."""

_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""One layer of these grows at most 1,000-fold per chunk read; others and stacks have no bound."""

_TOKEN: Final = re.compile(r"\d\.[a-z]{2}\.[\w-]")
"""What Harvest's tokens look like, ``1234567.pt.`` and so on: perhaps one that was sent before."""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A 200.

    Attributes:
        body: Decompressed.
        status: Always 200.
        began: Aware, UTC: see :func:`earliest_begin`.
        elapsed_s: From sending to the body's last byte.
    """

    body: bytes
    status: int
    began: datetime
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """
    One try, whatever became of it.

    Attributes:
        at: When it was sent, by our clock.
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


@runtime_checkable
class Renewable(Protocol):
    """An ``httpx.Auth`` whose token can be exchanged for another when Harvest refuses it."""

    def renew(self, refused: str) -> bool:
        """
        Whether there is now another token than *refused*, so that asking again makes sense.

        Raises:
            HarvestError: There can be none.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Order:
    """What is asked, the same at every try."""

    url: httpx.URL
    label: str
    method: str = "GET"
    form: Mapping[str, str] | None = field(default=None, repr=False)
    refuse: Callable[[int, bytes], HarvestError | None] | None = None
    """What a status that is no 200 means; None: what it means everywhere."""

    @property
    def secrets(self) -> list[str]:
        """What was sent in the form and may not come back in a message."""
        return [value for name, value in (self.form or {}).items() if name != "grant_type"]


def user_agent(version: str, contact: str | None) -> str:
    """``harvest-source/0.1.0 (contact)``: Harvest wants to know whom to write to."""
    ascii_only = unicodedata.normalize("NFKD", contact or "").encode("ascii", "ignore").decode()
    words = printable(ascii_only.translate({ord(char): None for char in '()\\"'}), limit=120)
    return f"harvest-source/{version} ({words})" if words else f"harvest-source/{version}"


def earliest_begin(
    headers: httpx.Headers, *, sent_at: datetime, elapsed_s: float
) -> tuple[datetime, timedelta]:
    """
    When Harvest can have begun to read at the earliest, and how far the two clocks are apart.

    The earlier of our clock at sending and the ``Date`` header less the duration of the request: a
    cursor that is too early re-reads some rows, one that is too late loses them. ``Date`` does not
    count when ``Age`` says that the answer came from a cache.
    """
    date = None if "age" in headers else parse_http_date(headers.get("date"))
    if date is None:
        return sent_at, timedelta(0)
    theirs = date - timedelta(seconds=elapsed_s)
    return min(theirs, sent_at), abs(theirs - sent_at)


class Requester:
    """
    Asks one host with one token; thread-safe, shared by all threads of an account.

    Redirects are never followed, other hosts never asked, TLS always verified. Proxies and
    ``SSL_CERT_FILE`` work as in any httpx program, except that a loopback host is asked directly.

    Args:
        base_url: ``https``, or ``http`` on a loopback host.
        auth: One that is :class:`Renewable` is asked for another token after a 401, once a request.
        url_name: The setting *base_url* comes from, for messages.
        limiter: Whose turn it is; None: as fast as asked.
        transport: In place of the network, for tests.
        on_response: Told of every try, from whatever thread made it.
        on_warning: Told once when this machine's clock is off, and once of a 429.

    Raises:
        ConfigError: *base_url* will not do, or proxy or certificate settings cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str,
        auth: httpx.Auth | None,
        user_agent: str,
        limiter: RateLimiter | None,
        clock: Clock,
        random: Callable[[], float] = _random.random,
        limits: RetryLimits = RetryLimits(),  # noqa: B008 - frozen
        transport: httpx.BaseTransport | None = None,
        on_response: Callable[[Exchange], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        url_name: str = "api_url",
    ) -> None:
        self._base_url = check_url(base_url, url_name)
        self._origin = httpx.URL(self._base_url)
        self._auth = auth
        self._limiter = limiter
        self._clock = clock
        self._random = random
        self._limits = limits
        self._on_response = on_response
        self._on_warning = on_warning
        self._warned: set[str] = set()
        self._account = headers.get("Harvest-Account-Id")
        self._lock = threading.Lock()
        self._requests = 0
        self._answered = False
        self._http = _open_client(
            self._origin.host,
            auth=auth,
            headers={
                "User-Agent": user_agent,
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                **headers,
            },
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"Requester({self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Requests under way in other threads fail."""
        self._http.close()

    def introduce(self, user_agent: str) -> None:
        """From now on send *user_agent*."""
        self._http.headers["User-Agent"] = user_agent

    @property
    def base_url(self) -> str:
        """Checked, without trailing slash."""
        return self._base_url

    @property
    def requests(self) -> int:
        """Requests sent up to now, every try counted."""
        with self._lock:
            return self._requests

    def get(
        self, url_or_path: str, params: Mapping[str, str] | None = None, *, label: str = ""
    ) -> Answer:
        """:meth:`fetch`, with the body as it is."""
        return self.fetch(url_or_path, params, parse=_keep, label=label)

    def fetch(
        self,
        url_or_path: str,
        params: Mapping[str, str] | None = None,
        *,
        parse: Callable[[Answer], T],
        label: str = "",
        limiter: RateLimiter | None = None,
        limits: RetryLimits | None = None,
        urgency: float = math.inf,
        cancelled: Callable[[], bool] = never,
    ) -> T:
        """
        Ask until there is an answer that *parse* takes.

        Args:
            url_or_path: Below the base address, or an address on the same host, sent as it is.
            params: Query; None or empty leaves the address as it is.
            parse: May raise ``TruncatedBody`` to have the request sent again.
            label: What is asked for, for messages; the path when empty.
            limiter: In place of the Requester's own, for this request.
            limits: In place of the Requester's own, for this request.
            urgency: Of requests that wait for their turn, the most urgent goes first.
            cancelled: Looked at while waiting and reading.

        Raises:
            AuthError: 401.
            ForbiddenError: 403.
            ResponseError: Any other answer that is none; never tried again.
            RateLimitedError, ServerError: Tried again until a limit was reached.
            UnsafeLinkError: The address is on another host; nothing was sent.
        """
        url = self._build_url(url_or_path, params)
        order = _Order(url, label or url.path)
        return self._run(order, parse, limiter or self._limiter, limits, urgency, cancelled)

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        parse: Callable[[Answer], T],
        refuse: Callable[[int, bytes], HarvestError | None],
        label: str,
    ) -> T:
        """
        Send *form*, URL-encoded, by the same rules as :meth:`fetch`.

        Args:
            refuse: Told status and body of an answer that is no 200 and not worth another try; its
                error is raised, or what :meth:`fetch` would when it has none.
        """
        order = _Order(self._build_url(path, None), label, "POST", form, refuse)
        return self._run(order, parse, self._limiter, None, math.inf, never)

    def _run(
        self,
        order: _Order,
        parse: Callable[[Answer], T],
        turn: RateLimiter | None,
        limits: RetryLimits | None,
        urgency: float,
        cancelled: Callable[[], bool],
    ) -> T:
        """Try until there is an answer, and with another token once after a 401."""
        renewed = False

        def send(attempt: int) -> T:
            nonlocal renewed
            while True:
                if turn:
                    turn.acquire(urgency=urgency, cancelled=cancelled)
                if cancelled():
                    raise Cancelled
                try_ = Attempt(self._clock, order, attempt=attempt, account=self._account)
                try:
                    return self._take(try_, parse, cancelled)
                except AuthError:
                    if renewed or not self._renew(try_):
                        raise
                    renewed = True

        def hold_back(fault: TransientFailure, wait_s: float) -> None:
            if turn and fault.status == 429:
                turn.pause(wait_s)
                self._warn_shared()

        course = RetryLoop(
            label=order.label,
            path=order.url.path,
            limits=limits or self._limits,
            clock=self._clock,
            random=self._random,
            on_wait=hold_back,
            cancelled=cancelled,
        )
        return course.run(send)

    def _take(
        self, try_: Attempt, parse: Callable[[Answer], T], cancelled: Callable[[], bool]
    ) -> T:
        """One try, reported whatever becomes of it."""
        try:
            answer = self._send(try_, cancelled)
            parsed = parse(answer)
            if self._on_response:
                try_.rows = _count(parsed)
            return parsed
        except TruncatedBody:
            raise TransientFailure("answered half a JSON body", elapsed_s=try_.elapsed_s) from None
        finally:
            if self._on_response:
                self._on_response(try_.build_exchange())

    def _renew(self, try_: Attempt) -> bool:
        if try_.status != 401 or not isinstance(self._auth, Renewable):
            return False
        return self._auth.renew(try_.token)

    def _build_url(self, url_or_path: str, params: Mapping[str, str] | None) -> httpx.URL:
        if "://" not in url_or_path.partition("?")[0]:
            url_or_path = f"{self._base_url}/{url_or_path.lstrip('/')}"
        url = httpx.URL(url_or_path)
        if not same_origin(url, self._origin):
            host = printable(url.host, limit=100)
            msg = f"Not asking {host}, which is not {self._origin.host}: it would get the token."
            raise UnsafeLinkError(msg)
        return url.copy_merge_params(dict(params)) if params else url

    def _send(self, try_: Attempt, cancelled: Callable[[], bool]) -> Answer:
        order = try_.order
        with self._lock:
            self._requests += 1
        stream = self._http.stream(order.method, order.url, data=order.form)
        try:
            with _as_fault(try_), stream as response:
                try_.take(response, cancelled)
        except TransientFailure as fault:
            fault.unreached = fault.unreached and not self._answered
            raise
        finally:
            try_.stop()
        self._answered = True
        answer, skew = try_.judge()
        if skew > _SKEW:
            self._warn_skew(skew)
        return answer

    def _warn_skew(self, skew: timedelta) -> None:
        self._warn(
            "skew",
            f"This machine's clock and Harvest's are {skew.total_seconds() / 60:.0f} minutes "
            "apart. The earlier one counts, so nothing is lost, but rows may be read twice. "
            "Set this machine's clock.",
        )

    def _warn_shared(self) -> None:
        self._warn(
            "shared",
            "Harvest says that too many requests were made for this account, although this run "
            "keeps below what it allows: something else uses the allowance, too. This run goes "
            "slower; rate_limit under [sources.harvest] leaves more to others for good.",
        )

    def _warn(self, about: str, message: str) -> None:
        """Tell whoever listens, once about each thing."""
        with self._lock:
            is_news = about not in self._warned
            self._warned.add(about)
        if is_news and self._on_warning:
            self._on_warning(message)


class Attempt:
    """One request on its way: what is known of it so far."""

    def __init__(self, clock: Clock, order: _Order, *, attempt: int, account: str | None) -> None:
        self.order = order
        self._clock = clock
        self._at = clock.now()
        self._started = clock.monotonic()
        self._path = order.url.path
        self._label = order.label
        self._attempt = attempt
        self._account = account
        self._headers = httpx.Headers()
        self._chunks: list[bytes] = []
        self._size = 0
        self.token = ""
        """As sent; for nothing but to be recognised."""
        self.status: int | None = None
        self.elapsed_s = 0.0
        self.rows: int | None = None

    def take(self, response: httpx.Response, cancelled: Callable[[], bool]) -> None:
        """Read the body, within the limits of size and time."""
        self.status = response.status_code
        self._headers = response.headers
        self.token = response.request.headers.get("Authorization", "").rpartition(" ")[2]
        if self.status != 200:
            self._take_refusal(response)
            return
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise self._error("with a compression that was not asked for. Check the proxy.")
        deadline = self._started + BODY_S
        for chunk in response.iter_bytes():
            self._keep(chunk)
            if self._size > MAX_BODY_BYTES:
                size = f"{MAX_BODY_BYTES // 2**20} MB"
                raise self._error(f"with more than {size}. Not reading on.")
            if cancelled():
                raise Cancelled
            if self._clock.monotonic() > deadline:
                msg = f"answered too slowly (body not complete after {BODY_S:.0f} s)"
                raise TransientFailure(msg, elapsed_s=self.stop())

    def _take_refusal(self, response: httpx.Response) -> None:
        """The start of an error's body; how its transport ends does not matter."""
        if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
            return
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

    def stop(self) -> float:
        """Seconds since sending; also kept."""
        self.elapsed_s = self._clock.monotonic() - self._started
        return self.elapsed_s

    def build_exchange(self) -> Exchange:
        return Exchange(
            at=self._at,
            method=self.order.method,
            path=self._path,
            status=self.status,
            elapsed_s=self.elapsed_s,
            attempt=self._attempt,
            bytes=self._size,
            account=self._account,
            rows=self.rows,
        )

    def judge(self) -> tuple[Answer, timedelta]:
        """The answer and the clocks' difference, or what the status means as an exception."""
        status, body = self.status or 0, b"".join(self._chunks)
        if is_retryable(status):
            now = parse_http_date(self._headers.get("Date")) or self._clock.now()
            wait_s = parse_retry_after(self._headers.get("Retry-After"), now=now)
            reason = f"answered {status}"
            raise TransientFailure(
                reason, status=status, retry_after_s=wait_s, elapsed_s=self.elapsed_s
            )
        if status != 200:
            raise self._build_refusal(status, body)
        began, skew = earliest_begin(self._headers, sent_at=self._at, elapsed_s=self.elapsed_s)
        return Answer(body=body, status=status, began=began, elapsed_s=self.elapsed_s), skew

    def _error(self, how: str) -> ResponseError:
        msg = f"Harvest answered {self._label} {how}"
        return ResponseError(msg, path=self._path, status=self.status, attempts=self._attempt)

    def _build_refusal(self, status: int, body: bytes) -> HarvestError:
        account = f", account {self._account}" if self._account else ""
        what = f"{status} on {self._path}{account}"
        if self.order.refuse and (error := self.order.refuse(status, body)):
            return error
        said = _pick_message(body, secrets=(self.token, *self.order.secrets))
        if status == 401:
            return AuthError(
                f"Harvest refused the sign-in for {self._label} ({what}). Either the token is "
                "wrong, expired or revoked, or the account id is missing or not one of the "
                "token's: Harvest answers both alike. Check account_id under [sources.harvest], "
                "or make a new token at https://id.getharvest.com/developers."
            )
        if status == 403:
            msg = (
                f"This token may not read {self._label} ({what}){said}. Its owner's role does not "
                "allow it, or the module is switched off in Harvest."
            )
            return ForbiddenError(msg, path=self._path, status=status, attempts=self._attempt)
        if 300 <= status < 400:
            return self._error(
                f"with a redirect ({what}). Not following it: the request would carry your "
                "access token. Check api_url and id_url."
            )
        return self._error(f"with an error that trying again does not mend ({what}){said}.")


@contextmanager
def _as_fault(try_: Attempt) -> Iterator[None]:
    """What the network did to us, in our words."""
    try:
        yield
    except httpx.RequestError as error:
        if certificate := _find_cause(error, ssl.SSLCertVerificationError):
            reason = printable(certificate.verify_message or certificate.reason, limit=100)
            msg = (
                f"The server's TLS certificate is not trusted ({reason}); nothing was sent. If a "
                "proxy or your company signs it, set SSL_CERT_FILE to their bundle."
            )
            raise ServerError(msg, path=error.request.url.path) from error
        unreached = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        raise TransientFailure(
            _describe(error), elapsed_s=try_.stop(), unreached=unreached
        ) from error


E_ = TypeVar("E_", bound=BaseException)


def _find_cause(error: BaseException | None, kind: type[E_]) -> E_ | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None


def _describe(error: httpx.RequestError) -> str:
    """What became of the try, as the end of a sentence about it."""
    detail = printable(error, limit=100) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return "timed out connecting"
        case httpx.TimeoutException():
            return "timed out"
        case httpx.ConnectError() | httpx.ProxyError():
            return f"found no connection ({detail})"
        case httpx.DecodingError():
            return "could not be decompressed"
        case _:
            return f"was cut short ({detail})"


def _count(parsed: object) -> int | None:
    """Rows of what an answer was read as."""
    if isinstance(parsed, Page):
        return count_rows(parsed)
    return len(parsed) if isinstance(parsed, list) else 1


def _pick_message(body: bytes, *, secrets: Iterable[str]) -> str:
    """
    Harvest's own reason, as ``: "Not authorized!"``; empty when it gave none that can be shown.

    Three shapes are known (``message``, ``error_description``, ``error``), and HTML. Raw bodies
    are never shown, and no message that repeats a secret or anything that looks like one.
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


def _keep(answer: Answer) -> Answer:
    return answer


def _open_client(
    host: str,
    *,
    auth: httpx.Auth | None,
    headers: Mapping[str, str],
    transport: httpx.BaseTransport | None,
) -> httpx.Client:
    """No option here or elsewhere switches certificate checks off."""
    direct: dict[str, httpx.BaseTransport | None] = {}
    if is_loopback(host):
        # A proxy from the environment would get the token unencrypted, and cannot reach us anyway.
        direct = {f"all://[{host}]" if ":" in host else f"all://{host}": None}
    try:
        return httpx.Client(
            auth=auth,
            headers=headers,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=None),
            limits=_POOL,
            follow_redirects=False,
            mounts=direct,
            transport=transport,
        )
    except (OSError, ValueError, ImportError) as error:
        msg = (
            f"The proxy or certificate settings cannot be used ({printable(error, limit=120)}). "
            "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
        )
        raise ConfigError(msg) from error
