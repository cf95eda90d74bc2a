"""Reports lasting problems to the person who runs a server, once each time they begin."""

from __future__ import annotations

import threading
from collections.abc import Callable

Tell = Callable[[str], None]


class Trouble:
    """
    A problem that may last over many calls. Thread-safe.

    Args:
        tell: Called when the problem begins.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._lasts = False

    def begin(self, text: str) -> None:
        """Report *text*, unless the problem was already reported and still lasts."""
        with self._lock:
            is_new, self._lasts = not self._lasts, True
        if is_new:
            self._tell(text)

    def end(self) -> None:
        """Note that the problem is over: the next one is reported again."""
        with self._lock:
            self._lasts = False
