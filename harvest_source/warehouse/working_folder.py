"""
Choose the folder that contains a pipeline's working folder: one for each warehouse.

dlt names a working folder after the pipeline alone, and nearly all pipelines are named ``harvest``.
The first warehouse of a pipeline name gets dlt's own folder, where dlt's tools find it. A file
beside it records which warehouse that is. Every other warehouse gets its own folder, so that syncs
into two warehouses neither wait for each other nor empty each other's folder.

Working folders hold packages of rows. Only their owner may enter one that this package creates,
whatever the umask and the destination; :func:`protect_folder` says what becomes of an earlier one.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from harvest_source.dlt_internals import find_pipelines_folder
from harvest_source.errors import DISK_FULL, DestinationError, printable
from harvest_source.warehouse.target import Target

_PATIENCE_S: Final = 10.0
"""Longest wait for another process that is choosing at the same time."""

_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""Why a file cannot be there. What else is wrong is reported once a file is to be written."""

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


def protect_folder(target: Target) -> None:
    """
    Take from other users their access to a working folder with rows that they may not read.

    Earlier versions created it with the permissions of the umask, and so does plain dlt.
    :func:`choose_mode` has the rule. A folder that belongs to another user stays as it is.
    """
    if os.name != "posix":
        return
    folder = find_folder(target) / target.pipeline
    with suppress(OSError):  # There is no folder yet, or its owner decides.
        found = stat.S_IMODE(folder.stat().st_mode)
        if (mode := choose_mode(found, is_open=_is_open(target))) != found:
            folder.chmod(mode)


def choose_mode(found: int, *, is_open: bool) -> int:
    """
    The permissions of a working folder that was found with those of *found*.

    If all users may read the warehouse, the folder stays as it is. Otherwise only its owner and
    its group have access, and the group only if it had more than all other users: then it was
    given that, for a team that shares the folder. 0755, as the umask 022 makes it, becomes 0700;
    0775 becomes 0770; 0750 and 0770 stay.

    Args:
        is_open: Whether all users may read the warehouse.
    """
    if is_open or not found & stat.S_IRWXO:
        return found
    group, others = (found & stat.S_IRWXG) >> 3, found & stat.S_IRWXO
    gone = stat.S_IRWXO if group & ~others else stat.S_IRWXO | stat.S_IRWXG
    return found & ~gone


def _is_open(target: Target) -> bool:
    """Whether the warehouse is a file that all users may read."""
    if target.database is None:
        return False
    try:
        return bool(target.database.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # A new file is private.


def empty_folder(target: Target) -> None:
    """
    Remove the content of the working folder. It keeps its permissions and its group.

    Raises:
        OSError: Something in it cannot be removed.
    """
    for each in (find_folder(target) / target.pipeline).iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def explain_unusable(error: Exception) -> str:
    """Build the message that says why the folder of dlt's pipelines cannot be used."""
    is_full = isinstance(error, OSError) and error.errno in DISK_FULL
    return (
        f"The folder of dlt's pipelines cannot be used ({printable(error)}). Nothing was read "
        f"and nothing changed. {'Make room on its disk' if is_full else 'Make it writable'}, or "
        "name another folder for all of dlt's files with DLT_DATA_DIR."
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
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return ""
