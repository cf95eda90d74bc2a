"""One line of JSON for each call: who asked what, and with what result. Never a value of a row."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from harvest_source.ask.access import Caller

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size at which a new file is begun."""
KEEP: Final = 5
"""Older files that stay."""


UNKNOWN: Final = "unknown"
"""Stands for a tool that does not exist: its name may be anything, a secret too."""


@dataclass(slots=True)
class Call:
    """
    What a line says of a call; filled while it runs.

    Attributes:
        caller: Who asks.
        arguments: Those that were declared and valid. Others may be anything, a secret too.
        tables: What was read.
        outcome: ``ok``, ``cancelled``, ``bug: KIND``, or the kind of the error.
    """

    caller: Caller
    arguments: dict[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    rows: int = 0
    outcome: str = ""


class _PrivateHandler(RotatingFileHandler):
    """Makes its files readable by their owner alone."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab"), encoding="utf-8", write_through=True)


class AuditLog:
    """
    Appends to a file of bounded size; thread-safe.

    Args:
        now: Dates the lines.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handler = _PrivateHandler(
            path, maxBytes=MAX_BYTES, backupCount=KEEP, encoding="utf-8", delay=True
        )
        self._now = now

    def write(self, tool: str, call: Call, *, ms: int) -> None:
        """
        Append one line.

        Args:
            ms: How long the call took.
        """
        entry = {
            "at": self._now().isoformat(timespec="milliseconds"),
            "caller": call.caller.name,
            "profile": call.caller.profile,
            "scope": call.caller.scope.name or None,
            "tool": tool,
            "arguments": call.arguments,
            "tables": call.tables,
            "rows": call.rows,
            "ms": ms,
            "outcome": call.outcome,
        }
        line = json.dumps(entry, default=str)
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
