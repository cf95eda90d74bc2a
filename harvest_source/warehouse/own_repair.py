"""
Restore dropped columns of dlt's tables and of our own, and recompute their values.

No database can add a NOT NULL column to a table with rows, so such a column is added as nullable
and filled with values computed from the other columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import dlt
from dlt.common.schema.typing import TTableSchemaColumns

from harvest_source.dlt_internals import (
    JobClient,
    create_unrecorded,
    has_table,
    sql_client_of,
)
from harvest_source.load.history import DIGEST, VALID_FROM, VALID_TO, TableHistory
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoints import BY_NAME, ENDPOINTS
from harvest_source.schema.own_tables import DELETED_RECORDS, SYNC_RUNS
from harvest_source.schema.run_record import parse_json
from harvest_source.sql.conditions import EVERY_ROW, AllOf, AnyOf, Equals, Value
from harvest_source.warehouse.plain_inserts import find_newest_load
from harvest_source.warehouse.removal import PORTION, delete_all
from harvest_source.warehouse.sql import Row, Sql


@dataclass(frozen=True, slots=True)
class ColumnFill:
    """
    How a lost value is recomputed.

    Attributes:
        by: Columns that identify a row; if empty, every row gets the same value.
        compute: Returns the value from these columns and *reads*; None if it cannot be computed.
        reads: Other columns from which the value is computed.
    """

    by: tuple[str, ...]
    compute: Callable[[Row], Value]
    reads: tuple[str, ...] = ()


def _always(value: Value) -> ColumnFill:
    return ColumnFill((), lambda _: value)


def _copied(column: str) -> ColumnFill:
    return ColumnFill((column,), lambda row: row[column])


def _dated(load_id: str) -> ColumnFill:
    """The time of the load, because load ids are timestamps."""
    return ColumnFill((load_id,), lambda row: _read_time(row[load_id]))


def _read_time(load_id: Any) -> datetime | None:
    return None if load_id is None else datetime.fromtimestamp(float(load_id), UTC)


def _read_started(row: Row) -> Value:
    return row["ended_at"] or _read_time(row[LOAD_ID])


def _read_ended(row: Row) -> Value:
    return row["started_at"] or _read_time(row[LOAD_ID])


def _read_status(row: Row) -> Value:
    return "partial" if parse_json(row["errors"]) else "ok"


def _read_record(key: str) -> ColumnFill:
    """Read *key* from the deleted row itself, if its content is kept."""

    def compute(row: Row) -> Value:
        content = parse_json(row["record"]) or {}
        endpoint = BY_NAME.get(row["table_name"] or "")
        is_report = key == "id" and endpoint is not None and "id" not in endpoint.primary_key
        found: Value = content.get(endpoint.primary_key[0] if is_report and endpoint else key)
        return found

    return ColumnFill(("_dlt_id",), compute, ("record", "table_name"))


def _identify(row: Row) -> Value:
    return "-".join(str(each) for each in row.values())


FILLS: Final[Mapping[str, Mapping[str, ColumnFill]]] = {
    SYNC_RUNS: {
        "id": _copied("_dlt_id"),
        "_dlt_id": _copied("id"),
        "started_at": ColumnFill(("id",), _read_started, ("ended_at", LOAD_ID)),
        "ended_at": ColumnFill(("id",), _read_ended, ("started_at", LOAD_ID)),
        "status": ColumnFill(("id",), _read_status, ("errors",)),
    },
    DELETED_RECORDS: {
        ACCOUNT_ID: _read_record(ACCOUNT_ID),
        "id": _read_record("id"),
        "detected_at": _dated(LOAD_ID),
        "_dlt_id": ColumnFill(
            (ACCOUNT_ID, "table_name", "parent_id", "id", "detected_at"), _identify
        ),
    },
}
"""
By table and column. ``deleted_records.table_name`` cannot be computed from others and stays null.

