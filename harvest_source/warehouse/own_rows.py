"""Insert one row into one of our own tables, as cheaply as the destination allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harvest_source.dlt_internals import OpenTables
from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import LOAD_ID
from harvest_source.warehouse.plain_inserts import PLAIN_SQL, find_newest_load
from harvest_source.warehouse.warehouse import Warehouse


def insert_row(warehouse: Warehouse, table: str, row: Mapping[str, Any]) -> None:
    """
    Insert one new *row* with an ``id`` into *table*, without a load where that is known to work.

    A dlt load costs as much as everything else in a run without changes.

    Raises:
        DestinationError: The destination refused.
    """
    if not takes_inserts(warehouse) or not is_made(table, warehouse.schema):
        warehouse.merge_own(table, [dict(row)])
        return
    with warehouse.sql() as sql:
        sql.insert(table, [{**row, LOAD_ID: find_newest_load(sql), "_dlt_id": row["id"]}])


def takes_inserts(warehouse: Warehouse) -> bool:
    """Whether rows with JSON can be inserted without a load; otherwise dlt has to load them."""
    destination = warehouse.pipeline.destination
    return isinstance(destination, OpenTables) or destination.destination_type in PLAIN_SQL
