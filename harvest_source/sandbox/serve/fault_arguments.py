"""
What each fault may be given, checked before it is in force.

A fault is applied while a request is answered, on the server's one thread: a wrong argument would
break every answer, and a ``chunk`` of 0 would never end. A misspelt one would be a fault that hits
every request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from harvest_source.sandbox.checks import (
    check_choice,
    check_flag,
    check_number,
    check_text,
    check_whole,
)

Check = Callable[[str, Any], object]
"""Takes an argument's name and value; raises ValueError for a value that cannot be used."""


_METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


def _check_pattern(name: str, value: Any) -> None:
    check_text(name, value)
    try:
        re.compile(value)
    except re.error as error:
        msg = f"{name} must be a regular expression: {error}"
        raise ValueError(msg) from error


def _check_method(name: str, value: Any) -> None:
    check_choice(name, value, _METHODS)


def _check_size(name: str, value: Any) -> None:
    check_whole(name, value, least=1)


def _check_status(name: str, value: Any) -> None:
    check_whole(name, value, least=200, most=599)


def _check_difference(name: str, value: Any) -> None:
    check_whole(name, value, least=-math.inf)


def _check_shift(name: str, value: Any) -> None:
    check_number(name, value, least=-math.inf)


_ARGUMENTS: Final[Mapping[str, Mapping[str, Check]]] = {
    "rate_limited": {"retry_after": check_whole, "html": check_flag},
    "invalid": {"message": check_text},
    "slow_body": {"chunk": _check_size, "delay_s": check_number},
    "latency": {"ms": check_number},
    "cut_in_body": {"after": check_whole},
    "lost_answer": {"stall": check_flag},
    "oauth_error": {"error": check_text, "description": check_text, "status": _check_status},
    "redirect": {"location": check_text, "status": _check_status},
    "gzip_bomb": {"mb": _check_size},
    "date_skewed": {"seconds": _check_shift},
    "date_aged": {"seconds": check_whole},
    "cache": {"fresh": _check_pattern, "age": check_flag},
    "missing_key": {"key": check_text},
    "next_to_other_host": {"host": check_text},
    "wrong_total": {"by": _check_difference},
}
"""Arguments of each fault that has any, with what checks them."""

MATCHING: Final[Mapping[str, Check]] = {
    "table": check_text,
    "path": _check_pattern,
    "method": _check_method,
    "account_id": check_whole,
    "nth": _check_size,
    "times": check_whole,
    "probability": lambda name, value: check_number(name, value, most=1),
}
"""What says which requests a fault hits, with what checks it. None leaves any of them out."""


def check_arguments(fault: str, matching: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """
    Check which requests *fault* is to hit, and its *own* arguments.

    Raises:
        ValueError: A name is unknown, or a value cannot be used; the message says which.
    """
    for name, value in matching.items():
        if value is not None:
            MATCHING[name](name, value)
    known = _ARGUMENTS.get(fault, {})
    unknown = sorted(set(own) - set(known))
    if unknown:
        msg = (
            f"The fault {fault} has no {', '.join(unknown)}; there are "
            f"{', '.join((*known, *MATCHING))}"
        )
        raise ValueError(msg)
    for name, value in own.items():
        known[name](name, value)
