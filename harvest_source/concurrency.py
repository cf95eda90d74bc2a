"""Run work on several threads as one stream of results. Knows nothing about Harvest."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final, Generic, TypeVar

from harvest_source.machine import read_processors

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[T, Callable[[R], None]], Sequence[T] | None]

_JOB: Final = "harvest-job"
_MAP: Final = "harvest-map"

_CHECK_EVERY_S: Final = 0.2
"""How often a job that waits for space in the queue checks whether the stream was closed."""


class _Closed(Exception):
    """The stream was closed while a job had a result for it. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class _End:
    """Marks the end of a job, with an error if it failed."""

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
    Yield what ``work(item, emit)`` emits for each of *items*, as it arrives.

    The results of one job stay in order; jobs may overtake each other. A job whose results are not
    consumed fast enough blocks. The first exception is raised here and ends the other jobs at their
    next ``emit``, as does closing the iterator; neither waits for the jobs to end.

    Args:
        work: May return further items, when its item turns out to be several.
        workers: Number of parallel jobs. 1 runs them one after the other in this thread, and holds
            back the results of each job until it is done.
        waiting: Maximum number of results that may wait to be consumed.
        silence: (seconds, value): yield the value whenever no result arrives for that long. Has no
            effect with one worker.
    """
    if workers == 1:
        left = deque(items)
        while left:
            results: list[R] = []
            left.extend(work(left.popleft(), results.append) or ())
            yield from results
        return
    yield from _Gathering[T, R](work, waiting, silence).run(items, workers)


def in_parallel(work: Callable[[T], R], items: Iterable[T], *, workers: int) -> Iterator[R]:
    """
    ``map(work, items)`` on *workers* threads, in order; at most twice that many results wait.

    The first exception is raised in place of its result, and items not yet started are dropped.
    With one worker, or a collection of at most one item, it is plain ``map`` in this thread.
    """
    if workers == 1 or (isinstance(items, Sized) and len(items) < 2):
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix=_MAP)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Ctrl-C must not wait for a request in flight.
        pool.shutdown(wait=False, cancel_futures=True)


def has_threads() -> bool:
    """Whether a thread of :func:`gather` or :func:`in_parallel` is alive; it may block for long."""
    return any(thread.name.startswith((_JOB, _MAP)) for thread in threading.enumerate())


@cache
def processor_slots() -> threading.BoundedSemaphore:
    """
    Held by a thread while it keeps a processor busy: one slot per processor, at least two.

    Each list has a thread that decodes its pages, but a single thread loads them. Without the
    semaphore the loading thread gets a small share of the processors, and all rows wait for it. On
    two processors it made a first load take a fifth less wall time and a tenth less CPU time.
    """
    return threading.BoundedSemaphore(max(2, read_processors()))


class _Gathering(Generic[T, R]):
    """One run of :func:`gather` with threads."""

    def __init__(self, work: Work[T, R], waiting: int, silence: tuple[float, R] | None) -> None:
        self._work = work
        self._silence = silence
        self._results: queue.Queue[R | _End] = queue.Queue(waiting)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._jobs = 0
        """Jobs whose :class:`_End` has not been consumed yet."""

    def run(self, items: Sequence[T], workers: int) -> Iterator[R]:
        pool = ThreadPoolExecutor(workers, thread_name_prefix=_JOB)
        try:
            yield from self._take(pool, items)
        finally:
            self._closed.set()
            # Ctrl-C must not wait for a request in flight.
            pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, pool: ThreadPoolExecutor, items: Sequence[T]) -> Iterator[R]:
        self._begin(pool, items)
        while self._jobs:
            result = self._next()
            if not isinstance(result, _End):
                yield result
            elif result.error is not None:
                raise result.error
            else:
                with self._lock:
                    self._jobs -= 1

    def _next(self) -> R | _End:
        if self._silence is None:
            return self._results.get()
        seconds, nothing = self._silence
        try:
            return self._results.get(timeout=seconds)
        except queue.Empty:
            return nothing

    def _begin(self, pool: ThreadPoolExecutor, items: Sequence[T]) -> None:
        with self._lock:
            self._jobs += len(items)
        for item in items:
            pool.submit(self._do, pool, item)

    def _do(self, pool: ThreadPoolExecutor, item: T) -> None:
        try:
            more = self._work(item, self._put) or ()
            if self._closed.is_set():
                return  # The pool accepts no more items.
            # Started here, because the consumer may be busy for seconds before its next result.
            self._begin(pool, more)
            self._put(_End())
        except _Closed:
            pass
        except BaseException as error:  # Raised again in the thread that iterates.
            self._put_unless_closed(_End(error=error))

    def _put(self, result: R | _End) -> None:
        while not self._closed.is_set():
            try:
                self._results.put(result, timeout=_CHECK_EVERY_S)
            except queue.Full:
                continue
            return
        raise _Closed

    def _put_unless_closed(self, end: _End) -> None:
        with contextlib.suppress(_Closed):
            self._put(end)


@contextmanager
def run_ahead(task: Callable[[Callable[[], bool]], T]) -> Iterator[Future[T]]:
    """
    Run *task* on its own thread while the block runs.

    It does not use a pool: the interpreter waits for pool threads when it exits, and a pool thread
    that waits for another thread of the same pool can deadlock.

    Args:
        task: Gets a function that returns True once the block has been left.

    Yields:
        A future with the result of *task*.
    """
    dropped = threading.Event()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(task(dropped.is_set))
        except BaseException as error:  # Raised again in the thread that waits for the result.
            outcome.set_exception(error)

    threading.Thread(target=run, name="harvest-ahead", daemon=True).start()
    try:
        yield outcome
    finally:
        dropped.set()
