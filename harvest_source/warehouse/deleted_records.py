"""``deleted_records``: what was removed, when, and whether it came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from harvest_source.load.own_tables import DELETED_RECORDS, is_made
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.warehouse.sql import AllOf, Equals, InTable, Within
from harvest_source.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class DeletedRow:
    """A row that leaves its table, child rows as lists under their arrays' names."""

    table: str
    account_id: int
    row: Mapping[str, Any]

    def as_record(self, now: datetime, *, keep_content: bool) -> dict[str, Any]:
        """The row of ``deleted_records``."""
        return {
            "account_id": self.account_id,
            "table_name": self.table,
            "id": self.row["id"],
            "detected_at": now,
            "restored_at": None,
            "record": _as_json(self.row) if keep_content else None,
        }


def record(
    warehouse: Warehouse, rows: Sequence[DeletedRow], *, now: datetime, keep_content: bool
) -> None:
    """
    Record rows that are about to be deleted, in one load; none: nothing is loaded.

    Args:
        keep_content: False: only the ids are kept.

    Raises:
        DestinationError: The destination refused.
    """
    if rows:
        records = [each.as_record(now, keep_content=keep_content) for each in rows]
        warehouse.append(DELETED_RECORDS, records)


def restore(warehouse: Warehouse, endpoints: Iterable[Endpoint], *, now: datetime) -> None:
    """
    Mark the records of rows that are in their table again.

    Raises:
        DestinationError: The destination refused.
    """
    if not is_made(DELETED_RECORDS, warehouse.schema):
        return
    tables = {endpoint.name for endpoint in endpoints}
    is_missing = Equals("restored_at", None)
    with warehouse.sql() as sql:
        places = sql.select_distinct(DELETED_RECORDS, is_missing, ("table_name", ACCOUNT_ID))
        for table, account_id in places:
            if table in tables:
                of_account = Equals(ACCOUNT_ID, account_id)
                is_back = InTable("id", table, "id", of_account)
                where = AllOf(Equals("table_name", table), of_account, is_missing, is_back)
                sql.update(DELETED_RECORDS, {"restored_at": now}, where)


def forget(warehouse: Warehouse, days: int | None, *, now: datetime) -> None:
    """
    Delete records that are older than *days*; None: keep all.

    Raises:
        DestinationError: The destination refused.
    """
    if days is None or not is_made(DELETED_RECORDS, warehouse.schema):
        return
    with warehouse.sql() as sql:
        sql.delete(DELETED_RECORDS, Within("detected_at", None, now - timedelta(days=days)))


def _as_json(value: Any) -> Any:
    """A record as JSON can hold it, without dlt's own columns; decimals as exact text."""
    if isinstance(value, Mapping):
        return {n: _as_json(v) for n, v in value.items() if not n.startswith("_dlt_")}
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value.isoformat() if isinstance(value, date | datetime) else value
