"""
Explain why a DuckDB file cannot be opened or read, and what to do about it.

DuckDB has few error types, so most errors are recognized by words that every version from 1.4 to
2.0 has in its message. Does not import dlt: processes that only query a file use it too.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import duckdb

from harvest_source.defaults import DATABASE
from harvest_source.errors import DISK_FULL, printable
from harvest_source.installation import build_install_command

Kept: TypeAlias = str | Callable[[], str]
"""A sentence, or a function that returns it if asking dlt for it takes a while."""

_HOLDER: Final = re.compile(r"(?P<program>[^\s\"]+) \(PID (?P<pid>\d+)\)")
_STORAGE_VERSION: Final = re.compile(
    r"version number (?P<file>\d+), but we can only read versions? "
    r"(?:between \d+ and )?(?P<newest>\d+)"
)
"""How every DuckDB from 1.0 to 2.0 refuses a file of another storage version."""
_MAGIC: Final = (8, b"DUCK")
"""Offset and content of the bytes by which DuckDB recognizes its files."""
_OPEN_HERE: Final = "same database file with a different configuration"
_WAL_DAMAGED: Final = (
    "Failure while replaying",
    "This WAL was created for",
    "WAL does not match database file",
    "Corrupt WAL file",
)
"""What DuckDB says of a damaged log, or another file's; the first precedes only some of these."""
_DAMAGED: Final = ("Corrupt database file", "Could not read enough bytes from file")
"""A block whose checksum is wrong, and a file that is too short."""
MAKE_ROOM: Final = "Make room on that disk, then run again."
_LOCKED: Final = ("set lock on file", "conflicting lock", "used by another process")


def is_locked(error: BaseException) -> bool:
    """Whether another process has the file open. DuckDB has no separate error type for that."""
    text = str(error).lower()
    return isinstance(error, duckdb.Error) and any(words in text for words in _LOCKED)


def is_damaged(error: BaseException) -> bool:
    """Whether the file cannot be read, or the log beside it cannot be written into the file."""
    text = str(error)
    return isinstance(error, duckdb.Error) and any(
        words in text for words in (*_WAL_DAMAGED, *_DAMAGED)
    )


def find_holder(error: BaseException) -> str:
    """The process that has the file open, by name and PID."""
    found = _HOLDER.search(str(error))
    return f"{Path(found['program']).name} (PID {found['pid']})" if found else "another process"


def explain_error(
    path: Path, error: duckdb.Error, *, kept: Kept, wait_s: float = 0.0, only_reads: bool = False
) -> str:
    """
    Explain why a file cannot be opened, and what to do.

    Args:
        kept: What became of the data: a sentence, or a function that returns it.
        wait_s: How long this process waited for others, in seconds.
        only_reads: Whether the file was to be opened for reading.
    """
    text = " ".join(str(error).split())
    kept = kept() if callable(kept) else kept
    if is_locked(error):
        return _explain_lock(path, find_holder(error), kept, wait_s, only_reads=only_reads)
    if isinstance(error, duckdb.ConnectionException) and _OPEN_HERE in text:
        how = "perhaps for writing" if only_reads else "perhaps for reading only"
        return (
            f"{path} is already open in this process with other settings, {how} (in a notebook?). "
            f"{kept} Close that connection with connection.close(), then run again."
        )
    if versions := _STORAGE_VERSION.search(text):
        return _explain_version(path, int(versions["file"]), int(versions["newest"]), kept)
    log = Path(f"{path}.wal")
    if log.is_dir():
        return (
            f"{log} is a folder, and DuckDB has the newest writes of {path} in a file of that "
            f"name. {kept} Move the folder away: mv {shlex.quote(str(log))} "
            f"{shlex.quote(f'{log}.folder')}"
        )
    if is_damaged(error):
        return explain_damage(path, error, kept=kept)
    is_full = any(os.strerror(number) in text for number in DISK_FULL)
    remedy = MAKE_ROOM if is_full else "If this persists, name another file with --database."
    return _explain_path(path, kept, only_reads=only_reads) or (
        f"DuckDB cannot open {path}: {printable(text).rstrip('.')}. {kept} {remedy}"
    )


