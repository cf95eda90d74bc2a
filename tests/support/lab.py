"""What an integration test works in: a sandbox, one clock for both sides, a DuckDB file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.sync import Hooks, sync
from harvest_source.sandbox import TABLES, ManualClock, Sandbox

Row = dict[str, Any]
HOUR = 3600.0
DAY = 24 * HOUR


class SharedClock:
    """
    The sandbox's clock as the connector's: sleeping moves it on for both, and nobody waits.

    Attributes:
        slept: Seconds of every sleep asked for.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._clock()

    def monotonic(self) -> float:
        return (self._clock() - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
        self._clock.advance(seconds)


class Lab:
    """
    One simulated installation and one warehouse. Close it, or use it in a ``with``.

    Args:
        folder: For the database and dlt's working folders; nothing is kept elsewhere.
        fields: Settings of the sandbox.
    """

    def __init__(self, folder: Path, **fields: Any) -> None:
        self.folder = folder
        self.database = folder / "harvest.duckdb"
        self.clock = ManualClock()
        settings: dict[str, Any] = {"entries": 60, "limit": False, "clock": self.clock}
        self.server = Sandbox(**(settings | fields)).start()
        self.shared = SharedClock(self.clock)
        self.token = self.server.token

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of ``[sources.harvest]`` that lead to the sandbox."""
        return {
            "credentials": {"access_token": self.token},
            "api_url": self.server.api_url,
            "id_url": self.server.id_url,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that syncs the sandbox's first account."""
        return {
            **os.environ,
            "DLT_DATA_DIR": str(self.folder / "dlt"),
            "DLT_PROJECT_DIR": str(self.folder),
            "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": self.token,
            "SOURCES__HARVEST__ACCOUNT_ID": str(self.server.account_id),
            "SOURCES__HARVEST__API_URL": self.server.api_url,
            "SOURCES__HARVEST__ID_URL": self.server.id_url,
        }

    def sync(self, *tables: str, **options: Any) -> SyncReport:
        """One run of all *tables*, or of these, for every account of the sandbox."""
        settings = self.settings | options.pop("settings", {})
        given = {
            "database": self.database,
            "account": self.server.settings.accounts,
            "table": tables,
            "settings": settings,
            "hooks": Hooks(clock=self.shared),
        } | options
        with self.working():
            return sync(**given)

    @contextmanager
    def working(self) -> Iterator[None]:
        """dlt's working folders are in the lab's, and no pipeline stays active afterwards."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
            try:
                yield
            finally:
                Container()[PipelineContext].deactivate()

    def sql(self, query: str, *parameters: Any, database: Path | None = None) -> list[Row]:
        """What a query of the warehouse gives; instants are in UTC."""
        with duckdb.connect(str(database or self.database), read_only=True) as connection:
            (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
            connection.execute(f"SET TimeZone = 'UTC'; USE \"{catalog}\".harvest")
            rows: list[Row] = connection.execute(query, parameters).to_arrow_table().to_pylist()
        return rows

    def alter(self, statement: str) -> None:
        """Change the warehouse by hand, behind the connector's back."""
        with duckdb.connect(str(self.database)) as connection:
            (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
            connection.execute(f'USE "{catalog}".harvest; {statement}')

    def table(self, name: str, *, account_id: int | None = None) -> list[Row]:
        """Every row of a table, of one account if named."""
        where = "" if account_id is None else f" WHERE account_id = {account_id}"
        return self.sql(f"SELECT * FROM {name}{where}")

    def ids(self, name: str, *, account_id: int | None = None) -> list[int]:
        """Every id of a table, ascending: a repeated one shows."""
        return sorted(row["id"] for row in self.table(name, account_id=account_id))

    def columns(self, name: str | None = None, *, database: Path | None = None) -> dict[str, str]:
        """``table.column`` to type, of the tables in the dataset; of one table if named."""
        query = (
            "SELECT table_name || '.' || column_name AS name, data_type FROM "
            "information_schema.columns WHERE table_schema = 'harvest' AND table_name LIKE ?"
        )
        found = self.sql(query, name or "%", database=database)
        return {
            row["name"].removeprefix(f"{name}."): row["data_type"]
            for row in found
            if not row["name"].startswith("_dlt")
        }

    def stop_timers(self) -> None:
        """The hours of a running timer grow with every second: stop them all."""
        for account_id in self.server.settings.accounts:
            for entry in self.server.rows("time_entries", account_id):
                if entry["is_running"]:
                    self.server.edit(
                        "time_entries",
                        entry["id"],
                        account_id=account_id,
                        is_running=False,
                        timer_started_at=None,
                    )

    @contextmanager
    def quotes_tell(self) -> Iterator[None]:
        """
        Records that quote one changed inside have their updated_at moved, too.

        Harvest does not do that: what it means for a warehouse is not what these tests are about.
        """
        tables = [(name, account) for account in self.server.settings.accounts for name in TABLES]
        before = {key: by_id(self.server.rows(*key)) for key in tables}
        yield
        for table, account in tables:
            for record in self.server.rows(table, account):
                was = before[table, account].get(record["id"], record)
                if was != record and was["updated_at"] == record["updated_at"]:
                    self.server.edit(table, record["id"], account_id=account)

    def rest(self, seconds: float = HOUR) -> None:
        """Let time pass between two runs."""
        self.clock.advance(seconds)


def number(value: Any) -> Decimal:
    """The decimal a JSON number spells, not the binary float behind it."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))


def by_id(rows: list[Row]) -> Mapping[int, Row]:
    """Rows by their id."""
    return {row["id"]: row for row in rows}
