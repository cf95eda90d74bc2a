"""The log of answered requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from harvest_source.sandbox.serve.requests import Request, read_fields

AUTHORIZE_PARAMS = frozenset({"client_id", "response_type", "state", "redirect_uri"})


@dataclass(frozen=True, slots=True)
class Logged:
    """
    One answered request, without headers and therefore without token.

    Attributes:
        time: Time of arrival, by the sandbox's clock.
        ms: Milliseconds until the answer was ready to be sent, latency included.
        bytes: Size of the answer's body.
        unknown: Query parameters that the endpoint does not document.
        grant_type: ``grant_type`` of a request to the token endpoint.
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
    """Query parameters that the requested endpoint does not document."""
    if request.table == "oauth_authorize":
        return tuple(name for name in request.params if name not in AUTHORIZE_PARAMS)
    if request.route is None:
        return tuple(request.params) if request.table else ()
    known = request.route.known_params
    return tuple(name for name in request.params if name not in known)


def grant_type_of(request: Request) -> str | None:
    """``grant_type`` of a request to the token endpoint; ``None`` elsewhere."""
    return read_fields(request).get("grant_type") if request.table == "oauth_token" else None


class RequestLog:
    """Every answered request, in the order of the answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Logged] = []

    def add(self, entry: Logged) -> None:
        """Add a request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._entries.clear()

    def counts(self) -> dict[str, int]:
        """Number of requests by table; by path where there is no table."""
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
