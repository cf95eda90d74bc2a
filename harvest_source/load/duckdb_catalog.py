"""
One repair of dlt, for as long as dlt needs it: the catalog's name where DuckDB asks for it.

DuckDB names a catalog after its file, and refuses ``harvest.clients`` in ``harvest.duckdb``: is
``harvest`` the catalog or the schema? dlt 1.31 names tables by their dataset alone, so its own
default, a file that bears the pipeline's name, fails as soon as the dataset bears it too. Naming
the catalog first ends the doubt. dlt does just that for MotherDuck.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

_catalog_name = DuckDbSqlClient.catalog_name


def catalog_name(client: DuckDbSqlClient, *args: Any, **options: Any) -> str | None:
    """The catalog of *client*'s file when the dataset bears the same name; else as dlt has it."""
    if type(client) is DuckDbSqlClient:
        name = Path(str(client.credentials.database)).stem
        if name.lower() == client.dataset_name.lower():
            quote = args[0] if args else options.get("quote", True)
            return str(client.capabilities.escape_identifier(name)) if quote else name
    return _catalog_name(client, *args, **options)


def _no_warning(_client: DuckDbSqlClient) -> None:
    """dlt warns of confusion; there is none once the catalog is named."""


def name_catalogs() -> None:
    """
    Let dlt's DuckDB client name its catalog when it must. Applying it again changes nothing.

    For the whole process: the client is made deep inside dlt. Only files that could not be loaded
    into before are addressed otherwise.
    """
    client: Any = DuckDbSqlClient
    client.catalog_name = catalog_name
    client.warn_if_catalog_equals_dataset_name = _no_warning
