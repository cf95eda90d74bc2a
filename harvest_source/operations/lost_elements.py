"""Delete array elements whose row is not in the warehouse: a row brings its own when it is read."""

from __future__ import annotations

from collections.abc import Iterable

from harvest_source.extract.run_log import Place
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.removal import delete_lost_elements, find_arrays
from harvest_source.warehouse.warehouse import Warehouse


def delete_lost_elements_below(warehouse: Warehouse, places: Iterable[Place]) -> None:
    """
    Delete the elements without a row from all arrays of some tables, also from undeclared arrays.

    Args:
        places: The tables of the rows, each with an account.

    Raises:
        DestinationError: The destination refused.
    """
    arrays = [
        (array, account_id)
        for name, account_id in places
        for array in _find_arrays(warehouse, BY_NAME[name])
    ]
    if arrays:
        with warehouse.sql() as sql, sql.transaction():
            for array, account_id in arrays:
                if ACCOUNT_ID in sql.columns_of(array):
                    delete_lost_elements(sql, array, account_id)


def _find_arrays(warehouse: Warehouse, endpoint: Endpoint) -> set[str]:
    """The child tables that the warehouse has; another file's log may fill an empty one."""
    declared = filter(warehouse.has_table, endpoint.child_tables)
    return {*declared, *find_arrays(warehouse.schema, endpoint)}
