"""
Checks what a dlt user asks of a resource, before anything is read.

A few of dlt's options assume that every run brings every row. Our runs bring what changed, so those
options would delete or close rows that were not read. They are refused; others are explained once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import (
    compute_tables,
    contract_allows_table,
    find_active_destination,
    find_merge_strategies,
    has_received_rows,
)
from harvest_source.errors import ConfigError
from harvest_source.installation import build_extra_command
from harvest_source.load.file_format import check_format
from harvest_source.load.hints import stored_columns
from harvest_source.load.history import TableHistory
from harvest_source.schema.endpoint import Endpoint

_SCD2: Final = "scd2"
_BY_KEY: Final = frozenset({"upsert", "insert-only", "cdc"})
_ROW_KEY: Final = "_dlt_id"


def check_resource(endpoint: Endpoint, name: str, warn: Callable[[str], None]) -> None:
    """
    Check what is asked of the resource *name* of the source that is being extracted.

    Args:
        warn: Called with explanations; it must leave out those that were given before.

    Raises:
        ConfigError: It would lose rows, or dlt could not load it.
    """
    tables = _compute_tables(name)
    if not tables:
        return
    schema, table = dlt.current.source_schema(), tables[0]
    check_format(table.get("file_format"))
    disposition, strategy = table.get("write_disposition"), table.get("x-merge-strategy")
    if disposition == "merge" and strategy == "cdc":
        raise ConfigError(_explain_cdc(endpoint))
    is_scd2 = disposition == "merge" and strategy == _SCD2
    if is_scd2:
        _check_scd2(endpoint, table)
    if not endpoint.record.children:
        _check_same_way(schema, table["name"], is_scd2)
    if disposition == "append":
        warn(_APPENDED)
    elif disposition == "merge":
        _explain_destination(table, warn)
    for each in tables:
        if not contract_allows_table(schema, each):
            # The contract is meant for what Harvest may add later. dlt would refuse the first run
            # as well, and also a column without a ``nullable`` hint as soon as rows bring that
            # hint.
            for hint in each["columns"].values():
                hint.setdefault("nullable", True)
            schema.update_table(each, normalize_identifiers=False)


def check_history(history: TableHistory) -> None:
    """
    Refuse to keep versions where dlt alone cannot.

    Raises:
        ConfigError: The destination has no scd2.
    """
    destination = find_active_destination()
    if destination is None:
        return
    strategies = find_merge_strategies(destination, {"table_format": history.table_format})
    if _SCD2 not in strategies:
        msg = (
            f"Destination {destination.destination_name} keeps no versions of rows by "
            f"itself, and history is set for {history.endpoint.name}. Nothing was read and "
            "nothing changed. Use harvest-source sync, which keeps history in Delta and Iceberg "
            "tables, or leave history out."
        )
        raise ConfigError(msg)


def keeps_rows(name: str) -> bool:
    """Whether dlt needs rows for a table that otherwise travels as Arrow tables: for scd2."""
    tables = _compute_tables(name)
    return bool(tables) and tables[0].get("x-merge-strategy") == _SCD2


def takes_empty(name: str) -> bool:
    """
    Whether dlt can create the table without rows.

    dlt 1.31 creates it from one empty row, which must have a key if keys identify rows.
    """
    destination, tables = find_active_destination(), _compute_tables(name)
    if destination is None or not tables:
        return True
    strategy = tables[0].get("x-merge-strategy")
    if strategy is None and tables[0].get("write_disposition") == "merge":
        strategy = next(iter(find_merge_strategies(destination, tables[0])), None)
    return strategy not in _BY_KEY


def _compute_tables(name: str) -> list[Any]:
    """The tables of a resource as dlt will have them, the main one first; none if not known."""
    resource = dlt.current.source().resources.get(name)
    return [] if resource is None else compute_tables(resource, dlt.current.source_schema())


def _check_scd2(endpoint: Endpoint, table: Any) -> None:
    """Without a merge key dlt closes every row that a run did not bring."""
    merge_key = {n for n, hint in table["columns"].items() if hint.get("merge_key")}
    if endpoint.cursor is None or set(endpoint.key) <= merge_key:
        return
    key = ", ".join(f'"{each}"' for each in endpoint.key)
    instead = (
        f'To keep every version: harvest(history=["{endpoint.name}"]), which fills '
        f"{endpoint.name}_history beside the table."
        if endpoint.may_have_history
        else f"Keep merge without a strategy for {endpoint.name}."
    )
    msg = (
        f"{endpoint.name} cannot be loaded with scd2 without a merge key: a run only brings the "
        "rows that changed, and dlt would close all others. Nothing was read and nothing changed. "
        f"{instead} For dlt's own scd2: apply_hints(merge_key=[{key}])."
    )
    raise ConfigError(msg)


def _check_same_way(schema: dlt.Schema, name: str, is_scd2: bool) -> None:
    """dlt cannot load rows into a table that was made of Arrow tables, or the reverse."""
    known = schema.tables.get(name)
    if known is None or not has_received_rows(known):
        return
    if is_scd2 != (_ROW_KEY in stored_columns(schema, name)):
        was, now = ("rows without scd2", "scd2") if is_scd2 else ("scd2", "rows without it")
        msg = (
            f"{name} was loaded with {was} before, and dlt cannot add {now} to the same table. "
            "Nothing was read and nothing changed. Load into another dataset, or drop the table "
            'and read it again: pipeline.run(..., refresh="drop_resources").'
        )
        raise ConfigError(msg)


_NAMES: Final = "with the names of your pipeline, destination and dataset"


def _explain_cdc(endpoint: Endpoint) -> str:
    return (
        f"{endpoint.name} cannot be loaded with the merge strategy cdc: a run only brings the "
        "rows that changed, and dlt would delete all others. Nothing was read and nothing "
        "changed. Leave the strategy out. To remove rows that were deleted in Harvest: "
        f"harvest-source sync, {_NAMES}."
    )


_APPENDED: Final = (
    "Rows are appended: a row that is read again, because it changed or as a precaution, is "
    "duplicated. The newest version of each account_id and id has the highest updated_at, then "
    "_dlt_load_id."
)


def _explain_destination(table: Any, warn: Callable[[str], None]) -> None:
    """A destination without merge appends; one without delete-insert keeps rows that are gone."""
    destination = find_active_destination()
    if destination is None:
        return
    strategies = find_merge_strategies(destination, table)
    where = destination.destination_name
    if not strategies:
        warn(
            f"Destination {where} cannot replace rows in plain files: {_APPENDED[0].lower()}"
            f'{_APPENDED[1:]} For tables that can: table_format="delta" (or "iceberg"), with '
            f'{build_extra_command("delta")}; or write_disposition="replace", which reads '
            "everything again in each run."
        )
    elif "delete-insert" not in strategies:
        warn(
            f"Destination {where} merges by upsert: elements that left an array, and rows that "
            "left a list without updated_since, stay in its tables. To remove them: "
            f"harvest-source sync, {_NAMES}."
        )
