"""
Files with rows, created for those who may read them before a database fills them.

Databases create their files with the permissions of the umask, which in a Python process is the
user's. A file that is there already keeps its own.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_PRIVATE: Final = 0o600


def create_private_file(path: Path) -> bool:
    """
    Create an empty file at *path* that only its owner may read; False if that is not possible.

    There may be a file already. The database that opens it next reports what is wrong.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
    except OSError:
        return False
    return True


def create_duckdb_file(path: Path) -> None:
    """
    Create a DuckDB file that every DuckDB from 1.0 on can read, unless the file exists.

    DuckDB 2 creates files that 1.x refuses. A file keeps its storage version when other versions of
    the library write to it; dlt 1.31 has no setting for the version.

    Only the file's owner may read it, since rows hold salaries and rates. DuckDB refuses an empty
    file, so the file is made in a private folder beside its place. The permissions of an existing
    file are not changed.

    Raises:
        duckdb.Error: The file cannot be created.
    """
    import duckdb

    if path.exists():
        return
    settings: Any = {"storage_compatibility_version": "v1.0.0"}
    place = path.resolve()  # Of a symbolic link: where it leads.
    with (
        suppress(OSError, duckdb.Error),
        tempfile.TemporaryDirectory(prefix=".", dir=place.parent) as folder,
    ):
        draft = Path(folder, place.name)
        duckdb.connect(str(draft), config=settings).close()
        draft.chmod(_PRIVATE)
        os.link(draft, place)  # Unlike a renaming, this replaces no file of another process.
    if not path.exists():  # DuckDB reports why, or the file system has no links.
        duckdb.connect(str(path), config=settings).close()
        path.chmod(_PRIVATE)


def create_duckdb_log(database: Path) -> None:
    """
    Create the log of the DuckDB file *database*, empty, with the file's permissions.

    Call it while the file is open: DuckDB removes an empty log when it opens a file, and the log
    whenever it has written it into the file. Otherwise it writes into the log that is there.
    """
    with suppress(OSError):
        found = database.stat()
        log = Path(f"{database.resolve()}.wal")
        if create_private_file(log):
            copy_permissions(log, found)


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
