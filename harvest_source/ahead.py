"""One task, begun before its result is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(task: Callable[[Callable[[], bool]], T]) -> Iterator[Future[T]]:
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
