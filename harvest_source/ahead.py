"""One task, begun before its result is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """
    One task on a thread of its own, whose result is waited for or, on leaving early, dropped.

    A thread each rather than a pool: pools are waited for when the interpreter ends, and threads
    that wait for threads of their own pool can wait for ever.
    """

    def __init__(self, task: Callable[[Callable[[], bool]], T]) -> None:
        self._task = task
        self._dropped = threading.Event()
        self._outcome: Future[T] = Future()
        threading.Thread(target=self._run, name="harvest-ahead", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dropped.set()

    def result(self) -> T:
        """Wait for the task; its exception is raised here."""
        return self._outcome.result()

    def _run(self) -> None:
        try:
            self._outcome.set_result(self._task(self._dropped.is_set))
        except BaseException as error:  # All of it belongs to the thread that waits.
            self._outcome.set_exception(error)
