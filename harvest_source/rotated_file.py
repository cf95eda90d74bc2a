"""A log file that is rotated when it reaches a size, with older files kept beside it."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path
from typing import Final

JSON_LINE: Final = b"{"
"""What each line of our logs begins with: they are JSON objects."""

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size at which the file is rotated."""
KEEP: Final = 5
"""Number of older files kept; ``NAME.1`` is the newest."""


class RotatedFile:
    """
    Appends lines to *path*, readable only by its owner. Thread-safe, and several processes may
    share the file.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._lock = threading.Lock()
        self._is_cut = False

    def append(self, line: str) -> None:
        """
        Append *line*, which has no line break.

        Raises:
            OSError: The line was not written, or only partly; earlier lines are unchanged.
        """
        with self._lock:
            handle = self._open()
            try:
                self._write(handle, f"{line}\n".encode())
                if os.fstat(handle).st_size >= self._max_bytes:
                    _lock(handle)
                    if self._is_current(handle):
                        self._rotate()
            finally:
                os.close(handle)

    def check(self) -> None:
        """Create the file if it is missing. Raises OSError if lines cannot be appended."""
        os.close(self._open())

    def _open(self) -> int:
        """Open the file; called for each line, as another process may have rotated it."""
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _write(self, handle: int, content: bytes) -> None:
        # If a full disk cut off the last line, the next one starts on a line of its own.
        whole = b"\n" + content if self._is_cut else content
        written = os.write(handle, whole)  # If it raises, no byte was written.
        if written:
            self._is_cut = not whole[:written].endswith(b"\n")
        if written != len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_current(self, handle: int) -> bool:
        """Whether *handle*, a full file, is still the log: another process may have rotated it."""
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        for number in range(self._keep - 1, -1, -1):
            current = self._numbered(number)
            if current.exists():
                current.replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


if sys.platform == "win32":

    def _lock(handle: int) -> None:
        """Do nothing: Windows does not rename a file that another process has open."""
else:
    import fcntl

    def _lock(handle: int) -> None:
        """Lock *handle*'s file, waiting for other processes; closing the handle unlocks it."""
        fcntl.flock(handle, fcntl.LOCK_EX)
