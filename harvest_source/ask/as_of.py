"""How old an answer is: the last syncs that read the tables behind it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from harvest_source.ask.models import is_mart, read_syncs
from harvest_source.ask.plain_values import to_plain
from harvest_source.ask.statement_guard import Relation
from harvest_source.clock import SystemClock
from harvest_source.extract.schedule import leave_out_future
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.schema.run_record import RUN_COLUMNS, RunRecord, find_as_of
from harvest_source.sql.maintenance import quote

_RUNS: Final = 200
"""How many of the latest runs are searched."""


def read_as_of(
    connection: Any, dataset: str, tables: Iterable[Relation], *, now: datetime | None = None
) -> str | None:
    """
    Read since when *tables*, in every account, may lack Harvest's changes; None: not known.

    A table that belongs to no endpoint, such as a model, is as old as the oldest table that runs
    read. For models, only runs from before they were built count, and runs that began in the future
    only if there are no others.
    """
    import duckdb

    relations = frozenset(tables)
    try:
        found = connection.execute(
            f"SELECT {', '.join(RUN_COLUMNS)} FROM {quote(dataset, SYNC_RUNS)} "  # noqa: S608
            f"ORDER BY started_at DESC LIMIT {_RUNS}"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None  # Plain dlt filled the warehouse, or a column was dropped by hand.
    runs = [RunRecord.parse(dict(zip(RUN_COLUMNS, row, strict=True))) for row in found]
    if any(is_mart(each, dataset) for each in relations):
        built_after = read_syncs(connection, dataset)
        runs = [each for each in runs if each.started_at in built_after]
    counted = leave_out_future(runs, now or SystemClock().now())
    wanted = {_find_endpoint(each.name) for each in relations}
    as_of = find_as_of(counted, () if "" in wanted else wanted)
    return None if as_of is None else str(to_plain(as_of))


def _find_endpoint(table: str) -> str:
    """The endpoint that loads *table*, which may be a child table or a history; empty: none."""
    names = (table, table.partition("__")[0], table.removesuffix("_history"))
    return next((name for name in names if name in BY_NAME), "")
