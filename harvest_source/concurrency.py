"""Several jobs at once, one stream of what they find. Knows nothing of Harvest."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[T, Callable[[R], None]], Sequence[T] | None]

_LOOK_UP_S: Final = 0.2
"""How often a job that waits for room looks whether anyone still wants its findings."""


class _Unwanted(Exception):
    """Nobody takes the findings any more. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class _End(Generic[T]):
    """The last that is heard of a job."""

    more: Sequence[T] = ()
    error: BaseException | None = None


def gather(
    work: Work[T, R],
    items: Sequence[T],
    *,
    workers: int,
    waiting: int,
    silence: tuple[float, R] | None = None,
) -> Generator[R, None, None]:
    """
    Yield what ``work(item, emit)`` emits for each of *items*, as it comes.

    What one job emits stays in order; jobs overtake each other. A job that is ahead of whoever
    iterates waits. The first exception is raised here and ends the others at their next ``emit``,
    as does closing the iterator; neither waits for them.

    Args:
        work: Returns further items, if what it was given turned out to be several.
        workers: Jobs at once; 1 runs them in this thread, one after the other, and holds what one
            of them emits until it is done.
        waiting: Findings that may wait to be taken.
        silence: Seconds, and what to yield whenever nothing came for so long; needs threads.
    """
    if workers == 1:
        left = deque(items)
        while left:
            found: list[R] = []
            left.extend(work(left.popleft(), found.append) or ())
            yield from found
        return
    yield from _Gathering[T, R](work, waiting, silence).run(items, workers)


def in_parallel(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """
    ``map(work, items)`` with *workers* at once, in order; at most twice that many results wait.

    The first exception is raised where its result would come; items not begun are not begun.
    With one of them, that is this thread.
    """
    if workers == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="harvest-map")
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Ctrl-C must not wait for an answer that is under way.
        pool.shutdown(wait=False, cancel_futures=True)


class _Gathering(Generic[T, R]):
    """One run of :func:`gather` with threads."""

    def __init__(self, work: Work[T, R], waiting: int, silence: tuple[float, R] | None) -> None:
        self._work = work
        self._silence = silence
        self._found: queue.Queue[R | _End[T]] = queue.Queue(waiting)
        self._unwanted = threading.Event()

    def run(self, items: Sequence[T], workers: int) -> Iterator[R]:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="harvest-job")
        try:
            yield from self._take(pool, items)
        finally:
            self._unwanted.set()
            # Ctrl-C must not wait for an answer that is under way.
            pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, pool: ThreadPoolExecutor, items: Sequence[T]) -> Iterator[R]:
        jobs = self._begin(pool, items)
        while jobs:
            finding = self._next()
            if not isinstance(finding, _End):
                yield finding
            elif finding.error is not None:
                raise finding.error
            else:
                jobs += self._begin(pool, finding.more) - 1

    def _next(self) -> R | _End[T]:
        if self._silence is None:
            return self._found.get()
        seconds, nothing = self._silence
        try:
            return self._found.get(timeout=seconds)
        except queue.Empty:
            return nothing

    def _begin(self, pool: ThreadPoolExecutor, items: Sequence[T]) -> int:
        for item in items:
            pool.submit(self._do, item)
        return len(items)

    def _do(self, item: T) -> None:
        try:
            self._put(_End(self._work(item, self._put) or ()))
        except _Unwanted:
            pass
        except BaseException as error:  # It belongs to whoever iterates.
            self._put_if_wanted(_End(error=error))

    def _put(self, finding: R | _End[T]) -> None:
        while not self._unwanted.is_set():
            try:
                self._found.put(finding, timeout=_LOOK_UP_S)
            except queue.Full:
                continue
            return
        raise _Unwanted

    def _put_if_wanted(self, finding: _End[T]) -> None:
        with contextlib.suppress(_Unwanted):
            self._put(finding)


@contextmanager
def run_ahead(task: Callable[[Callable[[], bool]], T]) -> Iterator[Future[T]]:
    """
    Run *task* on a thread of its own; it is told whether it was dropped, by leaving early.

    A thread each rather than a pool: pools are waited for when the interpreter ends, and threads
    that wait for threads of their own pool can wait for ever.
    """
    dropped = threading.Event()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(task(dropped.is_set))
        except BaseException as error:  # All of it belongs to the thread that waits.
            outcome.set_exception(error)

    threading.Thread(target=run, name="harvest-ahead", daemon=True).start()
    try:
        yield outcome
    finally:
        dropped.set()