A row's ``_dlt_id`` only has to differ from every other row's: it prevents a removal that was
interrupted from being recorded twice.
"""

DLT_FILLS: Final[Mapping[str, Mapping[str, ColumnFill]]] = {
    "_dlt_loads": {"status": _always(0), "inserted_at": _dated("load_id")},
    "_dlt_version": {
        "version": _always(0),
        "engine_version": _always(0),
        # The newest schema has the highest version, but dlt takes the one with the latest time.
        "inserted_at": ColumnFill(
            ("version",), lambda row: datetime.fromtimestamp(row["version"] or 0, UTC)
        ),
        "version_hash": _always(""),
    },
    "_dlt_pipeline_state": {
        "version": _always(0),
        "engine_version": _always(0),
        "created_at": _dated(LOAD_ID),
        "_dlt_id": _copied(LOAD_ID),
    },
}
"""
The same for dlt's tables. If another NOT NULL column is missing, their rows are useless: the table
is then emptied, and a sync repairs that as it repairs a dropped table.
"""


def mend_dlt_tables(client: JobClient, incomplete: Mapping[str, TTableSchemaColumns]) -> None:
    """
    Add the columns that dlt's own tables lack, before dlt or this package reads them.

    Args:
        incomplete: Tables that lack columns, with these columns.
    """
    schema = client.schema
    for name in schema.dlt_table_names():
        lacking = incomplete.get(name, {})
        if not lacking or lacking.keys() == schema.get_table_columns(name).keys():
            continue  # A missing table is created together with our own.
        needed = find_needed(lacking, lacking)
        fills, sql = DLT_FILLS.get(name, {}), Sql(sql_client_of(client), schema)
        if not fills.keys() >= needed:
            delete_all(sql, name)
        create_unrecorded(client, [name])
        for column in needed & fills.keys():
            _fill(sql, name, column, fills[column])


def find_needed(hints: TTableSchemaColumns, columns: Iterable[str]) -> set[str]:
    """Return those of *columns* that the *hints* of their table declare as never null."""
    return {column for column in columns if not hints[column].get("nullable", True)}


def fill_own_tables(sql: Sql) -> None:
    """Fill values that are null but must not be, in our own tables and in history tables."""
    for table, fills in (*FILLS.items(), *_iter_histories(sql.schema)):
        needed = [Equals(column, None) for column in (*fills, LOAD_ID)]
        if has_table(sql.schema, table) and sql.count(table, AnyOf(*needed)):
            for column, fill in {**fills, LOAD_ID: _always(find_newest_load(sql))}.items():
                _fill(sql, table, column, fill)


def _iter_histories(schema: dlt.Schema) -> Iterator[tuple[str, Mapping[str, ColumnFill]]]:
    """Yield fills of history tables. A row that is read again will not match a filled digest."""
    for endpoint in ENDPOINTS:
        history = TableHistory(endpoint).table
        if history in schema.tables:
            yield (
                history,
                {
                    VALID_FROM: _dated(LOAD_ID),
                    DIGEST: ColumnFill((*endpoint.key, VALID_FROM), _identify),
                },
            )


def restore_version_ends(sql: Sql, missing: Mapping[str, TTableSchemaColumns]) -> None:
    """
    End each version of a row when the next one starts, if all ends were lost.

    Args:
        missing: The columns that tables lacked and now have again.
    """
    for endpoint in ENDPOINTS:
        table = TableHistory(endpoint).table
        lacking = missing.get(table, {})
        if VALID_TO not in lacking or VALID_FROM in lacking:
            continue
        rows = sql.select(table, EVERY_ROW, (*endpoint.key, VALID_FROM))
        begun = sorted(rows, key=lambda row: tuple(row.values()))
        for row, after in pairwise(begun):
            if all(row[name] == after[name] for name in endpoint.key):
                version = AllOf(*(Equals(name, value) for name, value in row.items()))
                sql.update(table, {VALID_TO: after[VALID_FROM]}, version)


def _fill(sql: Sql, table: str, column: str, fill: ColumnFill) -> None:
    empty = Equals(column, None)
    if not fill.by:
        sql.update(table, {column: fill.compute({})}, empty)
        return
    rows = sql.select(table, empty, (*fill.by, *fill.reads))
    values = list(_iter_values(rows, fill))
    if len(fill.by) > 1:
        for key, value in values:
            row = [Equals(name, part) for name, part in zip(fill.by, key, strict=True)]
            sql.update(table, {column: value}, AllOf(empty, *row))
        return
    for at in range(0, len(values), PORTION):
        portion = {key[0]: value for key, value in values[at : at + PORTION]}
        sql.assign(table, column, fill.by[0], portion)


def _iter_values(rows: list[Row], fill: ColumnFill) -> Iterator[tuple[tuple[Value, ...], Value]]:
    """Yield key and value of each of *rows* for which a value can be computed."""
    for row in rows:
        key, value = tuple(row[name] for name in fill.by), fill.compute(row)
        if value is not None and (len(key) > 1 or key[0] is not None):
            yield key, value
