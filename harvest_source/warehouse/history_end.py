"""The last version of a row that is gone: it held until now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from harvest_source.load.history import TableHistory
from harvest_source.warehouse.warehouse import Warehouse


def end_versions(warehouse: Warehouse, histories: Iterable[TableHistory], *, now: datetime) -> None:
    """
    Close the open versions of rows that their tables do not have any more.

    Raises:
        DestinationError: The destination refused.
    """
    with warehouse.sql() as client:
        for each in histories:
            if each.must_begin(warehouse.schema):
                continue
            table = client.make_qualified_table_name(each.endpoint.name)
            versions = client.make_qualified_table_name(each.table)
            same = " AND ".join(f"kept.{name} = gone.{name}" for name in each.endpoint.key)
            client.execute_sql(
                f"UPDATE {versions} AS gone SET valid_to = %s WHERE valid_to IS NULL "  # noqa: S608
                f"AND NOT EXISTS (SELECT 1 FROM {table} AS kept WHERE {same})",
                now,
            )
