"""Values of dlt's state, which a person or another program may have changed. Pure."""

from __future__ import annotations

from datetime import date
from typing import Any


def load_object(stored: object) -> dict[str, Any]:
    """*stored* as a JSON object; empty if it is missing or something else."""
    return stored if isinstance(stored, dict) else {}


def load_ids(stored: object) -> set[int]:
    """*stored* as a list of ids; without what is none, empty if it is missing or no list."""
    if not isinstance(stored, list):
        return set()
    return {each for each in stored if isinstance(each, int) and not isinstance(each, bool)}


def dump_day(day: date | None) -> str | None:
    """*day* as stored; None stays None, for an open side."""
    return None if day is None else day.isoformat()


def load_day(stored: str | None) -> date | None:
    """
    The day that :func:`dump_day` stored.

    Raises:
        TypeError, ValueError: *stored* is not a day.
    """
    return None if stored is None else date.fromisoformat(stored)
