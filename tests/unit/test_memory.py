"""What the process keeps of memory that is free."""

from __future__ import annotations

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
MB = 1024 * 1024


def ask(limit_mb: int, **environment: str) -> str:
    """Which allocator Arrow has in a process that may have *limit_mb*."""
    mine = {name: text for name, text in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    command = [sys.executable, "-c", CODE, str(limit_mb * MB)]
    done = subprocess.run(
        command, env=mine | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere Arrow's own is not replaced.")
def test_arrow_shares_the_c_library_s_memory_where_there_is_little() -> None:
    """Also if it was imported before; not where there is much, and not against a person's will."""
    assert ask(1_900) == "system"
    assert ask(1_900, ARROW_DEFAULT_MEMORY_POOL="mimalloc") == "mimalloc"
    assert ask(1_000_000) != "system"
