"""
Publish a copy of the DuckDB file for readers.

While one process writes to a DuckDB file, no other may read it. Readers of the copy never meet that
lock: the new copy is complete before it replaces the old one, and readers that have the old one
open keep reading it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvest_source.clock import Clock, SystemClock
from harvest_source.config.paths import parse_path, read_status
from harvest_source.defaults import DESTINATION_WAIT_S
from harvest_source.errors import ConfigError, DestinationError, printable
from harvest_source.file_permissions import copy_permissions, create_private_file
from harvest_source.sql.statements import DUCKDB_CHECKPOINT
from harvest_source.warehouse.duckdb_errors import is_duckdb
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.target import Target

_READ_ONLY: Final = 0o444
_WRITABLE: Final = 0o222
_FOR_READERS: Final = 0o755
_KEPT: Final = "Nothing was published; the warehouse is complete."


@dataclass(frozen=True, slots=True)
class Published:
    """A copy for readers, and its size in bytes."""

    path: Path
    size: int

    def __str__(self) -> str:
        return f"copy for readers: {self.path}, {self.size / 1e6:,.1f} MB"


def check_publishable(target: Target, place: str | Path) -> Path:
    """
    Check, before a run, that a copy of *target* can be put at *place*; return it as a path.

    Raises:
        ConfigError: The destination is not a file, or *place* is not a file that may be replaced.
    """
    parse_path(place, "--publish")
    path = Path(place).expanduser()
    if target.database is None:
        msg = (
            f"--publish copies a DuckDB file; the destination is {target.destination[:80]}. Leave "
            "it out: other destinations let people read while a sync writes."
        )
        raise ConfigError(msg)
    found = read_status(path, "--publish")
    if found is not None and stat.S_ISDIR(found.st_mode):
        msg = f"--publish {path} is a folder. Name a file in it."
        raise ConfigError(msg)
    if path.absolute() == target.database.absolute() or (
        found is not None and target.database.exists() and path.samefile(target.database)
    ):
        msg = f"--publish {path} is the warehouse itself. Name another file."
        raise ConfigError(msg)
    if found is not None:
        _check_replaceable(path, found)
    return path


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    """
    Refuse to replace a file that is not an earlier copy: copies are DuckDB files, and read-only.

    Raises:
        ConfigError: It is not one.
    """
    shown = printable(path, limit=200)
    if not stat.S_ISREG(found.st_mode) or (found.st_size and not is_duckdb(path)):
        msg = (
            f"--publish {shown} exists and is not a DuckDB file. The copy would replace it. Name "
            "another file."
        )
        raise ConfigError(msg)
    if found.st_size and found.st_mode & _WRITABLE and _keeps_permissions(path.parent):
        msg = (
            f"--publish {shown} is a DuckDB file that can be written to, so it is not an earlier "
            "copy, which --publish makes read-only. The new copy would replace it. Name another "
            f"file; or, if it is an earlier copy: chmod a-w {shlex.quote(str(path))}"
        )
        raise ConfigError(msg)


def _keeps_permissions(folder: Path) -> bool:
    """Whether files of *folder* can be read-only: on shares of Windows they may all be writable."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".harvest-") as file:
            trial = Path(file.name)
            trial.chmod(_READ_ONLY)
            return not trial.stat().st_mode & _WRITABLE
    except OSError:
        return False  # Writing the copy reports what is wrong.


def publish(
    target: Target,
    path: Path,
    *,
    wait_s: float = DESTINATION_WAIT_S,
    clock: Clock | None = None,
) -> Published:
    """
    Put a read-only copy of the warehouse at *path*, atomically.

    All users may read a new copy; one that replaces another is for those who could read that one.

    Args:
        wait_s: Longest wait in seconds while another process has the warehouse open.
        clock: Waits meanwhile.

    Raises:
        DestinationError: The file is in use, or the copy cannot be written. What was at *path* is
            unchanged.
    """
    assert target.database is not None
    file = DuckDBFile(target.database, clock or SystemClock(), wait_s, lambda _: None)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    # While the connection is open, no other process can change the file.
    with file.open(_KEPT) as connection:
        connection.execute(DUCKDB_CHECKPOINT)
        try:
            _copy(target.database, draft, path)
            _put(draft, path)
        except OSError as error:
            msg = f"The copy for readers cannot be written to {path}: {printable(error)}. {_KEPT}"
            raise DestinationError(msg) from error
        finally:
            draft.unlink(missing_ok=True)
    return Published(path, path.stat().st_size)


def _copy(database: Path, draft: Path, path: Path) -> None:
    """Copy into *draft*, which others may read only once it has the permissions for *path*."""
    _make_folders(draft.parent)
    draft.unlink(missing_ok=True)
    create_private_file(draft)
    with database.open("rb") as source, draft.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    if path.exists():
        copy_permissions(draft, path.stat(), only=_READ_ONLY)
    else:
        draft.chmod(_READ_ONLY)


def _make_folders(folder: Path) -> None:
    """Create *folder* for all readers, as the copy is; the umask of a run is for its own files."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(_FOR_READERS)


def _put(draft: Path, path: Path) -> None:
    # DuckDB would replay a log that lies beside an earlier copy into this one.
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    if os.name == "nt" and path.exists():
        path.chmod(0o644)  # Windows does not replace read-only files.
    draft.replace(path)
