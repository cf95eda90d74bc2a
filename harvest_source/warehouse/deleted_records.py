"""``deleted_records``: what was removed, when, and whether it came back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import AllOf, Condition, Equals, InTable, OneOf
from harvest_source.sql.values import format_decimal
from harvest_source.warehouse.plain_inserts import find_newest_load
from harvest_source.warehouse.sql import Row, Sql


@dataclass(frozen=True, slots=True)
class DeletedRow:
    """A row that is removed from its table, with child rows as lists under their arrays' names."""

    endpoint: Endpoint
    account_id: int
    row: Mapping[str, Any]

    def as_record(self, detected_at: datetime, *, keep_content: bool) -> Row:
        """Build the row of ``deleted_records``. Its key is the same however often it is built."""
        endpoint, row = self.endpoint, self.row
        key = tuple(str(row[name]) for name in endpoint.primary_key)
        content = repr((self.account_id, endpoint.name, key, detected_at.isoformat()))
        return {
            "account_id": self.account_id,
            "table_name": endpoint.name,
            "parent_id": row[endpoint.parent.key] if endpoint.parent else None,
            "id": row["id" if "id" in endpoint.primary_key else endpoint.primary_key[0]],
            "detected_at": detected_at,
            "restored_at": None,
            "record": _as_json(row) if keep_content else None,
            "_dlt_id": hashlib.blake2b(content.encode(), digest_size=16).hexdigest(),
        }


def find_unrecorded(sql: Sql, records: Sequence[Row]) -> list[Row]:
    """Return those of *records* that ``deleted_records`` does not have yet."""
    if not records:
        return []
    ids = [record["_dlt_id"] for record in records]
    known = {
        row for (row,) in sql.iter_values(DELETED_RECORDS, OneOf("_dlt_id", ids), ("_dlt_id",))
    }
    return [record for record in records if record["_dlt_id"] not in known]


def insert_records(sql: Sql, records: Sequence[Row]) -> None:
    """Add those of *records* to ``deleted_records`` that it does not have yet."""
    if unrecorded := find_unrecorded(sql, records):
        load = find_newest_load(sql)
        sql.insert(DELETED_RECORDS, [{**each, LOAD_ID: load} for each in unrecorded])


def mark_returned(sql: Sql, endpoints: Iterable[Endpoint], *, now: datetime) -> None:
    """Mark the records of rows that are in their table again."""
    if not is_made(DELETED_RECORDS, sql.schema):
        return
    is_missing = Equals("restored_at", None)
    by_name = {each.name: each for each in endpoints if "id" in each.primary_key}
    for table, account_id in sql.select_distinct(
        DELETED_RECORDS, is_missing, ("table_name", ACCOUNT_ID)
    ):
        if endpoint := by_name.get(table):
            _restore_rows(sql, endpoint, account_id, now)


def _restore_rows(sql: Sql, endpoint: Endpoint, account_id: int, now: datetime) -> None:
    of_account = Equals(ACCOUNT_ID, account_id)
    missing = AllOf(Equals("table_name", endpoint.name), of_account, Equals("restored_at", None))
    for parent in _find_parents_here(sql, endpoint, of_account, missing):
        here = AllOf(of_account, *parent)
        is_back = InTable("id", endpoint.name, "id", here)
        named = [Equals("parent_id", each.value) for each in parent]
        sql.update(DELETED_RECORDS, {"restored_at": now}, AllOf(missing, *named, is_back))


def _find_parents_here(
    sql: Sql, endpoint: Endpoint, of_account: Condition, missing: Condition
) -> list[tuple[Equals, ...]]:
    """
    For each parent with both removed and existing rows, the conditions that select its rows.

    A table without parents gets one entry without conditions. The same id may be below several
    parents: one person is a teammate of two managers.
    """
    if endpoint.parent is None:
        return [()]
    key = endpoint.parent.key
    is_here = InTable("parent_id", endpoint.name, key, of_account)
    parents = sql.select_distinct(DELETED_RECORDS, AllOf(missing, is_here), ("parent_id",))
    return [(Equals(key, parent),) for (parent,) in parents]


def _as_json(value: Any) -> Any:
    """Convert a record for JSON, without dlt's own columns; decimals become exact text."""
    if isinstance(value, Mapping):
        return {n: _as_json(v) for n, v in value.items() if not n.startswith("_dlt_")}
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    if isinstance(value, Decimal):
        return format_decimal(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
