"""The lab of a test: a sandbox with one clock for both sides, and a DuckDB file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from harvest_source.operations.run_report import SyncReport
from harvest_source.operations.sync import Hooks, sync
from harvest_source.operations.verify import verify
from harvest_source.operations.verify_report import VerifyReport
from tests.support.simulation import DAY, HOUR, Row, Simulation, by_id, number

__all__ = ["DAY", "HOUR", "Lab", "Row", "by_id", "number"]


class Lab(Simulation):
    """
    One simulated installation and one warehouse. Close it, or use it in a ``with``.

    Args:
        folder: For the database and dlt's working folders; nothing is kept elsewhere.
        fields: Settings of the sandbox.
    """

    def __init__(self, folder: Path, **fields: Any) -> None:
        super().__init__(**fields)
        self.folder = folder
        self.database = folder / "harvest_data.duckdb"
        self._reader: duckdb.DuckDBPyConnection | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Keys of ``[sources.harvest]`` that lead to the sandbox."""
        return {
            "credentials": {"access_token": self.token},
            "api_url": self.server.api_url,
            "id_url": self.server.id_url,
        }

    @property
    def arguments(self) -> list[str]:
        """Options of the command for this warehouse."""
        return [f"--database={self.database}"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that syncs the sandbox's first account."""
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
        """Run one sync of *tables*, or of all, for every account of the sandbox."""
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
        """Use dlt's working folders in the lab, and leave no pipeline active afterwards."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DLT_DATA_DIR", str(self.folder / "dlt"))
            try:
                yield
            finally:
                Container()[PipelineContext].deactivate()

    def verify(self, **options: Any) -> VerifyReport:
        """Compare the warehouse with Harvest; *options* override the lab's."""
        given: dict[str, Any] = {
            "database": self.database,
            "account": self.server.settings.accounts,
            "settings": self.settings,
            "hooks": Hooks(clock=self.shared),
        }
        with self.working():
            return verify(**given | options)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """
        Keep the warehouse open for all queries in the ``with``; instants are in UTC.

        Opening the file is most of the cost of a small query.
        """
        if self._reader is not None:
            yield self._reader
            return
        with duckdb.connect(str(self.database), read_only=True) as self._reader:
            try:
                (catalog,) = self._reader.execute("SELECT current_database()").fetchall()[0]
                self._reader.execute(f"SET TimeZone = 'UTC'; USE \"{catalog}\".harvest")
                yield self._reader
            finally:
                self._reader = None

    def sql(self, query: str, *parameters: Any) -> list[Row]:
        """The rows that a query of the warehouse returns."""
        with self.reading() as connection:
            rows: list[Row] = connection.sql(query, params=parameters).to_arrow_table().to_pylist()
        return rows

    def alter(self, statement: str) -> None:
        """Change the warehouse by hand, behind the connector's back."""
        with duckdb.connect(str(self.database)) as connection:
            (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
            connection.execute(f'USE "{catalog}".harvest; {statement}')

    def table(self, name: str, *, account_id: int | None = None) -> list[Row]:
        """Every row of a table, of one account if it is named."""
        where = "" if account_id is None else f" WHERE account_id = {account_id}"
        return self.sql(f"SELECT * FROM {name}{where}")

    def ids(self, name: str, *, account_id: int | None = None) -> list[int]:
        """Every id of a table, ascending, so that a repeated id shows."""
        return sorted(row["id"] for row in self.table(name, account_id=account_id))

    def columns(self, name: str | None = None) -> dict[str, str]:
        """``table.column`` to type, of all tables in the dataset or of the named one."""
        query = (
            "SELECT table_name || '.' || column_name AS name, data_type FROM "
            "information_schema.columns WHERE table_schema = 'harvest' AND table_name LIKE ?"
        )
        found = self.sql(query, name or "%")
        return {
            row["name"].removeprefix(f"{name}."): row["data_type"]
            for row in found
            if not row["name"].startswith("_dlt")
        }
