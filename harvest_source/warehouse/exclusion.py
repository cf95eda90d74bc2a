"""Empty columns that were loaded before they were excluded, in history and records too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from harvest_source.dlt_internals import iter_array_tables
from harvest_source.errors import counted
from harvest_source.load.history import TableHistory
from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import ACCOUNT_ID, SEPARATOR
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import EVERY_ROW, AllOf, Equals, Within
from harvest_source.warehouse.removal import delete_all
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.warehouse import Warehouse

_KEY: Final = ("table_name", ACCOUNT_ID, "id", "detected_at")


def empty_excluded(warehouse: Warehouse, exclude: frozenset[str]) -> list[str]:
    """
    Empty every column of *exclude* that the warehouse has, whichever tables this run reads.

    Sends no statement if no excluded column was ever loaded.

    Args:
        exclude: Names as ``table.column``; for an array, the rows of its child table are deleted,
            and those of the tables below it.

    Returns:
        What was emptied, as messages for the user.

    Raises:
        DestinationError: The destination refused.
    """
    places = [name.partition(".")[::2] for name in sorted(exclude)]
    known = [place for place in places if any(_iter_places(warehouse, *place))]
    if not known:
        return []
    with warehouse.sql() as sql:
        return [text for place in known if (text := _empty(warehouse, sql, *place))]


def _iter_places(warehouse: Warehouse, table: str, column: str) -> Iterator[tuple[str, str]]:
    """Yield tables and columns that hold values of *column*; for a child table, column ``""``."""
    tables = warehouse.schema.tables
    for name in (table, TableHistory(BY_NAME[table]).table):
        if warehouse.has_table(name):
            for each, hint in tables[name]["columns"].items():
                is_below = each == column or each.startswith(column + SEPARATOR)
                if is_below and hint.get("data_type"):
                    yield name, each
    for child in iter_array_tables(warehouse.schema, table + SEPARATOR + column):
        yield child, ""


def _empty(warehouse: Warehouse, sql: Sql, table: str, column: str) -> str:
    """Empty one column everywhere; return what was emptied, or an empty text."""
    found = []
    for name, each in _iter_places(warehouse, table, column):
        where = Within(each, None, None) if each else EVERY_ROW
        if not (rows := sql.count(name, where)):
            continue
        if each:
            sql.update(name, {each: None}, where)
        else:
            delete_all(sql, name)
        found.append(f"{counted(rows, 'value')} in {name}")
    if not found:
        return ""
    if rows := _empty_records(warehouse, sql, table, column):
        found.append(f"{counted(rows, 'value')} in {DELETED_RECORDS}")
    return f"{table}.{column} is excluded, and its loaded values were removed: {', '.join(found)}."


def _empty_records(warehouse: Warehouse, sql: Sql, table: str, column: str) -> int:
    """Remove *column* from the records of deleted rows; return how many had it."""
    emptied = 0
    if not is_made(DELETED_RECORDS, warehouse.schema):
        return emptied
    for row in sql.select(DELETED_RECORDS, Equals("table_name", table), (*_KEY, "record")):
        record: Any = row["record"]
        content = json.loads(record) if isinstance(record, str) else record
        if not content:
            continue
        names = [n for n in content if n == column or n.startswith(column + SEPARATOR)]
        if any(content[name] for name in names):
            kept = {name: value for name, value in content.items() if name not in names}
            where = AllOf(*(Equals(name, row[name]) for name in _KEY))
            sql.update(DELETED_RECORDS, {"record": json.dumps(kept)}, where)
            emptied += 1
    return emptied
