"""Importing large libraries quickly."""

from __future__ import annotations

import dataclasses
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_TAKES: Final = ("name", "args", "body", "globals", "locals", "return_type")
"""What Python 3.11 and 3.12 make the methods of a dataclass from."""
_COMPARED_OR_SHOWN: Final = frozenset(
    {"__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__"}
    | {"__setattr__", "__delattr__"}
)
"""Methods of a dataclass whose parameters do not depend on its fields."""
_IS_COMMAND: Final = threading.Event()


@contextmanager
def without_gc() -> Iterator[None]:
    """
    Import without running the garbage collector: modules stay as long as the process does.

    In a command's own process it leaves them alone afterwards, too.
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


def leave_out_modules() -> None:
    """
    Have the garbage collector leave out what :func:`without_gc` imports.

    Each of its whole searches would visit all of dlt, and the last one, when Python ends, takes as
    long as a fifth of a run without changes. Call this only in a command's own process: what is
    garbage by then, of a notebook too, would stay.
    """
    _IS_COMMAND.set()


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


def compile_methods_late() -> None:
    """
    Have dataclasses compile a method when it is first called, except ``__init__``.

    Python 3.11 and 3.12 compile up to six methods of each dataclass when it is defined, each by
    itself: a tenth of a run without changes is spent on 800 methods, of which few are called. Later
    versions compile those of a class at once, from other parameters: there nothing changes. Call
    this only in a command's own process.
    """
    create: Any = getattr(dataclasses, "_create_fn", None)
    code = getattr(create, "__code__", None)
    if code is None or code.co_varnames[: len(_TAKES)] != _TAKES:
        return

    def create_late(name: str, args: list[str], body: list[str], **more: Any) -> Any:
        if name not in _COMPARED_OR_SHOWN:
            return create(name, args, body, **more)
        compiled: Any = None

        def method(*given: Any) -> Any:
            nonlocal compiled
            compiled = compiled or create(name, args, body, **more)
            return compiled(*given)

        method.__name__ = name
        return method

    vars(dataclasses)["_create_fn"] = create_late
