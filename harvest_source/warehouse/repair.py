"""
What dlt does not notice between two runs: tables dropped by hand, older copies of a database.

dlt remembers which tables it made and how far it read, and believes that. Here the destination is
asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import dlt
from dlt.common.destination.client import JobClientBase, WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema import Schema
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

from harvest_source.load.state import forget_tables, source_state
from harvest_source.schema.endpoints import BY_NAME


def is_ahead(pipeline: dlt.Pipeline, client: JobClientBase) -> bool:
    """
    Whether the working folder has cursors that the destination does not know of.

    State travels with the rows it stands for, and each package brings the next version of it. A
    folder that is further has seen rows that are not there: somebody put an older copy of the
    database back, or another one in its place, or removed it.
    """
    state = pipeline.state
    if not source_state(state) or not pipeline.config.restore_from_destination:
        return False
    pending = [*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()]
    if not isinstance(client, WithStateSync):
        return False
    return _stored_version(pipeline, client) + len(pending) < state["_state_version"]


def _stored_version(pipeline: dlt.Pipeline, client: WithStateSync) -> int:
    """Version of the state at the destination; 0 when there is none."""
    try:
        stored = load_pipeline_state_from_destination(pipeline.pipeline_name, client)
    except DestinationUndefinedEntity:
        return 0
    return stored["_state_version"] if stored else 0


def remake_own_tables(schema: Schema, client: JobClientBase) -> list[str]:
    """
    Make dlt's and our own tables again, where only they are gone: no row of Harvest's is.

    Returns:
        Tables of Harvest's that are gone, or not there with every column.
    """
    missing = list(_find_missing(schema, client))
    theirs = [name for name in missing if _root(schema, name) in BY_NAME]
    own = [name for name in missing if name not in theirs]
    if own and client.is_storage_initialized():
        client.update_stored_schema(only_tables=own, force=True)
    return theirs


def remake_tables(pipeline: dlt.Pipeline, missing: Sequence[str]) -> list[str]:
    """
    Make tables and columns of Harvest's again that somebody dropped, for their rows to come again.

    Returns:
        The names of the tables to be read from the beginning.
    """
    if not missing:
        return []
    schema = pipeline.default_schema
    lost = sorted({_root(schema, name) for name in missing})
    # Cursors first, and at the destination, too: killed in between, the next run finds the table
    # missing still.
    _forget(pipeline, lost)
    with pipeline.destination_client() as client:
        _empty_orphans(schema, client, missing)
        client.update_stored_schema(only_tables=missing, force=True)
    return lost


def _empty_orphans(schema: Schema, client: JobClientBase, missing: Iterable[str]) -> None:
    """Rows whose parents are gone would stay for ever beside those that come again."""
    assert isinstance(client, SqlJobClientBase)
    gone = set(missing)
    for name, table in schema.tables.items():
        if name not in gone and has_table_seen_data(table) and _root(schema, name) in gone - {name}:
            qualified = client.sql_client.make_qualified_table_name(name)
            client.sql_client.execute_sql(f"DELETE FROM {qualified}")  # noqa: S608 - dlt's name


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
        forget_tables(state, tables)
    pipeline.normalize()
    pipeline.load()
