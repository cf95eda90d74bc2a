"""Whether there is anything to compare with Harvest, and if not, why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import duckdb

from harvest_source.auth.sessions import Session
from harvest_source.errors import ConfigError, printable
from harvest_source.extract.cursor import Cursor
from harvest_source.load.state import stored_accounts
from harvest_source.operations.audit_tables import find_cursor
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoint import ReadStrategy
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.duckdb_file import list_datasets
from harvest_source.warehouse.warehouse import Warehouse


def check_loaded(warehouse: Warehouse) -> None:
    """
    Check that the pipeline has loaded something into the dataset.

    Raises:
        ConfigError: It has not: a name is mistyped, or the database is empty.
    """
    if warehouse.source_state:
        return
    target = warehouse.target
    datasets = _list_datasets(warehouse)
    there = f" Datasets there: {printable(', '.join(datasets), limit=300)}." if datasets else ""
    msg = (
        f"Pipeline {target.pipeline} has loaded nothing into dataset {target.dataset} of "
        f"{target.database or target.destination}, so there is nothing to work on.{there} Give "
        "the --database, --dataset and --pipeline of your sync, or load the data: "
        f"{target.build_command('sync')}"
    )
    raise ConfigError(msg)


def check_accounts(warehouse: Warehouse, accounts: Collection[int]) -> None:
    """
    Check that every one of *accounts* was read into the warehouse, at least in part.

    Raises:
        ConfigError: One was not.
    """
    state = warehouse.source_state
    known = {int(each) for name in BY_NAME for each in stored_accounts(state, name)}
    if unknown := [each for each in accounts if each not in known]:
        command = replace(warehouse.target, accounts=()).build_command("sync")
        msg = (
            f"No data of account {unknown[0]} has been read into {warehouse.target}. It has rows "
            f"of account {', '.join(map(str, sorted(known)))}: choose one of them with --account, "
            f"or read account {unknown[0]}: {command} --account {unknown[0]}"
        )
        raise ConfigError(msg)


def _list_datasets(warehouse: Warehouse) -> list[str]:
    """Schemas that dlt loaded into, if the destination is a DuckDB file; else none."""
    if warehouse.target.database is None:
        return []
    try:
        return list_datasets(warehouse.target.database)
    except duckdb.Error:
        return []


def explain_incomparable(workspace: Workspace, session: Session) -> str:
    """Why no table of the account can be compared."""
    account_id, target = session.account_id, workspace.warehouse.target
    cursors = _find_cursors(workspace, account_id)
    if not cursors:
        return (
            f"of account {account_id}, no table that can be counted has been read completely into "
            f"{target}. Check --account and --profile, or read it: {target.build_command('sync')}"
        )
    own = session.owner.visibility
    readers = {name for each in cursors for name in (each.visibility, *each.others)}
    others = ", ".join(sorted(readers - {own} or readers))
    is_covered = all(each.is_covered_by(own) for each in cursors)
    token = "this one" if is_covered else "an administrator's"
    return (
        f"account {account_id} was read with the token of another user or role ({others}; this "
        f"token: {own}), which may see different rows. Use that token, or read the account with "
        f"{token}: {target.build_command('sync')}"
    )


def _find_cursors(workspace: Workspace, account_id: int) -> list[Cursor]:
    found = (
        find_cursor(workspace, (endpoint.name, account_id))
        for endpoint in workspace.endpoints
        if endpoint.strategy is ReadStrategy.CHANGES
    )
    return [each for each in found if each is not None]
