"""A request for one list, and the links between its pages that may be followed."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvest_source.api.attempt import OkResponse
from harvest_source.api.pages import Page, ReadBody, max_pages, parse_page
from harvest_source.api.rate_limit import LEAST_URGENT
from harvest_source.api.urls import check_link
from harvest_source.defaults import PAGE_ROWS
from harvest_source.errors import ResponseError, UnsafeLinkError

_SHORT_PAGES: Final = 10
"""A list of at most this many pages is read before longer lists, which can wait."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """
    A request for a list or a single object.

    Attributes:
        path: As in Harvest's links, with the API's prefix: ``/v2/time_entries``.
        key: Name of the array in the envelope; None for a single object.
        label: Name in messages: ``time_entries, 2024-03-01 to 2024-03-31``.
        is_report: Whether the path is below ``reports/``, which has its own rate limit.
        is_below_parent: Whether the list belongs to one parent row: ``invoices/7/messages``.
        read_body: Reads the rows of its pages; None: they stay bytes.
    """

    path: str
    key: str | None
    label: str
    is_report: bool
    is_below_parent: bool = False
    read_body: ReadBody | None = None

    @property
    def max_urgency(self) -> float:
        """Upper bound of urgency: lists below a parent are many, and users look at others first."""
        return LEAST_URGENT if self.is_below_parent else math.inf

    def label_page(self, number: int) -> str:
        """The label of one page; the first page has the label of the list."""
        return self.label if number == 1 else f"{self.label}, page {number}"

    def parse_page(self, number: int, answer: OkResponse) -> Page:
        """
        Read page *number* from its answer.

        Raises:
            TruncatedBody: The JSON stops before its end.
            ResponseError: It is not a page.
        """
        return parse_page(
            answer.body,
            key=self.key,
            began=answer.began,
            number=number,
            label=self.label_page(number),
            path=self.path,
            read_body=self.read_body,
        )


def build_list_request(
    root: str,
    path: str,
    key: str | None,
    params: Mapping[str, str] | None,
    read_body: ReadBody | None = None,
) -> ListRequest:
    """
    A :class:`ListRequest`.

    Args:
        root: Path of the API's address: ``/v2``.
        path: Path below the root: ``time_entries``.
        read_body: Reads the rows of its pages.
    """
    label = describe_list(path, params or {})
    is_report = path.startswith("reports/")
    is_below = not is_report and path.count("/") > 1
    return ListRequest(f"{root}/{path}", key, label, is_report, is_below, read_body)


def describe_list(path: str, params: Mapping[str, str]) -> str:
    """``time_entries, 2024-03-01 to 2024-03-31``; filters other than dates are left out."""
    if not {"from", "to"} & params.keys():
        return path
    return f"{path}, {params.get('from', 'the beginning')} to {params.get('to', 'the end')}"


class LinkChecker:
    """
    Decides which ``links.next`` of one list may be followed. Use one checker per list.

    Args:
        first: The list's first page, whose counts bound the number of pages.
        api_url: Links must stay below it.
    """

    def __init__(self, request: ListRequest, first: Page, *, api_url: str) -> None:
        self._request = request
        self._api_url = api_url
        self._max_pages = max_pages(first)
        self._followed: set[str] = set()

    def check(self, page: Page) -> str:
        """
        The URL of the page after *page*, which must have one. It may not be followed again.

        Raises:
            UnsafeLinkError: A link to elsewhere, or one already followed.
            ResponseError: Far more pages than the first one announced.
        """
        url, where = page.next_url or "", f"Page {page.number} of {self._request.label}"
        try:
            check_link(url, api_url=self._api_url, seen=self._followed, where=where)
        except UnsafeLinkError as error:
            error.path = self._request.path
            raise
        if page.number >= self._max_pages:
            msg = (
                f"{where} still links to another page, although the first one announced far "
                "fewer. Reading stopped there: run the same command again, and report this if it "
                "recurs."
            )
            raise ResponseError(msg, path=self._request.path, status=200)
        self._followed.add(url)
        return url


class PageSizes:
    """
    How many rows Harvest puts on one page, learned from its answers; thread-safe.

    Harvest's documentation says to leave ``per_page`` out for the largest page, and that a larger
    number is refused. But it documents a default of 100 for some lists. So requests ask for
    :data:`PAGE_ROWS` until it is refused; from then on, no list of the account sends ``per_page``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_refused = False
        self._rows: dict[str, int] = {}

    def params(self) -> dict[str, str]:
        """Query parameters of a request for the largest page."""
        with self._lock:
            return {} if self._is_refused else {"per_page": str(PAGE_ROWS)}

    def omit_per_page(self) -> None:
        """Omit ``per_page`` from now on: it was refused, and a request without it was not."""
        with self._lock:
            self._is_refused = True

    def learn(self, key: str, page: Page) -> None:
        """Record the largest page size of the list whose array is named *key*."""
        if page.per_page:
            with self._lock:
                self._rows[key] = page.per_page

    def rows(self, key: str) -> int:
        """Rows that fit on one page of the list; :data:`PAGE_ROWS` until a page has been read."""
        with self._lock:
            return self._rows.get(key, PAGE_ROWS)


def next_page_urgency(page: Page) -> float:
    """
    Urgency of the page after *page*: for a long list, the number of pages left.

    So all long lists end at the same time. A short list never waits for long ones: the sooner it
    ends, the fewer rows can change while it is read.
    """
    pages = page.total_pages or math.ceil((page.total_entries or 0) / PAGE_ROWS)
    return pages - page.number if pages > _SHORT_PAGES else math.inf


def read_total(page: Page, label: str, path: str) -> int:
    """
    How many rows the list of *page* has.

    Raises:
        ResponseError: The answer has no count.
    """
    if page.total_entries is None:
        msg = (
            f"Harvest answered 200 for {label} without a usable total_entries, so its rows cannot "
            "be counted. Run the same command again; report this if it recurs."
        )
        raise ResponseError(msg, path=path, status=200)
    return page.total_entries
