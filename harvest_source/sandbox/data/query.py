"""Which records of a table a list request asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harvest_source.sandbox.data.values import Record, iso, parse_day
from harvest_source.sandbox.endpoints import Endpoint

IDS = frozenset({"user_id", "client_id", "project_id", "task_id"})

Test = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """
    The filters of a list request; hashable.

    Attributes:
        first_day: Day number, inclusive; ``None`` is open. The same holds for ``last_day``.
        updated_since: Unix seconds; only strictly later changes match (behaviour.md 6).
        fields: Parameter and value of every other filter.
    """

    first_day: int | None = None
    last_day: int | None = None
    updated_since: int | None = None
    fields: tuple[tuple[str, Any], ...] = ()

    def get(self, name: str) -> Any:
        """The value of filter *name*, or ``None``."""
        return dict(self.fields).get(name)


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
    """The ids of the records that *record* quotes as *member*, on itself or on its line items."""
    sources = [record, *_lines(record)]
    quoted = [source.get(member) for source in sources]
    return [value.get("id") for value in quoted if isinstance(value, dict)]


def _lines(record: Record) -> list[Record]:
    lines = record.get("line_items")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _since_test(since: str) -> Test:
    # Both texts have the same format, so comparing the texts compares the times.
    return lambda record: str(record.get("updated_at") or "") > since


def _window_test(field: str, query: Query) -> Test:
    """Unverified against a live account: a record without that date is in no window."""

    def inside(record: Record) -> bool:
        day = parse_day(record.get(field))
        return (
            day is not None
            and (query.first_day is None or query.first_day <= day)
            and (query.last_day is None or day <= query.last_day)
        )

    return inside
