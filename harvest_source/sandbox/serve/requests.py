"""Requests as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from harvest_source.sandbox.data.values import parse_whole
from harvest_source.sandbox.serve.routes import API_PATH, IDENTITY_PATHS, Route, route


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, read in full.

    Attributes:
        headers: Names in lower case.
        table: What it is about: a table, ``company``, ``users_me``, ``accounts``,
            ``oauth_authorize``, ``oauth_token``, ``oauth_revoke``; ``None`` for an unknown path.
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
    """A request with its path and query parsed; an unknown path has no *route*."""
    params = dict(parse_qsl(query, keep_blank_values=True))
    found = API_PATH.match(path)
    target = route(found["rest"]) if found and path not in IDENTITY_PATHS else None
    table = IDENTITY_PATHS.get(path, target.table if target else None)
    account_id = parse_whole(headers.get("harvest-account-id", "").strip())
    return Request(method, path, query, headers, body, time, params, target, table, account_id)


def read_fields(request: Request) -> dict[str, str]:
    """The text members of a form or JSON body; empty when it is neither."""
    text = request.body.decode("utf-8", "replace")
    if not request.headers.get("content-type", "").startswith("application/json"):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    members = content.items() if isinstance(content, dict) else ()
    return {name: value for name, value in members if isinstance(value, str)}
