"""The permissions of files that a command creates beside a DuckDB file, or on the way into it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from harvest_source.defaults import DATABASE, DUCKDB, EARLIER_DATABASE

_NEW: Final = 0o600
"""The permissions with which the warehouse file is created."""


@contextmanager
def private_files(destination: str, database: Path | str | None) -> Iterator[None]:
    """
    Create no file that users can read who cannot read the warehouse, while the block runs.

    DuckDB creates its log anew after each checkpoint, and dlt its packages for each load: both hold
    rows, and both leave the permissions to the umask. It is the process's own, so only commands
    change it, before they start threads. Files of other destinations are for others to read.

    Args:
        database: The DuckDB file; None: the default one.
    """
    if destination != DUCKDB or os.name != "posix":
        yield
        return
    before = os.umask(0o077)
    # A umask that allows less than the file does is kept.
    os.umask(before | choose_umask(_read_mode(database)))
    try:
        yield
    finally:
        os.umask(before)


def choose_umask(mode: int) -> int:
    """The umask that leaves to group and others what *mode* has, and their folders to readers."""
    readers = (mode & 0o044) >> 2
    return 0o077 & ~(mode & 0o066 | readers)


def _read_mode(database: Path | str | None) -> int:
    """The permissions of the warehouse file, which may not exist yet."""
    for each in [database] if database else [DATABASE, EARLIER_DATABASE]:
        try:
            return stat.S_IMODE(Path(each).stat().st_mode)
        except (OSError, ValueError):  # Opening it for the run reports what is wrong with it.
            continue
    return _NEW
