"""The models that ``transform`` builds: where they are, and which sync they are as of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from harvest_source.ask.statement_guard import Relation
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.schema.run_record import parse_time
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


def read_syncs(connection: Any, dataset: str) -> frozenset[datetime]:
    """When each sync that the models include began; empty: not known."""
    import duckdb

    try:
        found = connection.execute(
            f"SELECT started_at FROM {quote(find_schema(dataset), SYNCS)}"  # noqa: S608
        ).fetchall()
    except duckdb.CatalogException:
        return frozenset()
    return frozenset(parse_time(at) for (at,) in found if at is not None)


def have_all_entries(connection: Any, dataset: str, relations: Iterable[Relation]) -> bool:
    """
    Whether the mart of time entries can replace the table in answers.

    It must have been built after each sync and have as many rows as the table: models may be built
    for only some accounts. No row may be of a load after the last sync: ``verify --fix``, plain dlt
    and a sync that was killed load rows without a row in ``sync_runs``. Of a sync while the clock
    was ahead, it is not known when that was.
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
            f"SELECT NOT EXISTS (SELECT started_at FROM {tables}.{SYNC_RUNS} EXCEPT "  # noqa: S608
            f"SELECT started_at FROM {marts}.{SYNCS}) AND "
            f"(SELECT COUNT(*) FROM {marts}.{ENTRIES}) = "
            f"(SELECT COUNT(*) FROM {tables}.time_entries) AND "
            f"(SELECT MAX(CAST({LOAD_ID} AS DOUBLE)) FROM {tables}.time_entries) <= "
            f"(SELECT MAX(CAST({LOAD_ID} AS DOUBLE)) FROM {tables}.{SYNC_RUNS} "
            f"WHERE CAST({LOAD_ID} AS DOUBLE) <= epoch(now()))"
        ).fetchone()
    except (duckdb.BinderException, duckdb.ConversionException):
        return False  # A column was dropped by hand, or an id is not one of dlt's.
    return bool(found)
