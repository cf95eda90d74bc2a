"""Delete array elements whose row is not in the warehouse: a row brings its own when it is read."""

from __future__ import annotations

from collections.abc import Iterable

from harvest_source.extract.run_log import Place
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.removal import delete_lost_elements
from harvest_source.warehouse.warehouse import Warehouse


def delete_lost_elements_below(warehouse: Warehouse, places: Iterable[Place]) -> None:
    """
    Delete the elements without a row from all arrays of some tables.

    Args:
        places: The tables of the rows, each with an account.

    Raises:
        DestinationError: The destination refused.
    """
    arrays = [
        (array, account_id)
        for name, account_id in places
        for array in BY_NAME[name].child_tables
        if warehouse.has_table(array)
    ]
    if arrays:
        with warehouse.sql() as sql, sql.transaction():
            for array, account_id in arrays:
                delete_lost_elements(sql, array, account_id)
