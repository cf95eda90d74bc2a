"""Makes the allocators of the C library give back what is free."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import Any, Final

_ARENAS: Final = 2
"""
Heaps of the C library at most. It makes up to eight for each core, one for each of forty threads,
and what is free in one heap is of no use to the others.
"""
_MAPPED: Final = 256 * 1024
"""
Bytes from which on a block is mapped by itself, and given back when it is free.

Fixed, because the C library raises its own limit to the size of the largest block that was freed:
pages of JSON then lie between small blocks that hold the heap's end in place.
"""
_KEPT: Final = 256 * 1024
"""Free bytes at the end of a heap from which on they are given back."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Numbers of glibc's ``mallopt``, from its ``malloc.h``."""


def tune_allocators() -> None:
    """Make the C library give back what is free, where it is glibc. Thread-safe."""
    library = _load_c_library()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, _MAPPED)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT)


def release_memory() -> None:
    """Give what is free in the C library's heaps back to the system, where it is glibc."""
    library = _load_c_library()
    if library is not None:
        library.malloc_trim(0)


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
