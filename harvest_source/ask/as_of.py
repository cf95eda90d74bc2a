"""How old an answer is: the last syncs that read the tables it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from harvest_source.ask.plain_values import to_plain
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.run_record import RUN_COLUMNS, RunRecord, find_as_of

_RUNS: Final = 200
"""Latest runs that are looked through."""


def read_as_of(connection: Any, dataset: str, tables: Iterable[str]) -> str | None:
    """
    Since when the rows of *tables*, of every account, may lack changes; None: it is not known.

    Tables that are no endpoint's, such as models, count as all that a run reads.
    """
    import duckdb

    schema = '"' + dataset.replace('"', '""') + '"'
    try:
        found = connection.execute(
            f"SELECT {', '.join(RUN_COLUMNS)} FROM {schema}.sync_runs "  # noqa: S608
            f"ORDER BY started_at DESC LIMIT {_RUNS}"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return None  # Plain dlt filled the warehouse, or a column was dropped by hand.
    runs = [RunRecord.parse(dict(zip(RUN_COLUMNS, row, strict=True))) for row in found]
    wanted = {_find_endpoint(table) for table in tables}
    as_of = find_as_of(runs, () if "" in wanted else wanted)
    return None if as_of is None else str(to_plain(as_of))


def _find_endpoint(table: str) -> str:
    """The endpoint that brings *table*, which may be one of its child tables or its history."""
    names = (table, table.partition("__")[0], table.removesuffix("_history"))
    return next((name for name in names if name in BY_NAME), "")
