"""Requests to one host with one token: rate limit, retries, token renewal, callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

import httpx

from harvest_source.api.attempt import Attempt, OkResponse, RequestSpec
from harvest_source.api.evidence import ServerClock
from harvest_source.api.http_client import open_client
from harvest_source.api.http_context import HttpContext, RetryLimits
from harvest_source.api.rate_limit import Cancelled, RateLimiter, never
from harvest_source.api.retry import RetryLoop, TransientFailure
from harvest_source.api.sender import Sender
from harvest_source.api.urls import build_url, check_url
from harvest_source.errors import AuthError, HarvestError

T = TypeVar("T")

ACCOUNT_HEADER: Final = "Harvest-Account-Id"

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@runtime_checkable
class Renewable(Protocol):
    """An ``httpx.Auth`` that can get another token when Harvest refuses its present one."""

    def renew(self, refused: str) -> bool:
        """
        Return whether there is now a token other than *refused*, so that a retry makes sense.

        Raises:
            HarvestError: Another token could not be obtained.
        """
        ...


@dataclass(frozen=True, slots=True)
class SendOptions:
    """
    How one request is sent.

    Attributes:
        limiter: Replaces the Requester's own limiter.
        retry_limits: Replaces the run's limits.
        urgency: The most urgent request waiting for the limiter goes first.
        cancelled: Polled while waiting and reading.
    """

    limiter: RateLimiter | None = None
    retry_limits: RetryLimits | None = None
    urgency: float = math.inf
    cancelled: Callable[[], bool] = never


class Requester:
    """
    Sends requests to one host with one token; thread-safe, shared by all threads of an account.

    It never follows redirects, never contacts another host, and always verifies TLS.

    Args:
        base_url: ``https``, or ``http`` on a loopback host.
        auth: If it is :class:`Renewable`, it is asked for another token after a 401, once per
            request.
        limiter: Counts and delays every attempt; None: no limit.
        headers: Sent with every request, in addition to the standard headers.
        url_name: The setting that *base_url* comes from, for messages.

    Raises:
        ConfigError: *base_url*, or the proxy or certificate settings, cannot be used.
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
        self._http = http
        self._auth = auth
        self._limiter = limiter
        self._account = headers.get(ACCOUNT_HEADER)
        fixed = {
            "User-Agent": http.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Cache-Control": "no-cache",  # A cache must revalidate with Harvest before it answers.
        }
        self._client = open_client(
            httpx.URL(self.base_url),
            auth=auth,
            headers={**fixed, **headers},
            transport=http.transport,
            request_s=http.retry_limits.attempt_s,
            idle=http.idle,
        )
        self._sender = Sender(self._client, http)
        self.server_clock: Final = ServerClock(http.clock, httpx.URL(self.base_url).path)

    def __repr__(self) -> str:
        return f"Requester({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Requests in flight on other threads fail."""
        self._client.close()

    def set_user_agent(self, user_agent: str) -> None:
        """Send *user_agent* from now on."""
        self._client.headers["User-Agent"] = user_agent

    @property
    def requests(self) -> int:
        """Requests sent so far; every attempt counts."""
        return self._sender.requests

    def fetch(
        self,
        url_or_path: str,
        params: Mapping[str, str] | None = None,
        *,
        parse: Callable[[OkResponse], T],
        label: str = "",
        options: SendOptions = SendOptions(),
    ) -> T:
        """
        Send a GET until there is an answer that *parse* accepts.

        Args:
            url_or_path: Path below the base URL, or a full URL on the same host, sent unchanged.
            params: Query; None or empty leaves the URL unchanged.
            parse: May raise ``TruncatedBody`` to have the request sent again.
            label: Name of the request in messages; the path if empty.

        Raises:
            AuthError: 401.
            ForbiddenError: 403.
            ResponseError: Any other unusable answer; not retried.
            RateLimitedError, ServerError, StaleAnswerError: Retried until a limit was reached.
            UnsafeLinkError: The URL is on another host; nothing was sent.
            Cancelled: ``options.cancelled`` returned True.
        """
        url = build_url(self.base_url, url_or_path, params)
        return self._run(RequestSpec(url, label or url.path), parse, options)

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        parse: Callable[[OkResponse], T],
        explain: Callable[[int, bytes], HarvestError | None],
        label: str,
    ) -> T:
        """
        POST *form*, URL-encoded, with the same rules as :meth:`fetch`.

        Args:
            explain: Maps status and body of a refusal to an error, or to None for the error that
                :meth:`fetch` would raise.
        """
        spec = RequestSpec(build_url(self.base_url, path), label, "POST", form, explain)
        return self._run(spec, parse, SendOptions())

    def _run(self, spec: RequestSpec, parse: Callable[[OkResponse], T], options: SendOptions) -> T:
        """Send until there is an answer; after a 401, retry once with another token."""
        limiter = options.limiter or self._limiter
        is_renewed = False

        def send(number: int) -> T:
            nonlocal is_renewed
            while True:
                with self._http.sending():
                    if limiter:
                        limiter.acquire(urgency=options.urgency, cancelled=options.cancelled)
                if options.cancelled():
                    raise Cancelled
                attempt = Attempt(
                    self._http.clock,
                    spec,
                    number=number,
                    account=self._account,
                    server_clock=self.server_clock,
                )
                try:
                    return self._sender.send(attempt, parse, options.cancelled)
                except AuthError:
                    if is_renewed or not self._renew(attempt):
                        raise
                    is_renewed = True

        def pause_others(failure: TransientFailure, wait_s: float) -> None:
            if limiter and failure.status == 429:
                self._sender.warn_of_429(limiter.count_recent())
                limiter.pause(wait_s)

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
