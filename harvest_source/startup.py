"""Importing large libraries quickly."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_gc() -> Iterator[None]:
    """Import without running the garbage collector: modules stay as long as the process does."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def leave_out_httpx_command() -> None:
    """
    Have httpx do without its own command line, which needs rich and pygments.

    It imports both wherever they are installed, and goes without where they are not: that is what
    it finds. A tenth of what a run imports. Call this only in a command's own process; nothing
    changes where httpx has been imported already.
    """
    modules: dict[str, Any] = sys.modules  # None: Python finds no such module.
    if "httpx" not in modules:
        modules.setdefault("httpx._main", None)