def explain_damage(path: Path, error: BaseException, *, kept: str) -> str:
    """Explain what to do about an error for which :func:`is_damaged` is true."""
    text = printable(error, limit=240).rstrip(".")
    if any(words in text for words in _WAL_DAMAGED):
        log = shlex.quote(f"{path}.wal")
        return (
            f"The log of {path}, which has the newest writes, is damaged, or belongs to another "
            f"file that was here before, such as before a backup was restored: {text}. {kept} "
            "Without the log, the warehouse lacks those writes, and only what they recorded in "
            "deleted_records and history is lost: the next sync reads the missing rows again: "
            f"mv {log} {log}.damaged"
        )
    place = shlex.quote(str(path))
    return (
        f"{path} is damaged: {text}. {kept} Put a backup in its place, if there is one: the next "
        "sync reads what the backup lacks. Without a backup, move the file away: a sync then "
        "reads everything again, except deleted_records and history, which only this file had: mv "
        f"{place} {place}.damaged"
    )


def _explain_lock(path: Path, holder: str, kept: str, wait_s: float, *, only_reads: bool) -> str:
    waited = f" (waited {wait_s:.0f} s)" if wait_s else ""
    what = f"{path} is in use by {holder}{waited}. {kept}"
    if only_reads:
        return f"{what} It can be read once that process ends or closes it: try again then."
    return (
        f"{what} Close it there, then run again; destination_wait under [sources.harvest] sets how "
        "long to wait."
    )


def _explain_path(path: Path, kept: str, *, only_reads: bool) -> str:
    """What is wrong with the file or its folder, apart from DuckDB; empty if nothing is found."""
    if path.is_dir():
        return (
            f"{path} is a folder, and the warehouse must be a file. {kept} Name a file in it: "
            f"--database {shlex.quote(str(path / DATABASE))}"
        )
    # DuckDB creates the file to which a link points.
    folder = (path.resolve() if path.is_symlink() else path.absolute()).parent
    if not folder.exists():
        return f"The folder {folder} does not exist. {kept} Make it, or name another file."
    if path.exists() and not os.access(path, os.R_OK):
        return (
            f"{path.absolute()} cannot be read by this user. {kept} Give this user read "
            "permission, or name another file with --database."
        )
    if path.exists() and path.stat().st_size == 0:
        return (
            f"{path} is empty, so it is not a DuckDB database. {kept} Remove it, and a sync makes "
            "a new one; or name another file with --database."
        )
    if path.exists() and not is_duckdb(path):
        return f"{path} is not a DuckDB database. {kept} Name another file with --database."
    fixed = next((each for each in (path, folder) if _is_fixed(each)), None)
    if fixed is not None and not only_reads:
        return (
            f"{fixed.absolute()} cannot be written by this user, or is on a read-only disk. "
            f"{kept} Give this user write permission, or name another file with --database."
        )
    return ""


def _is_fixed(path: Path) -> bool:
    return path.exists() and not os.access(path, os.W_OK)


def _explain_version(path: Path, file: int, newest: int, kept: str) -> str:
    if file > newest:
        return (
            f"{path} was made by a newer DuckDB (storage version {file}) than the installed "
            f"{duckdb.__version__}, which reads up to {newest}. {kept} Install a newer one: "
            f"{build_install_command(('--upgrade', 'duckdb'))}"
        )
    return (
        f"{path} was made by a DuckDB older than 0.10 (storage version {file}), which the "
        f"installed {duckdb.__version__} cannot read. {kept} Name another file with --database."
    )


def is_duckdb(path: Path) -> bool:
    """Whether the file begins as DuckDB's files do; also True if it cannot be read."""
    start, magic = _MAGIC
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            return False  # Opening a named pipe would wait for a writer.
        with path.open("rb") as file:
            return file.read(start + len(magic))[start:] == magic
    except OSError:
        return True
