"""
Files with rows, created for those who may read them before a program fills them.

Most programs create files with the permissions of the umask, which in a Python process is the
user's. They leave those of a file that is there already.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""The permissions of a file that only its owner may read."""


def create_private_file(path: Path) -> bool:
    """
    Create an empty file at *path* that only its owner may read; False if that is not possible.

    There may be a file already. The database that opens it next reports what is wrong.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    except OSError:
        return False
    return True


def create_draft(draft: Path, path: Path) -> None:
    """
    Create *draft*, which will replace the file at *path*, for those who may read that file.

    Its owner may have taken it from other users. If there is no such file, the umask decides.
    """
    with suppress(OSError):
        draft.unlink(missing_ok=True)
        if path.is_file() and create_private_file(draft):
            copy_permissions(draft, path.stat())
            draft.chmod(draft.stat().st_mode | stat.S_IWUSR)


def copy_permissions(path: Path, like: os.stat_result, *, only: int = 0o777) -> None:
    """
    Give the file at *path* the permissions that *like* has, and the group if these are for it.

    Args:
        only: The permissions that are copied.

    Raises:
        OSError: It is another user's file.
    """
    mode = stat.S_IMODE(like.st_mode) & only
    if mode & stat.S_IRWXG and path.stat().st_gid != like.st_gid:
        try:
            os.chown(path, -1, like.st_gid)
        except OSError:  # The user is not a member of that group, and may be of one with others.
            mode &= ~stat.S_IRWXG
    path.chmod(mode)
