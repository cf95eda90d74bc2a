"""Row counts of windows, from Harvest: to plan windows, and to check that no row is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import call
from typing import Any, Final

from harvest_source.concurrency import in_parallel
from harvest_source.extract.slice_reader import SliceReader, TooLong
from harvest_source.extract.slices import DateWindow, Slice
from harvest_source.extract.window_plan import WindowSettings, plan_windows

_DAY: Final = timedelta(days=1)


class WindowCounter:
    """Counts the windows of one list, several in parallel if *settings* has several workers."""

    def __init__(self, reader: SliceReader, settings: WindowSettings) -> None:
        self._reader = reader
        self._settings = settings

    def plan(self, size: int, found: TooLong) -> list[Slice]:
        """Cut a slice into windows of about *size* rows, at the cost of one count per cut."""
        slice_ = found.slice

        def count(windows: Sequence[DateWindow]) -> list[int]:
            slices = [replace(slice_, window=window) for window in windows]
            return self.ask([partial(self._reader.count, each) for each in slices])

        windows = plan_windows(
            slice_.window,
            found.total,
            found.sample,
            count,
            size=size,
            today=self._settings.today,
        )
        return [replace(slice_, window=window) for window in windows]

    def count_hidden(self, slice_: Slice, total: int, rows: int | None) -> int:
        """
        How many rows of *slice_* are in none of its windows, such as rows without a date.

        If the windows had *rows* rows in all and that is the *total* of the slice, there are none.
        Otherwise rows may have come or gone since, so the slice is cut in two and both halves are
        counted: a row that no window shows is in neither half, wherever the cut is.

        Returns:
            A number below zero if the halves have more rows than the slice: the list is changing.
        """
        if total == rows:
            return 0
        if slice_.window.is_one_day:
            return 0  # Its pieces were counted when it was split.
        cut = slice_.window.clamp(self._settings.today)
        if cut == slice_.window.start:
            cut += _DAY
        halves = [replace(slice_, window=half) for half in slice_.window.cut_at(cut)]
        return total - sum(self._reader.count(half) for half in halves)

    def ask(self, questions: Sequence[Callable[[], Any]]) -> list[Any]:
        """The answers to *questions*, in order: one for each window and one for the whole list."""
        workers = 1 if self._settings.workers == 1 else self._settings.workers + 1
        return list(in_parallel(call, questions, workers=workers))
