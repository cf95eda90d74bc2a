"""One list and the links between its pages: what stays the same, and what may be followed."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harvest_source.api.attempt import Answer
from harvest_source.api.pages import Page, ReadBody, max_pages, parse_page
from harvest_source.api.rate_limit import LEAST_URGENT
from harvest_source.api.urls import check_link
from harvest_source.defaults import PAGE_ROWS
from harvest_source.errors import ResponseError, UnsafeLinkError

_SHORT_PAGES: Final = 10
"""A list of at most so many pages is read before longer ones, which can wait."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """
    A list, or a single object, as it is asked for.

    Attributes:
        path: As in Harvest's links, with the API's prefix: ``/v2/time_entries``.
        key: Name of the array in the envelope; None for a single object.
        label: For messages: ``time_entries, 2024-03-01 to 2024-03-31``.
        is_report: Harvest counts ``reports/`` against an allowance of their own.
        is_below_parent: One of many such lists: ``invoices/7/messages``.
        read_body: Reads the rows of its pages; None: they stay bytes.
    """

    path: str
    key: str | None
    label: str
    is_report: bool
    is_below_parent: bool = False
    read_body: ReadBody | None = None

    @property
    def most_urgency(self) -> float:
        """Lists below a parent are many, and what people look at first is in others."""
        return LEAST_URGENT if self.is_below_parent else math.inf

    def label_page(self, number: int) -> str:
        """The label of one page; the first is called like the list."""
        return self.label if number == 1 else f"{self.label}, page {number}"

    def parse_page(self, number: int, answer: Answer) -> Page:
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
        path: Below it: ``time_entries``.
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
    Decides which ``links.next`` of one list may be followed. One list, one checker.

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
        The address of the page after *page*, which has one; not to be followed a second time.

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
                f"{where} still links to another page, though the first announced far fewer. Not "
                "going on for ever: run the same command again, and report it if it stays."
            )
            raise ResponseError(msg, path=self._request.path, status=200)
        self._followed.add(url)
        return url


class PageSizes:
    """
    How many rows Harvest puts on one page, as its answers show; thread-safe.

    Harvest's documentation says to leave ``per_page`` out for the largest page, and that a larger
    number is refused. But the default of some lists is documented as 100. So :data:`PAGE_ROWS` is
    asked for until it is refused, and from then on no number, in every list of the account.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_refused = False
        self._rows: dict[str, int] = {}

    def params(self) -> dict[str, str]:
        """The parameter of a request for the largest page."""
        with self._lock:
            return {} if self._is_refused else {"per_page": str(PAGE_ROWS)}

    def refuse(self) -> None:
        """Ask for no number from now on: it was refused, and a request without one was not."""
        with self._lock:
            self._is_refused = True

    def learn(self, key: str, page: Page) -> None:
        """Note the size of a largest page, of the list whose array is named *key*."""
        if page.per_page:
            with self._lock:
                self._rows[key] = page.per_page

    def rows(self, key: str) -> int:
        """Rows that fit one page of that list; :data:`PAGE_ROWS` as long as none was read."""
        with self._lock:
            return self._rows.get(key, PAGE_ROWS)


def next_page_urgency(page: Page) -> float:
    """
    Urgency of the page after *page*: of a long list the pages left, so that all end together.

    A short list never waits for long ones: the sooner it ends, the fewer changes it can meet.
    """
    pages = page.total_pages or math.ceil((page.total_entries or 0) / PAGE_ROWS)
    return pages - page.number if pages > _SHORT_PAGES else math.inf


def read_total(page: Page, label: str, path: str) -> int:
    """
    How many rows the list of *page* has.

    Raises:
        ResponseError: Harvest did not say.
    """
    if page.total_entries is None:
        msg = (
            f"Harvest answered 200 for {label} without a usable total_entries, so its rows "
            "cannot be counted. Run the same command again; report it if it stays."
        )
        raise ResponseError(msg, path=path, status=200)
    return page.total_entries
