"""Files that only their owner can read, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from harvest_source.errors import ConfigError, describe_os_error

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FOLDER_MODE: Final = 0o700


def make_folder(path: Path) -> None:
    """
    Create *path* with access for its owner only, unless it exists.

    Raises:
        ConfigError: It is accessible to others.
        OSError: It cannot be created.
    """
    path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    check_private(path)


def check_private(path: Path) -> None:
    """
    Refuse a file or folder that others may read or write; one that does not exist is accepted.

    Raises:
        ConfigError: It is accessible to others; the message has the command that changes that. Or
            it is out of reach, so that this cannot be told.
    """
    if os.name != "posix":
        return
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        msg = f"{path} is out of reach ({describe_os_error(error)})."
        raise ConfigError(msg) from error
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        wanted = "700" if stat.S_ISDIR(found.st_mode) else "600"
        msg = (
            f"{path} is open to others (mode {mode:04o}), and it holds tokens. Nothing was read "
            f"or written. Close it: chmod {wanted} {path}"
        )
        raise ConfigError(msg)


def write_private(path: Path, content: bytes) -> None:
    """
    Replace the content of *path*, whole or not at all; it is on the disk when this returns.

    Raises:
        ConfigError: The existing file is accessible to others.
        OSError: It cannot be written; what was there stays.
    """
    check_private(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def probe_folder(path: Path, size: int) -> None:
    """
    Write *size* bytes into a file in *path*, bring them to the disk, and remove the file.

    Permissions alone do not say whether a file can be written: the disk may be full or read-only.

    Raises:
        ConfigError: *path* is accessible to others.
        OSError: A file like that cannot be kept there.
    """
    make_folder(path)
    handle, name = tempfile.mkstemp(prefix=".probe.", dir=path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(size))  # Zeros may take no room on a disk that compresses.
            file.flush()
            os.fsync(file.fileno())
    finally:
        Path(name).unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Make a rename survive a power failure, where folders can be synced."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
