"""Query parameters as values, and what they ask of a record (endpoints.yaml, params)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harvest_source.sandbox.endpoints import Endpoint
from harvest_source.sandbox.reply import RefusalError, invalid
from harvest_source.sandbox.values import Record, iso, parse_day, parse_instant

BOOLEANS = {"true": True, "false": False}
FLAGS = frozenset({"is_active", "is_billed", "is_running"})
IDS = frozenset({"user_id", "client_id", "project_id", "task_id"})

Test = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """
    What a list request asks for; hashable.

    Attributes:
        first_day: Day number, inclusive; ``None`` is open. ``last_day`` alike.
        updated_since: Unix seconds; only strictly later changes qualify (behaviour.md 6).
        fields: Parameter and value of every other filter.
    """

    first_day: int | None = None
    last_day: int | None = None
    updated_since: int | None = None
    fields: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str) -> Any:
        """The value asked for, or ``None``."""
        return dict(self.fields).get(name)


def parse_query(endpoint: Endpoint, params: Mapping[str, str]) -> Query:
    """
    Read the filters that *endpoint* documents; other parameters are ignored.

    Raises:
        RefusalError: 422 for a value that cannot be read. Unverified against a live account:
            what Harvest answers to a malformed filter is not on record.
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
        if text.isascii() and text.isdigit():
            return int(text)
    else:
        return text
    raise RefusalError(invalid(f"Invalid {name} parameter"))


def build_test(endpoint: Endpoint, query: Query) -> Test:
    """A predicate over full records of the endpoint's table."""
    tests = [_field_test(name, value) for name, value in query.fields]
    if query.updated_since is not None:
        tests.append(_since_test(iso(query.updated_since)))
    if endpoint.date_field and (query.first_day, query.last_day) != (None, None):
        tests.append(_window_test(endpoint.date_field, query))
    return lambda record: all(test(record) for test in tests)


def _field_test(name: str, value: Any) -> Test:
    if name in IDS:
        return lambda record: value in quoted_ids(record, name.removesuffix("_id"))
    if name == "external_reference_id":
        return lambda record: value in quoted_ids(record, "external_reference")
    return lambda record: bool(record.get(name) == value)


def quoted_ids(record: Record, member: str) -> list[Any]:
    """The ids of what *record* quotes as *member*, on itself or on its lines."""
    sources = [record, *_lines(record)]
    quoted = [source.get(member) for source in sources]
    return [value.get("id") for value in quoted if isinstance(value, dict)]


def _lines(record: Record) -> list[Record]:
    lines = record.get("line_items")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _since_test(since: str) -> Test:
    # Same spelling on both sides, so text compares as time does.
    return lambda record: str(record.get("updated_at") or "") > since


def _window_test(field: str, query: Query) -> Test:
    def inside(record: Record) -> bool:
        day = parse_day(record.get(field))
        return (
            day is not None
            and (query.first_day is None or query.first_day <= day)
            and (query.last_day is None or day <= query.last_day)
        )

    return inside
