"""
A DuckDB connection that can read one warehouse file and nothing else.

Read-only mode alone does not do that: ``COPY ... TO`` has overwritten the open file, and
``read_blob`` has read it, on DuckDB 1.4.5 and 1.5.6. So external access, extensions, secrets and
Python objects are switched off at connect, the file system after the file is open, and at last the
configuration is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from harvest_source.sql.maintenance import quote

SETTINGS: Final[dict[str, Any]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    # Nothing is written to a disk, not even what does not fit the memory.
    "max_temp_directory_size": "0B",
}


_RENAMED: Final = "warehouse"
"""Name of a database whose file has a name that cannot stay."""
_TAKEN: Final = ("asked", "memory")
"""Names of databases that are beside it."""


def open_locked(
    path: Path, schemas: Sequence[str], *, memory_mb: int, threads: int
) -> duckdb.DuckDBPyConnection:
    """Open *path* as :func:`open_warehouse` does, and lock it at once."""
    connection = open_warehouse(path, schemas, memory_mb=memory_mb, threads=threads)
    lock(connection)
    return connection


def open_warehouse(
    path: Path, schemas: Sequence[str], *, memory_mb: int, threads: int
) -> duckdb.DuckDBPyConnection:
    """
    Open *path* for reading, to be locked before it runs a statement that is not ours.

    Args:
        schemas: Where unqualified names are looked up; those that do not exist are left out.

    Raises:
        duckdb.Error: The file cannot be opened, or is in use by a process that writes.
    """
    limits: dict[str, Any] = {"memory_limit": f"{memory_mb}MB", "threads": threads}
    connection = _connect(path, schemas, limits)
    found = connection.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal")
    existing = {name for (name,) in found.fetchall()}
    names = [quote(each) for each in schemas if each in existing]
    if names:
        path_text = ",".join(names).replace("'", "''")
        connection.execute(f"SET search_path = '{path_text}'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _connect(
    path: Path, schemas: Sequence[str], limits: dict[str, Any]
) -> duckdb.DuckDBPyConnection:
    """
    Open the file alone.

    DuckDB calls a database as its file. Where a schema has that name too, as in
    ``harvest.duckdb``, each of its tables would be ambiguous: then the database gets another name,
    and other files are out of reach as soon as it is open.
    """
    config = SETTINGS | limits
    if path.stem.lower() not in {*_TAKEN, *(each.lower() for each in schemas)}:
        return duckdb.connect(str(path), read_only=True, config=config)
    del config["enable_external_access"]
    connection = duckdb.connect(":memory:", config=config)
    try:
        place = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{place}' AS {_RENAMED} (READ_ONLY); USE {_RENAMED}")
        connection.execute("SET enable_external_access = false")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Take away the file system, and with it every way to change that again."""
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
    connection.execute("SET lock_configuration = true")
