"""
Choose the folder that contains a pipeline's working folder: one for each warehouse.

dlt names a working folder after the pipeline alone, and nearly all pipelines are named ``harvest``.
The first warehouse of a pipeline name gets dlt's own folder, where dlt's tools find it. A file
beside it records which warehouse that is. Every other warehouse gets its own folder, so that syncs
into two warehouses neither wait for each other nor empty each other's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import DestinationError, printable
from harvest_source.warehouse.target import Target

_PATIENCE_S: Final = 10.0
"""Longest wait for another process that is choosing at the same time."""

_OTHERS: Final = "harvest_source"
"""Folder in dlt's data folder for all warehouses except the first of a pipeline name."""


def claim_folder(target: Target) -> Path:
    """
    Choose the folder for *target*'s working folder and lock, permanently.

    A warehouse whose DuckDB file no longer exists frees dlt's own folder, unless a run into it is
    about to create the file.

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
    """Find the folder that *target* has or would be given, without writing anything."""
    known = _read(_owner_file(target))
    if known in ("", target.identity):
        return find_pipelines_folder()
    return find_pipelines_folder().parent / _OTHERS / target.short_name


def explain_unusable(error: Exception) -> str:
    """Build the message that says why the folder of dlt's pipelines cannot be used."""
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
        return False  # The file may exist, but this process cannot see it.
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
