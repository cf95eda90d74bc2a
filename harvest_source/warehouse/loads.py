"""Which loads the warehouse has, whichever run loaded."""

from __future__ import annotations

from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.warehouse import Warehouse


def read_load_ids(warehouse: Warehouse) -> frozenset[str]:
    """
    The ids of all loads that are complete.

    Raises:
        DestinationError: It has no SQL, or refused.
    """
    loads = warehouse.schema.loads_table_name
    if warehouse.pipeline.default_schema_name is None:
        return frozenset()
    with warehouse.sql() as sql:
        return frozenset(str(each) for (each,) in sql.iter_values(loads, EVERY_ROW, ("load_id",)))
