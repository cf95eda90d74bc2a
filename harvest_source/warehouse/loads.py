"""Which loads the warehouse has, of any run."""

from __future__ import annotations

from harvest_source.sql.conditions import EVERY_ROW
from harvest_source.warehouse.warehouse import Warehouse


def read_load_ids(warehouse: Warehouse) -> frozenset[str]:
    """
    Read the ids of all loads that dlt has recorded, which it does when a load is complete.

    Raises:
        DestinationError: The destination has no SQL, or refused.
    """
    loads = warehouse.schema.loads_table_name
    if warehouse.pipeline.default_schema_name is None:
        return frozenset()
    with warehouse.sql() as sql:
        return frozenset(str(each) for (each,) in sql.iter_values(loads, EVERY_ROW, ("load_id",)))
