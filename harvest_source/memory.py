"""Make the C library's allocator return free memory to the system."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any, Final

from harvest_source.machine import read_memory

_ARENAS: Final = 2
"""
Maximum number of heaps (arenas) of the C library. By default it makes up to eight per core, so each
of forty threads may get its own, and free memory in one heap is of no use to the others.
"""
_MAPPED_IF_SMALL: Final = 1024 * 1024
"""
When memory is scarce: bytes from which a block is mapped by itself and returned when it is freed.

Fixed, because the C library otherwise raises its threshold to the largest block that was freed:
pages of JSON then lie among small blocks that keep the heap from shrinking. Smaller than a page,
and larger than a page's Arrow columns, which are allocated and freed for each page: mapping and
clearing those every time costs more than it saves.
"""
_KEPT_IF_SMALL: Final = 8 * 1024 * 1024
"""
When memory is scarce: free bytes at the end of each heap that are kept for reuse. The C library's
default is so small that each page would return its memory and the next page would take it again.
"""
_MAPPED: Final = 32 * 1024 * 1024
"""
Both limits where memory is plentiful: each page reuses the blocks of the page before. Mapping and
clearing them for each page takes a twentieth of a first load's CPU time, and saves 50 to 100 MB.
"""
_ENOUGH: Final = 2 * 1024 * 1024 * 1024
"""If the process may use at least this many bytes, memory is spent on speed."""

_ARROW_POOL: Final = "ARROW_DEFAULT_MEMORY_POOL"
"""Environment variable by which Arrow chooses its allocator."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Parameters of glibc's ``mallopt``, from its ``malloc.h``."""


def tune_allocators() -> None:
    """
    Make the C library return free memory, where it is glibc. Thread-safe.

    When memory is scarce, it returns memory at once; otherwise when :func:`release_memory` is
    called.
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
    When memory is scarce, let Arrow allocate from the C library.

    The command line sets this before Arrow is imported. Where Arrow is already imported, in a
    notebook or a scheduler, its own allocator would keep 100 MB of freed memory. The environment
    variable wins if it is set.
    """
    arrow = sys.modules.get("pyarrow")
    if arrow is None or _ARROW_POOL in os.environ or _load_c_library() is None or is_plentiful():
        return
    arrow.set_memory_pool(arrow.system_memory_pool())


def is_plentiful() -> bool:
    """Whether there is enough memory to spend some on speed."""
    available = read_memory()
    return available is not None and available >= _ENOUGH


def release_memory() -> None:
    """Return free memory of Arrow, and of the C library where it is glibc, to the system."""
    if arrow := sys.modules.get("pyarrow"):  # Importing it would take longer than many runs.
        arrow.default_memory_pool().release_unused()
    library = _load_c_library()
    if library is not None:
        library.malloc_trim(0)


def release_memory_if_scarce() -> None:
    """Call :func:`release_memory` if memory is scarce; otherwise reusing free memory is faster."""
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
