"""Requests to one host with one token: rate limit, retries, token renewal, callbacks."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType, TracebackType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

import httpx

from harvest_source.api.attempt import Answer, Attempt, RequestSpec
from harvest_source.api.http_client import open_client, translated_errors
from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.pages import Page, TruncatedBody, count_rows
from harvest_source.api.rate_limit import Cancelled, RateLimiter, never
from harvest_source.api.retry import RetryLoop, TransientFailure
from harvest_source.api.urls import check_url, same_origin
from harvest_source.errors import AuthError, HarvestError, UnsafeLinkError, printable

T = TypeVar("T")

ACCOUNT_HEADER: Final = "Harvest-Account-Id"

_MAX_SKEW: Final = timedelta(minutes=5)

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@runtime_checkable
class Renewable(Protocol):
    """An ``httpx.Auth`` that can get another token when Harvest refuses the one it has."""

    def renew(self, refused: str) -> bool:
        """
        Whether there is now another token than *refused*, so that sending again makes sense.

        Raises:
            HarvestError: No other token can be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class SendOptions:
    """
    How one request is sent.

    Attributes:
        limiter: In place of the Requester's own.
        retry_limits: In place of those of the run.
        urgency: Of the requests that wait for the limiter, the most urgent goes first.
        cancelled: Polled while waiting and reading.
    """

    limiter: RateLimiter | None = None
    retry_limits: RetryLimits | None = None
    urgency: float = math.inf
    cancelled: Callable[[], bool] = never


