"""Build dlt's destination for a target."""

from __future__ import annotations

from typing import Any, Final

from harvest_source.dlt_internals import build_duckdb, find_destination, supports_merge
from harvest_source.errors import ConfigError
from harvest_source.warehouse.table_format import choose_table_format
from harvest_source.warehouse.target import Target, explain_unknown

_MERGE: Final = "delete-insert"


def build_destination(target: Target) -> Any:
    """
    Build dlt's destination for *target*.

    Raises:
        ConfigError: dlt has no such destination, or it cannot merge.
    """
    if target.database is not None:
        # dlt would resolve a relative path in the folder where its pipeline was first run.
        return build_duckdb(str(target.database.absolute()), read_only=target.only_reads)
    if (found := find_destination(target.destination)) is None:
        raise ConfigError(explain_unknown(target.destination))
    choose_table_format(found, target)
    if not supports_merge(found, _MERGE):
        msg = (
            f"Destination {target.destination[:80]} cannot replace rows: dlt would append each one "
            "again whenever it is read. Sync to a database (duckdb is the default), or write files "
            "from Python, where you say how: pipeline.run(harvest(), ...)."
        )
        raise ConfigError(msg)
    return found
