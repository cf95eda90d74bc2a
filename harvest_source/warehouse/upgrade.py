"""Upgrade a warehouse that an earlier version made, before a sync reads anything."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from harvest_source.dlt_internals import sql_client_of
from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.own_tables import DELETED_RECORDS, SYNC_RUNS
from harvest_source.sql.conditions import EVERY_ROW, OneOf
from harvest_source.warehouse.pipeline import PipelineFolder
from harvest_source.warehouse.plain_inserts import PLAIN_SQL
from harvest_source.warehouse.renaming import rename_columns
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.stored_state import read_local

_CARRIED: Final = "harvest_source_carried_over"
_UPGRADE: Final = 1
"""Version of the upgrade; increase it with each change of this module that old warehouses need."""

_DATED: Final = ((SYNC_RUNS, "id", "ended_at"), (DELETED_RECORDS, "_dlt_id", "detected_at"))
"""Tables whose rows had their own key as the load id: table, that key, time of the row."""

_PORTION: Final = 500


def upgrade(folder: PipelineFolder) -> list[str]:
    """
    Upgrade a warehouse of an earlier version to this one. Call it when no package waits.

    Every step is idempotent: if a run is stopped, the next one finishes the upgrade.

    Returns:
        Warnings for the user, if tables were altered.
    """
    warnings = rename_columns(folder)
    pipeline = folder.pipeline
    if pipeline.default_schema_name is None or read_local(pipeline, _CARRIED) == _UPGRADE:
        return warnings
    if pipeline.destination.destination_type in PLAIN_SQL:
        with pipeline.destination_client() as client:
            _mend_load_ids(Sql(sql_client_of(client), pipeline.default_schema))
    pipeline.set_local_state_val(_CARRIED, _UPGRADE)
    return warnings


def _mend_load_ids(sql: Sql) -> None:
    """Set unknown load ids in our own tables to the newest load when the row was written."""
    loads = sorted(
        (at, str(load))
        for at, load in sql.iter_values(
            sql.schema.loads_table_name, EVERY_ROW, ("inserted_at", "load_id")
        )
    )
    known = {load for _, load in loads}
    for table, key, time in _DATED:
        if not loads or not is_made(table, sql.schema):
            continue
        keys: dict[str, list[Any]] = defaultdict(list)
        rows = list(sql.iter_values(table, EVERY_ROW, (key, LOAD_ID, time)))
        for row, load, at in rows:
            if load not in known:
                keys[_find_load(loads, at)].append(row)
        for load, these in keys.items():
            for start in range(0, len(these), _PORTION):
                where = OneOf(key, these[start : start + _PORTION])
                sql.update(table, {LOAD_ID: load}, where)


def _find_load(loads: Sequence[tuple[Any, str]], at: Any) -> str:
    """The newest of *loads*, sorted by time, that is not later than *at*; else the first."""
    place = bisect_right(loads, at, key=lambda load: load[0])
    return loads[max(place - 1, 0)][1]
