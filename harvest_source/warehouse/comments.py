"""
Write descriptions as the warehouse's own comments, for people who open it with other tools.

They are written after a load, and only for tables whose comments changed: an unchanged run sends
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Final

from dlt.common.schema.typing import TColumnSchema, TTableSchema

from harvest_source.dlt_internals import find_table, has_received_rows
from harvest_source.load.history import VALID_FROM, VALID_TO
from harvest_source.schema.columns import LOAD_ID, VARIANT
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.schema.own_tables import OWN_BY_NAME, OWN_TABLES
from harvest_source.warehouse.stored_state import read_local
from harvest_source.warehouse.warehouse import Warehouse

_WRITTEN: Final = "harvest_source_comments"
_DOCS: Final = "https://help.getharvest.com/api-v2/"
_COLUMNS_OF_DLT: Final[Mapping[str, str]] = {
    "load_id": "Id of the load: seconds since 1970 as text",
    "schema_name": "Name of dlt's schema; ours is harvest",
    "status": "0: the load is complete",
    "inserted_at": "When the row was written, UTC",
    "created_at": "When the row was written, UTC",
    "schema_version_hash": "version_hash of the schema that was loaded with",
    "version": "Number of the version",
    "engine_version": "Version of dlt's format",
    "pipeline_name": "Name of dlt's pipeline",
    "state": "The state, compressed",
    "version_hash": "Digest of the content",
    "schema": "The schema, as JSON",
}
_TABLES_OF_DLT: Final[Mapping[str, str]] = {
    "_dlt_loads": "dlt's list of loads: each one's id, time and status (0: complete)",
    "_dlt_pipeline_state": "dlt's state of the pipeline, cursors included, one row per change",
    "_dlt_version": "dlt's schemas of these tables, one row per change",
}
_DLT: Final[Mapping[str, str]] = {
    LOAD_ID: "The load that brought the row: load_id of _dlt_loads",
    "_dlt_id": "dlt's id of the row",
    "_dlt_root_id": "_dlt_id of the row of the main table",
    "_dlt_parent_id": "_dlt_id of the row that the array is in",
    "_dlt_list_idx": "Place in the array, from 0",
    VALID_FROM: "When this version of the row was loaded first, UTC",
    VALID_TO: "When another version took its place or the row went, UTC; null: it is current",
}
_OWN: Final[Mapping[str, str]] = {
    LOAD_ID: "The newest load when the row was written: load_id of _dlt_loads",
    "_dlt_id": "dlt's id of the row",
}
_REFERENCES: Final[Mapping[tuple[str, str], str]] = {
    (each.table, each.column): each.to for endpoint in ENDPOINTS for each in endpoint.references
}
"""The table that a column refers to: the destinations have no foreign keys that could hold."""

_UNKNOWN: Final = "A field that Harvest sends and this version of harvest-source does not describe"


def describe_tables(endpoints: Iterable[Endpoint] = ENDPOINTS) -> dict[str, str]:
    """Describe what each table and child table holds, in a sentence or two."""
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
        if endpoint.may_have_history:
            found[f"{endpoint.name}_history"] = (
                f"Every version of each row of {endpoint.name}, valid from {VALID_FROM} on and "
                f"before {VALID_TO}"
            )
    found.update((table.name, table.description) for table in OWN_TABLES)
    return found


def write_comments(warehouse: Warehouse) -> None:
    """
    Update the comments of all existing tables to the schema, if the destination has comments.

    Raises:
        DestinationError: The destination refused. The tables are unchanged.
    """
    if warehouse.target.table_format is not None:
        return  # For comments, dlt would create a view on each table in an in-memory DuckDB.
    pipeline = warehouse.pipeline
    written = dict(read_local(pipeline, _WRITTEN) or {})
    known = warehouse.schema.tables
    described = {find_table(warehouse.schema, n): text for n, text in describe_tables().items()}
    described |= _TABLES_OF_DLT
    dlts = frozenset(warehouse.schema.dlt_table_names())
    tables = {
        name: _build_comments(name, table, described)
        for name, table in known.items()
        if name in dlts or has_received_rows(table) or _is_made(name, table, known, described)
    }
    digests = {name: _digest(comments) for name, comments in tables.items()}
    stale = [name for name, digest in digests.items() if written.get(name) != digest]
    if not stale:
        return
    with warehouse.sql() as sql, ExitStack() as stack:
        if sql.dialect.many:
            # Other destinations commit when a table is altered, or refuse that in a transaction.
            stack.enter_context(sql.transaction())
        for name in stale:
            sql.set_comments(name, tables[name])
    pipeline.set_local_state_val(_WRITTEN, written | {name: digests[name] for name in stale})


def _is_made(
    name: str,
    table: TTableSchema,
    known: Mapping[str, TTableSchema],
    described: Mapping[str, str],
) -> bool:
    """
    Whether a child table without rows is in the destination: it is declared, and its parent has
    rows. Child tables of history tables are created with their first row.
    """
    parent = table.get("parent")
    return parent is not None and has_received_rows(known[parent]) and name in described


def _build_comments(name: str, table: TTableSchema, described: Mapping[str, str]) -> dict[str, str]:
    """Comments by column; the table's own under ``""``."""
    array = f"An array that Harvest sends in {table.get('parent')}, one row per element"
    comments = {"": described.get(name, array)}
    for column, hint in table["columns"].items():
        if hint.get("data_type"):
            comments[column] = _describe_column(name, column, hint)
    return comments


def _describe_column(table: str, column: str, hint: TColumnSchema) -> str:
    text = _describe_alone(table, column, hint)
    to = _REFERENCES.get((table, column))
    return text if to is None else f"{text}. With account_id: id of {to}"


def _describe_alone(table: str, column: str, hint: TColumnSchema) -> str:
    if table in OWN_BY_NAME:
        return OWN_BY_NAME[table].describe(column) or _OWN[column]
    text = hint.get("description") or _DLT.get(column)
    if text is not None:
        return text
    if table in _TABLES_OF_DLT:
        return _COLUMNS_OF_DLT.get(column, "dlt's own")
    if column.endswith(VARIANT):
        return f"What did not fit {column.removesuffix(VARIANT)}, exactly as Harvest sent it"
    return _UNKNOWN


def _digest(comments: Mapping[str, str]) -> str:
    return hashlib.blake2b(repr(list(comments.items())).encode(), digest_size=8).hexdigest()
