"""Several jobs at once, one stream of what they find. Knows nothing of Harvest."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_LOOK_UP_S: Final = 0.2
"""How often a job that waits for room looks whether anyone still wants its findings."""


class _Unwanted(Exception):
    """Nobody takes the findings any more. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last that is heard of a job."""

    error: BaseException | None = None


def gather(
    work: Callable[[T, Callable[[R], None]], None],
    items: Sequence[T],
    *,
    workers: int,
    waiting: int,
) -> Generator[R, None, None]:
    """
    Yield what ``work(item, emit)`` emits for each of *items*, as it comes.

    What one job emits stays in order; jobs overtake each other. A job that is ahead of whoever
    iterates waits. The first exception is raised here and ends the others at their next ``emit``,
    as does closing the iterator; neither waits for them.

    Args:
        workers: Jobs at once; 1 runs them in this thread, one after the other, and holds what one
            of them emits until it is done.
        waiting: Findings that may wait to be taken.
    """
    if workers == 1:
        for item in items:
            found: list[R] = []
            work(item, found.append)
            yield from found
        return
    yield from _Gathering[T, R](work, waiting).run(items, workers)


class _Gathering(Generic[T, R]):
    """One run of :func:`gather` with threads."""

    def __init__(self, work: Callable[[T, Callable[[R], None]], None], waiting: int) -> None:
        self._work = work
        self._found: queue.Queue[R | _End] = queue.Queue(waiting)
        self._unwanted = threading.Event()

    def run(self, items: Sequence[T], workers: int) -> Iterator[R]:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="harvest-job")
        try:
            for item in items:
                pool.submit(self._do, item)
            yield from self._take(len(items))
        finally:
            self._unwanted.set()
            # Ctrl-C must not wait for an answer that is under way.
            pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, jobs: int) -> Iterator[R]:
        while jobs:
            finding = self._found.get()
            if not isinstance(finding, _End):
                yield finding
            elif finding.error is not None:
                raise finding.error
            else:
                jobs -= 1

    def _do(self, item: T) -> None:
        try:
            self._work(item, self._put)
            self._put(_End())
        except _Unwanted:
            pass
        except BaseException as error:  # It belongs to whoever iterates.
            self._put_if_wanted(_End(error))

    def _put(self, finding: R | _End) -> None:
        while not self._unwanted.is_set():
            try:
                self._found.put(finding, timeout=_LOOK_UP_S)
            except queue.Full:
                continue
            return
        raise _Unwanted

    def _put_if_wanted(self, finding: _End) -> None:
        with contextlib.suppress(_Unwanted):
            self._put(finding)
