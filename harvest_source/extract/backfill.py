"""
Progress of a first read of a long list, so that an interrupted one continues where it stopped.

Kept in dlt's state per account and table, under ``backfill``, until the read is complete. The
catch-up at its end reaches back to the beginning of the first attempt, however many processes the
read takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.schedule import is_implausible, parse_instant
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.stored import dump_day, load_day


def dump_backfill(
    slice_: Slice, result: ReadResult, visibility: str, managed: str = ""
) -> dict[str, Any]:
    """
    As stored in dlt's state: the window, what the token sees, the start, and what is done.

    Args:
        managed: ``Session.managed_scope``: a manager who is given more sees more rows.
    """
    assert result.began is not None
    return {
        "window": _dump(slice_.window),
        "visibility": visibility,
        **({"managed": managed} if managed else {}),
        "began": result.began.isoformat(),
        "done": [_dump(window) for window in _join(result.done)],
    }


def load_backfill(
    stored: Mapping[str, Any] | None,
    slice_: Slice,
    visibility: str,
    now: datetime,
    managed: str = "",
) -> ReadResult:
    """The progress made on *slice_*; none if *stored* is of another window, or sees other rows."""
    if not stored or slice_.since is not None:
        return ReadResult()
    try:
        sees = stored["visibility"], stored.get("managed", "")
        is_same = _load(stored["window"]) == slice_.window and sees == (visibility, managed)
        began = parse_instant(stored["began"])
        done = [_load(window) for window in stored["done"]]
    except (KeyError, TypeError, ValueError):
        return ReadResult()  # Reading all of it again loses nothing. A guess might.
    is_usable = is_same and done and not is_implausible(began, now)
    return ReadResult(began=began, done=done) if is_usable else ReadResult()


def _join(windows: Iterable[DateWindow]) -> list[DateWindow]:
    """Join neighbours: a read of ten million rows has hundreds of windows."""
    joined: list[DateWindow] = []
    for window in sorted(windows, key=lambda each: each.start or date.min):
        if joined and joined[-1].end is not None and joined[-1].end == window.start:
            window = DateWindow(joined.pop().start, window.end)
        joined.append(window)
    return joined


def _dump(window: DateWindow) -> list[str | None]:
    return [dump_day(window.start), dump_day(window.end)]


def _load(stored: Any) -> DateWindow:
    start, end = map(load_day, stored)
    return DateWindow(start, end)
