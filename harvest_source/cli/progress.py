"""How far a run has come: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from harvest_source.cli.console import open_stderr
from harvest_source.extract.run_log import PageCounts, Progress

OnProgress = Callable[[Progress], None]

_LINE_EVERY_S: Final = 5.0


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[OnProgress | None]:
    """Show on stderr what the yielded function is told; None with *quiet*."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _show_bar() as on_progress:
            yield on_progress
    else:
        yield ProgressLines(time.monotonic).update


class ProgressLines:
    """Plain progress for logs: at most one line in five seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counts = PageCounts()
        self._last = monotonic()

    def update(self, progress: Progress) -> None:
        """Count one more page."""
        self._counts.add(progress)
        now = self._monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            print(f"{self._counts.rows:,} of about {self._counts.total:,} rows", file=sys.stderr)


@contextmanager
def _show_bar() -> Iterator[OnProgress]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    counts = PageCounts()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=open_stderr(), transient=True) as bar:
        task = bar.add_task("rows", total=None, rate="")

        def on_progress(progress: Progress) -> None:
            counts.add(progress)
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} rows/s" if speed else ""
            bar.update(task, completed=counts.rows, total=counts.total, rate=rate)

        yield on_progress
