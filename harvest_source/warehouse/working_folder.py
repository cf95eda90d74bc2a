"""
Which folder holds the working folder of a pipeline: one for each warehouse.

dlt names a working folder after the pipeline alone, and nearly all pipelines are named ``harvest``.
The first warehouse of a name has dlt's own folder, where dlt's tools find it. A file beside it says
which warehouse that is. Every other one has a folder of its own, so that two syncs into two
warehouses neither wait for each other nor empty each other's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import DestinationError, printable
from harvest_source.warehouse.target import Target

_PATIENCE_S: Final = 10.0
"""For another process that is choosing at this moment."""

_OTHERS: Final = "harvest_source"
"""Folder of dlt's data folder for all warehouses but the first of a name."""


def claim_folder(target: Target) -> Path:
    """
    The folder for *target*'s working folder and lock, chosen for good.

    A warehouse whose DuckDB file is gone gives dlt's own folder back, unless a run into it is
    about to make the file.

    Raises:
        DestinationError: The folder cannot be written.
    """
    plain = find_pipelines_folder()
    owner = _owner_file(target)
    try:
        plain.mkdir(parents=True, exist_ok=True)
        with FileLock(owner.with_suffix(".owner.lock"), timeout=_PATIENCE_S):
            if _is_free(owner):
                owner.write_text(target.identity, encoding="utf-8")
    except (OSError, NotImplementedError) as error:
        raise DestinationError(explain_unusable(error)) from error
    return find_folder(target)


def find_folder(target: Target) -> Path:
    """The folder that *target* has or would be given; nothing is written."""
    known = _read(_owner_file(target))
    if known in ("", target.identity):
        return find_pipelines_folder()
    return find_pipelines_folder().parent / _OTHERS / target.short_name


def explain_unusable(error: Exception) -> str:
    """Why the folder of dlt's pipelines cannot be used: a message."""
    return (
        f"The folder of dlt's pipelines cannot be used ({printable(error)}). Nothing was read "
        "and nothing changed. Make it writable, or name another with DLT_DATA_DIR."
    )


def _is_free(owner: Path) -> bool:
    """Whether dlt's own folder belongs to no warehouse, or to one that is gone."""
    _, _, rest = _read(owner).partition("|")
    if not rest:
        return True
    database, _, _ = rest.rpartition("|")
    try:
        if not database or Path(database).exists():
            return False
    except OSError:
        return False  # It may be there, and cannot be seen.
    try:
        with FileLock(owner.with_suffix(".lock"), timeout=0):
            return True
    except Timeout:
        return False


def _owner_file(target: Target) -> Path:
    return find_pipelines_folder() / f"{target.pipeline}.owner"


def _read(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
