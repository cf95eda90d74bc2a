"""
Copy new rows of a package directly into their DuckDB table, bypassing dlt's staging dataset.

dlt copies a package into a staging table, deletes the table's rows with the same keys, and copies
the rows again. Where the package has each key once and the table has none of them, as in a first
load, the deletion and the second copy are superfluous. They take a tenth of a first load's time.

dlt's merge still runs afterwards, and finds its staging table empty. So a run that is killed at any
moment leaves the same as with plain dlt: rows of a load that dlt has not marked as complete. The
next run reads them again, finds them in the table and merges them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from dlt.common.schema.utils import get_columns_names_with_prop, get_nested_tables
from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName

from harvest_source.dlt_internals.private_files import committing
from harvest_source.sql.duckdb_copy import (
    DUCKDB_READ_LOG_LIMIT,
    DUCKDB_SET_LOG_LIMIT,
    build_copy,
    build_count,
    build_known_keys,
    build_repeated_keys,
)

_MANY: Final = 1_000
"""Rows of a file from which the checks cost less than they may save."""
_LOGGED: Final = "1MiB"
"""Size of changes up to which DuckDB writes new rows into its log and not into the file."""
_LOCK: Final = threading.Lock()
_PAST_LOG: Final[dict[str, tuple[int, str]]] = {}
"""By database: the number of jobs that bypass its log now, and its limit before the first one."""
_FOLDERS: Final = (
    PackageStorage.NEW_JOBS_FOLDER,
    PackageStorage.STARTED_JOBS_FOLDER,
    PackageStorage.FAILED_JOBS_FOLDER,
    PackageStorage.COMPLETED_JOBS_FOLDER,
    PackageStorage.NEW_JOBS_FOLDER,
)
"""
A package's folders, in the order in which dlt moves files: a file that dlt moves during the listing
is found in a later folder. dlt moves a file that it retries back to the first folder, which
therefore comes last again.
"""
_MERGE_HINTS: Final = (
    "x-merge-source-filter",
    "x-merge-destination-scope",
    "x-merge-skip-unchanged-rows",
)


@cache
def build_copy_job() -> Any:
    """The class of the jobs that copy one parquet file."""
    from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

    class CopyJob(DuckDbCopyJob):
        """
        dlt's own copy job, which copies directly into the table where it can.

        dlt's job classes are not documented. Without them: ``DuckDbCopyJob``.
        """

        def run(self) -> None:
            """Copy the file, directly if possible."""
            if not (self._may_be_direct() and self._copy_new()):
                # In a transaction, because other jobs wait only while it is committed.
                with self._job_client.sql_client.begin_transaction():
                    super().run()

        def _may_be_direct(self) -> bool:
            table, client = self._load_table, self._job_client.sql_client
            return (
                client.is_staging_dataset_active
                and is_merged_by_key(self._schema, table)
                and is_only_file(Path(self._file_path))
            )

        def _copy_new(self) -> bool:
            """Copy the rows if all of them are new. Return False if nothing was changed."""
            import duckdb

            job_client: Any = self._job_client
            client, table = job_client.sql_client, cast(Any, self._load_table)
            with client.with_alternative_dataset_name(job_client.final_dataset):
                place = client.make_qualified_table_name(self.load_table_name)
            names = get_columns_names_with_prop(table, "primary_key")
            keys = [client.escape_column_name(name) for name in names]
            connection = client.native_connection
            try:
                ((rows,),) = connection.execute(build_count(self._file_path)).fetchall()
            except duckdb.Error:
                return False  # dlt's own copy meets the same error, as in _copy_if_new.
            if rows < _MANY:
                return False
            database = str(client.credentials.database)
            with bypassing_log(connection, database):
                return _copy_if_new(connection, Path(database), self._file_path, place, keys)

    return CopyJob


def is_merged_by_key(schema: Any, table: Any) -> bool:
    """Whether dlt merges *table* by its primary key alone, and the table has no child tables."""
    return (
        table.get("write_disposition") == "merge"
        and table.get("x-merge-strategy", "delete-insert") == "delete-insert"
        and not any(table.get(hint) for hint in _MERGE_HINTS)
        and not table.get("parent")
        and len(get_nested_tables(schema.tables, table["name"])) == 1
        and bool(get_columns_names_with_prop(table, "primary_key"))
        and not get_columns_names_with_prop(table, "merge_key")
        and not get_columns_names_with_prop(table, "hard_delete")
    )


def is_only_file(path: Path) -> bool:
    """
    Whether *path* is its table's only file in the package. Another may have a key's newest row.
    """
    table = ParsedLoadJobFileName.parse(path.name).table_name
    files = {name for name in iter_files(path.parent.parent) if name.startswith(f"{table}.")}
    return path.suffix == ".parquet" and files == {path.name}


def iter_files(package: Path) -> Iterator[str]:
    """
    Yield the names of all files of a *package*, some of them twice.

    Meanwhile dlt starts other jobs and moves their files between the folders.
    """
    for folder in _FOLDERS:
        yield from (each.name for each in (package / folder).iterdir())


def _copy_if_new(
    connection: Any, database: Path, file: str, place: str, keys: Sequence[str]
) -> bool:
    import duckdb

    connection.begin()
    try:
        for question in (
            build_repeated_keys(file, keys),
            build_known_keys(file, place, keys),
        ):
            if connection.execute(question).fetchall():
                connection.rollback()
                return False
        connection.execute(build_copy(file, place))
        with committing(database):
            connection.commit()
    except duckdb.Error:
        # dlt's own copy meets the same error, and reports it as people and tests expect.
        _roll_back(connection)
        return False
    return True


@contextmanager
def bypassing_log(connection: Any, database: str) -> Iterator[None]:
    """
    Make DuckDB write large changes directly into the file, bypassing its log.

    With dlt's setting DuckDB does so only above one gigabyte. In the log rows take five times the
    space, and writing them there takes a third of the copy's time; at the end of a load they are in
    the file in any case. DuckDB has one limit for all connections to a file, and tables are copied
    in parallel: the last copy to finish restores the limit from before the first. If DuckDB refuses
    the setting, the rows are written into the log.

    Args:
        database: Path of the file that *connection* has open.
    """
    import duckdb

    with _LOCK:
        jobs, before = _PAST_LOG.get(database) or (0, "")
        with suppress(duckdb.Error):
            before = before or _read_limit(connection)
            connection.execute(DUCKDB_SET_LOG_LIMIT.format(_LOGGED))
        _PAST_LOG[database] = jobs + 1, before
    try:
        yield
    finally:
        with _LOCK:
            jobs, before = _PAST_LOG.pop(database)
            if jobs > 1:
                _PAST_LOG[database] = jobs - 1, before
            elif before:
                with suppress(duckdb.Error):  # The copy itself has succeeded or failed already.
                    connection.execute(DUCKDB_SET_LOG_LIMIT.format(before))


def _read_limit(connection: Any) -> str:
    ((limit,),) = connection.execute(DUCKDB_READ_LOG_LIMIT).fetchall()
    return str(limit)


def _roll_back(connection: Any) -> None:
    import duckdb

    with suppress(duckdb.Error):  # DuckDB may have done it already.
        connection.rollback()
