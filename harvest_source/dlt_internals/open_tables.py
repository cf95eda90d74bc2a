"""
dlt's destination ``filesystem`` with full support for Delta and Iceberg tables.

It differs from dlt 1.31 in three ways. A load of a table and its child tables is one job, which
replaces each parent's elements as a whole and keeps versions (``scd2``). Tables are read with
Arrow, where dlt needs DuckDB extensions that it downloads. And tables can be created and extended
without rows. Everything else is dlt's own, so plain dlt can read and load what this one wrote.

Without dlt's ``FilesystemClient``: refuse the destination, as with plain files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import dlt
from dlt.common.schema.typing import C_DLT_ID

from harvest_source.defaults import TABLE_FORMATS
from harvest_source.dlt_internals.own_destination import OwnDestination

if TYPE_CHECKING:
    from harvest_source.dlt_internals.open_table import OpenTable

_STRATEGIES: Final[Any] = ("delete-insert",)


class OpenTables(OwnDestination, dlt.destinations.filesystem):
    """dlt's filesystem destination with our own client."""

    dlts_type = "dlt.destinations.filesystem"

    @property
    def client_class(self) -> Any:
        """The client's class, imported when dlt asks for it."""
        from harvest_source.dlt_internals.open_tables_client import OpenTablesClient

        return OpenTablesClient

    def _raw_capabilities(self) -> Any:
        capabilities = super()._raw_capabilities()
        capabilities.supported_merge_strategies = [*_STRATEGIES]
        capabilities.merge_strategies_selector = _choose_strategies
        return capabilities


def _choose_strategies(known: Sequence[Any], /, *, table_schema: Any) -> Sequence[Any]:
    return known if table_schema.get("table_format") in TABLE_FORMATS else []


def is_open_tables(client: Any) -> TypeGuard[Any]:
    """Whether *client*, a destination client or its SQL client, is one of ours."""
    return getattr(client, "has_open_tables", False)


def find_open_table(sql_client: Any, name: str) -> OpenTable:
    """Open the table *name* through our own SQL client."""
    table: OpenTable = sql_client.remote_client.open_table(name)
    return table


def find_row_key(schema: dlt.Schema, table: str) -> tuple[str, ...]:
    """
    Find the columns that identify a row of *table*, by its hints.

    For a table with versions these are the digest and the version's start: a later version may have
    the same digest as an earlier one.
    """
    columns = schema.get_table_columns(table)
    for hints in (("x-row-version", "x-valid-from"), ("primary_key",), ("row_key",)):
        found = tuple(n for n, each in columns.items() if any(each.get(hint) for hint in hints))
        if found:
            return found
    return (C_DLT_ID,)


def find_table_format(schema: dlt.Schema) -> str | None:
    """The format of the tables of *schema* in the destination; None if not known yet."""
    formats = (table.get("table_format") for table in schema.data_tables(seen_data_only=True))
    return next((str(each) for each in formats if each in TABLE_FORMATS), None)
