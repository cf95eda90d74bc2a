"""
dlt's SQLAlchemy destination, whose SQLite files are private when they are new, and whose statements
in MySQL and MariaDB wait only a limited time for a lock, and merge in one transaction.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import dlt

from harvest_source.dlt_internals.lock_waits import limit_lock_wait
from harvest_source.dlt_internals.own_destination import OwnDestination
from harvest_source.file_permissions import create_private_file
from harvest_source.sql.maintenance import changes_rows

_SQLITE: Final = "sqlite"


class PrivateSqlite(OwnDestination, dlt.destinations.sqlalchemy):
    """
    dlt's SQLAlchemy destination with our own client.

    SQLite creates files with the permissions of the umask, and its journals with those of the file.
    dlt keeps each dataset in a file of its own, and its staging dataset in a new one for each load.
    When dlt's client classes move: dlt's own destination, and the umask decides; in MariaDB a run
    killed while it merges may lose rows until the audit finds them.
    """

    dlts_type = "dlt.destinations.sqlalchemy"

    @property
    def client_class(self) -> Any:
        """The client's class, imported when dlt asks for it."""
        return _build_client()

    @classmethod
    def adjust_capabilities(cls, caps: Any, config: Any, naming: Any) -> Any:
        """
        Load one table at a time into SQLite, where one connection can write at a time.

        dlt loads twenty tables in parallel. SQLite refuses at once ("database is locked") a
        transaction that first read what another connection has changed since, so one load in three
        of changed rows failed.
        """
        adjusted = super().adjust_capabilities(caps, config, naming)
        if config.get_backend_name() == _SQLITE:
            adjusted.max_parallel_load_jobs = 1
        return adjusted


@cache
def _build_client() -> Any:
    from dlt.destinations.impl.sqlalchemy.db_api_client import SqlalchemyClient
    from dlt.destinations.impl.sqlalchemy.merge_job import SqlalchemyMergeFollowupJob
    from dlt.destinations.impl.sqlalchemy.sqlalchemy_job_client import SqlalchemyJobClient

    class SqlClient(SqlalchemyClient):
        def open_connection(self) -> Any:
            """Create SQLite's own file first; limit the wait for locks of a new connection."""
            if self.credentials.get_backend_name() == _SQLITE:
                self._create_file(str(self.credentials.database))
            is_new = self._current_connection is None
            connection = super().open_connection()
            if is_new:
                limit_lock_wait(connection)
            return connection

        def _sqlite_create_dataset(self, dataset_name: str) -> None:
            if dataset_name != "main":
                self._create_file(self._sqlite_dataset_filename(dataset_name))
            super()._sqlite_create_dataset(dataset_name)

        def _create_file(self, name: str) -> None:
            if not self._sqlite_is_memory_db() and not name.startswith("file:"):  # An address.
                create_private_file(Path(name))

    class MergeJob(SqlalchemyMergeFollowupJob):
        @classmethod
        def gen_merge_sql(cls, *given: Any) -> Any:
            """
            Create dlt's helper tables before any row is deleted.

            MySQL and MariaDB commit whenever a table is created. dlt 1.31 creates one between
            deleting the old rows and inserting the new ones: a run killed there lost all of them.
            """
            return sorted(super().gen_merge_sql(*given), key=changes_rows)

    class Client(SqlalchemyJobClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            made = self.sql_client
            self.sql_client = SqlClient(
                made.dataset_name, made.staging_dataset_name, config.credentials, capabilities
            )

        def _create_merge_followup_jobs(self, table_chain: Any) -> Any:
            for table in table_chain:
                self._to_table_object(table)  # As dlt does: the statements need it.
            return [MergeJob.from_table_chain(table_chain, self.sql_client)]

    return Client
