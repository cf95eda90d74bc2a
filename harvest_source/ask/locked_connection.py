"""
A DuckDB connection that can read one warehouse file and nothing else.

Read-only mode alone does not ensure that: on DuckDB 1.4.5 and 1.5.6, ``COPY ... TO`` overwrote the
open file, and ``read_blob`` read it. So extensions, secrets and Python objects are switched off
when connecting, external access and the file system once the file is open, and finally the
configuration is locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from harvest_source.sql.maintenance import quote

SETTINGS: Final[dict[str, Any]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    # Nothing is written to disk: a query that does not fit into memory fails. With a folder, DuckDB
    # would complain of the file system and not of the memory.
    "temp_directory": "",
    "max_temp_directory_size": "0B",
}


_RENAMED: Final = "warehouse"
"""Database name used if the one that DuckDB derives from the file's name would clash."""
_TAKEN: Final = ("asked", "memory")
"""Names of other databases on the connection."""


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
    Open *path* for reading; lock it before it runs a statement that is not ours.

    Args:
        schemas: Where unqualified names are looked up; missing schemas are left out.

    Raises:
        duckdb.Error: The file cannot be opened, or a writing process has it open.
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
    Open the file and no other.

    DuckDB names a database after its file. If a schema has the same name, as with
    ``harvest.duckdb``, its table names would be ambiguous. Then the database is attached under
    another name. External access is switched off only once the file is open: before, it could not
    be attached, and DuckDB would refuse the setting of its temporary folder.
    """
    config = SETTINGS | limits
    is_clear = path.stem.lower() not in {*_TAKEN, *(each.lower() for each in schemas)}
    if is_clear:
        connection = duckdb.connect(str(path), read_only=True, config=config)
    else:
        connection = duckdb.connect(":memory:", config=config)
    try:
        if not is_clear:
            place = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{place}' AS {_RENAMED} (READ_ONLY); USE {_RENAMED}")
        connection.execute("SET enable_external_access = false")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Disable the file system, and lock the configuration so that this cannot be undone."""
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
    connection.execute("SET lock_configuration = true")
