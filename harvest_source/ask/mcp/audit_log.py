"""One line of JSON for each call: who asked what, and with what result. Never a value of a row."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size at which a new file is begun."""
KEEP: Final = 5
"""Older files that stay."""


class _PrivateHandler(RotatingFileHandler):
    """Makes its files readable by their owner alone."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding="utf-8", write_through=True)


class AuditLog:
    """
    Appends to a file of bounded size; thread-safe.

    Args:
        caller: Whose calls they are.
        now: Dates the lines.
    """

    def __init__(self, path: Path, caller: str, now: Callable[[], datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handler = _PrivateHandler(
            path, maxBytes=MAX_BYTES, backupCount=KEEP, encoding="utf-8", delay=True
        )
        self._caller = caller
        self._now = now

    def write(self, tool: str, arguments: Any, **outcome: Any) -> None:
        """Append one line. *outcome* has ``rows``, ``ms`` and ``outcome``."""
        entry = {
            "at": self._now().isoformat(timespec="milliseconds"),
            "caller": self._caller,
            "tool": tool[:100],
            "arguments": arguments,
            **outcome,
        }
        line = json.dumps(entry, default=str)
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
