"""
Descriptions as the warehouse's own comments, for people who open it with other tools.

Written after a load, and only for tables that have changed since: an unchanged run sends nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from dlt.common.schema.typing import TTableSchema

from harvest_source.dlt_internals import find_table, has_rows
from harvest_source.schema.columns import LOAD_ID, VARIANT
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.warehouse.pipeline import read_local
from harvest_source.warehouse.warehouse import Warehouse

DESTINATIONS: Final = ("duckdb", "postgres")
"""Destinations that were tried, by the end of their type's name."""

_WRITTEN: Final = "harvest_source_comments"
_DOCS: Final = "https://help.getharvest.com/api-v2/"
_DLT: Final[Mapping[str, str]] = {
    LOAD_ID: "The load that brought the row: load_id of _dlt_loads",
    "_dlt_id": "dlt's id of the row",
    "_dlt_root_id": "_dlt_id of the row of the main table",
    "_dlt_parent_id": "_dlt_id of the row that the array is in",
    "_dlt_list_idx": "Place in the array, from 0",
}


def describe_tables(endpoints: Iterable[Endpoint] = ENDPOINTS) -> dict[str, str]:
    """What each table and child table holds, in a sentence or two."""
    found = {}
    for endpoint in endpoints:
        words = endpoint.name.removeprefix("report_").replace("_", " ")
        what = f"Harvest's report on {words}" if endpoint.report else f"Harvest's {words}"
        key = ", ".join(endpoint.key)
        found[endpoint.name] = f"{what}. Key: {key}. Fields: {_DOCS}{endpoint.docs}"
        for child in endpoint.record.children:
            joined = " and ".join(
                f"{column.name} = {name}" for name, column in endpoint.parent_keys.items()
            )
            found[f"{endpoint.name}__{child.name}"] = (
                f"{child.description}: one row per element of {child.name} in {endpoint.name}, "
                f"joined on account_id and {joined}"
            )
    return found


def write_comments(warehouse: Warehouse) -> None:
    """
    Bring the comments of all existing tables in step with the schema, where comments exist.

    Raises:
        DestinationError: The destination refused. The tables are as they were.
    """
    pipeline = warehouse.pipeline
    if not (pipeline.destination and pipeline.destination.destination_type.endswith(DESTINATIONS)):
        return
    written = dict(read_local(pipeline, _WRITTEN) or {})
    known = warehouse.schema.tables
    described = {find_table(warehouse.schema, n): text for n, text in describe_tables().items()}
    tables = {
        name: _build_comments(name, table, described)
        for name, table in known.items()
        if name in described and has_rows(known[table.get("parent") or name])
    }
    digests = {name: _digest(comments) for name, comments in tables.items()}
    stale = [name for name, digest in digests.items() if written.get(name) != digest]
    if not stale:
        return
    with warehouse.sql() as sql, sql.transaction():
        for name in stale:
            sql.describe(name, tables[name])
    pipeline.set_local_state_val(_WRITTEN, written | {name: digests[name] for name in stale})


def _build_comments(name: str, table: TTableSchema, described: Mapping[str, str]) -> dict[str, str]:
    """Comments by column; the table's own under ``""``."""
    comments = {"": described[name]}
    for column, hint in table["columns"].items():
        text = hint.get("description") or _DLT.get(column)
        if text is None and column.endswith(VARIANT):
            text = f"What did not fit {column.removesuffix(VARIANT)}, exactly as Harvest sent it"
        if text is not None and hint.get("data_type"):
            comments[column] = text
    return comments


def _digest(comments: Mapping[str, str]) -> str:
    return hashlib.blake2b(repr(list(comments.items())).encode(), digest_size=8).hexdigest()
