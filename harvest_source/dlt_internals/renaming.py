"""Columns under another name, in dlt's schema and in the destination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dlt
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.destinations import JobClient


def find_stored_columns(client: JobClient, tables: Iterable[str]) -> dict[str, set[str]]:
    """
    The columns that the destination has of *tables*, by table, in its own spelling.

    Nothing is known of destinations without SQL. Without ``get_storage_tables``: query
    ``information_schema.columns``.
    """
    if not isinstance(client, SqlJobClientBase):
        return {}
    return {name: set(columns) for name, columns in client.get_storage_tables(list(tables))}


def spell_as_stored(client: JobClient, name: str) -> str:
    """
    A name as the destination's own tables spell it: in capitals in some of them.

    Without ``casefold_identifier``: compare names without their case.
    """
    return str(client.capabilities.casefold_identifier(name))


def rename_in_schema(schema: dlt.Schema, table: str, names: Mapping[str, str]) -> None:
    """
    Give columns of *table* in dlt's *schema* other names, at their places; *names*: old to new.

    dlt has no function for it. Without ``schema.tables``: change ``schema.to_dict()``, and make a
    schema of it.
    """
    columns = schema.tables[table]["columns"]
    schema.tables[table]["columns"] = {
        names.get(name, name): {**column, "name": names.get(name, name)}
        for name, column in columns.items()
    }


def store_schema(pipeline: dlt.Pipeline, schema: dlt.Schema) -> None:
    """
    Store a *schema* that was changed by hand: at the destination first, then in the working folder.

    The destination's newest schema is what other machines get. No table is created. Without
    ``update_stored_schema``: insert a row into ``_dlt_version``.
    """
    schema._bump_version()
    with pipeline.destination_client() as client:
        client.schema = schema
        client.update_stored_schema(only_tables=[schema.version_table_name])
    pipeline.schemas.save_schema(schema)
