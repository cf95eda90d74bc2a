"""DuckDB's file and log, created for those who may read them before DuckDB fills them."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from harvest_source.file_permissions import PRIVATE, copy_permissions, create_private_file

_COMMITS: Final[dict[Path, AbstractContextManager[Any]]] = {}
"""By DuckDB file, the lock of the connection that commits now."""


_LEAST_SIZE: Final = 12_288
"""Bytes of a DuckDB file without tables: its three headers."""


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
        draft.chmod(PRIVATE)
        os.link(draft, place)  # Unlike a renaming, this replaces no file of another process.
    if not path.exists():  # DuckDB reports why, or the file system has no links.
        try:
            duckdb.connect(str(path), config=settings).close()
        except duckdb.Error:
            _remove_unfinished(place)
            raise
        path.chmod(PRIVATE)


def _remove_unfinished(place: Path) -> None:
    """Remove the beginning of a file for which the disk had no room: DuckDB would refuse it."""
    with suppress(OSError):
        if place.stat().st_size < _LEAST_SIZE:
            place.unlink()


def create_duckdb_log(database: Path) -> None:
    """
    Create the log of the DuckDB file *database*, empty, with the file's permissions.

    Call it while the file is open: DuckDB removes an empty log when it opens a file, and the log
    whenever it has written it into the file. Otherwise it writes into the log that is there.
    :func:`committing` calls it when no other thread can have the log removed.
    """
    with suppress(OSError):
        found = database.stat()
        log = Path(f"{database.resolve()}.wal")
        if create_private_file(log):
            copy_permissions(log, found)


@contextmanager
def committing(database: Path) -> Iterator[None]:
    """
    Commit to the DuckDB file *database* in the block, and nowhere else.

    DuckDB writes a transaction into its log at the commit, and creates the log with the process's
    umask if there is none. A commit that crosses DuckDB's limit, or ``CHECKPOINT``, also writes the
    log into the file and removes it; commits meanwhile go into a second log, which replaces it. So
    the commits of this process wait for each other, as they do in DuckDB during a large commit, and
    each of them finds a log with the file's permissions.

    Execute nothing in the block that waits for another transaction to end.
    """
    with _COMMITS.setdefault(database.resolve(), threading.RLock()):
        create_duckdb_log(database)
        yield
