"""Makes the allocators of the C library give back what is free."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any, Final

from harvest_source.machine import read_memory

_ARENAS: Final = 2
"""
Heaps of the C library at most. It makes up to eight for each core, one for each of forty threads,
and what is free in one heap is of no use to the others.
"""
_MAPPED_IF_SMALL: Final = 1024 * 1024
"""
Bytes from which on a block is mapped by itself, and given back when it is free, in little memory.

Fixed, because the C library raises its own limit to the size of the largest block that was freed:
pages of JSON then lie between small blocks that hold the heap's end in place. Less than a page, and
more than a page's columns in Arrow, which are taken and freed for each page: to map and clear those
anew costs more than it saves.
"""
_KEPT_IF_SMALL: Final = 8 * 1024 * 1024
"""
Free bytes at the end of each heap that are used again, in little memory: with the few that the C
library keeps by itself, what one page leaves would be given back and taken again by the next.
"""
_MAPPED: Final = 32 * 1024 * 1024
"""
The same where there is more: a page's blocks are used again by the next page. To map and clear them
anew for each page takes a twentieth of a first load's processor time, and saves 50 to 100 MB.
"""
_ENOUGH: Final = 2 * 1024 * 1024 * 1024
"""Bytes that the process may use from which on memory is spent on speed."""

_ARROW_POOL: Final = "ARROW_DEFAULT_MEMORY_POOL"
"""Arrow's own setting."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Numbers of glibc's ``mallopt``, from its ``malloc.h``."""


def tune_allocators() -> None:
    """
    Make the C library give back what is free, where it is glibc. Thread-safe.

    In little memory at once, elsewhere when :func:`release_memory` is called.
    """
    library = _load_c_library()
    if library is not None:
        mapped, kept = _MAPPED, _MAPPED
        if not is_plentiful():
            mapped, kept = _MAPPED_IF_SMALL, _KEPT_IF_SMALL
        library.mallopt(_M_ARENA_MAX, _ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, mapped)
        library.mallopt(_M_TRIM_THRESHOLD, kept)


def tune_arrow() -> None:
    """
    In little memory, let Arrow take its memory from the C library.

    The command asks for that before Arrow is imported. Where Arrow is there already, in a notebook
    or a scheduler, its own allocator would keep 100 MB of what it frees. What the environment says
    goes.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is None or _ARROW_POOL in os.environ or _load_c_library() is None or is_plentiful():
        return
    arrow.set_memory_pool(arrow.system_memory_pool())


def is_plentiful() -> bool:
    """Whether there is memory to spare for speed."""
    available = read_memory()
    return available is not None and available >= _ENOUGH


def release_memory() -> None:
    """Give back to the system what is free: in Arrow, and in the C library where it is glibc."""
    if arrow := sys.modules.get("pyarrow"):  # Whose import takes longer than many a run.
        arrow.default_memory_pool().release_unused()
    library = _load_c_library()
    if library is not None:
        library.malloc_trim(0)


def spare_memory() -> None:
    """:func:`release_memory` in little memory; elsewhere what is free is used again sooner."""
    if not is_plentiful():
        release_memory()


@cache
def _load_c_library() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes

    with suppress(OSError):
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
            return library
    return None
