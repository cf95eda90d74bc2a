"""What the person who runs a server is told, once for each time that it begins."""

from __future__ import annotations

import threading
from collections.abc import Callable

Tell = Callable[[str], None]


class Trouble:
    """
    A trouble that may last over many calls. Thread-safe.

    Args:
        tell: Called when it begins.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._lasts = False

    def begin(self, text: str) -> None:
        """Tell *text*, unless the trouble lasts already."""
        with self._lock:
            is_new, self._lasts = not self._lasts, True
        if is_new:
            self._tell(text)

    def end(self) -> None:
        """The next one is told again."""
        with self._lock:
            self._lasts = False
