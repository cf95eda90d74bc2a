"""How old an answer is: the last sync that read every table it rests on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from harvest_source.ask.plain_values import to_plain
from harvest_source.schema.endpoints import BY_NAME

_RUNS: Final = 200
"""Latest runs that are looked through."""


def find_as_of(connection: Any, dataset: str, tables: Iterable[str]) -> str | None:
    """
    When the last run began that read all of *tables* without a failure; None: no such run.

    What a run began with is what it is sure to hold: later changes may be missing. Tables that are
    no endpoint's, such as models, count as all that a run reads.
    """
    import duckdb

    schema = '"' + dataset.replace('"', '""') + '"'
    try:
        found = connection.execute(
            f"SELECT started_at, tables, errors FROM {schema}.sync_runs "  # noqa: S608
            f"WHERE status IN ('ok', 'partial') ORDER BY started_at DESC LIMIT {_RUNS}"
        ).fetchall()
    except duckdb.CatalogException:
        return None  # Plain dlt filled the warehouse: it has no record of runs.
    wanted = {_find_endpoint(table) for table in tables}
    for started_at, counts, errors in found:
        if _covers(_parse(counts), _parse(errors), wanted):
            return str(to_plain(started_at))
    return None


def _find_endpoint(table: str) -> str:
    """The endpoint that brings *table*, which may be one of its child tables or its history."""
    names = (table, table.partition("__")[0], table.removesuffix("_history"))
    return next((name for name in names if name in BY_NAME), "")


def _covers(counts: Any, errors: Any, wanted: set[str]) -> bool:
    read = set(counts or ())
    failed = {str(each.get("table") or "") for each in errors or ()}
    if "" in wanted or not wanted:
        return not failed
    return wanted <= read and not failed & (wanted | {""})


def _parse(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) and text else text
