"""
Faults by name: what can go wrong between a request and its answer.

Each fault is a small function that turns the answer that would have been sent into another one. A
new fault is one row in `FAULTS`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harvest_source.sandbox.data.values import dumps
from harvest_source.sandbox.serve import reply as replies
from harvest_source.sandbox.serve.reply import Reply
from harvest_source.sandbox.serve.requests import Request


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that a fault hits, the answer it would have had, and the fault's arguments."""

    reply: Reply
    request: Request
    arguments: dict[str, Any]

    def get(self, name: str, default: Any) -> Any:
        """An argument of the fault."""
        return self.arguments.get(name, default)


FaultKind = Callable[[Hit], Reply]
"""A fault: the answer that is sent instead."""


def _rate_limited(hit: Hit) -> Reply:
    return replies.throttled(hit.get("retry_after", 1), html=bool(hit.get("html", False)))


def _error(status: int, *, html: bool = False) -> FaultKind:
    return lambda _: replies.server_error(status, html=html)


def _instead(make: Callable[[], Reply]) -> FaultKind:
    return lambda _: make()


def _invalid(hit: Hit) -> Reply:
    return replies.invalid(hit.get("message", "Something is invalid"))


def _slow_body(hit: Hit) -> Reply:
    chunk, delay_s = int(hit.get("chunk", 1024)), float(hit.get("delay_s", 0.05))
    return replace(hit.reply, chunk=chunk, chunk_delay_s=delay_s)


def _latency(hit: Hit) -> Reply:
    return replace(hit.reply, delay_s=hit.reply.delay_s + float(hit.get("ms", 1000)) / 1000)


def _stall(hit: Hit) -> Reply:
    return replace(hit.reply, stall=True)


def _cut_before_headers(hit: Hit) -> Reply:
    return replace(hit.reply, cut_after=-1)


