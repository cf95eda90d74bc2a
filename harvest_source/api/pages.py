"""
Split one answer into envelope and rows without parsing the rows.

The rows stay the bytes that Harvest sent: the decoder parses them straight into Arrow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from harvest_source.errors import ResponseError

_ENVELOPE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])

MAX_PAGES = 100_000
"""Most pages of one list that are followed: 200 million rows."""


ReadBody: TypeAlias = Callable[[bytes], tuple[Sized, Mapping[str, msgspec.Raw]] | None]
"""
Reads a body's rows and the rest of its envelope in one pass; returns None if it cannot.

Finding the end of the rows first would take as long as reading a few of their members.
"""


class TruncatedBody(Exception):
    """A 200 whose JSON was cut off in transport, so another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of a list, or one object.

    Attributes:
        rows: A JSON array, byte for byte as sent. It is valid JSON; its texts have not been checked
            to be UTF-8. A single object is an array of one.
        next_url: ``links.next`` as given; None on the last page.
        total_entries: Rows of the whole list according to this page; None if it does not say.
        total_pages: Pages of the whole list according to this page; None if it does not say.
        number: Position in the list, from 1.
        began: Aware, UTC. No later than the moment Harvest began to read this page, so a cursor
            may be set to it.
        per_page: Rows on a full page of the list; None if the page does not say.
        made: The rows as read by a :data:`ReadBody`, in which case *rows* is empty; else None.
    """

    rows: bytes
    next_url: str | None
    total_entries: int | None
    total_pages: int | None
    number: int
    began: datetime
    per_page: int | None = None
    made: Sized | None = None


def parse_page(
    body: bytes,
    *,
    key: str | None,
    began: datetime,
    number: int = 1,
    label: str = "the answer",
    path: str = "",
    read_body: ReadBody | None = None,
) -> Page:
    """
    Split a body into envelope and rows.

    Args:
        key: Name of the array in the envelope; None when the body is one object.
        label: Name of the request in messages.
        path: Path of the request, for the error.
        read_body: Reads the rows, if it can.

    Raises:
        TruncatedBody: The JSON stops before its end.
        ResponseError: Not JSON, not an object, no *key*, no array under it, or no way to tell
            whether there are more pages.
    """
    read = read_body(body) if read_body is not None else None
    try:
        if read is not None:
            made, envelope = read
            rows = b""
        else:
            made, envelope = None, _parse_envelope(body)
            rows = _pick_rows(body, envelope, key)
        next_url = None if key is None else _pick_next(envelope)
    except _UnusableBody as error:
        raise _build_error(label, path, str(error)) from None
    return Page(
        rows=rows,
        next_url=next_url,
        total_entries=_pick_count(envelope, "total_entries") if key else None,
        total_pages=_pick_count(envelope, "total_pages") if key else None,
        number=number,
        began=began,
        per_page=_pick_count(envelope, "per_page") if key else None,
        made=made,
    )


def count_rows(page: Page) -> int:
    """How many rows a page holds."""
    if page.made is not None:
        return len(page.made)
    return len(_ROWS.decode(page.rows))


def parse_object(body: bytes, *, label: str = "the answer", path: str = "") -> dict[str, Any]:
    """
    Read one JSON object; numbers with a point or an exponent become Decimal.

    Raises:
        TruncatedBody: The JSON stops before its end.
        ResponseError: Not JSON, or not an object.
    """
    try:
        _parse_envelope(body)
        value: dict[str, Any] = json.loads(body, parse_float=Decimal)
    except _UnusableBody as error:
        raise _build_error(label, path, str(error)) from None
    except (ValueError, RecursionError, ArithmeticError):
        raise _build_error(label, path, "contains JSON that cannot be read") from None
    return value


def max_pages(first: Page) -> int:
    """
    How many pages a list may have before it counts as endless, judging by its first page.

    The bound is generous, because a list may grow while it is read.
    """
    if first.total_pages is None:
        return MAX_PAGES
    return min(MAX_PAGES, max(2 * first.total_pages, first.total_pages + 50))


class _UnusableBody(Exception):
    """What is wrong with a body, as the end of a sentence that begins with "the body"."""


def _build_error(label: str, path: str, what: str) -> ResponseError:
    msg = (
        f"Harvest answered 200 for {label}, but the body {what}. It was not taken for an empty "
        "table. Check api_url and the proxy; if both are right, run the same command again."
    )
    return ResponseError(msg, path=path, status=200)


def _parse_envelope(body: bytes) -> dict[str, Any]:
    """Values stay :class:`msgspec.Raw`."""
    try:
        envelope: dict[str, Any] = _ENVELOPE.decode(body)
    except msgspec.ValidationError:
        raise _UnusableBody("is JSON, but not an object") from None
    except msgspec.DecodeError as error:
        if "truncated" in str(error) or _is_cut(body):
            raise TruncatedBody from None
        html = body[:200].lstrip().startswith(b"<")
        raise _UnusableBody("is an HTML page" if html else "is not JSON") from None
    except (UnicodeDecodeError, RecursionError):
        raise _UnusableBody("is not JSON") from None
    return envelope


def _is_cut(body: bytes) -> bool:
    """
    Whether a JSON object begins but does not end.

    If a body was cut off after ``1.``, msgspec calls it malformed and not truncated.
    """
    return body.lstrip().startswith(b"{") and not body.rstrip().endswith(b"}")


def _pick_rows(body: bytes, envelope: Mapping[str, Any], key: str | None) -> bytes:
    if key is not None and key not in envelope:
        raise _UnusableBody(f'lacks "{key}"')
    rows = bytes(envelope[key]) if key else b"[" + body.strip() + b"]"
    if not rows.startswith(b"["):
        raise _UnusableBody(f'has no array under "{key}"')
    return rows


def _pick_next(envelope: Mapping[str, Any]) -> str | None:
    """
    ``links.next``: a URL means another page, null means this is the last one.

    A list without ``links`` is complete only if it says so itself: no ``next_page``, and a
    ``total_pages`` of at most one.
    """
    links = _read(envelope.get("links"))
    if isinstance(links, dict) and "next" in links:
        url = links["next"]
        if url is None or (isinstance(url, str) and url):
            return url
        raise _UnusableBody("has a links.next that is not an address")
    no_next_page = _read(envelope.get("next_page")) is None
    if links is None and no_next_page and _pick_count(envelope, "total_pages") in {0, 1}:
        return None
    raise _UnusableBody("lacks links.next, so it is not known whether there are more pages")


def _pick_count(envelope: Mapping[str, Any], name: str) -> int | None:
    value = _read(envelope.get(name))
    return value if type(value) is int and value >= 0 else None


def _read(raw: Any) -> Any:
    """Decode a small envelope value; None if it is absent or unreadable."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