class Requester:
    """
    Sends requests to one host with one token; thread-safe, shared by all threads of an account.

    Redirects are never followed, other hosts never asked, TLS always verified.

    Args:
        base_url: ``https``, or ``http`` on a loopback host.
        http: Its ``on_warning`` gets one warning about this machine's clock, and one about 429s.
        auth: A :class:`Renewable` one is asked for another token after a 401, once per request.
        limiter: Counts and delays every attempt; None: no limit.
        headers: Sent with every request, beside those every request has.
        url_name: The setting *base_url* comes from, for messages.

    Raises:
        ConfigError: *base_url* cannot be used, or proxy or certificate settings cannot.
    """

    def __init__(
        self,
        base_url: str,
        http: HttpContext,
        *,
        auth: httpx.Auth | None,
        limiter: RateLimiter | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        url_name: str = "api_url",
    ) -> None:
        self.base_url: Final = check_url(base_url, url_name)
        self._origin = httpx.URL(self.base_url)
        self._http = http
        self._auth = auth
        self._limiter = limiter
        self._account = headers.get(ACCOUNT_HEADER)
        self._lock = threading.Lock()
        self._requests = 0
        self._has_answered = False
        self._warnings = _Warnings(http.on_warning)
        fixed = {
            "User-Agent": http.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        }
        self._client = open_client(
            self._origin.host, auth=auth, headers={**fixed, **headers}, transport=http.transport
        )

    def __repr__(self) -> str:
        return f"Requester({self.base_url!r})"

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
        self._client.close()

    def set_user_agent(self, user_agent: str) -> None:
        """Send *user_agent* from now on."""
        self._client.headers["User-Agent"] = user_agent

    @property
    def requests(self) -> int:
        """Requests sent up to now; every attempt counts."""
        with self._lock:
            return self._requests

    def get(
        self, url_or_path: str, params: Mapping[str, str] | None = None, *, label: str = ""
    ) -> Answer:
        """:meth:`fetch`, with the body as it is."""
        return self.fetch(url_or_path, params, parse=lambda answer: answer, label=label)

    def fetch(
        self,
        url_or_path: str,
        params: Mapping[str, str] | None = None,
        *,
        parse: Callable[[Answer], T],
        label: str = "",
        options: SendOptions = SendOptions(),
    ) -> T:
        """
        GET until there is an answer that *parse* accepts.

        Args:
            url_or_path: Below the base address, or a full address on the same host, sent as it is.
            params: Query; None or empty leaves the address as it is.
            parse: May raise ``TruncatedBody`` to have the request sent again.
            label: What is asked for, for messages; the path when empty.

        Raises:
            AuthError: 401.
            ForbiddenError: 403.
            ResponseError: Any other unusable answer; never sent again.
            RateLimitedError, ServerError: Sent again until a limit was reached.
            UnsafeLinkError: The address is on another host; nothing was sent.
            Cancelled: ``options.cancelled`` returned True.
        """
        url = self._build_url(url_or_path, params)
        return self._run(RequestSpec(url, label or url.path), parse, options)

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        parse: Callable[[Answer], T],
        explain: Callable[[int, bytes], HarvestError | None],
        label: str,
    ) -> T:
        """
        POST *form*, URL-encoded, by the same rules as :meth:`fetch`.

        Args:
            explain: Gets status and body of a refusal and returns its error; None: the error that
                :meth:`fetch` would raise.
        """
        url = self._build_url(path, None)
        return self._run(RequestSpec(url, label, "POST", form, explain), parse, SendOptions())

    def _build_url(self, url_or_path: str, params: Mapping[str, str] | None) -> httpx.URL:
        if "://" not in url_or_path.partition("?")[0]:
            url_or_path = f"{self.base_url}/{url_or_path.lstrip('/')}"
        url = httpx.URL(url_or_path)
        if not same_origin(url, self._origin):
            host = printable(url.host, limit=100)
            msg = f"Not asking {host}, which is not {self._origin.host}: it would get the token."
            raise UnsafeLinkError(msg)
        return url.copy_merge_params(dict(params)) if params else url

    def _run(self, spec: RequestSpec, parse: Callable[[Answer], T], options: SendOptions) -> T:
        """Send until there is an answer; after a 401, once more with another token."""
        limiter = options.limiter or self._limiter
        is_renewed = False

        def send(number: int) -> T:
            nonlocal is_renewed
            while True:
                if limiter:
                    limiter.acquire(urgency=options.urgency, cancelled=options.cancelled)
                if options.cancelled():
                    raise Cancelled
                attempt = Attempt(self._http.clock, spec, number=number, account=self._account)
                try:
                    return self._send(attempt, parse, options.cancelled)
                except AuthError:
                    if is_renewed or not self._renew(attempt):
                        raise
                    is_renewed = True

        def pause_others(failure: TransientFailure, wait_s: float) -> None:
            if limiter and failure.status == 429:
                limiter.pause(wait_s)
                self._warnings.warn_shared_allowance()

        limits = options.retry_limits or self._http.retry_limits
        retry_loop = RetryLoop(
            label=spec.label,
            path=spec.url.path,
            http=replace(self._http, retry_limits=limits),
            on_wait=pause_others,
            cancelled=options.cancelled,
        )
        return retry_loop.run(send)

    def _renew(self, attempt: Attempt) -> bool:
        if attempt.status != 401 or not isinstance(self._auth, Renewable):
            return False
        return self._auth.renew(attempt.token)

    def _send(
        self, attempt: Attempt, parse: Callable[[Answer], T], cancelled: Callable[[], bool]
    ) -> T:
        """One attempt; ``on_response`` is called with whatever came of it."""
        on_response = self._http.on_response
        try:
            parsed = parse(self._receive(attempt, cancelled))
            if on_response:
                attempt.rows = _count(parsed)
            return parsed
        except TruncatedBody:
            raise TransientFailure(
                "answered half a JSON body", elapsed_s=attempt.elapsed_s
            ) from None
        finally:
            if on_response:
                on_response(attempt.build_exchange())

    def _receive(self, attempt: Attempt, cancelled: Callable[[], bool]) -> Answer:
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
            self._warnings.warn_skew(answer.clock_skew)
        return answer


class _Warnings:
    """What a Requester warns of: each thing once, however often it happens. Thread-safe."""

    def __init__(self, on_warning: Callable[[str], None]) -> None:
        self._on_warning = on_warning
        self._lock = threading.Lock()
        self._given: set[str] = set()

    def warn_skew(self, skew: timedelta) -> None:
        self._warn(
            "skew",
            f"This machine's clock and Harvest's are {skew.total_seconds() / 60:.0f} minutes "
            "apart. The earlier one counts, so nothing is lost, but rows may be read twice. "
            "Set this machine's clock.",
        )

    def warn_shared_allowance(self) -> None:
        self._warn(
            "shared",
            "Harvest says that too many requests were made for this account, although this run "
            "keeps below what it allows: something else uses the allowance, too. This run goes "
            "slower; rate_limit under [sources.harvest] leaves more to others for good.",
        )

    def _warn(self, topic: str, message: str) -> None:
        with self._lock:
            is_new = topic not in self._given
            self._given.add(topic)
        if is_new:
            self._on_warning(message)


def _count(parsed: object) -> int | None:
    """Rows of a parsed answer."""
    if isinstance(parsed, Page):
        return count_rows(parsed)
    return len(parsed) if isinstance(parsed, list) else 1
