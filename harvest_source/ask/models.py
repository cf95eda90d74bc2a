"""The models that ``transform`` builds: where they are, and which sync they are as of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from harvest_source.ask.statement_guard import Relation
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.sql.maintenance import quote

MART: Final = "harvest__"
"""Name prefix of models that are tables; other models are views of the dataset's tables."""
ENTRIES: Final = "harvest__time_entries"
SYNCS: Final = "harvest__sync_health"
"""The mart with one row for each sync that had run when the models were built."""


def find_schema(dataset: str) -> str:
    """The schema into which ``transform`` builds the models of *dataset*."""
    return f"{dataset}_models"


def is_mart(relation: Relation, dataset: str) -> bool:
    """Whether the rows of *relation* date from the models' build, not from the last sync."""
    return relation.schema == find_schema(dataset) and relation.name.startswith(MART)


def read_last_sync(connection: Any, dataset: str) -> datetime | None:
    """Read the start of the last sync that the models include; None: not known."""
    import duckdb

    try:
        (found,) = connection.execute(
            f"SELECT MAX(started_at) FROM {quote(find_schema(dataset), SYNCS)}"  # noqa: S608
        ).fetchone()
    except duckdb.CatalogException:
        return None
    if found is None:
        return None
    at: datetime = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return at


def have_all_entries(connection: Any, dataset: str, relations: Iterable[Relation]) -> bool:
    """
    Whether the mart of time entries can replace the table in answers.

    It must have been built after the last sync and have as many rows as the table: models may be
    built for only some accounts. No row may be of a load after that sync: ``verify --fix``, plain
    dlt and a sync that was killed load rows without a row in ``sync_runs``.
    """
    import duckdb

    schema = find_schema(dataset)
    wanted = {
        Relation(schema, ENTRIES),
        Relation(schema, SYNCS),
        Relation(dataset, "time_entries"),
        Relation(dataset, SYNC_RUNS),
    }
    if not wanted <= {*relations}:
        return False
    marts, tables = quote(schema), quote(dataset)
    try:
        (found,) = connection.execute(
            f"SELECT (SELECT MAX(started_at) FROM {marts}.{SYNCS}) = "  # noqa: S608
            f"(SELECT MAX(started_at) FROM {tables}.{SYNC_RUNS}) AND "
            f"(SELECT COUNT(*) FROM {marts}.{ENTRIES}) = "
            f"(SELECT COUNT(*) FROM {tables}.time_entries) AND "
            f"(SELECT MAX(CAST({LOAD_ID} AS DOUBLE)) FROM {tables}.time_entries) <= "
            f"(SELECT MAX(CAST({LOAD_ID} AS DOUBLE)) FROM {tables}.{SYNC_RUNS})"
        ).fetchone()
    except (duckdb.BinderException, duckdb.ConversionException):
        return False  # A column was dropped by hand, or an id is not one of dlt's.
    return bool(found)
