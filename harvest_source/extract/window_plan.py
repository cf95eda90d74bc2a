"""
Date windows: half-open inside; Harvest's inclusive ``from``/``to`` only in ``DateWindow.params``.

Days are calendar days of the account; nothing here knows of zones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, pairwise
from typing import Final

from harvest_source.extract.slices import DateWindow

EARLIEST = date(2000, 1, 1)
"""Where the bulk of history is not sought any more. Older rows are in the first, open window."""

RECENT = timedelta(days=90)
"""Hours this young are still being edited: reports that reach into them are read every run."""

_DAY = timedelta(days=1)

_MOST: Final = 500
"""Windows of one plan, each of which costs a count: parts of longer lists are cut again."""


def halve(window: DateWindow, first: date, last: date) -> tuple[DateWindow, DateWindow] | None:
    """
    Cut *window* between the *first* and *last* day seen in it; open sides stay open.

    Days outside, should Harvest ever serve some, count as the nearest day inside.

    Returns:
        None when it is a single day, which no date can cut.
    """
    if window.is_one_day or window.is_empty:
        return None
    first, last = window.nearest(first), window.nearest(last)
    if first >= last:
        # Everything seen is on one day: give that day a part of its own.
        cut = first if (window.start or date.min) < first else first + _DAY
        return window.cut_at(cut)
    return window.cut_at(first + (last - first) // 2 + _DAY)


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a window, its newest as Harvest orders them, and the days they lie on."""

    rows: int
    first: date
    last: date


Count = Callable[[Sequence[DateWindow]], Sequence[int]]
"""Rows of each of several windows; all may be asked at once."""


def plan_windows(
    window: DateWindow, total: int, sample: Sample, count: Count, *, size: int, today: date
) -> list[DateWindow]:
    """
    Cut *window* into touching windows of about *size* rows, oldest first.

    Takes history to be as dense as the *sample* is, counts what that would come to, and evens it
    out: windows read at once should end at once. Sizes are a wish all the same; coverage is exact
    by construction (the sides stay as *window* has them).

    Args:
        total: Rows in *window*.
        count: Called once, at most, for one window less than there will be.
        today: Last day the bulk of history is expected on; later ones are in the last part.

    Returns:
        Two windows at least, unless it is a single day, which no date can cut.
    """
    if window.is_one_day:
        return [window]
    first, last = (window.nearest(min(day, today)) for day in (sample.first, sample.last))
    days = ((last - first).days + 1) * total / max(sample.rows, 1)
    days = min(days, (last - (window.start or min(EARLIEST, first))).days + 1)
    low = last + _DAY - timedelta(days=round(days))
    parts = min(-(-total // size), int(days), _MOST)
    guessed = _inside(window, _spread([(low, 0), (last + _DAY, total)], parts))
    if not guessed:
        # By the sample's own days, not capped at today: rows dated in 2062 would otherwise be
        # looked for one day after the other, at one request each.
        return list(halve(window, sample.first, sample.last) or ())
    counted = count([DateWindow(window.start, day) for day in guessed])
    rows_before = accumulate((min(rows, total) for rows in counted), max)
    known = {low: 0, **dict(zip(guessed, rows_before, strict=True)), last + _DAY: total}
    cuts = _inside(window, _spread(sorted(known.items()), parts)) or guessed
    return [DateWindow(*sides) for sides in pairwise([window.start, *cuts, window.end])]


def _spread(known: Sequence[tuple[date, int]], parts: int) -> list[date]:
    """The days that cut the rows known to lie before some days into equal *parts*."""
    rows, cuts = [before for _, before in known], []
    for part in range(1, parts):
        wanted = rows[-1] * part / parts
        at = bisect_left(rows, wanted, lo=1)
        (start, before), (end, after) = known[at - 1], known[at]
        share = (wanted - before) / (after - before) if after > before else 0
        cuts.append(start + timedelta(days=round(share * (end - start).days)))
    return cuts


def _inside(window: DateWindow, days: Iterable[date]) -> list[date]:
    """The *days* at which *window* can be cut, each once, ascending."""
    return sorted({day for day in days if day in window and day != (window.start or date.min)})


def gaps(window: DateWindow, done: Iterable[DateWindow]) -> list[DateWindow]:
    """The parts of *window* that none of *done* covers, oldest first."""
    rest, start = [], window.start
    for each in sorted(done, key=lambda each: each.start or date.min):
        if each.start is not None and (start is None or each.start > start):
            rest.append(DateWindow(start, _earlier(each.start, window.end)))
        if each.end is None:
            break
        start = each.end if start is None else max(start, each.end)
    else:
        rest.append(DateWindow(start, window.end))
    return [each for each in rest if not each.is_empty]


def _earlier(day: date, end: date | None) -> date:
    return day if end is None else min(day, end)


def report_windows(first: date, today: date) -> list[DateWindow]:
    """
    The calendar years from *first* to the one *today* is in, oldest first; no two share a day.

    Harvest takes at most 365 days between ``from`` and ``to``: a leap year is just that. The last
    one always ends with its year, so that its key stays the same until then.
    """
    years = range(first.year, today.year + 1)
    starts = [max(first, date(year, 1, 1)) for year in years]
    return [DateWindow(start, date(start.year + 1, 1, 1)) for start in starts]
