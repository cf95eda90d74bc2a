"""DuckDB's file and log, created for those who may read them before DuckDB fills them."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from harvest_source.file_permissions import PRIVATE, copy_permissions, create_private_file


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
        duckdb.connect(str(path), config=settings).close()
        path.chmod(PRIVATE)


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
