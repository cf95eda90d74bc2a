"""Checks of values that arrive from outside, as JSON or as arguments."""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from typing import Any


def check_number(name: str, value: Any, *, least: float = 0, most: float = math.inf) -> None:
    """
    Check that *value* is a finite number from *least* to *most*.

    Raises:
        ValueError: It is not.
    """
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:
        raise ValueError(_describe(name, "finite", least, most, value))


def check_whole(name: str, value: Any, *, least: float = 0, most: float = math.inf) -> None:
    """
    Check that *value* is a whole number from *least* to *most*.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(_describe(name, "whole", least, most, value))


def check_flag(name: str, value: Any) -> None:
    """
    Check that *value* is true or false: the text ``"false"`` would count as true.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, bool):
        msg = f"{name} must be true or false, not {value!r:.40}"
        raise ValueError(msg)


def check_text(name: str, value: Any) -> None:
    """
    Check that *value* is text.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, str):
        msg = f"{name} must be a text, not {value!r:.40}"
        raise ValueError(msg)


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """
    Check that *value* is one of *choices*.

    Raises:
        ValueError: It is none of them.
    """
    if value not in choices:
        msg = f"{name} must be one of {', '.join(map(str, choices))}, not {value!r:.40}"
        raise ValueError(msg)


def _describe(name: str, kind: str, least: float, most: float, value: Any) -> str:
    where = f" from {least} to {most}" if math.isfinite(most) else f" of at least {least}"
    if math.isinf(least):
        where = ""
    return f"{name} must be a {kind} number{where}, not {value!r:.40}"
