"""The audit log: a JSON line for each call with who asked what and the result, but no row value."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from harvest_source.ask.access import Caller
from harvest_source.ask.trouble import Tell, Trouble
from harvest_source.errors import ConfigError, describe_os_error, printable
from harvest_source.rotated_file import RotatedFile

UNKNOWN: Final = "unknown"
"""Replaces the name of a tool that does not exist: it may be anything, even a secret."""


@dataclass(slots=True)
class Call:
    """
    What the log records about a call; filled in while the call runs.

    Attributes:
        caller: Who asks.
        arguments: Only declared and valid ones. Others may be anything, even a secret.
        tables: Tables and views that were read.
        outcome: ``ok``, ``cancelled``, ``bug: KIND``, or the kind of the error.
    """

    caller: Caller
    arguments: dict[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    rows: int = 0
    outcome: str = ""


class AuditFailed(ConfigError):
    """A line could not be written, so the call that it records is not answered."""


class AuditLog:
    """
    Appends lines to a file of limited size. Thread-safe.

    Args:
        now: Gives the time of each line.
        on_failure: Called with the reason when writing fails, once until a write succeeds again.

    Raises:
        AuditFailed: The file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime],
        on_failure: Tell = lambda _: None,
    ) -> None:
        self._file = RotatedFile(path)
        self._now = now
        self._trouble = Trouble(on_failure)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file.check()
        except OSError as error:
            msg = f"{self._explain(error)} Name another file: --audit-log PATH"
            raise AuditFailed(msg) from error

    def write(self, tool: str, call: Call, *, ms: int) -> None:
        """
        Append one line.

        Args:
            ms: How long the call took.

        Raises:
            AuditFailed: The line could not be written. The message goes to the caller, so it says
                nothing about the machine.
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
        try:
            self._file.append(json.dumps(entry, default=str))
            self._trouble.end()
        except OSError as error:
            self._trouble.begin(self._explain(error))
            msg = (
                "The server's audit log cannot be written, so nothing is answered. Tell the "
                "person who runs the server."
            )
            raise AuditFailed(msg) from error

    def note_refusal(self, caller: str, why: str) -> None:
        """
        Append a line about a refused token. A failure is ignored: the token is refused anyway.

        Args:
            why: The reason, without any value from the token.
        """
        call = Call(Caller(caller, profile=""), outcome=f"refused: {why}")
        with suppress(AuditFailed):
            self.write("token", call, ms=0)

    def _explain(self, error: OSError) -> str:
        why = describe_os_error(error)
        return (
            f"The audit log {printable(self._file.path)} cannot be written ({why}), and nothing is "
            "answered without it."
        )
