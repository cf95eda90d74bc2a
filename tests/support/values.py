"""Comparing values that may have become text, or moved to another column, on the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any


def leaves(value: Any) -> list[Any]:
    """Every scalar below *value*."""
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [value]


def spell(value: Any) -> str:
    """The text of a value, independent of its column's type."""
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, date):
        return value.isoformat().replace("+00:00", "Z").replace(" ", "T")
    try:
        return format(Decimal(value).normalize(), "f")
    except (ArithmeticError, TypeError, ValueError):
        return str(value)
