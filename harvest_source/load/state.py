"""
Our source's part of dlt's state: one entry per table, and in it one state per account.

The ``extract`` package makes the state of an account: cursors, progress, audits. This module knows
where it is stored, and renames columns in it that an earlier version wrote.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import dlt

from harvest_source.dlt_internals import (
    find_active_destination,
    find_active_pipeline,
    find_catalog_name,
    is_ambiguous,
    iter_config_values,
)
from harvest_source.errors import ConfigError
from harvest_source.extract.removals import rename_removal_columns
from harvest_source.extract.stored import load_object
from harvest_source.extract.taken_over import keep_evidence

SOURCE: Final = "harvest"
"""Name and configuration section of the dlt source."""

_TABLES: Final = "resources"
"""dlt's key of the states of tables."""
_ACCOUNTS: Final = "accounts"
_PLACE: Final = "place"


def current_accounts() -> dict[str, Any]:
    """State by account id, of the table that dlt is extracting. Writing to it changes the state."""
    return _repair(dlt.current.resource_state(), _ACCOUNTS)


def _repair(state: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at *key* of *state*, created if it is missing or something else."""
    if not isinstance(state.get(key), dict):
        state[key] = {}
    return cast(dict[str, Any], state[key])


def stored_accounts(source_state: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    """State by account id, of one table, in the *source_state* of an earlier run."""
    tables = load_object(load_object(source_state).get(_TABLES))
    accounts = load_object(load_object(tables.get(table)).get(_ACCOUNTS))
    return {key: each for key, each in accounts.items() if _is_account(key, each)}


def _is_account(key: str, state: object) -> bool:
    """Whether *key* and *state* are an account's; a malformed one counts as absent."""
    return key.isascii() and key.isdigit() and isinstance(state, dict)


def source_state(pipeline_state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a pipeline's state that belongs to our source; empty if it never ran."""
    return load_object(load_object(pipeline_state.get("sources")).get(SOURCE))


def own_state(pipeline_state: Any) -> dict[str, Any]:
    """:func:`source_state` of a state that dlt is managing, to be changed in place."""
    return _repair(_repair(pipeline_state, "sources"), SOURCE)


def change_account(state: dict[str, Any], table: str, account_id: int) -> dict[str, Any]:
    """The state of one account in our *state*, created if missing; to be changed in place."""
    accounts = _repair(_repair(_repair(state, _TABLES), table), _ACCOUNTS)
    return _repair(accounts, str(account_id))


def take_over_state(state: dict[str, Any], other: Mapping[str, Any]) -> None:
    """
    Replace our *state* by what the state of the *other* pipeline proves about the rows.

    Args:
        state: Changed in place.
        other: The :func:`source_state` of the pipeline to which the warehouse belonged.
    """
    state.clear()
    for table in load_object(other.get(_TABLES)):
        for account_id, each in stored_accounts(other, table).items():
            if kept := keep_evidence(each):
                change_account(state, table, int(account_id)).update(kept)


def forget_tables(state: Mapping[str, Any], tables: Iterable[str]) -> None:
    """Remove all our *state* of *tables*: they are read from their first row again."""
    resources = load_object(state.get(_TABLES))
    for table in tables:
        resources.pop(table, None)


def rename_columns_in_removals(
    state: Mapping[str, Any], renames: Mapping[str, Mapping[str, str]]
) -> None:
    """
    Rename columns by which pending removals select their rows to today's names, in our *state*.

    Args:
        renames: By table, a mapping from earlier names to today's.
    """
    for table, names in renames.items():
        for account in stored_accounts(state, table).values():
            rename_removal_columns(account, names)


def forget_other_warehouse() -> None:
    """
    Drop the cursors of the table being extracted if they were made for another warehouse.

    dlt trusts the newer state, whether it comes from the working folder or from the destination. A
    pipeline that is used for one database, then for another, then for the first again would
    continue from the second one's cursors. ``sync`` never gets into this state: it checks the
    target when it attaches.
    """
    state, place = dlt.current.resource_state(), _digest_of_warehouse()
    if state.get(_PLACE, place) != place:
        state.pop(_ACCOUNTS, None)
    state[_PLACE] = place


def _digest_of_warehouse() -> str:
    """
    A digest that differs between warehouses; empty outside a pipeline.

    It covers only what is known without resolving the destination's configuration: resolving it in
    a thread that extracts breaks dlt's own resolution. So two servers whose credentials are given
    field by field look the same.
    """
    pipeline, destination = find_active_pipeline(), find_active_destination()
    if pipeline is None or destination is None:
        return ""
    location = _find_location(destination)
    if "://" not in location and destination.destination_type.endswith(".duckdb"):
        # Without a path, dlt takes a file in the current folder.
        location = os.path.abspath(location)  # noqa: PTH100
    place = (destination.destination_type, destination.destination_name, pipeline.dataset_name)
    return hashlib.blake2b(repr((place, location)).encode(), digest_size=8).hexdigest()


def _find_location(destination: Any) -> str:
    """A connection string, given or in dlt's configuration; empty when there is none."""
    given = destination.config_params.get("credentials")
    found = iter_config_values("credentials", "destination", destination.destination_name)
    values = (given, *(value for value, _, _ in found))
    return next((value for value in values if isinstance(value, str)), "")


def warn_of_late_pipeline(warn: Callable[[str], None]) -> None:
    """
    Say what a new DuckDB file lacks if ``dlt.pipeline()`` was called after ``harvest()``.

    A pipeline that exists when ``harvest()`` is called creates the file as ``sync`` does. Of a
    later one, dlt has opened the file before it asks us for rows.
    """
    pipeline = find_active_pipeline()
    if pipeline is None or not pipeline.first_run:
        return
    if type(pipeline.destination) is dlt.destinations.duckdb:
        warn(
            "harvest() was called before dlt.pipeline(), so a new DuckDB file is one that dlt "
            "itself creates: the umask decides who may read it, and if DuckDB 2 wrote it, no "
            "DuckDB 1.x can open it. Call harvest() after dlt.pipeline()."
        )


def refuse_ambiguous_destination() -> None:
    """
    Refuse a DuckDB file that dlt alone cannot load into, before anything is read.

    A pipeline that exists when ``harvest()`` is called gets a client that can load into it.

    Raises:
        ConfigError: The file's catalog and the dataset have the same name.
    """
    pipeline = find_active_pipeline()
    if pipeline is None or type(pipeline.destination) is not dlt.destinations.duckdb:
        return
    file = _find_location(pipeline.destination) or f"{pipeline.pipeline_name}.duckdb"
    if is_ambiguous(find_catalog_name(file), pipeline.dataset_name):
        msg = (
            f"DuckDB cannot tell the dataset {pipeline.dataset_name} from the catalog of {file}, "
            "which has the same name. Nothing was read and nothing changed. Call harvest() after "
            "dlt.pipeline(), or name another file: dlt.destinations.duckdb('harvest_data.duckdb')."
        )
        raise ConfigError(msg)
