"""The runs that ``sync_runs`` has on record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from harvest_source.extract.schedule import find_latest, leave_out_future
from harvest_source.schema.own_tables import SYNC_RUNS
from harvest_source.schema.run_record import RUN_COLUMNS, RunRecord
from harvest_source.sql.conditions import EVERY_ROW, Within
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.warehouse import Warehouse

_LOOKED_BACK: Final = timedelta(days=35)
"""How far back runs are read; older ones only if there are no others."""


def read_runs(warehouse: Warehouse, sql: Sql, now: datetime) -> Sequence[RunRecord]:
    """
    The runs on record, the newest first; none if plain dlt filled the warehouse.

    Runs that began in the future count only if there are no others.
    """
    if not warehouse.has_table(SYNC_RUNS):
        return []
    recent = Within("started_at", now - _LOOKED_BACK, find_latest(now))
    rows = sql.select(SYNC_RUNS, recent, RUN_COLUMNS)
    rows = rows or sql.select(SYNC_RUNS, EVERY_ROW, RUN_COLUMNS)
    runs = sorted(map(RunRecord.parse, rows), key=lambda each: each.started_at, reverse=True)
    return leave_out_future(runs, now)
