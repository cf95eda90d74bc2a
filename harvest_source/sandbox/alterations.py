"""Changes to the shape of served records, by name: new change = one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harvest_source.sandbox.values import Record, clone

Change = Callable[[Record], Record | None]


def add_field(name: str = "new_field", value: Any = "new") -> Change:
    """Every record gains *name*."""
    return lambda record: {**record, name: value}


def drop_field(name: str) -> Change:
    """The KEY *name* vanishes."""
    return lambda record: {key: value for key, value in record.items() if key != name}


def rename_field(name: str, to: str) -> Change:
    """*name* is called *to* from now on."""
    return lambda record: {to if key == name else key: value for key, value in record.items()}


def set_field(name: str, value: Any = None) -> Change:
    """*name* holds *value* everywhere."""
    return lambda record: {**record, name: value}


def nest_field(name: str, key: str = "value") -> Change:
    """*name* becomes an object that holds the old value as *key*."""
    return lambda record: _replace(record, name, lambda value: {key: value})


def number_to_text(name: str) -> Change:
    """A number arrives quoted; null stays null."""
    return lambda record: _replace(record, name, lambda v: None if v is None else str(v))


def whole_to_fraction(name: str, fraction: float = 0.5) -> Change:
    """A number gains *fraction*; null stays null."""
    return lambda record: _replace(record, name, lambda v: None if v is None else v + fraction)


def object_to_text(name: str) -> Change:
    """An object is replaced by the text of its id."""
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
    A change by name, or a function of one record as it is.

    Raises:
        ValueError: No change has that name.
    """
    if callable(change):
        return change
    if change not in CHANGES:
        msg = f"No change named {change}; there are {', '.join(sorted(CHANGES))}"
        raise ValueError(msg)
    return CHANGES[change](**arguments)


def apply_changes(record: Record, changes: Sequence[Change]) -> Record:
    """*record* as served; the original is left alone, a change may return ``None`` for in-place."""
    if not changes:
        return record
    altered: Record = clone(record)
    for change in changes:
        altered = change(altered) or altered
    return altered


def _replace(record: Record, name: str, convert: Callable[[Any], Any]) -> Record:
    if name not in record:
        return record
    return {**record, name: convert(record[name])}
