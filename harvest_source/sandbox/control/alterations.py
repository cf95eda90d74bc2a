"""Changes to the shape of served records, by name; a new change is one row in `CHANGES`."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from harvest_source.sandbox.checks import check_number
from harvest_source.sandbox.data.lens import Change
from harvest_source.sandbox.data.values import Record


def add_field(name: str = "new_field", value: Any = "new") -> Change:
    """Every record gains *name*."""
    return lambda record: {**record, name: value}


def drop_field(name: str) -> Change:
    """Every record loses the key *name*."""
    return lambda record: {key: value for key, value in record.items() if key != name}


def rename_field(name: str, to: str) -> Change:
    """The key *name* becomes *to*."""
    return lambda record: {to if key == name else key: value for key, value in record.items()}


def set_field(name: str, value: Any = None) -> Change:
    """*name* is *value* in every record."""
    return lambda record: {**record, name: value}


def nest_field(name: str, key: str = "value") -> Change:
    """*name* becomes an object that holds the old value as *key*."""
    return lambda record: _replace(record, name, lambda value: {key: value})


def number_to_text(name: str) -> Change:
    """A number becomes its text; null stays null."""
    return lambda record: _replace(record, name, lambda v: None if v is None else str(v))


def whole_to_fraction(name: str, fraction: float = 0.5) -> Change:
    """A number gains *fraction*; null stays null, and so does everything that is no number."""
    check_number("fraction", fraction, least=-math.inf)

    def add(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return value
        return float(value) + float(fraction) if isinstance(value, float) else value + more

    more = Decimal(str(fraction))
    return lambda record: _replace(record, name, add)


def object_to_text(name: str) -> Change:
    """An object becomes the text of its id; other values stay as they are."""
    return lambda record: _replace(
        record, name, lambda v: str(v.get("id")) if isinstance(v, dict) else v
    )


CHANGES: dict[str, Callable[..., Change]] = {
    change.__name__: change
    for change in (
        add_field,
        drop_field,
        rename_field,
        set_field,
        nest_field,
        number_to_text,
        whole_to_fraction,
        object_to_text,
    )
}


def build_change(change: str | Change, arguments: dict[str, Any]) -> Change:
    """
    The change of that name; a function of one record is returned unchanged.

    Raises:
        ValueError: No change has that name.
    """
    if callable(change):
        return change
    if change not in CHANGES:
        msg = f"No change named {change}; there are {', '.join(sorted(CHANGES))}"
        raise ValueError(msg)
    return CHANGES[change](**arguments)


def _replace(record: Record, name: str, convert: Callable[[Any], Any]) -> Record:
    if name not in record:
        return record
    return {**record, name: convert(record[name])}
