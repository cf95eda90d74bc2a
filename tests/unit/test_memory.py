"""How much free memory the process keeps."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

CODE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]), int(sys.argv[1])))
import pyarrow
from harvest_source.memory import tune_arrow
tune_arrow()
print(pyarrow.default_memory_pool().backend_name)
"""
MAPPED = """
import ctypes, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]), int(sys.argv[1])))
from harvest_source.memory import tune_allocators
tune_allocators()
class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
library = ctypes.CDLL(None)
library.mallinfo2.restype = Info
library.malloc.restype = ctypes.c_void_p
for size in map(int, sys.argv[2:]):
    before = library.mallinfo2().hblks
    assert library.malloc(ctypes.c_size_t(size))
    print(library.mallinfo2().hblks - before)
"""
MB = 1024 * 1024
COLUMNS = 256 * 1024
"""Bytes that Arrow may allocate at once for a page's columns."""
PAGE = 5 * MB // 2
"""Bytes of 2,000 time entries as JSON."""


def ask(limit_mb: int, **environment: str) -> str:
    """Arrow's allocator in a process that may use *limit_mb*."""
    mine = {name: text for name, text in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    command = [sys.executable, "-c", CODE, str(limit_mb * MB)]
    done = subprocess.run(
        command, env=mine | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere Arrow's own is not replaced.")
def test_arrow_uses_the_c_allocator_if_memory_is_scarce() -> None:
    """This works after Arrow's import too, but not with much memory, or against a setting."""
    assert ask(1_900) == "system"
    assert ask(1_900, ARROW_DEFAULT_MEMORY_POOL="mimalloc") == "mimalloc"
    assert ask(1_000_000) != "system"


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere no allocator is tuned.")
def test_with_little_memory_pages_are_returned_and_columns_reused() -> None:
    """Mapping and clearing a block again for each page costs more than it saves."""
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("not glibc, or one before 2.33")
    assert find_mapped(1_900, COLUMNS, PAGE) == [False, True]
    assert find_mapped(1_000_000, COLUMNS, PAGE) == [False, False]


def find_mapped(limit_mb: int, *sizes: int) -> list[bool]:
    """Whether blocks of these sizes are mapped separately in a process limited to *limit_mb*."""
    command = [sys.executable, "-c", MAPPED, *map(str, (limit_mb * MB, *sizes))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line == "1" for line in done.stdout.split()]
