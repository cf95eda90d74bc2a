"""The access log: one line of JSON for every request, in files of bounded size."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harvest_source.api.http_context import Exchange

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size at which a new file is begun: about 60,000 requests."""

KEEP: Final = 5
"""Older files that stay; ``access.log.1`` is the youngest."""


class AccessLog:
    """
    Appends every exchange to *path*; thread-safe, and several processes may share the file.

    A line holds time, profile, account, method, path, status, milliseconds and rows; never a token,
    a query or a body. When the file cannot be written the run goes on with a warning.
    """

    def __init__(
        self,
        path: Path,
        profile: str,
        on_warning: Callable[[str], None],
        *,
        max_bytes: int = MAX_BYTES,
        keep: int = KEEP,
    ) -> None:
        self._path = path
        self._profile = profile
        self._on_warning = on_warning
        self._max_bytes = max_bytes
        self._keep = keep
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        """Append one line."""
        line = json.dumps(build_entry(exchange, self._profile)) + "\n"
        try:
            with self._lock:
                self._append(line.encode())
        except OSError as error:
            self._on_warning(
                f"The access log {self._path} cannot be written ({error.strerror}); requests of "
                "this run are missing from it. Check access_log under [sources.harvest]."
            )

    def _append(self, line: bytes) -> None:
        """Open the file for each line: another process may have begun a new one."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        handle = os.open(self._path, flags, 0o600)
        try:
            os.write(handle, line)
            if os.fstat(handle).st_size >= self._max_bytes:
                _lock(handle)
                if self._is_current(handle):
                    self._rotate()
        finally:
            os.close(handle)

    def _is_current(self, handle: int) -> bool:
        """Whether *handle*, a full file, is still the log: another process may have renamed it."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        for number in range(self._keep - 1, -1, -1):
            current = self._numbered(number)
            if current.exists():
                current.replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


if sys.platform == "win32":

    def _lock(handle: int) -> None:
        """Do nothing: Windows renames no file that another process has open."""
else:
    import fcntl

    def _lock(handle: int) -> None:
        """Wait until no other process has *handle*'s file locked; closing it unlocks it."""
        fcntl.flock(handle, fcntl.LOCK_EX)


def build_entry(exchange: Exchange, profile: str) -> dict[str, str | int | None]:
    """The JSON object of one exchange."""
    return {
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "profile": profile,
        "account": int(exchange.account) if exchange.account else None,
        "method": exchange.method,
        "path": exchange.path,
        "status": exchange.status,
        "ms": round(exchange.elapsed_s * 1000),
        "rows": exchange.rows,
    }
