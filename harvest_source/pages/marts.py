"""The models of a warehouse, opened briefly for reading: an open file blocks a sync."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from harvest_source.ask.models import MART, find_schema
from harvest_source.ask.shown_text import clean
from harvest_source.clock import SystemClock
from harvest_source.dlt_internals import OpenTables, find_destination
from harvest_source.errors import ConfigError
from harvest_source.sql.maintenance import DUCKDB_IN_UTC, quote
from harvest_source.warehouse.attach import attach
from harvest_source.warehouse.dataset_name import choose_schema
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.failures import as_destination_error, is_of_names
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.target import Target

Row: TypeAlias = Mapping[str, Any]
Fetch: TypeAlias = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_KEPT: Final = "Nothing was changed."


def tell_apart(rows: Sequence[Row], name: str, key: str, within: Sequence[str] = ()) -> list[Row]:
    """
    Append the id to names that several records share, because a chart tells bars apart by name.

    Records of two accounts may share the id as well: then the account is appended, too. A record
    without a name is named so.

    Args:
        name: The column of the name.
        key: The column of the id.
        within: Columns that distinguish records too: equal names with other values here are fine.
    """
    known: dict[tuple[Any, ...], set[tuple[int, int]]] = {}
    rows = [row if row[name] else {**row, name: _name_unnamed(row, name, key)} for row in rows]
    for row in rows:
        place = tuple(row[each] for each in (name, *within))
        known.setdefault(place, set()).add((row["account_id"], row[key]))

    def rename(row: Row) -> Row:
        records = known[tuple(row[each] for each in (name, *within))]
        if len(records) == 1:
            return row
        is_shared = sum(found == row[key] for _, found in records) > 1
        account = f", account {row['account_id']}" if is_shared else ""
        return {**row, name: f"{row[name]} ({row[key]}{account})"}

    return [rename(row) for row in rows]


def _name_unnamed(row: Row, name: str, key: str) -> str:
    return f"no {name}" if row[key] is None else f"{name} without a name"


NEEDED: Final = (
    "int_harvest__as_of",
    "int_harvest__accounts",
    "harvest__clients",
    "harvest__people",
    "harvest__hours_daily",
    "harvest__utilization_daily",
    "harvest__utilization_weekly",
    "harvest__utilization_monthly",
    "harvest__budgets",
    "harvest__budget_months",
    "harvest__uninvoiced",
    "harvest__profitability_monthly",
    "harvest__missing_time",
    "harvest__data_quality",
    "harvest__sync_health",
)
"""Models that the pages need. Those of invoices are not needed: they depend on a Harvest module."""


@dataclass(frozen=True, slots=True)
class Marts:
    """
    Open models.

    Attributes:
        names: The tables and views that exist, as ``schema.name``.
    """

    target: Target
    names: frozenset[str]
    fetch: Fetch

    def mart(self, name: str) -> str:
        """The quoted name of a model, without its prefix: ``hours_daily``."""
        return quote(find_schema(self.target.dataset), f"{MART}{name}")

    def model(self, name: str) -> str:
        """The quoted name of a model that is not a mart."""
        return quote(find_schema(self.target.dataset), name)

    def table(self, name: str) -> str:
        """The quoted name of a table of the dataset."""
        return quote(self.target.dataset, name)

    def has_mart(self, name: str) -> bool:
        """Whether a mart exists."""
        return f"{find_schema(self.target.dataset)}.{MART}{name}" in self.names

    def has_table(self, name: str) -> bool:
        """Whether the dataset has a table."""
        return f"{self.target.dataset}.{name}" in self.names

    def rows(self, text: str, parameters: Sequence[Any], columns: Sequence[str]) -> list[Row]:
        """Run a query and return its rows; *columns* name what it selects, in order."""
        return [dict(zip(columns, row, strict=True)) for row in self.fetch(text, parameters)]


@contextmanager
def open_marts(
    target: Target, *, wait_s: float = 0, on_wait: Callable[[str], None] = lambda _: None
) -> Iterator[Marts]:
    """
    Open the models of a warehouse. Close them soon: a sync waits meanwhile.

    Args:
        wait_s: How long to wait while another process writes a DuckDB file.
        on_wait: Called with the process that has the file, if there is a wait.

    Raises:
        ConfigError: The warehouse or its models are missing; the message names the command.
        DestinationError: The warehouse cannot be read now.
    """
    target.check_exists()
    if isinstance(find_destination(target.destination), OpenTables):
        msg = (
            f"Destination {target.destination[:80]} stores files, in which the models cannot be "
            "built, and there is no report without them. Load into DuckDB or PostgreSQL as well: "
            "harvest-source sync --pipeline harvest_report"
        )
        raise ConfigError(msg)
    with _fetching(target, wait_s, on_wait) as (fetch, dataset):
        schemas = (dataset, find_schema(dataset))
        names = frozenset(f"{schema}.{name}" for schema, name in fetch(NAMES, schemas))
        marts = Marts(replace(target, dataset=dataset), names, fetch)
        _check_models(marts)
        yield marts


NAMES: Final = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN (%s, %s)"
)
"""Schema and name of the tables and views in two schemas."""


@contextmanager
def _fetching(
    target: Target, wait_s: float, on_wait: Callable[[str], None]
) -> Iterator[tuple[Fetch, str]]:
    """Open the warehouse; yield a function that runs queries, and the dataset's name there."""
    if target.database is not None:
        file = DuckDBFile(target.database, SystemClock(), wait_s, on_wait, only_reads=True)
        with as_destination_error(target, lambda: _KEPT), file.open(_KEPT) as connection:
            connection.execute(DUCKDB_IN_UTC)

            def fetch(text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
                marked = text.replace("%s", "?")
                with _explaining_models(target):
                    found = connection.execute(marked, list(parameters) or None).fetchall()
                return [_clean(row) for row in found]

            yield fetch, choose_schema(connection, target.dataset)
        return
    pipeline = attach(target.pipeline, destination=target.destination, dataset=target.dataset)
    with as_destination_error(target, lambda: _KEPT), pipeline.sql_client() as client:
        sql = Sql(client, pipeline.default_schema)

        def fetch_elsewhere(text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
            with _explaining_models(target):
                return [_clean(row) for row in sql.fetch(text, *parameters)]

        yield fetch_elsewhere, str(client.dataset_name)  # dlt may have normalized it.


@contextmanager
def _explaining_models(target: Target) -> Iterator[None]:
    """
    Explain that a model lacks what a query names.

    Raises:
        ConfigError: The message names the command that builds the models.
    """
    try:
        yield
    except Exception as error:
        if not is_of_names(error):
            raise
        msg = (
            f"The models in {target} are of another version of harvest-source, or were changed by "
            f"hand. Build them again: {target.build_command('transform')}"
        )
        raise ConfigError(msg) from error


def _clean(row: Sequence[Any]) -> tuple[Any, ...]:
    """Remove invisible characters from names, before equal names are told apart and drawn."""
    return tuple(clean(each) if isinstance(each, str) else each for each in row)


def _check_models(marts: Marts) -> None:
    """
    Check that the warehouse was filled and its models were built.

    Raises:
        ConfigError: Tables or models are missing.
    """
    target = marts.target
    if not any(name.startswith(f"{target.dataset}.") for name in marts.names):
        msg = (
            f"{target} has no tables in dataset {target.dataset}. Name another one with --database "
            f"and --dataset, or fill it: {target.build_command('sync')}"
        )
        raise ConfigError(msg)
    schema = find_schema(target.dataset)
    missing = [name for name in NEEDED if f"{schema}.{name}" not in marts.names]
    if missing:
        what = "no models yet" if len(missing) == len(NEEDED) else f"no {missing[0]}"
        command = target.build_command("transform")
        msg = f"{target} has {what} in schema {schema}. Build them: {command}"
        raise ConfigError(msg)
