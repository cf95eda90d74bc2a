"""
Faults by name: what can go wrong between a request and its answer.

Each is a small function of the answer there would have been. A new fault is one row in `FAULTS`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from harvest_source.sandbox import reply as replies
from harvest_source.sandbox.reply import Reply
from harvest_source.sandbox.requests import Request
from harvest_source.sandbox.values import dumps


@dataclass(frozen=True, slots=True)
class Hit:
    """A request that a fault strikes, the answer it would have got, and the fault's arguments."""

    reply: Reply
    request: Request
    arguments: dict[str, Any]

    def get(self, name: str, default: Any) -> Any:
        """An argument of the fault."""
        return self.arguments.get(name, default)


Spoil = Callable[[Hit], Reply]


@dataclass(slots=True)
class Fault:
    """
    One injected fault and how often it has met a request.

    Attributes:
        table: Only requests that the log calls so (a table, ``report_uninvoiced``, ...).
        path: Only paths in which this regular expression is found.
        nth: Only the n-th matching request, from 1.
        times: At most so often; ``None`` until it is cleared.
        probability: Chance at each match, from a seeded generator.
        arguments: What the fault itself takes.
        met: Matching requests so far. ``done``: how many of them it spoiled.
    """

    name: str
    table: str | None = None
    path: str | None = None
    method: str | None = None
    account_id: int | None = None
    nth: int | None = None
    times: int | None = None
    probability: float = 1.0
    arguments: dict[str, Any] = field(default_factory=dict)
    met: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            msg = f"No fault named {self.name}; there are {', '.join(sorted(FAULTS))}"
            raise ValueError(msg)

    def strikes(self, request: Request, chance: random.Random) -> bool:
        """Whether this request is hit; counts it."""
        if not self._about(request):
            return False
        self.met += 1
        due = (self.nth is None or self.met == self.nth) and (
            self.times is None or self.done < self.times
        )
        if not due or chance.random() >= self.probability:
            return False
        self.done += 1
        return True

    def _about(self, request: Request) -> bool:
        return (
            (self.table is None or self.table == request.table)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.method is None or self.method == request.method)
            and (self.account_id is None or self.account_id == request.account_id)
        )


class Faults:
    """The faults in force, in the order they were injected. Not thread-safe: the owner locks."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def add(self, fault: Fault) -> Fault:
        """Put *fault* in force."""
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """All is well again."""
        self.active: list[Fault] = []
        self._chance = random.Random(self._seed)

    def striking(self, request: Request) -> list[Fault]:
        """Those that hit this request; counts it."""
        return [fault for fault in self.active if fault.strikes(request, self._chance)]


def spoil(faults: list[Fault], reply: Reply, request: Request) -> Reply:
    """The answer after *faults*."""
    for fault in faults:
        reply = FAULTS[fault.name](Hit(reply, request, fault.arguments))
    return reply


def prevents(faults: list[Fault], request: Request) -> bool:
    """Whether the request never takes effect; matters for token requests, the only writes."""
    return request.table == "oauth_token" and any(fault.name in PREVENTING for fault in faults)


def _rate_limited(hit: Hit) -> Reply:
    return replies.throttled(hit.get("retry_after", 1))


def _error(status: int, *, html: bool = False) -> Spoil:
    return lambda _: replies.server_error(status, html=html)


def _instead(make: Callable[[], Reply]) -> Spoil:
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
    """The request takes effect and nobody hears of it: the connection breaks, or never ends."""
    return replace(hit.reply, stall=True) if hit.get("stall", False) else _cut_before_headers(hit)


def _oauth_error(hit: Hit) -> Reply:
    why = hit.get("description", "Refused by a fault")
    return replies.oauth_error(hit.get("error", "invalid_grant"), why, int(hit.get("status", 400)))


def _half_json(hit: Hit) -> Reply:
    """Half the body under a ``Content-Length`` that agrees: only the JSON tells."""
    return replace(hit.reply, body=hit.reply.body[: len(hit.reply.body) // 2])


def _html() -> Reply:
    body = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
    return Reply(200, body, replies.HTML)


def _body(body: bytes) -> Spoil:
    return lambda hit: replace(hit.reply, body=body)


def _redirect(hit: Hit) -> Reply:
    where = hit.get("location", f"http://elsewhere.example{hit.request.path}")
    return Reply(int(hit.get("status", 302)), b"", replies.HTML, (("Location", where),))


def _gzip_bomb(hit: Hit) -> Reply:
    """A small compressed body that unfolds to *mb* megabytes of spaces."""
    body = gzip.compress(b" " * (int(hit.get("mb", 100)) << 20), 9)
    headers = (*hit.reply.headers, ("Content-Encoding", "gzip"))
    return replace(hit.reply, body=body, headers=headers)


def _date_missing(hit: Hit) -> Reply:
    return replace(hit.reply, date_shift_s=None)


def _date_skewed(hit: Hit) -> Reply:
    return replace(hit.reply, date_shift_s=float(hit.get("seconds", 3600)))


def _date_aged(hit: Hit) -> Reply:
    """A cached answer: ``Age``, and a ``Date`` as far back."""
    age = int(hit.get("seconds", 600))
    headers = (*hit.reply.headers, ("Age", str(age)))
    return replace(hit.reply, headers=headers, date_shift_s=-age)


def _envelope(change: Callable[[_Listed], None]) -> Spoil:
    """A fault that edits the JSON of a list; every other answer passes untouched."""

    def spoil(hit: Hit) -> Reply:
        route = hit.request.route
        key = route.rows_key if route else None
        if hit.reply.status != 200 or key is None:
            return hit.reply
        try:
            listed = _Listed(hit, key, json.loads(hit.reply.body))
            change(listed)
        except (ValueError, LookupError, TypeError):
            return hit.reply  # Another fault has spoilt it already.
        return replace(hit.reply, body=dumps(listed.content))

    return spoil


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page as JSON, about to be spoilt: rows under *key*."""

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
    """The last page leads back to the first one."""
    page.links["next"] = page.links["next"] or page.links["first"]


def _next_to_host(page: _Listed) -> None:
    host = page.hit.get("host", "elsewhere.example")
    address = page.links["next"] or page.own_address
    page.links["next"] = re.sub(r"//[^/]+/", f"//{host}/", address, count=1)


def _endless(page: _Listed) -> None:
    """Every page names a further one, with an address never seen before."""
    step = int(page.hit.request.params.get("endless", "0")) + 1
    page.links["next"] = f"{page.links['first']}&endless={step}"


def _wrong_total(page: _Listed) -> None:
    page.content["total_entries"] += int(page.hit.get("by", 1))


FAULTS: dict[str, Spoil] = {
    "rate_limited": _rate_limited,
    "rate_limited_no_retry_after": _instead(lambda: replies.throttled(None)),
    "server_error": _error(500),
    "server_error_html": _error(500, html=True),
    "bad_gateway": _error(502, html=True),
    "unavailable": _error(503),
    "unavailable_html": _error(503, html=True),
    "gateway_timeout": _error(504, html=True),
    # The API answers alike to a token that ran out, one that was revoked, and nonsense.
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
    "missing_key": _envelope(_missing_key),
    "null_rows": _envelope(_null_rows),
    "repeated_rows": _envelope(_repeated_rows),
    "next_to_itself": _envelope(_next_to_itself),
    "next_cycle": _envelope(_next_to_first),
    "next_to_other_host": _envelope(_next_to_host),
    "endless": _envelope(_endless),
    "wrong_total": _envelope(_wrong_total),
}

# These stand in the way: a request that they hit never takes effect. The rest spoils the answer.
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
