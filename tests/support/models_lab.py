"""A warehouse with models: a simulated consultancy, synced here and built by dbt elsewhere."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.support.lab import Lab, Row

MODELS = "harvest_models"


class ModelsLab(Lab):
    """
    A :class:`Lab` whose account is the simulated consultancy.

    Args:
        folder: For the database and dlt's working folders.
        fields: Settings of the sandbox.
    """

    def __init__(self, folder: Path, **fields: Any) -> None:
        super().__init__(folder, **{"data": "agency", "users": 40, "entries": 24_000, **fields})

    @property
    def child_environment(self) -> dict[str, str]:
        """The environment of a process that transforms."""
        return {
            **self.environment,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "CRITICAL",
        }

    @property
    def days_off(self) -> dict[str, list[int]]:
        """Variables that name the tasks on which the consultancy records time off and holidays."""
        tasks = {row["name"]: row["id"] for row in self.server.rows("tasks")}
        return {
            "harvest_time_off_task_ids": [tasks["Vacation"], tasks["Sick leave"]],
            "harvest_holiday_task_ids": [tasks["Public holiday"]],
        }

    def run(self, python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``harvest-source`` in another environment, in the lab's folder."""
        return subprocess.run(
            [str(python), "-W", "ignore", "-m", "harvest_source", *arguments],
            cwd=self.folder,
            env=self.child_environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def package(self, python: Path) -> str:
        """The folder that ``harvest-source dbt`` prints."""
        return self.run(python, "dbt").stdout.strip()

    def transform(
        self, python: Path, *arguments: str, expect: int = 0, variables: Mapping[str, Any] = {}
    ) -> Row:
        """Build the models; return the report."""
        command = ["transform", "--json", *arguments]
        if "--destination" not in arguments:
            command += ["--database", str(self.database)]
        if variables:
            command += ["--vars", json.dumps(variables)]
        done = self.run(python, *command)
        assert done.stdout, done.stderr
        report: Row = json.loads(done.stdout)
        assert done.returncode == expect, (done.stderr, report["errors"])
        return report

    def mart(self, name: str, schema: str = MODELS) -> list[Row]:
        """Every row of a mart."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return read(connection, f"SELECT * FROM {schema}.harvest__{name}")


def read(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    """The rows that a query returns."""
    rows: list[Row] = connection.sql(query).to_arrow_table().to_pylist()
    return rows


def by(rows: Sequence[Row], *key: str) -> dict[tuple[Any, ...], Row]:
    """Rows by their key, which must be unique."""
    found = {tuple(row[name] for name in key): row for row in rows}
    assert len(found) == len(rows)
    return found


def total(rows: Sequence[Row], column: str) -> Decimal:
    """A sum in which null counts as zero."""
    return sum((row[column] or Decimal(0) for row in rows), Decimal(0))


def is_near(left: Any, right: Any, tolerance: str = "0.01") -> bool:
    """Whether two numbers are equal apart from the last rounded digit; null equals null."""
    if left is None or right is None:
        return left is right
    return abs(Decimal(str(left)) - Decimal(str(right))) <= Decimal(tolerance)


@dataclass(frozen=True)
class Built:
    """
    The consultancy with its models.

    Attributes:
        python: The Python of the environment whose dbt built them.
        report: The report of ``transform``.
    """

    lab: ModelsLab
    python: Path
    report: Row
