"""
``harvest-source sync --json`` as fast as the sandbox can answer.

200,000 rows take more than 97 requests, so our own limiter would pause for Harvest's 15 seconds and
hide how fast the rest is. Here its clock jumps instead of waiting; the rest is the real command.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from harvest_source.__main__ import DEFAULTS
from harvest_source.clock import SystemClock

_OPTIONS: dict[str, dict[str, Any]] = {
    "--full-refresh": {"full_refresh": True},
    "--deletes": {"deletes": True},
    "--verify": {"verify": True, "fix": False},
    "--verify-fix": {"verify": True, "fix": True},
    "--verify-all-values": {"verify": True, "all_values": True},
}


_FIRST = (
    ("startup:compile_methods_lazily", "startup:compile_methods_late"),
    ("startup:skip_httpx_command", "startup:leave_out_httpx_command"),
    ("lazy_imports:defer_imports", "late_imports:put_off_imports"),
    ("startup:freeze_modules", "startup:leave_out_modules"),
)
_BEFORE_DLT = (
    ("dlt_internals:defer_requests", "dlt_internals:put_off_requests"),
    ("dlt_internals:avoid_sqlalchemy", "dlt_internals:leave_out_sqlalchemy"),
)
"""What the command calls when it starts; each with its name in checkouts up to 508d158."""


class ImpatientClock(SystemClock):
    """
    Real time, but sleeping advances the monotonic clock at once. Thread-safe.

    Args:
        later: How far the calendar is ahead, so that daily work falls due.
    """

    def __init__(self, later: timedelta = timedelta(0)) -> None:
        self._lock = threading.Lock()
        self._skipped_s = 0.0
        self._later = later

    def now(self) -> datetime:
        return super().now() + self._later

    def monotonic(self) -> float:
        with self._lock:
            return super().monotonic() + self._skipped_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._skipped_s += seconds


def _start_as_the_command(destination: str) -> None:
    """
    Do what the command does before it imports libraries and opens a warehouse.

    Otherwise, where they are installed, httpx imports rich and pygments, and dlt imports requests
    and SQLAlchemy: time and memory that the command does not take.
    """
    for names in _FIRST:
        _call_first(names)
    with _import_as_the_command():
        for names in _BEFORE_DLT if destination == "duckdb" else _BEFORE_DLT[:1]:
            _call_first(names)


def _call_first(names: Sequence[str]) -> None:
    """Call the first of some functions, named by module and name, that the checkout has."""
    for each in names:
        module, name = each.split(":")
        with suppress(ImportError, AttributeError):  # An earlier checkout may have none of them.
            found = getattr(import_module(f"harvest_source.{module}"), name)
            found()
            return


def _import_as_the_command() -> AbstractContextManager[None]:
    """Keep imported objects from the garbage collector, now and later, as the command does."""
    with suppress(ImportError):  # An earlier checkout, named by --code, may lack it.
        from harvest_source.startup import without_gc

        return without_gc()
    return nullcontext()


def main() -> None:
    """
    Sync the tables named as arguments, or all if none is named, and print the report.

    ``--destination=NAME`` before the tables selects a destination other than DuckDB. The last
    argument may be ``--full-refresh``, which loads everything again, ``--deletes``, which adds an
    audit, or ``--verify``, ``--verify-fix`` or ``--verify-all-values``, which verify instead.
    ``--later=HOURS`` as the first argument moves the calendar.
    """
    tables, more, later = sys.argv[1:], dict[str, Any](), timedelta(0)
    if tables and tables[0].startswith("--later="):
        later = timedelta(hours=float(tables.pop(0).partition("=")[2]))
    if tables and tables[-1] in _OPTIONS:
        more |= _OPTIONS[tables.pop()]
    if tables and tables[0].startswith("--destination="):
        more["destination"] = tables.pop(0).partition("=")[2]
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    _start_as_the_command(more.get("destination", "duckdb"))
    with _import_as_the_command():
        from harvest_source.operations.sync import Hooks, sync

    hooks = Hooks(clock=ImpatientClock(later))
    if more.pop("verify", False):
        with _import_as_the_command():
            from harvest_source.operations.verify import verify

        found = verify(hooks=hooks, **more)
        print(json.dumps({"tables": {}, "requests": found.as_dict()["requests"]}))
        return
    report = sync(table=tables, hooks=hooks, **more)
    print(json.dumps(report.as_dict()))
    sys.exit(report.exit_code)


if __name__ == "__main__":
    main()
