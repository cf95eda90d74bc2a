"""The schemas that dlt stores in the destination: one for each change of a table or column."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.open_tables import is_open_tables
from harvest_source.sql import statements
from harvest_source.sql.conditions import Equals


@dataclass(frozen=True, slots=True)
class DltNames:
    """dlt's own tables as the destination spells them."""

    client: SqlJobClientBase

    def table(self, name: str) -> str:
        return self.client.sql_client.make_qualified_table_name(name)

    def column(self, name: str) -> str:
        normalized = self.client.schema.naming.normalize_path(name)
        return self.client.sql_client.escape_column_name(normalized)


def find_stored_schema(client: Any, name: str) -> dlt.Schema | None:
    """
    Find the schema *name* with the highest version; None if the destination has none.

    dlt 1.31 takes the schema that was stored last, by the clock of the machine that stored it: if
    one machine's clock is ahead, columns that another one has added since would be missing, and a
    value of another type would be refused. Without ``get_stored_schema_by_hash`` and the names of
    dlt's files: ``get_stored_schema``, which is dlt's choice.
    """
    if not isinstance(client, WithStateSync):
        return None
    try:
        digest = _find_highest(client, name)
    except DestinationUndefinedEntity:
        return None
    found = client.get_stored_schema_by_hash(digest) if digest else client.get_stored_schema(name)
    return None if found is None else dlt.Schema.from_dict(json.loads(found.schema))


def _find_highest(client: Any, name: str) -> str:
    """The hash of the schema with the highest version; empty if it is not known."""
    if is_open_tables(client):
        paths = [path for path, parts in client._iter_stored_schema_files() if parts[0] == name]
        stored = [json.loads(client.fs_client.read_text(each, encoding="utf-8")) for each in paths]
        newest = max(stored, key=lambda each: int(each["version"]), default=None)
        return "" if newest is None else str(newest["version_hash"])
    if not isinstance(client, SqlJobClientBase):
        return ""
    query, parameters = statements.select(
        DltNames(client),
        client.schema.version_table_name,
        Equals("schema_name", name),
        ("version_hash",),
        order_by=dict.fromkeys(("version", "inserted_at")),
        descending=True,
        limit=client.sql_client._limit_clause_sql(1),
    )
    with client.sql_client.execute_query(query, *parameters) as cursor:
        row = cursor.fetchone()
    return "" if row is None else str(row[0] or "")


def restore_schema(pipeline: dlt.Pipeline, name: str) -> None:
    """
    Give a *pipeline* that has no schema the one that the destination has, if it has one.

    dlt restores schemas only together with a state of the same pipeline. There is none after a
    first load that was killed, or if another pipeline has loaded the tables; dlt would then take
    its tables for new. Call ``sync_destination`` next, which stores it in the pipeline's state.
    Without ``_schema_storage``: ``Pipeline.sync_schema``.
    """
    with pipeline.destination_client() as client:
        schema = find_stored_schema(client, name)
    if schema is not None:
        internals: Any = pipeline  # dlt declares the name as None, which it is at first.
        internals._schema_storage.save_schema(schema)
        internals.default_schema_name = name
