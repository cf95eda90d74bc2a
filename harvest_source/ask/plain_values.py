"""Converts DuckDB's values to plain ones that JSON holds exactly."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from harvest_source.sql.values import format_decimal

_SAFE_INTEGER: Final = 2**53
"""JSON readers that have only floats lose digits of larger integers."""


def to_plain(value: Any) -> Any:
    """
    Convert *value* to one that JSON can hold.

    Decimals become text with all significant digits and no trailing zeros; dates and times become
    ISO 8601, instants in UTC; whole numbers beyond 53 bits become text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _SAFE_INTEGER else str(value)
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [to_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): to_plain(each) for key, each in value.items()}
    return _format_other(value)


def _format_other(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return str(value)
