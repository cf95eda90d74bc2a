"""
Values into columns, exactly: a value either fits its column without change or goes, as text, to
``<column>__v_text``.

Pure functions over what ``json.loads(..., parse_float=Decimal)`` gives. Nothing is rounded, cut or
dropped here: that is the rule every function below serves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from harvest_source.columns import SEPARATOR, VARIANT, Type

PRECISION: Final = 38
SCALE: Final = 9
_WHOLE_DIGITS: Final = PRECISION - SCALE
_INT64: Final = range(-(2**63), 2**63)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,60}(\.\d{1,60})?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value its column cannot hold, as exact text."""

    text: str


def loads(body: bytes) -> Any:
    """Parse JSON without losing a digit: fractions become Decimal, huge integers too."""
    return json.loads(body, parse_float=Decimal, parse_int=_whole, parse_constant=str)


def dumps(value: Any) -> str:
    """JSON text of a parsed value; numbers keep the digits they came with."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(str(k), ensure_ascii=False)}:{dumps(v)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def flatten(row: Mapping[str, Any], rename: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """
    Yield ``(column, value)`` of a row, the members of nested objects joined by ``__``.

    Args:
        rename: The destination's way with names, applied to each member's name.
    """
    for name, value in row.items():
        column = rename(name)
        if isinstance(value, dict):
            for inner, nested in flatten(value, rename):
                yield f"{column}{SEPARATOR}{inner}", nested
        else:
            yield column, value


def fit(value: Any, column_type: Type) -> Any:
    """
    *value* as its column holds it, or a :class:`Misfit`.

    Text that spells a number exactly fits a number column (Harvest has sent both); an instant needs
    a zone; a flag is true or false, never 1.
    """
    if value is None:
        return None
    if isinstance(value, list) and column_type is not Type.JSON:
        return Misfit(dumps(value))
    fitted = _FIT[column_type](value)
    return Misfit(as_text(value)) if fitted is None else fitted


def as_text(value: Any) -> str:
    """A value as the text it was in JSON; text as itself."""
    return _well_formed(value if isinstance(value, str) else dumps(value))


def learn(value: Any) -> Type:
    """
    The type of a column nobody declared, from its first value that is not null.

    Any number makes a decimal: the next one may have a fraction.
    """
    if isinstance(value, bool):
        return Type.BOOL
    if isinstance(value, int | Decimal):
        return Type.DECIMAL
    if isinstance(value, list):
        return Type.JSON
    return Type.TEXT if _fit_instant(value) is None else Type.TIMESTAMP


def variant(column: str) -> str:
    """The column for values of *column* that do not fit it."""
    return column if column.endswith(VARIANT) else column + VARIANT


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= PRECISION else Decimal(digits)


def _well_formed(value: str) -> str:
    """Lone surrogates are legal in JSON and nowhere else: keep them as their escapes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def _as_decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def _fit_bigint(value: Any) -> int | None:
    if isinstance(value, str) and value != value.lstrip("0") and value != "0":
        return None  # "007" is a code, not the number 7.
    number = _as_decimal(value)
    if number is None or not number.is_finite() or abs(number.adjusted()) > PRECISION:
        return None
    whole = int(number)
    return whole if whole == number and whole in _INT64 else None


def _fit_decimal(value: Any) -> Decimal | None:
    number = _as_decimal(value)
    if number is None or not number.is_finite() or number.adjusted() >= _WHOLE_DIGITS:
        return None
    if not number:
        return Decimal(0)
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    while exponent < -SCALE and digits and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return number if exponent >= -SCALE else None


def _fit_text(value: Any) -> str | None:
    return as_text(value)


def _fit_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _fit_date(value: Any) -> date | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _fit_instant(value: Any) -> datetime | None:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _fit_json(value: Any) -> str | None:
    return as_text(dumps(value))


_FIT: Final[Mapping[Type, Callable[[Any], Any]]] = {
    Type.BIGINT: _fit_bigint,
    Type.DECIMAL: _fit_decimal,
    Type.TEXT: _fit_text,
    Type.BOOL: _fit_flag,
    Type.DATE: _fit_date,
    Type.TIMESTAMP: _fit_instant,
    Type.JSON: _fit_json,
}

__all__ = [
    "Misfit",
    "as_text",
    "dumps",
    "fit",
    "flatten",
    "learn",
    "loads",
    "variant",
]
