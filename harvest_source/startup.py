"""Import large libraries quickly."""

from __future__ import annotations

import dataclasses
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_TAKES: Final = ("name", "args", "body", "globals", "locals", "return_type")
"""Parameters of the function by which Python 3.11 and 3.12 create a dataclass's methods."""
_COMPARED_OR_SHOWN: Final = frozenset(
    {"__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__"}
    | {"__setattr__", "__delattr__"}
)
"""Methods of a dataclass whose parameters do not depend on its fields."""
_IS_COMMAND: Final = threading.Event()


@contextmanager
def without_gc() -> Iterator[None]:
    """
    Import without running the garbage collector: modules live as long as the process.

    In a command's own process, the collector ignores them afterwards, too.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
            if _IS_COMMAND.is_set():
                gc.freeze()


def freeze_modules() -> None:
    """
    Make the garbage collector ignore everything that :func:`without_gc` imports.

    Each full collection would visit all of dlt, and the last one, when Python exits, takes a fifth
    of the time of a run without changes. Call this only in a command's own process: objects that
    are garbage by then, for example a notebook's, would never be freed.
    """
    _IS_COMMAND.set()


def skip_httpx_command() -> None:
    """
    Make httpx skip its own command line, which needs rich and pygments.

    httpx imports both if they are installed, and does without them otherwise; this makes them look
    missing. They are a tenth of what a run imports. Call this only in a command's own process; it
    changes nothing if httpx has already been imported.
    """
    modules: dict[str, Any] = sys.modules  # The value None makes Python find no such module.
    if "httpx" not in modules:
        modules.setdefault("httpx._main", None)


def compile_methods_lazily() -> None:
    """
    Make dataclasses compile each method except ``__init__`` when it is first called.

    Python 3.11 and 3.12 compile up to six methods per dataclass, one by one, when it is defined. A
    run without changes spends a tenth of its time on 800 methods, few of which are called. Later
    versions compile all methods of a class at once, with other parameters: there this changes
    nothing. Call this only in a command's own process.
    """
    create: Any = getattr(dataclasses, "_create_fn", None)
    code = getattr(create, "__code__", None)
    if code is None or code.co_varnames[: len(_TAKES)] != _TAKES:
        return

    def create_lazily(name: str, args: list[str], body: list[str], **more: Any) -> Any:
        if name not in _COMPARED_OR_SHOWN:
            return create(name, args, body, **more)
        compiled: Any = None

        def method(*given: Any) -> Any:
            nonlocal compiled
            compiled = compiled or create(name, args, body, **more)
            return compiled(*given)

        method.__name__ = name
        return method

    vars(dataclasses)["_create_fn"] = create_lazily
