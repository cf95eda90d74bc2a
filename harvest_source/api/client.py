"""Read one Harvest account: pages, counts, single objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self, TypeAlias

import httpx

from harvest_source.api.attempt import OkResponse
from harvest_source.api.http_context import HttpContext
from harvest_source.api.listing import (
    LinkChecker,
    ListRequest,
    PageSizes,
    build_list_request,
    next_page_urgency,
    read_total,
)
from harvest_source.api.pages import Page, ReadBody, parse_object
from harvest_source.api.rate_limit import RateLimiter, build_report_limiter, never
from harvest_source.api.requester import ACCOUNT_HEADER, Requester, SendOptions
from harvest_source.concurrency import run_ahead
from harvest_source.errors import ResponseError

_NOT_FOUND: Final = 404
_INVALID: Final = 422
"""Status of Harvest's answer to a parameter it does not accept."""

_Params: TypeAlias = Mapping[str, str]

REPORT_PATIENCE_S: Final = 1200.0
"""
Total retry time for reports: Harvest limits them per 15 minutes, so a Retry-After may be that long.
"""


class HarvestClient:
    """
    Reads one account; thread-safe. Build one per account and share it: it owns the connection pool.

    Args:
        account_id: Sent with every request.
        limiter: Shared by everything that reads this account, except reports.
        report_limiter: The same for ``reports/``; None: the client makes its own.

    Raises:
        ConfigError: *api_url* cannot be used. Nothing is sent.
    """

    def __init__(
        self,
        api_url: str,
        http: HttpContext,
        *,
        account_id: int,
        auth: httpx.Auth,
        limiter: RateLimiter,
        report_limiter: RateLimiter | None = None,
    ) -> None:
        self.account_id: Final = account_id
        self._reports = SendOptions(
            limiter=report_limiter or build_report_limiter(http.clock),
            retry_limits=http.retry_limits.with_patience(REPORT_PATIENCE_S),
        )
        self._requester = Requester(
            api_url,
            http,
            auth=auth,
            limiter=limiter,
            headers={ACCOUNT_HEADER: str(account_id)},
        )
        self.server_clock: Final = self._requester.server_clock
        self.until_free_s: Final = limiter.until_free_s
        self._page_sizes = PageSizes()
        self._root = httpx.URL(self._requester.base_url).path.rstrip("/")

    def __repr__(self) -> str:
        return f"HarvestClient({self._requester.base_url!r}, account_id={self.account_id})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; exhaust or close page iterators first."""
        self._requester.close()

    def set_user_agent(self, user_agent: str) -> None:
        """Send *user_agent* from now on: the contact may become known only after the first call."""
        self._requester.set_user_agent(user_agent)

    @property
    def requests(self) -> int:
        """Requests sent so far; every attempt counts."""
        return self._requester.requests

    def fetch_page(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        per_page: int | None = None,
    ) -> Page:
        """
        The first page of a list, or a single object.

        Args:
            path: Below the API's address: ``time_entries``.
            key: Name of the array in the envelope; None for a single object, which is requested
                without ``per_page``.
            params: Filters; the mapping is not modified.
            per_page: Rows per page; None: as many as Harvest allows.

        Raises:
            AuthError: 401.
            ForbiddenError: 403.
            ApiError: Anything else that is not a page; see :meth:`Requester.fetch`.
        """
        request = build_list_request(self._root, path, key, params)
        if key is not None and per_page is not None:
            params = {**(params or {}), "per_page": str(per_page)}
            return self._fetch(path, request, number=1, params=params)
        return self._fetch_first(path, request, params)

    def _fetch_first(self, path: str, request: ListRequest, params: _Params | None) -> Page:
        """The first page of a list, as large as Harvest allows, or a single object."""
        fetch, query = partial(self._fetch, path, request, number=1), dict(params or {})
        if request.key is None:
            return fetch(params=query)
        page = _fetch_largest(self._page_sizes, lambda size: fetch(params=query | size))
        self._page_sizes.learn(request.key, page)
        return page

    def page_rows(self, key: str) -> int:
        """How many rows fit on one page of a list, as far as known so far."""
        return self._page_sizes.rows(key)

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        most_rows: int | None = None,
        read_body: ReadBody | None = None,
    ) -> Generator[Page, None, None]:
        """
        All pages of a list, in order; the next page is fetched while the caller handles this one.

        Follows ``links.next`` as given and stops only when it is null. Not restartable. Closing the
        iterator early abandons the request in flight, which ends by itself.

        Args:
            most_rows: If the first page announces more rows than this, it is the only one yielded.
            read_body: Reads the rows of each page.

        Raises:
            UnsafeLinkError: A link to elsewhere, or one already followed.
            ResponseError: Far more pages than the first one announced.
            HarvestError: As :meth:`fetch_page`; the message names the page.
        """
        request = build_list_request(self._root, path, key, params, read_body)
        page = self._fetch_first(path, request, params)
        if most_rows is not None and (page.total_entries or 0) > most_rows:
            yield page
            return
        links = LinkChecker(request, page, api_url=self._requester.base_url)
        ready, page = _take_rows(page)
        while page.next_url is not None:
            with run_ahead(partial(self._follow, request, links, page)) as following:
                yield ready.pop()
                ready, page = _take_rows(following.result())
                del following
        yield ready.pop()

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str] | None = None) -> int:
        """
        How many rows the list has, in one request for one row.

        Raises:
            ResponseError: The answer has no count.
            HarvestError: As :meth:`fetch_page`.
        """
        page = self.fetch_page(path, key=key, params=params, per_page=1)
        return read_total(page, path, f"{self._root}/{path}")

    def fetch_object(self, path: str, *, cancelled: Callable[[], bool] = never) -> dict[str, Any]:
        """
        One object, ``users/me`` or ``company``; numbers with a decimal point become Decimal.

        Args:
            cancelled: Polled while waiting and reading.

        Raises:
            HarvestError: As :meth:`fetch_page`.
            Cancelled: *cancelled* returned True.
        """
        parse = partial(_parse_object, label=path, path=f"{self._root}/{path}")
        options = SendOptions(cancelled=cancelled)
        return self._requester.fetch(path, parse=parse, label=path, options=options)

    def _follow(
        self, request: ListRequest, links: LinkChecker, page: Page, cancelled: Callable[[], bool]
    ) -> Page:
        """The page after *page*."""
        return self._fetch(
            links.check(page),
            request,
            number=page.number + 1,
            urgency=next_page_urgency(page),
            cancelled=cancelled,
        )

    def _fetch(
        self,
        url_or_path: str,
        request: ListRequest,
        *,
        number: int,
        params: Mapping[str, str] | None = None,
        urgency: float = math.inf,
        cancelled: Callable[[], bool] = never,
    ) -> Page:
        options = self._reports if request.is_report else SendOptions()
        return self._requester.fetch(
            url_or_path,
            params,
            parse=partial(request.parse_page, number),
            label=request.label_page(number),
            options=replace(
                options, urgency=min(urgency, request.max_urgency), cancelled=cancelled
            ),
        )


def find_object(client: HarvestClient, path: str) -> dict[str, Any] | None:
    """As :meth:`HarvestClient.fetch_object`; None when Harvest answers 404."""
    try:
        return client.fetch_object(path)
    except ResponseError as error:
        if error.status == _NOT_FOUND:
            return None
        raise


def _parse_object(answer: OkResponse, *, label: str, path: str) -> dict[str, Any]:
    return parse_object(answer.body, label=label, path=path)


def _fetch_largest(sizes: PageSizes, fetch: Callable[[dict[str, str]], Page]) -> Page:
    """The first page of a list with as many rows as Harvest allows, even if that is now fewer."""
    size = sizes.params()
    try:
        return fetch(size)
    except ResponseError as error:
        if error.status != _INVALID or not size:
            raise
        refusal = error
    try:
        page = fetch({})
    except ResponseError:
        raise refusal from None  # Another parameter is invalid: the first answer names it.
    sizes.omit_per_page()
    return page


def _take_rows(page: Page) -> tuple[list[Page], Page]:
    """*page* to hand over, and a copy without rows, so that only the caller holds the megabytes."""
    return [page], replace(page, rows=b"")
