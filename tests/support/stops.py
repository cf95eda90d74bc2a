"""
Runs that are stopped before or after any SQL statement, in DuckDB and in PostgreSQL.

A run is a separate process and is stopped by a signal, so that statements of dlt's threads count
too. Each run starts with the same warehouse, the same working folder and the same Harvest.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from harvest_source.operations.sync import Hooks, sync
from harvest_source.operations.verify import verify
from tests.clocks import OwnClock
from tests.support.children import fork
from tests.support.lab import Lab, Row
from tests.support.postgres import build_environment, copy_database, find_database, select

NEVER = -1
"""A point that no run reaches."""
_READING = ("SELECT", "SHOW", "PRAGMA", "DESCRIBE", "SET ")
"""The beginnings of statements that change nothing in the warehouse."""


class Place(Protocol):
    """Where a lab's warehouse is."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of a run that loads into it."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment of a process that loads into it, in addition to the lab's."""

    def keep(self) -> None:
        """Keep a copy of the warehouse."""

    def put_back(self) -> None:
        """Restore the warehouse from the copy."""

    def select(self, query: str) -> list[Row]:
        """The rows that a query of the dataset returns."""


@dataclass(frozen=True)
class InDuckDB:
    """The lab's own file."""

    lab: Lab
    environment: Mapping[str, str]

    @property
    def options(self) -> Mapping[str, Any]:
        return {"database": str(self.lab.database)}

    @property
    def _copy(self) -> Path:
        return self.lab.database.with_suffix(".copy")

    def keep(self) -> None:
        shutil.copy(self.lab.database, self._copy)

    def put_back(self) -> None:
        for file in self.lab.folder.glob(f"{self.lab.database.name}*"):
            file.unlink()
        shutil.copy(self._copy, self.lab.database)

    def select(self, query: str) -> list[Row]:
        return self.lab.sql(query)


@dataclass(frozen=True)
class InPostgres:
    """A database of the server at *address*."""

    address: str
    options: Mapping[str, Any]
    environment: Mapping[str, str]

    def keep(self) -> None:
        copy_database(self.address, "stops", "kept")

    def put_back(self) -> None:
        copy_database(self.address, "kept", "stops")

    def select(self, query: str) -> list[Row]:
        return select(find_database(self.address, "stops"), query)


def in_postgres(address: str) -> InPostgres:
    """A new database of the server at *address*."""
    copy_database(address, "template1", "stops")
    options = {"destination": "postgres", "database": None}
    return InPostgres(address, options, build_environment(address, "stops"))


@dataclass(frozen=True)
class Stops:
    """
    Runs in one lab that start alike.

    Attributes:
        options: The options of every run.
    """

    lab: Lab
    place: Place
    tables: tuple[str, ...]
    options: Mapping[str, Any]

    def keep(self) -> None:
        """Start every later run with the current warehouse, folder and time."""
        self.place.keep()
        shutil.copytree(self.lab.folder / "dlt", self.lab.folder / "dlt.copy")

    def put_back(self, at: datetime) -> None:
        """Restore everything except Harvest, and set the clock to *at*."""
        self.place.put_back()
        shutil.rmtree(self.lab.folder / "dlt")
        shutil.copytree(self.lab.folder / "dlt.copy", self.lab.folder / "dlt")
        self.lab.clock.set(at)

    def run(self, **options: Any) -> Any:
        """Run in this process without a stop."""
        return self.lab.sync(*self.tables, **self.place.options, **self._merge(options))

    def run_stopped(self, point: int, number: int, call: str, **options: Any) -> int:
        """
        Run and send signal *number* at *point*; return the exit code.

        Args:
            point: Twice a statement's number, from 0, is the point before it; one more is after it.
            call: ``sync`` or ``verify``.
        """
        return self._start(point, number, call, options)[0]

    def count(self, call: str, **options: Any) -> int:
        """The number of points of a run that is not stopped."""
        code, said = self._start(NEVER, 0, call, options)
        assert code == 0, said
        return int(said.split()[-1])

    def _start(
        self, point: int, number: int, call: str, options: Mapping[str, Any]
    ) -> tuple[int, str]:
        given = {**self.place.options, **self._merge(options)}
        given["account"] = self.lab.server.settings.accounts
        given["settings"] = self.lab.settings | given.get("settings", {})
        if call == "sync":
            given["table"] = self.tables
        with fork(
            json.dumps([point, int(number), call, self.lab.clock().isoformat(), given]),
            folder=self.lab.folder,
            environment={**self.lab.environment, **self.place.environment},
            call="tests.support.stops:run_and_stop",
        ) as child:
            out, err = child.communicate(timeout=300)
            return child.wait(), out or err

    def _merge(self, options: Mapping[str, Any]) -> dict[str, Any]:
        settings = {**self.options.get("settings", {}), **options.get("settings", {})}
        return {**self.options, **options, "settings": settings}


# In the child.


class _Points:
    """Counts points, and sends this process signal *number* at the chosen one."""

    def __init__(self, chosen: int, number: int) -> None:
        self._chosen, self._number = chosen, number
        self._lock = threading.Lock()
        self.count = 0

    def reach(self) -> None:
        with self._lock:
            is_chosen, self.count = self.count == self._chosen, self.count + 1
        if is_chosen:
            os.kill(os.getpid(), self._number)


def run_and_stop() -> None:
    """Run as the one argument says; the last word printed is the number of points passed."""
    chosen, number, call, at, given = json.loads(sys.argv[1])
    points = _Points(chosen, number)
    for client in (DuckDbSqlClient, Psycopg2SqlClient):
        _watch(client, points)
    clock = OwnClock(lambda: datetime.fromisoformat(at), lambda _: None)
    operation: Any = {"sync": sync, "verify": verify}[call]
    operation(**given, hooks=Hooks(clock=clock))
    print(points.count)


def _watch(client: Any, points: _Points) -> None:
    """
    Report a point before and after each statement that writes, and each end of a transaction.

    Statements that read change nothing: the point before one equals that after the last write.
    """
    query, commit = client.execute_query, client.commit_transaction

    @contextmanager
    def watched(self: Any, text: Any, *given: Any, **more: Any) -> Iterator[Any]:
        is_writing = not str(text).lstrip().upper().startswith(_READING)
        if is_writing:
            points.reach()
        with query(self, text, *given, **more) as cursor:
            yield cursor
        if is_writing:
            points.reach()

    def committed(self: Any) -> None:
        points.reach()
        commit(self)
        points.reach()

    client.execute_query, client.commit_transaction = watched, committed
