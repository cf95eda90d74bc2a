"""A DuckDB file that other processes may hold: waiting for it, and saying who has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.clock import Clock

_AGAIN_S: Final = 1.0
_HOLDER: Final = re.compile(r"(?P<program>[^\s\"]+) \(PID (?P<pid>\d+)\)")
_LOCKED: Final = ("set lock on file", "conflicting lock", "used by another process")


def open_duckdb(
    path: Path,
    *,
    clock: Clock,
    wait_s: float,
    on_wait: Callable[[str], None] = lambda _: None,
) -> duckdb.DuckDBPyConnection:
    """
    Open a file for writing, and try again for up to *wait_s* seconds while others hold it.

    Args:
        on_wait: Told once who holds it.

    Raises:
        duckdb.Error: It cannot be opened, or is held all the time.
    """
    deadline, has_told = clock.monotonic() + wait_s, False
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.Error as error:
            left = deadline - clock.monotonic()
            if left <= 0 or not is_locked(error):
                raise
            if not has_told:
                on_wait(find_holder(error))
                has_told = True
        clock.sleep(min(_AGAIN_S, left))


def is_locked(error: duckdb.Error) -> bool:
    """Whether another process has the file open."""
    text = str(error).lower()
    return any(words in text for words in _LOCKED)


def find_holder(error: duckdb.Error) -> str:
    """Which process has the file, as people would look for it."""
    found = _HOLDER.search(str(error))
    return f"{Path(found['program']).name} (PID {found['pid']})" if found else "another process"


def explain_duckdb(path: Path, error: duckdb.Error, *, wait_s: float, kept: str) -> str:
    """
    Why *path* cannot be opened, and what to do.

    Args:
        wait_s: How long was waited for others.
        kept: What became of the data: a sentence.
    """
    text = " ".join(str(error).split())
    if is_locked(error):
        waited = f" and was for the {wait_s:.0f} s waited" if wait_s else ""
        return (
            f"{path} is in use by {find_holder(error)}{waited}. {kept} Close it there, then run "
            "again; destination_wait under [sources.harvest] sets how long to wait."
        )
    if "not a valid DuckDB" in text or "database file" in text:
        return f"{path} is not a DuckDB database. {kept} Name another file with --database."
    if not path.parent.exists():
        return f"The folder {path.parent} does not exist. {kept} Make it, or name another file."
    return f"DuckDB cannot open {path}: {text[:200]} {kept}"
