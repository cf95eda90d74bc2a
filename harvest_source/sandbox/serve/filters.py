"""Query parameters of lists (endpoints.yaml, params)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harvest_source.sandbox.data.query import IDS, Query
from harvest_source.sandbox.data.values import parse_day, parse_instant, parse_whole
from harvest_source.sandbox.endpoints import Endpoint
from harvest_source.sandbox.serve.reply import RefusalError, invalid

BOOLEANS = {"true": True, "false": False}
FLAGS = frozenset({"is_active", "is_billed", "is_running"})


def parse_query(endpoint: Endpoint, params: Mapping[str, str]) -> Query:
    """
    Read the filters that *endpoint* documents; other parameters are ignored.

    Raises:
        RefusalError: 422 for a value that cannot be read. Unverified against a live account:
            no source shows Harvest's answer to a malformed filter.
    """
    dated = endpoint.date_field is not None and endpoint.dated
    fields = ((name, _value(name, params[name])) for name in endpoint.filters if name in params)
    return Query(
        first_day=_parsed("from", params, parse_day) if dated else None,
        last_day=_parsed("to", params, parse_day) if dated else None,
        updated_since=_parsed("updated_since", params, parse_instant) if endpoint.since else None,
        fields=tuple(sorted(fields)),
    )


def _parsed(name: str, params: Mapping[str, str], parse: Callable[[str], int | None]) -> int | None:
    if name not in params:
        return None
    value = parse(params[name])
    if value is None:
        raise RefusalError(invalid(f"Invalid {name} parameter"))
    return value


def _value(name: str, text: str) -> Any:
    if name in FLAGS:
        if text in BOOLEANS:
            return BOOLEANS[text]
    elif name in IDS:
        number = parse_whole(text)
        if number is not None:
            return number
    else:
        return text
    raise RefusalError(invalid(f"Invalid {name} parameter"))
