"""From a path to what it addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harvest_source.sandbox.data.values import parse_whole
from harvest_source.sandbox.endpoints import ENDPOINTS, LISTS, MINE, NESTED, REPORTS, Report

REPORT_PREFIX = "reports/"
API_PATH = re.compile(r"(?P<prefix>/(?:api/)?v2)/(?P<rest>[^?]*)\Z")

IDENTITY_PATHS = {
    "/api/v2/accounts": "accounts",
    "/api/v1/accounts": "accounts",
    "/oauth2/authorize": "oauth_authorize",
    "/api/v2/oauth2/token": "oauth_token",
    "/api/v1/oauth2/token": "oauth_token",
    "/api/v2/oauth2/revoke": "oauth_revoke",
    "/api/v1/oauth2/revoke": "oauth_revoke",
}
"""Paths of the identity host, and their names in the request log."""

_SINGLE_OBJECTS: dict[str, tuple[Literal["company", "me"], str]] = {
    "company": ("company", "company"),
    "users/me": ("me", "users_me"),
}
_BELOW = {
    (row.parent.table, row.parent.tail): row
    for row in NESTED.values()
    if row.parent and row.name != MINE
}


@dataclass(frozen=True, slots=True)
class Route:
    """
    What a path addresses: a list, one record of it, a report, or a single object.

    Attributes:
        table: Its name in the request log.
        parent_id: The parent of a nested list; ``None`` stands for the user who sends the request.
    """

    kind: Literal["list", "record", "report", "company", "me"]
    table: str
    record_id: int | None = None
    parent_id: int | None = None

    @property
    def rows_key(self) -> str | None:
        """The envelope member that holds the rows; ``None`` for a single object."""
        if self.kind == "report":
            return "results"
        return ENDPOINTS[self.table].key if self.kind == "list" else None

    @property
    def known_params(self) -> frozenset[str]:
        """Documented query parameters."""
        if self.kind == "report":
            return REPORTS[self.table].known_params
        return ENDPOINTS[self.table].known_params if self.kind == "list" else frozenset()


def route(rest: str) -> Route | None:
    """The route of a path below the version prefix; ``None`` when Harvest has no such path."""
    if rest in _SINGLE_OBJECTS:
        kind, table = _SINGLE_OBJECTS[rest]
        return Route(kind, table)
    if rest.startswith(REPORT_PREFIX):
        name = Report(rest.removeprefix(REPORT_PREFIX)).name
        found = REPORTS.get(name)
        return Route("report", name) if found and rest == REPORT_PREFIX + found.path else None
    name, *tail = rest.split("/")
    endpoint = LISTS.get(name)
    if endpoint is None:
        return None
    if not tail:
        return Route("list", name)
    record_id = parse_whole(tail[0])
    if len(tail) == 1:
        known = endpoint.single and record_id is not None
        return Route("record", name, record_id) if known else None
    return _route_below(name, tail)


def _route_below(name: str, tail: list[str]) -> Route | None:
    if name == "users" and tail == ["me", "project_assignments"]:
        return Route("list", MINE)
    endpoint, parent_id = _BELOW.get((name, tail[1])), parse_whole(tail[0])
    if endpoint is None or parent_id is None:
        return None
    if len(tail) == 2:
        return Route("list", endpoint.name, parent_id=parent_id)
    record_id = parse_whole(tail[2])
    if len(tail) > 3 or not endpoint.single or record_id is None:
        return None
    return Route("record", endpoint.name, record_id, parent_id)