def _cut_in_body(hit: Hit) -> Reply:
    return replace(hit.reply, cut_after=int(hit.get("after", len(hit.reply.body) // 2)))


def _lost_answer(hit: Hit) -> Reply:
    """The request takes effect without an answer: the connection breaks, or hangs."""
    return replace(hit.reply, stall=True) if hit.get("stall", False) else _cut_before_headers(hit)


def _oauth_error(hit: Hit) -> Reply:
    why = hit.get("description", "Refused by a fault")
    return replies.oauth_error(hit.get("error", "invalid_grant"), why, int(hit.get("status", 400)))


def _half_json(hit: Hit) -> Reply:
    """Half the body with a matching ``Content-Length``: only the JSON is broken."""
    return replace(hit.reply, body=hit.reply.body[: len(hit.reply.body) // 2])


def _html() -> Reply:
    body = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
    return Reply(200, body, replies.HTML)


def _body(body: bytes) -> FaultKind:
    return lambda hit: replace(hit.reply, body=body)


def _redirect(hit: Hit) -> Reply:
    where = hit.get("location", f"http://elsewhere.example{hit.request.path}")
    return Reply(int(hit.get("status", 302)), b"", replies.HTML, (("Location", where),))


def _gzip_bomb(hit: Hit) -> Reply:
    """A small compressed body that decompresses to *mb* megabytes of spaces."""
    body = gzip.compress(b" " * (int(hit.get("mb", 100)) << 20), 9)
    headers = (*hit.reply.headers, ("Content-Encoding", "gzip"))
    return replace(hit.reply, body=body, headers=headers)


def _date_missing(hit: Hit) -> Reply:
    return replace(hit.reply, date_shift_s=None)


def _date_skewed(hit: Hit) -> Reply:
    return replace(hit.reply, date_shift_s=float(hit.get("seconds", 3600)))


def _date_aged(hit: Hit) -> Reply:
    """A cached answer: an ``Age`` header, and a ``Date`` that many seconds in the past."""
    age = int(hit.get("seconds", 600))
    headers = (*hit.reply.headers, ("Age", str(age)))
    return replace(hit.reply, headers=headers, date_shift_s=-age)


def _cache(hit: Hit) -> Reply:
    """
    A cache that keeps the first answer to each address forever, against the headers' instructions.

    Later answers have the ``Date`` of the kept one, and an ``Age`` unless *age* is false. Addresses
    that contain a match of the regular expression *fresh* are never kept.
    """
    request = hit.request
    kept: dict[Any, tuple[Reply, datetime]] = hit.arguments.setdefault("kept", {})
    address = f"{request.path}?{request.query}"
    if request.method != "GET" or re.search(hit.get("fresh", "^$"), address):
        return hit.reply
    key = request.account_id, address
    reply, at = kept.setdefault(key, (hit.reply, request.time))
    age_s = int((request.time - at).total_seconds())
    if not age_s:
        return hit.reply
    says = (("Age", str(age_s)),) if hit.get("age", True) else ()
    return replace(reply, headers=(*reply.headers, *says), date_shift_s=-age_s)


def _envelope(change: Callable[[_Listed], None]) -> FaultKind:
    """A fault that edits the JSON of a list; other answers are unchanged."""

    def kind(hit: Hit) -> Reply:
        route = hit.request.route
        key = route.rows_key if route else None
        if hit.reply.status != 200 or key is None:
            return hit.reply
        try:
            listed = _Listed(hit, key, json.loads(hit.reply.body))
            change(listed)
        except (ValueError, LookupError, TypeError):
            return hit.reply  # Another fault has already broken the body.
        return replace(hit.reply, body=dumps(listed.content))

    return kind


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page as JSON, to be edited: rows under *key*."""

    hit: Hit
    key: str
    content: dict[str, Any]

    @property
    def links(self) -> dict[str, Any]:
        links: dict[str, Any] = self.content["links"]
        return links

    @property
    def own_address(self) -> str:
        request = self.hit.request
        query = f"?{request.query}" if request.query else ""
        return f"http://{request.headers.get('host', 'localhost')}{request.path}{query}"


def _missing_key(page: _Listed) -> None:
    page.content.pop(page.hit.get("key", page.key), None)


def _null_rows(page: _Listed) -> None:
    page.content[page.key] = None


def _repeated_rows(page: _Listed) -> None:
    page.content[page.key] *= 2


def _next_to_itself(page: _Listed) -> None:
    page.links["next"] = page.own_address


def _next_to_first(page: _Listed) -> None:
    """The last page links to the first one."""
    page.links["next"] = page.links["next"] or page.links["first"]


def _next_to_host(page: _Listed) -> None:
    host = page.hit.get("host", "elsewhere.example")
    address = page.links["next"] or page.own_address
    page.links["next"] = re.sub(r"//[^/]+/", f"//{host}/", address, count=1)


def _endless(page: _Listed) -> None:
    """Every page links to a further page, each time with a new address."""
    step = int(page.hit.request.params.get("endless", "0")) + 1
    page.links["next"] = f"{page.links['first']}&endless={step}"


def _empty_list(page: _Listed) -> None:
    """A complete list without rows."""
    page.content.update({page.key: [], "total_entries": 0, "total_pages": 1})
    page.links["next"] = None


def _wrong_total(page: _Listed) -> None:
    page.content["total_entries"] += int(page.hit.get("by", 1))


FAULTS: dict[str, FaultKind] = {
    "rate_limited": _rate_limited,
    "rate_limited_no_retry_after": _instead(lambda: replies.throttled(None)),
    "server_error": _error(500),
    "server_error_html": _error(500, html=True),
    "bad_gateway": _error(502, html=True),
    "unavailable": _error(503),
    "unavailable_html": _error(503, html=True),
    "gateway_timeout": _error(504, html=True),
    # The API gives the same answer to an expired, a revoked and an invalid token.
    "unauthorized": _instead(replies.unauthorized),
    "token_expired": _instead(replies.unauthorized),
    "login_revoked": _instead(replies.unauthorized),
    "forbidden": _instead(replies.forbidden),
    "not_found": _instead(replies.not_found),
    "not_found_html": _instead(replies.unknown_page),
    "invalid": _invalid,
    "slow_body": _slow_body,
    "latency": _latency,
    "stall": _stall,
    "cut_before_headers": _cut_before_headers,
    "cut_in_body": _cut_in_body,
    "lost_answer": _lost_answer,
    "oauth_error": _oauth_error,
    "half_json": _half_json,
    "html": _instead(_html),
    "empty_body": _body(b""),
    "list_body": _body(b"[]"),
    "redirect": _redirect,
    "gzip_bomb": _gzip_bomb,
    "date_missing": _date_missing,
    "date_skewed": _date_skewed,
    "date_aged": _date_aged,
    "cache": _cache,
    "empty_list": _envelope(_empty_list),
    "missing_key": _envelope(_missing_key),
    "null_rows": _envelope(_null_rows),
    "repeated_rows": _envelope(_repeated_rows),
    "next_to_itself": _envelope(_next_to_itself),
    "next_cycle": _envelope(_next_to_first),
    "next_to_other_host": _envelope(_next_to_host),
    "endless": _envelope(_endless),
    "wrong_total": _envelope(_wrong_total),
}

PREVENTING = frozenset(
    {
        "rate_limited",
        "rate_limited_no_retry_after",
        "server_error",
        "server_error_html",
        "bad_gateway",
        "unavailable",
        "unavailable_html",
        "gateway_timeout",
        "unauthorized",
        "token_expired",
        "login_revoked",
        "forbidden",
        "not_found",
        "not_found_html",
        "invalid",
        "oauth_error",
        "stall",
        "cut_before_headers",
        "html",
        "redirect",
    }
)
"""Faults that strike before the request takes effect. The others change only the answer."""
