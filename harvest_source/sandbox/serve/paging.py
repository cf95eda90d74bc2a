"""Pages: which rows a request asks for, and the envelope around them (behaviour.md 4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from harvest_source.sandbox.data.listing import Listing, Mark
from harvest_source.sandbox.data.values import dumps, parse_whole
from harvest_source.sandbox.endpoints import PAGING_PARAMS
from harvest_source.sandbox.serve.reply import RefusalError, invalid


@dataclass(frozen=True, slots=True)
class Asked:
    """
    The page a request asks for.

    Attributes:
        page: Its number from 1; ``None`` when a cursor gives the place.
        after: Content of a forward cursor. ``before``: of a backward one.
        explicit: Whether the request has a ``page`` parameter.
    """

    per_page: int
    page: int | None = 1
    after: Mark | None = None
    before: Mark | None = None
    explicit: bool = False


def parse_asked(params: Mapping[str, str], default_per_page: int, max_per_page: int) -> Asked:
    """
    Read ``per_page``, ``page`` and ``cursor``; the cursor wins over the page number.

    Raises:
        RefusalError: 422 for ``per_page`` above *max_per_page*. Unverified against a live account:
            the same for a ``per_page`` that is 0, negative or not a number, for a bad page number
            and for a broken cursor.
    """
    per_page = _whole("per_page", params, default_per_page)
    if not 1 <= per_page <= max_per_page:
        raise RefusalError(invalid("Invalid per_page parameter"))
    if "cursor" in params:
        content = _decode(params["cursor"])
        return Asked(per_page, None, content.get("after"), content.get("before"))
    page = _whole("page", params, 1)
    if page < 1:
        raise RefusalError(invalid("Invalid page parameter"))
    return Asked(per_page, page, explicit="page" in params)


def _whole(name: str, params: Mapping[str, str], default: int) -> int:
    number = parse_whole(params[name]) if name in params else default
    if number is None:
        raise RefusalError(invalid(f"Invalid {name} parameter"))
    return number


def _decode(cursor: str) -> dict[str, Mark]:
    """The content of a cursor by its direction, of which there is one."""
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        direction = "after" if content.get("after") else "before"
        mark = content[direction]
        int(mark["id"]), int(mark.get("day") or 0)
    # JSON nested too deeply is a RecursionError, and Infinity as a whole number an OverflowError.
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise RefusalError(invalid("Invalid cursor parameter")) from None
    return {direction: mark}


def encode(direction: str, mark: Mark) -> str:
    """A cursor: base64 of a small JSON object that names the row to continue from."""
    return base64.urlsafe_b64encode(dumps({direction: mark})).decode()


@dataclass(frozen=True, slots=True)
class Page:
    """The place of one page in its list: rows ``[start, stop)``."""

    asked: Asked
    start: int
    stop: int
    total: int

    @property
    def total_pages(self) -> int:
        """At least 1, even for an empty list."""
        return max(1, -(-self.total // self.asked.per_page))

    @property
    def more(self) -> bool:
        """Whether rows follow."""
        return self.stop < self.total


def locate(listing: Listing, asked: Asked) -> Page:
    """The place of the page that *asked* describes, in *listing* as it is now."""
    total, size = listing.total, asked.per_page
    if asked.after is not None:
        start = listing.position_after(asked.after)
    elif asked.before is not None:
        # If the row itself still exists, it is directly before the first row after it.
        behind = listing.position_after(asked.before)
        here = behind - 1 if behind and listing.mark(behind - 1) == asked.before else behind
        start = max(0, here - size)
    else:
        start = ((asked.page or 1) - 1) * size
    start = min(start, total)
    return Page(asked, start, min(start + size, total), total)


def build_envelope(
    listing: Listing, page: Page, url: str, params: Mapping[str, str], *, by_cursor: bool
) -> bytes:
    """
    The members after the rows, as JSON without the opening brace.

    In cursor lists the page numbers are null, except on the first page, which shows 1 and 2. Only
    ``links.next`` leads through the lists of both styles.

    Args:
        url: The address of the list without query.
        params: The request's parameters: links repeat its filters.
    """
    asked = page.asked
    links = _Links(url, params, asked.per_page)
    # Unverified against a live account: how links look when a cursor list is read by page number.
    cursors = by_cursor and not asked.explicit
    number = asked.page
    following = number + 1 if number and page.more else None
    preceding = number - 1 if number and number > 1 else None
    envelope = {
        "per_page": asked.per_page,
        "total_pages": page.total_pages,
        "total_entries": page.total,
        "next_page": following,
        "previous_page": preceding,
        "page": number,
        "links": {
            "first": links.to_page(1, "first"),
            "next": _next(links, listing, page, cursors=cursors or number is None),
            "previous": _previous(links, listing, page),
            "last": links.to_page(page.total_pages, "last"),
        },
    }
    return dumps(envelope)[1:]


class _Links:
    def __init__(self, url: str, params: Mapping[str, str], per_page: int) -> None:
        self._url = url
        self._filters = {name: text for name, text in params.items() if name not in PAGING_PARAMS}
        self._per_page = per_page

    def to_page(self, number: int, ref: str) -> str:
        return self._link({"page": number}, ref)

    def to_cursor(self, cursor: str, ref: str) -> str:
        return self._link({"cursor": cursor}, ref)

    def _link(self, place: dict[str, Any], ref: str) -> str:
        query = {**place, **self._filters, "per_page": self._per_page, "ref": ref}
        return f"{self._url}?{urlencode(query)}"


def _next(links: _Links, listing: Listing, page: Page, *, cursors: bool) -> str | None:
    if not page.more:
        return None
    if cursors:
        return links.to_cursor(encode("after", listing.mark(page.stop - 1)), "next_cursor")
    return links.to_page((page.asked.page or 1) + 1, "next")


def _previous(links: _Links, listing: Listing, page: Page) -> str | None:
    if page.asked.page is not None:
        return links.to_page(page.asked.page - 1, "previous") if page.asked.page > 1 else None
    if not 0 < page.start < page.total:
        return None
    return links.to_cursor(encode("before", listing.mark(page.start)), "previous")
