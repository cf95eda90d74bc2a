"""
Convert values to and from destinations whose drivers do not support Python's types for them.

SQLite stores dates and instants as text, flags as 0 and 1, decimals as floating point; MySQL stores
instants without a time zone. There dlt writes instants in UTC, and so do these parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from harvest_source.sql.conditions import Value
from harvest_source.sql.dialects import Dialect


def as_day(value: Any) -> date | None:
    """Read a day, which destinations return as a day, an instant or text."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value)[:10])


def as_instant(value: Any) -> datetime | None:
    """Read an instant, which some destinations return as text or as naive UTC."""
    if value is None:
        return None
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def as_decimal(value: Any) -> Decimal | None:
    """Read a decimal, which some destinations return as floating point, an integer or text."""
    if value is None or isinstance(value, Decimal):
        return value
    return Decimal(repr(value) if isinstance(value, float) else str(value))


def as_flag(value: Any) -> bool | None:
    """Read a flag, which some destinations return as 0 or 1."""
    return None if value is None else bool(value)


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "date": as_day,
    "timestamp": as_instant,
    "decimal": as_decimal,
    "bool": as_flag,
}
"""By dlt's type names; values of other types are not converted."""


def format_decimal(value: Decimal) -> str:
    """All digits without exponent and trailing zeros; ``normalize`` would round to 28 digits."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json_text(value: Any) -> Value:
    """Convert *value* for a JSON column: objects and lists become text."""
    return json.dumps(value) if isinstance(value, Mapping | list) else value


def as_parameter(value: Value, dialect: Dialect) -> Value:
    """Convert *value* to what the dialect's drivers accept."""
    if dialect.is_typed:
        return value
    if isinstance(value, datetime):
        instant = value.astimezone(UTC)
        if dialect.instants == "aware":
            return instant
        naive = instant.replace(tzinfo=None)
        return naive.isoformat(" ", "microseconds") if dialect.instants == "text" else naive
    if dialect.instants == "text":
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return float(value)
    return value
