"""Requests as the sandbox sees them, and its log of them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from harvest_source.sandbox.routes import API_PATH, IDENTITY_PATHS, Route, route

AUTHORIZE_PARAMS = frozenset({"client_id", "response_type", "state", "redirect_uri"})


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, read in full.

    Attributes:
        headers: Names in lower case.
        table: What it is about: a table, ``company``, ``users_me``, ``accounts``,
            ``oauth_authorize``, ``oauth_token``; ``None`` for a path that leads nowhere.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    time: datetime
    params: Mapping[str, str] = field(default_factory=dict)
    route: Route | None = None
    table: str | None = None
    account_id: int | None = None


def build_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, time: datetime
) -> Request:
    """A request with its path and query taken apart; never fails."""
    params = dict(parse_qsl(query, keep_blank_values=True))
    found = API_PATH.match(path)
    target = route(found["rest"]) if found and path not in IDENTITY_PATHS else None
    table = IDENTITY_PATHS.get(path, target.table if target else None)
    account = headers.get("harvest-account-id", "").strip()
    account_id = int(account) if account.isascii() and account.isdigit() else None
    return Request(method, path, query, headers, body, time, params, target, table, account_id)


def read_fields(request: Request) -> dict[str, str]:
    """The members of a form or JSON body that are texts; nothing when it is neither."""
    text = request.body.decode("utf-8", "replace")
    if not request.headers.get("content-type", "").startswith("application/json"):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    members = content.items() if isinstance(content, dict) else ()
    return {name: value for name, value in members if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class Logged:
    """
    One answered request. Holds no header, so no token.

    Attributes:
        time: When it arrived, by the sandbox's clock.
        ms: Milliseconds until the answer was ready to leave, latency included.
        bytes: Size of the answer's body.
        unknown: Query parameters that the endpoint does not document.
        grant_type: What a request to the token endpoint asked for.
    """

    time: datetime
    method: str
    path: str
    query: str
    table: str | None
    status: int
    ms: float
    bytes: int
    account_id: int | None
    unknown: tuple[str, ...] = ()
    grant_type: str | None = None


def unknown_params(request: Request) -> tuple[str, ...]:
    """Parameters sent to a page that its documentation does not have."""
    if request.table == "oauth_authorize":
        return tuple(name for name in request.params if name not in AUTHORIZE_PARAMS)
    if request.route is None:
        return tuple(request.params) if request.table else ()
    known = request.route.known_params
    return tuple(name for name in request.params if name not in known)


def grant_type_of(request: Request) -> str | None:
    """What a request to the token endpoint asks for; ``None`` elsewhere."""
    return read_fields(request).get("grant_type") if request.table == "oauth_token" else None


class RequestLog:
    """Every request answered so far, in order of the answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Logged] = []

    def add(self, entry: Logged) -> None:
        """Keep one."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._entries.clear()

    def counts(self) -> dict[str, int]:
        """Requests by table (by path where there is none)."""
        with self._lock:
            return dict(Counter(entry.table or entry.path for entry in self._entries))

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def __iter__(self) -> Iterator[Logged]:
        with self._lock:
            return iter(list(self._entries))

    def __getitem__(self, at: int) -> Logged:
        with self._lock:
            return self._entries[at]
