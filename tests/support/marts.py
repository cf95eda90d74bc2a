"""Models without dbt: empty tables as the contracts of the marts declare them, and a few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from harvest_source.pages.section import PageContext
from tests.dbt.generate import CONTRACTS, PACKAGE

SCHEMA = "harvest_models"
ACCOUNT = 7

OpenPage = Callable[..., PageContext]
"""Opens the models of a warehouse as pages do; keyword arguments are filters."""


@cache
def read_contracts() -> Mapping[str, Mapping[str, str]]:
    """Columns and types by mart."""
    models = yaml.safe_load((PACKAGE / CONTRACTS).read_text())["models"]
    return {
        model["name"]: {each["name"]: each["data_type"] for each in model["columns"]}
        for model in models
    }


class MadeMarts:
    """
    A DuckDB file with every mart, empty.

    Args:
        path: The file to create.
        as_of: The as-of day, in ISO format.
    """

    def __init__(self, path: Path, as_of: str = "2026-11-30") -> None:
        self.path = path
        self.statements: list[tuple[str, list[Any]]] = []
        """The statements that made it, with placeholders: they can fill another database too."""
        made = [f"CREATE SCHEMA harvest; CREATE SCHEMA {SCHEMA}"]
        for name, columns in read_contracts().items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            made.append(f"CREATE TABLE {SCHEMA}.{name} ({listed})")
        made.append(
            f"CREATE TABLE {SCHEMA}.int_harvest__as_of AS SELECT DATE '{as_of}' AS as_of;"
            f"CREATE TABLE {SCHEMA}.int_harvest__accounts AS "
            f"SELECT {ACCOUNT} AS account_id, 'EUR' AS currency, 1 AS first_weekday;"
            f"CREATE TABLE harvest.company AS SELECT {ACCOUNT} AS account_id, 'Acme' AS name"
        )
        self._run_all((statement, []) for statement in made)

    def add(self, mart: str, *rows: Mapping[str, Any], **same: Any) -> None:
        """Add rows to a mart; columns that a row does not name are null."""
        account = {} if mart == "sync_health" else {"account_id": ACCOUNT}
        inserts = []
        for row in rows or ({},):
            given = {**account, **same, **row}
            names, marks = ", ".join(given), ", ".join("?" for _ in given)
            table = f"{SCHEMA}.harvest__{mart}"
            inserts.append(
                (f"INSERT INTO {table} ({names}) VALUES ({marks})", list(given.values()))
            )
        self._run_all(inserts)

    def run(self, statement: str, *values: Any) -> None:
        """Run a statement that changes the file."""
        self._run_all([(statement, list(values))])

    def _run_all(self, statements: Iterable[tuple[str, list[Any]]]) -> None:
        """Opening the file takes longer than a statement."""
        with duckdb.connect(str(self.path)) as connection:
            connection.begin()
            for statement, values in statements:
                self.statements.append((statement, values))
                connection.execute(statement, values or None)
            connection.commit()
