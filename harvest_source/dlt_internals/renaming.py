"""Rename columns in dlt's schema and in the destination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dlt
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.destinations import JobClient


def find_stored_columns(client: JobClient, tables: Iterable[str]) -> dict[str, set[str]]:
    """
    The columns of *tables* in the destination, by table, in the destination's spelling.

    Empty for destinations without SQL. Without ``get_storage_tables``: query
    ``information_schema.columns``.
    """
    if not isinstance(client, SqlJobClientBase):
        return {}
    return {name: set(columns) for name, columns in client.get_storage_tables(list(tables))}


def spell_as_stored(client: JobClient, name: str) -> str:
    """
    Spell a name as the destination does: some destinations use capitals.

    Without ``casefold_identifier``: compare names case-insensitively.
    """
    return str(client.capabilities.casefold_identifier(name))


def rename_in_schema(schema: dlt.Schema, table: str, names: Mapping[str, str]) -> None:
    """
    Rename columns of *table* in dlt's *schema*, keeping their order; *names* maps old to new.

    dlt has no function for this. Without ``schema.tables``: change ``schema.to_dict()`` and build a
    schema from it.
    """
    columns = schema.tables[table]["columns"]
    schema.tables[table]["columns"] = {
        names.get(name, name): {**column, "name": names.get(name, name)}
        for name, column in columns.items()
    }


def store_schema(pipeline: dlt.Pipeline, schema: dlt.Schema) -> None:
    """
    Store a *schema* that was changed by hand: at the destination first, then in the working folder.

    Other machines get the destination's newest schema. No table is created. Without
    ``update_stored_schema``: insert a row into ``_dlt_version``.
    """
    schema._bump_version()
    with pipeline.destination_client() as client:
        client.schema = schema
        client.update_stored_schema(only_tables=[schema.version_table_name])
    pipeline.schemas.save_schema(schema)
