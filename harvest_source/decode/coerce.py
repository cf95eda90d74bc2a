"""
Fits values to columns exactly: one that does not fit goes to ``<column>__v_text``.

Pure functions over what :func:`loads` returns. None of them rounds, cuts or drops anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

from harvest_source.schema.columns import SEPARATOR, VARIANT, Type

PRECISION: Final = 38
SCALE: Final = 9
_UNIT: Final = Decimal(1).scaleb(-SCALE)
_ONE: Final = Decimal(1)
_EXACT: Final = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])
_NAMELESS: Final = "x"
_INT64: Final = range(-(2**63), 2**63)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""The texts that Arrow's own parser accepts as a decimal."""

Path = tuple[str, ...]
"""Harvest's own member names from a record down to one value."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that its column cannot hold, as exact text."""

    text: str


class Repeated(dict[str, Any]):
    """An object with a repeated member: legal in JSON, and a plain dict would keep only one."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class Digits(str):
    """A number whose exponent is beyond Decimal's range, as it was written."""


def loads(body: bytes) -> Any:
    """
    Parse JSON without losing a digit or a member.

    Fractions become Decimal, huge whole numbers too. An object that repeats a name becomes
    :class:`Repeated`, a number beyond Decimal :class:`Digits`.
    """
    return json.loads(
        body,
        object_pairs_hook=_build_object,
        parse_float=_parse_fraction,
        parse_int=_parse_whole,
        parse_constant=str,
    )


def dumps(value: Any) -> str:
    """JSON text of a parsed value; numbers keep the digits they came with."""
    if isinstance(value, Mapping):
        members = (f"{json.dumps(k, ensure_ascii=False)}:{dumps(v)}" for k, v in _members(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal | Digits):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def flatten(
    row: Mapping[str, Any], rename: Callable[[str], str], above: Path = (), prefix: str = ""
) -> Iterator[tuple[str, Path, Any]]:
    """
    Yield ``(column, path, value)`` of a row, the members of nested objects joined by ``__``.

    Two values may share a column: after renaming, or because a member came twice.

    Args:
        rename: The destination's naming convention, applied to each member's name.
        above, prefix: Path and column prefix of *row*, for objects in objects.
    """
    for name, value in _members(row):
        path = (*above, _well_formed(name))
        column = prefix + (rename(path[-1]) or _NAMELESS)
        if isinstance(value, dict):
            yield from flatten(value, rename, path, column + SEPARATOR)
        else:
            yield column, path, value


def fit(value: Any, column_type: Type) -> Any:
    """
    *value* as its column holds it, or a :class:`Misfit`.

    Text that spells a number exactly fits a number column (Harvest has sent both), but a code with
    leading zeros is no bigint; an instant needs a zone; a flag is true or false, never 1; an array
    column takes arrays only.
    """
    if value is None:
        return None
    if isinstance(value, list) != (column_type is Type.JSON):
        return Misfit(as_text(value))
    fitted = _FIT[column_type](value)
    return Misfit(as_text(value)) if fitted is None else fitted


def as_text(value: Any) -> str:
    """A value as the text it was in JSON; text as itself."""
    return _well_formed(value if isinstance(value, str) else dumps(value))


def infer_type(value: Any) -> Type:
    """
    The type of an undeclared column, from its first value that is not null.

    Any number becomes a decimal: the next one may have a fraction.
    """
    if isinstance(value, bool):
        return Type.BOOL
    if isinstance(value, int | Decimal | Digits):
        return Type.DECIMAL
    if isinstance(value, list):
        return Type.JSON
    return Type.TEXT if _fit_instant(value) is None else Type.TIMESTAMP


def variant(column: str) -> str:
    """The column that takes the values which do not fit *column*."""
    return column if column.endswith(VARIANT) else column + VARIANT


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Repeated(pairs)


def _members(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return row.pairs if isinstance(row, Repeated) else row.items()


def _parse_whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= PRECISION else Decimal(digits)


def _parse_fraction(digits: str) -> Decimal | Digits:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return Digits(digits)


def _well_formed(value: str) -> str:
    """Lone surrogates are legal in JSON but in no encoding: keep them as their escapes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def _fit_bigint(value: Any) -> int | None:
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        return None  # "007" is a code, not the number 7.
    number = _exactly(value, _ONE)
    return int(number) if number is not None and int(number) in _INT64 else None


def _fit_decimal(value: Any) -> Decimal | None:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    return _exactly(value, _UNIT)


def _exactly(value: Any, unit: Decimal) -> Decimal | None:
    """A number with the decimals of *unit*; None when it needs rounding or more than 38 digits."""
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(value).quantize(unit, context=_EXACT)
    except (Inexact, InvalidOperation):
        return None
    return number or Decimal(0)  # A zero loses its sign and exponent.


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


_FIT: Final[Mapping[Type, Callable[[Any], Any]]] = {
    Type.BIGINT: _fit_bigint,
    Type.DECIMAL: _fit_decimal,
    Type.TEXT: _fit_text,
    Type.BOOL: _fit_flag,
    Type.DATE: _fit_date,
    Type.TIMESTAMP: _fit_instant,
    Type.JSON: _fit_text,
}
