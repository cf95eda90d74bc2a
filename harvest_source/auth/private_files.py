"""Files that only their owner can read, written atomically."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from pathlib import Path
from typing import Final

from harvest_source.errors import ConfigError, describe_os_error

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FOLDER_MODE: Final = 0o700


def make_folder(path: Path) -> None:
    """
    Create the folder *path* with access only for its owner, unless it exists.

    Raises:
        ConfigError: It is accessible to other users.
        OSError: It cannot be created.
    """
    path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    check_private(path)


def check_private(path: Path) -> None:
    """
    Refuse a file or folder that other users may access; one that does not exist is accepted.

    Raises:
        ConfigError: It is accessible to other users; the message contains the command that changes
            that. Or it cannot be reached, so its mode is unknown.
    """
    if os.name != "posix":
        return
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        msg = f"{path} cannot be accessed ({describe_os_error(error)})."
        raise ConfigError(msg) from error
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        wanted = "700" if stat.S_ISDIR(found.st_mode) else "600"
        msg = (
            f"{path} is open to other users (mode {mode:04o}), and it contains tokens. Nothing "
            f"was read or written. Restrict it: chmod {wanted} {path}"
        )
        raise ConfigError(msg)


def check_private_file(path: Path) -> None:
    """
    Refuse a folder in the place of a file, and what :func:`check_private` refuses.

    Raises:
        ConfigError: *path* is a folder, or is accessible to other users.
    """
    check_no_folder(path, "read")
    check_private(path)


def check_no_folder(path: Path, purpose: str) -> None:
    """
    Refuse a folder in the place of a file; *path* need not exist.

    Args:
        purpose: What the file cannot be then, for the message: ``read``.

    Raises:
        ConfigError: *path* is a folder; the message contains the command that moves it away.
    """
    try:
        is_folder = path.is_dir()
    except OSError:
        return  # Opening it says why it cannot be reached.
    if is_folder:
        place = shlex.quote(str(path))
        msg = (
            f"{path} cannot be {purpose}: it is a folder, and has to be a file. Move it away: "
            f"mv {place} {place}.folder"
        )
        raise ConfigError(msg)


def write_private(path: Path, content: bytes) -> None:
    """
    Replace the content of *path* atomically; it is on disk when this returns.

    Raises:
        ConfigError: The existing file is accessible to other users.
        OSError: It cannot be written; the old content is unchanged.
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
    Write *size* bytes into a file in *path*, flush them to disk, and remove the file.

    Permissions alone do not show whether a file can be written: the disk may be full or read-only.

    Raises:
        ConfigError: *path* is accessible to other users.
        OSError: A file of that size cannot be written there.
    """
    make_folder(path)
    handle, name = tempfile.mkstemp(prefix=".probe.", dir=path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(size))  # Zeros may take no space on a compressing file system.
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
