"""dlt's PostgreSQL destination, whose statements wait only a limited time for a lock."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import dlt

from harvest_source.dlt_internals.own_destination import OwnDestination
from harvest_source.sql.maintenance import MYSQL_LOCK_LIMIT, POSTGRES_LOCK_LIMIT

_MYSQL: Final = ("mysql", "mariadb")


class PatientPostgres(OwnDestination, dlt.destinations.postgres):
    """
    dlt's PostgreSQL destination with our own client.

    PostgreSQL waits for a lock without a limit. If another session forgot a transaction, a run
    waited until that session ended, and a scheduler's later runs found it busy. When dlt's client
    classes move: dlt's own destination, and the user's role has to set ``lock_timeout``.
    """

    dlts_type = "dlt.destinations.postgres"

    @property
    def client_class(self) -> Any:
        """The client's class, imported when dlt asks for it."""
        return _build_client()


@cache
def _build_client() -> Any:
    from dlt.destinations.impl.postgres.postgres import PostgresClient
    from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

    class SqlClient(Psycopg2SqlClient):
        def _reset_connection(self) -> None:
            """dlt calls this for each new connection, and after an error, which undoes SET."""
            super()._reset_connection()
            with self._conn.cursor() as cursor:
                cursor.execute(POSTGRES_LOCK_LIMIT)

    class Client(PostgresClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            made = self.sql_client
            self.sql_client = SqlClient(
                made.dataset_name, made.staging_dataset_name, config.credentials, capabilities
            )

    return Client


def limit_lock_wait(connection: Any) -> None:
    """
    Limit the wait for a table's lock, which MySQL and MariaDB limit to a day.

    Args:
        connection: One of SQLAlchemy's. Nothing is done if it leads to another database.
    """
    if connection.dialect.name in _MYSQL:
        connection.exec_driver_sql(MYSQL_LOCK_LIMIT)
        connection.rollback()  # SQLAlchemy has begun a transaction; the setting stays.
