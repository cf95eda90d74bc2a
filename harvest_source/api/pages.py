"""
Splits one answer into envelope and rows without parsing the rows.

The rows stay the bytes Harvest sent: the decoder parses them straight into Arrow.
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
"""Longest list that is followed: 200 million rows."""


ReadBody: TypeAlias = Callable[[bytes], tuple[Sized, Mapping[str, msgspec.Raw]] | None]
"""
Reads a body's rows and the other members of its envelope in one go; None: not as it expects them.

To find out first where the rows end takes as long as to read few of their members.
"""


class TruncatedBody(Exception):
    """A 200 whose JSON stops before its end: lost in transport, so worth another attempt."""


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of a list, or one object.

    Attributes:
        rows: A JSON array, byte for byte as sent. It is valid JSON; whether its texts are UTF-8
            has not been checked. A single object is an array of one.
        next_url: ``links.next`` as given; None on the last page.
        total_entries: Rows of the whole list, as this page says; None when it does not.
        total_pages: Pages of the whole list, as this page says; None when it does not.
        number: Position in the list, from 1.
        began: Aware, UTC. No later than the moment Harvest began to read this page, so a cursor
            may be set to it.
        per_page: Rows that a full page of the list has; None when the page does not say.
        made: What a :data:`ReadBody` made of the rows, of which there are no bytes then; else None.
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
        label: What was asked for, for messages.
        path: Path of the request, for the error.
        read_body: Reads the rows, where it can.

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
        raise _build_error(label, path, "holds JSON that cannot be read") from None
    return value


def max_pages(first: Page) -> int:
    """
    How many pages a list may have, judged by its first one, before it counts as endless.

    Generous, because a list may grow while it is read.
    """
    if first.total_pages is None:
        return MAX_PAGES
    return min(MAX_PAGES, max(2 * first.total_pages, first.total_pages + 50))


class _UnusableBody(Exception):
    """What is wrong with a body, as the end of a sentence that begins with "the body"."""


def _build_error(label: str, path: str, what: str) -> ResponseError:
    msg = (
        f"Harvest answered 200 for {label}, but the body {what}. It cannot be read as an empty "
        "table. Check api_url and the proxy; if both are right, run the same command again."
    )
    return ResponseError(msg, path=path, status=200)


def _parse_envelope(body: bytes) -> dict[str, Any]:
    """Values stay :class:`msgspec.Raw`."""
    try:
        envelope: dict[str, Any] = _ENVELOPE.decode(body)
    except msgspec.ValidationError:
        raise _UnusableBody("is JSON of another kind than an object") from None
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
    Whether an object begins and does not end.

    msgspec calls a body malformed, and does not say truncated, when it was cut after ``1.``.
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
    ``links.next``: an address means another page, null means the last one.

    A list without ``links`` is complete only if it says so itself: no ``next_page``, one page in
    all.
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
    raise _UnusableBody("lacks links.next, so it cannot be told whether there are more pages")


def _pick_count(envelope: Mapping[str, Any], name: str) -> int | None:
    value = _read(envelope.get(name))
    return value if type(value) is int and value >= 0 else None


def _read(raw: Any) -> Any:
    """A small envelope value; None when absent or unreadable."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
