"""One Harvest account, read: pages, counts, single objects."""

from __future__ import annotations

import math
import random as _random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import httpx

from harvest_source.api.pages import Page, page_cap, parse_object, parse_page
from harvest_source.api.rate_limit import RateLimiter, never
from harvest_source.api.rate_limit import report_limiter as build_report_limiter
from harvest_source.api.requester import Answer, Exchange, Requester
from harvest_source.api.retry import RetryLimits
from harvest_source.api.urls import check_link
from harvest_source.clock import Clock
from harvest_source.concurrency import run_ahead
from harvest_source.defaults import PAGE_ROWS
from harvest_source.errors import ResponseError, UnsafeLinkError

_SHORT_PAGES: Final = 10
"""A list with no more is read before long ones: these can wait."""

REPORT_PATIENCE_S: Final = 1200.0
"""Reports are counted over 15 minutes, so a Retry-After may be that long."""


class HarvestClient:
    """
    Reads one account; thread-safe. Build one and share it: it holds the connections.

    Args:
        account_id: Sent with every request.
        limiter: Shared by everything that reads this account, reports aside.
        report_limiter: The same for ``reports/``; None: one of its own.
        transport: In place of the network, for tests.
        on_response: Told of every try, from whatever thread made it.
        on_warning: Told once when this machine's clock is off.

    Raises:
        ConfigError: *api_url* will not do. Nothing is sent.
    """

    def __init__(
        self,
        *,
        api_url: str,
        account_id: int,
        auth: httpx.Auth,
        user_agent: str,
        clock: Clock,
        limiter: RateLimiter,
        report_limiter: RateLimiter | None = None,
        transport: httpx.BaseTransport | None = None,
        random: Callable[[], float] = _random.random,
        limits: RetryLimits = RetryLimits(),  # noqa: B008 - frozen
        on_response: Callable[[Exchange], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self._account_id = account_id
        self._limiter = limiter
        self._limits = limits
        self._report_limiter = report_limiter or build_report_limiter(clock)
        self._requester = Requester(
            base_url=api_url,
            auth=auth,
            user_agent=user_agent,
            limiter=limiter,
            clock=clock,
            random=random,
            limits=limits,
            transport=transport,
            on_response=on_response,
            on_warning=on_warning,
            headers={"Harvest-Account-Id": str(account_id)},
        )
        self._root = httpx.URL(self._requester.base_url).path.rstrip("/")

    def __repr__(self) -> str:
        return f"HarvestClient({self._requester.base_url!r}, account_id={self._account_id})"

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
        """Close all connections; finish or close the walks first."""
        self._requester.close()

    def introduce(self, user_agent: str) -> None:
        """From now on send *user_agent*: the contact may be known only after the first answer."""
        self._requester.introduce(user_agent)

    @property
    def account_id(self) -> int:
        return self._account_id

    @property
    def requests(self) -> int:
        """Requests sent up to now, every try counted."""
        return self._requester.requests

    def fetch_page(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        per_page: int = PAGE_ROWS,
    ) -> Page:
        """
        The first page of a list, or a single object.

        Args:
            path: Below the API's address: ``time_entries``.
            key: Name of the array in the envelope; None for a single object, which is not asked
                with ``per_page``.
            params: Filters; never changed.

        Raises:
            AuthError: 401.
            ForbiddenError: 403.
            ApiError: Anything else that is no page; see :meth:`Requester.fetch`.
        """
        query = dict(params or {})
        if key is not None:
            query["per_page"] = str(per_page)
        return self._fetch(path, self._build_walk(path, key, params), number=1, params=query)

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        most_rows: int | None = None,
    ) -> Generator[Page, None, None]:
        """
        All pages of a list, in order; while one is in your hands the next is under way.

        Follows ``links.next`` as given and stops on null only. Not restartable. Closing the
        iterator early drops the request under way: it ends by itself, within seconds unless the
        server is silent.

        Args:
            most_rows: A list that announces more ends with its first page: nothing is fetched ahead
                that nobody wants.

        Raises:
            UnsafeLinkError: A link to elsewhere, or one already followed.
            ResponseError: Far more pages than the first one announced.
            HarvestError: As :meth:`fetch_page`; the message names the page.
        """
        walk = self._build_walk(path, key, params)
        page = self.fetch_page(path, key=key, params=params)
        if most_rows is not None and (page.total_entries or 0) > most_rows:
            yield page
            return
        cap = page_cap(page)
        seen: set[str] = set()
        while page.next_url is not None:
            with run_ahead(partial(self._follow, walk, page, seen, cap)) as following:
                yield page
                page = following.result()
        yield page

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str] | None = None) -> int:
        """
        How many rows the list has, in one request for one row.

        Raises:
            ResponseError: Harvest did not say.
            HarvestError: As :meth:`fetch_page`.
        """
        page = self.fetch_page(path, key=key, params=params, per_page=1)
        if page.total_entries is None:
            msg = (
                f"Harvest answered 200 for {path} without a usable total_entries, so its rows "
                "cannot be counted. Run the same command again; report it if it stays."
            )
            raise ResponseError(msg, path=f"{self._root}/{path}", status=200)
        return page.total_entries

    def fetch_object(self, path: str, *, cancelled: Callable[[], bool] = never) -> dict[str, Any]:
        """
        One object, ``users/me`` or ``company``; numbers with a point become Decimal.

        Args:
            cancelled: Looked at while waiting and reading.

        Raises:
            HarvestError: As :meth:`fetch_page`.
            Cancelled: *cancelled* said so.
        """

        def parse(answer: Answer) -> dict[str, Any]:
            return parse_object(answer.body, label=path, path=f"{self._root}/{path}")

        return self._requester.fetch(path, parse=parse, label=path, cancelled=cancelled)

    def _build_walk(self, path: str, key: str | None, params: Mapping[str, str] | None) -> _List:
        return _List(
            path=f"{self._root}/{path}",
            key=key,
            label=_describe(path, params or {}),
            is_report=path.startswith("reports/"),
        )

    def _follow(
        self, walk: _List, page: Page, seen: set[str], cap: int, cancelled: Callable[[], bool]
    ) -> Page:
        """The page after *page*, which is not the last."""
        url, where = page.next_url or "", f"Page {page.number} of {walk.label}"
        try:
            check_link(url, api_url=self._requester.base_url, seen=seen, where=where)
        except UnsafeLinkError as error:
            error.path = walk.path
            raise
        if page.number >= cap:
            msg = (
                f"{where} still links to another page, though the first announced far fewer. Not "
                "going on for ever: run the same command again, and report it if it stays."
            )
            raise ResponseError(msg, path=walk.path, status=200)
        seen.add(url)
        return self._fetch(
            url, walk, number=page.number + 1, urgency=_urgency(page), cancelled=cancelled
        )

    def _fetch(
        self,
        url_or_path: str,
        walk: _List,
        *,
        number: int,
        params: Mapping[str, str] | None = None,
        urgency: float = math.inf,
        cancelled: Callable[[], bool] = never,
    ) -> Page:
        label = walk.label if number == 1 else f"{walk.label}, page {number}"

        def parse(answer: Answer) -> Page:
            return parse_page(
                answer.body,
                key=walk.key,
                began=answer.began,
                number=number,
                label=label,
                path=walk.path,
            )

        return self._requester.fetch(
            url_or_path,
            params,
            parse=parse,
            label=label,
            limiter=self._report_limiter if walk.is_report else self._limiter,
            limits=self._report_limits() if walk.is_report else self._limits,
            urgency=urgency,
            cancelled=cancelled,
        )

    def _report_limits(self) -> RetryLimits:
        return replace(self._limits, total_s=max(self._limits.total_s, REPORT_PATIENCE_S))


@dataclass(frozen=True, slots=True)
class _List:
    """What stays the same from page to page."""

    path: str
    key: str | None
    label: str
    is_report: bool


def _urgency(page: Page) -> float:
    """
    Of the page after *page*: the pages left of a long list, so that such lists end together.

    A short list does not wait for long ones: the sooner it ends, the less it changes meanwhile.
    """
    pages = math.ceil((page.total_entries or 0) / PAGE_ROWS)
    return pages - page.number if pages > _SHORT_PAGES else math.inf


def _describe(path: str, params: Mapping[str, str]) -> str:
    """``time_entries, 2024-03-01 to 2024-03-31``; filters other than dates are left out."""
    if not {"from", "to"} & params.keys():
        return path
    return f"{path}, {params.get('from', 'the beginning')} to {params.get('to', 'the end')}"
