"""
What dlt does not notice between two runs: tables dropped by hand, older copies of a database.

dlt remembers which tables it made and how far it read, and believes that. Here the destination is
asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dlt
from dlt.common.destination.client import JobClientBase, WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

from harvest_source.endpoints import BY_NAME
from harvest_source.source import NAME


def is_ahead(pipeline: dlt.Pipeline) -> bool:
    """
    Whether the working folder has cursors that the destination does not know of.

    State travels with the rows it stands for. So when nothing is pending, such a folder has seen
    rows that are not there: somebody put an older copy of the database back, or another database
    in its place.
    """
    state = pipeline.state
    if NAME not in state.get("sources", {}) or not pipeline.config.restore_from_destination:
        return False
    with pipeline.destination_client() as client:
        if not isinstance(client, WithStateSync):
            return False
        try:
            there = load_pipeline_state_from_destination(pipeline.pipeline_name, client)
        except DestinationUndefinedEntity:
            return True
    return there is None or there["_state_version"] < state["_state_version"]


def remake_tables(pipeline: dlt.Pipeline) -> list[str]:
    """
    Make tables and columns again that somebody dropped; what was in them is read again.

    Returns:
        The names of Harvest's tables to be read again.
    """
    if pipeline.default_schema_name is None:
        return []
    schema = pipeline.default_schema
    with pipeline.destination_client() as client:
        missing = sorted(_find_missing(schema, client))
        own = [name for name in missing if _root(schema, name) not in BY_NAME]
        if own:
            client.update_stored_schema(only_tables=own, force=True)
    lost = sorted({_root(schema, name) for name in missing} & BY_NAME.keys())
    if not lost:
        return []
    # Cursors first, and at the destination: killed in between, the next run finds the table
    # missing still.
    _forget(pipeline, lost)
    with pipeline.destination_client() as client:
        client.update_stored_schema(
            only_tables=[name for name in missing if name not in own], force=True
        )
    return lost


def _find_missing(schema: Schema, client: JobClientBase) -> Iterator[str]:
    """Tables that dlt has made and that are not there, or not with all their columns."""
    if not isinstance(client, SqlJobClientBase):
        return
    made = [
        name
        for name, table in schema.tables.items()
        if has_table_seen_data(table) or name in schema.dlt_table_names()
    ]
    is_case_sensitive = client.capabilities.generates_case_sensitive_identifiers()
    for name, columns in client.get_storage_tables(made):
        if schema.get_new_table_columns(name, columns, case_sensitive=is_case_sensitive):
            yield name


def _root(schema: Schema, table: str) -> str:
    """The table whose rows *table* belongs to."""
    return str(get_root_table(schema.tables, table)["name"])


def _forget(pipeline: dlt.Pipeline, tables: Iterable[str]) -> None:
    """Take away what is stored of *tables*, here and at the destination."""
    with pipeline.managed_state(extract_state=True) as state:
        resources = state.get("sources", {}).get(NAME, {}).get("resources", {})
        for table in tables:
            resources.pop(table, None)
    pipeline.normalize()
    pipeline.load()
