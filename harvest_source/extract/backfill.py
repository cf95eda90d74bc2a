"""
How far a first read of a long list has come, so that a killed one goes on from there.

Stored per account and table until the read is whole. The catch-up at its end reaches back to when
its first attempt began, however many processes it took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.slices import DateWindow, Slice


def dump_backfill(part: Slice, outcome: ReadResult, visibility: str) -> dict[str, Any]:
    """As stored in dlt's state: what is read, by whom, since when, which windows are safe."""
    assert outcome.began is not None
    return {
        "window": _dump(part.window),
        "visibility": visibility,
        "began": outcome.began.isoformat(),
        "done": [_dump(window) for window in _join(outcome.done)],
    }


def load_backfill(stored: Mapping[str, Any] | None, part: Slice, visibility: str) -> ReadResult:
    """What is left of *part*: all of it, unless *stored* is of the same days and reader."""
    if not stored or part.since is not None:
        return ReadResult()
    try:
        is_same = _load(stored["window"]) == part.window and stored["visibility"] == visibility
        began = datetime.fromisoformat(stored["began"]).astimezone(UTC)
        done = [_load(window) for window in stored["done"]]
    except (KeyError, TypeError, ValueError):
        return ReadResult()  # Reading it again loses nothing; guessing might.
    return ReadResult(began=began, done=done) if is_same and done else ReadResult()


def _join(windows: Iterable[DateWindow]) -> list[DateWindow]:
    """Neighbours as one: a read of ten million rows has hundreds."""
    joined: list[DateWindow] = []
    for window in sorted(windows, key=lambda each: each.start or date.min):
        if joined and joined[-1].end is not None and joined[-1].end == window.start:
            window = DateWindow(joined.pop().start, window.end)
        joined.append(window)
    return joined


def _dump(window: DateWindow) -> list[str | None]:
    return [day.isoformat() if day else None for day in (window.start, window.end)]


def _load(stored: Any) -> DateWindow:
    start, end = (day and date.fromisoformat(day) for day in stored)
    return DateWindow(start, end)
