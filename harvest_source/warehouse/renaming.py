"""
Rename columns whose name has changed since the version that made the warehouse.

They are renamed in place: rows, grants and comments are kept. A sync does this before it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import dlt

from harvest_source.dlt_internals import (
    JobClient,
    drop_staging,
    find_stored_columns,
    find_table,
    rename_in_schema,
    spell_as_stored,
    sql_client_of,
    store_schema,
)
from harvest_source.errors import counted
from harvest_source.load.state import rename_columns_in_removals
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.warehouse.pipeline import PipelineFolder
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.views import change_below_views

Renames: TypeAlias = Mapping[str, Mapping[str, str]]
"""By table in dlt's schema: a mapping of the columns' earlier names to today's."""

_DUCKDB: Final = ("duckdb", "motherduck")
"""Suffixes of the destinations in which views do not follow a renamed column."""

_SHOWN: Final = 3
"""Tables that a warning names."""


def find_renames(schema: dlt.Schema) -> Renames:
    """Find columns that dlt's *schema* still has under an earlier name."""
    found = {}
    for endpoint in ENDPOINTS:
        table = find_table(schema, endpoint.name)
        columns = schema.tables.get(table, {"columns": {}})["columns"]
        names = {
            earlier: name
            for earlier, name in endpoint.earlier_names.items()
            if earlier in columns and name not in columns
        }
        if names:
            found[table] = names
    return found


def rename_columns(folder: PipelineFolder) -> list[str]:
    """
    Rename columns that have an earlier name: in the destination, in our state, in dlt's schema.

    The schema comes last, and each step is idempotent: if a run is stopped, the next one finds the
    columns by the schema and finishes. Call it when no package waits, since a package's rows have
    the earlier names.

    Returns:
        Warnings for the user, whose own queries have to change.
    """
    pipeline = folder.pipeline
    renames: Renames = (
        {} if pipeline.default_schema_name is None else find_renames(pipeline.default_schema)
    )
    if not renames:
        return []
    with pipeline.destination_client() as client:
        # The tables in the staging dataset have the earlier names, too.
        drop_staging(client)
        broken = _rename_at_destination(client, pipeline.default_schema, renames)
    folder.write_state(lambda state: rename_columns_in_removals(state, renames))
    schema = pipeline.default_schema.clone()
    for table, names in renames.items():
        rename_in_schema(schema, table, names)
    store_schema(pipeline, schema)
    return [_describe(renames, broken)]


def _rename_at_destination(client: JobClient, schema: dlt.Schema, renames: Renames) -> list[str]:
    """Rename columns in the destination; return the users' own views that this breaks."""
    stored = find_stored_columns(client, renames)
    due = {
        table: {
            earlier: name
            for earlier, name in names.items()
            if spell_as_stored(client, earlier) in stored.get(table, ())
        }
        for table, names in renames.items()
    }
    if not any(due.values()):
        return []
    sql = Sql(sql_client_of(client), schema)

    def rename() -> None:
        for table, names in due.items():
            for earlier, name in names.items():
                sql.rename_column(table, earlier, name)

    if client.config.destination_type.endswith(_DUCKDB):
        return change_below_views(sql, rename)
    with sql.transaction():
        rename()
    return []


def _describe(renames: Renames, broken: list[str]) -> str:
    tables, names = sorted(renames), next(iter(renames.values()))
    named = ", ".join(tables[:_SHOWN]) + (" ..." if len(tables) > _SHOWN else "")
    changes = ", ".join(f'"{earlier}" is {name} now' for earlier, name in names.items())
    text = (
        f"Columns were renamed in {counted(len(tables), 'table')} ({named}): {changes}. DuckDB "
        "and PostgreSQL reserve the earlier names. Change your own queries that use them."
    )
    if broken:
        text += f" These views no longer work: {', '.join(broken)}."
    return text
