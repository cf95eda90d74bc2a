"""
Delete old rows that the warehouse keeps about itself: about runs, verifications, loads and states.

A run each hour writes 8,760 rows a year into ``sync_runs``, and each load writes one row into two
of dlt's tables. Once a week the old rows are deleted, except those that are still needed: the last
run that read each table of each account, loads that rows name, and the newest states, from one of
which a new working folder is restored. All steps are idempotent and may be interrupted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from harvest_source.dlt_internals import has_received_rows, is_open_tables
from harvest_source.extract.schedule import is_due
from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import LOAD_ID
from harvest_source.schema.own_tables import SYNC_RUNS, VERIFY_RUNS
from harvest_source.schema.run_record import RUN_COLUMNS, RunRecord, find_runs_to_keep, parse_time
from harvest_source.sql.conditions import AllOf, Equals, Value, Within
from harvest_source.warehouse.removal import forget
from harvest_source.warehouse.sql import Row, Sql
from harvest_source.warehouse.stored_state import read_local
from harvest_source.warehouse.warehouse import Warehouse

_EVERY: Final = timedelta(days=7)
_DONE: Final = "harvest_source_forgot"
"""Key of the last time in the working folder; without it, the deletion is repeated."""

_NEWEST: Final = 10
"""States of a pipeline, and loads, that are kept whatever their age; dlt needs the last one."""


def forget_old_runs(warehouse: Warehouse, days: int, *, now: datetime) -> None:
    """
    Once a week, delete rows about runs and loads that are older than *days* and no longer needed.

    Raises:
        DestinationError: The destination refused.
    """
    pipeline, schema = warehouse.pipeline, warehouse.schema
    if not is_made(SYNC_RUNS, schema) or not is_due(_read_done(warehouse), now, _EVERY):
        return
    # Do not read before the transaction: SQLAlchemy begins one with the first query.
    with warehouse.sql() as sql, sql.transaction():
        newest = sql.find_highest(SYNC_RUNS, "started_at")
        # A clock that is temporarily ahead must not make every row look old.
        before = min(now, parse_time(newest) if newest else now) - timedelta(days=days)
        _forget_runs(sql, before)
        if is_made(VERIFY_RUNS, schema):
            _forget_verifications(sql, before)
        if not is_open_tables(sql.client):  # There dlt uses files, and keeps a hundred states.
            _forget_states(sql, pipeline.pipeline_name)
            _forget_loads(sql, before)
    pipeline.set_local_state_val(_DONE, now.isoformat())


def _read_done(warehouse: Warehouse) -> datetime | None:
    at = read_local(warehouse.pipeline, _DONE)
    return parse_time(at) if at else None


def _forget_runs(sql: Sql, before: datetime) -> None:
    rows = sql.select(SYNC_RUNS, Within("started_at", None, before), ("id", *RUN_COLUMNS))
    runs = {str(row["id"]): RunRecord.parse(row) for row in rows}
    # Compared by identity, because two runs may have equal contents.
    kept = set(map(id, find_runs_to_keep(runs.values())))
    forget(sql, SYNC_RUNS, "id", (name for name, run in runs.items() if id(run) not in kept))


def _forget_verifications(sql: Sql, before: datetime) -> None:
    """For each selection of accounts, keep the last verification and the last with status ok."""
    columns = ("id", "started_at", "status", "account_ids")
    rows = sql.select(VERIFY_RUNS, Within("started_at", None, before), columns)
    rows.sort(key=lambda row: parse_time(row["started_at"]))
    last = {row["account_ids"]: row["id"] for row in rows}
    fine = {row["account_ids"]: row["id"] for row in rows if row["status"] == "ok"}
    kept = {*last.values(), *fine.values()}
    forget(sql, VERIFY_RUNS, "id", (row["id"] for row in rows if row["id"] not in kept))


def _forget_states(sql: Sql, pipeline: str) -> None:
    """Delete states, except the newest of each schema that this pipeline has loaded with them."""
    schema = sql.schema
    if schema.state_table_name not in schema.tables:
        return
    is_complete = Equals("status", 0)
    loads = sql.select(schema.loads_table_name, is_complete, ("load_id", "schema_name"))
    schema_of = {row["load_id"]: row["schema_name"] for row in loads}
    columns = ("_dlt_id", LOAD_ID, "version")
    rows = sql.select(schema.state_table_name, Equals("pipeline_name", pipeline), columns)
    complete = [row for row in rows if row[LOAD_ID] in schema_of]
    kept = choose_states(complete, schema_of)
    gone = (row["_dlt_id"] for row in complete if row["_dlt_id"] not in kept)
    forget(sql, schema.state_table_name, "_dlt_id", gone)


def choose_states(rows: Iterable[Row], schema_of: Mapping[Any, Any]) -> set[Any]:
    """
    The ``_dlt_id`` of the states to keep: by schema, those of highest version and of newest load.

    This package restores the state of the highest version, and dlt that of the newest load. They
    differ if two machines load whose clocks differ.
    """
    kept: set[Any] = set()
    known = list(rows)
    for schema in set(schema_of.values()):
        of_schema = [row for row in known if schema_of[row[LOAD_ID]] == schema]
        for newest in ("version", LOAD_ID):
            of_schema.sort(key=lambda row, by=newest: (row[by], row[LOAD_ID]))  # type: ignore[misc]
            kept.update(row["_dlt_id"] for row in of_schema[-_NEWEST:])
    return kept


def _forget_loads(sql: Sql, before: datetime) -> None:
    """Delete loads that no row names, only of our schema: other sources may use the dataset."""
    schema = sql.schema
    loads, of_schema = schema.loads_table_name, Equals("schema_name", schema.name)
    old = _read_ids(sql, loads, AllOf(of_schema, Within("inserted_at", None, before)), "load_id")
    old -= set(sorted(_read_ids(sql, loads, of_schema, "load_id"), key=str)[-_NEWEST:])
    for name, table in schema.tables.items():
        is_filled = has_received_rows(table) or name == schema.state_table_name
        if old and is_filled and LOAD_ID in table["columns"]:
            old -= _read_ids(sql, name, Within(LOAD_ID, None, None), LOAD_ID)
    forget(sql, loads, "load_id", old)


def _read_ids(sql: Sql, table: str, where: Any, column: str) -> set[Value]:
    return {value for (value,) in sql.select_distinct(table, where, (column,))}
