"""Which columns the warehouse lacks because runs left them out, according to the stored state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harvest_source.extract.exclusion import excluded_columns, load_excluded, note_excluded
from harvest_source.load.state import change_account, stored_accounts
from harvest_source.operations.workspace import Lacking, Workspace
from harvest_source.schema.endpoints import ENDPOINTS


def note_excluded_columns(workspace: Workspace) -> None:
    """
    Note the columns that this run leaves out, before their loaded values are deleted.

    They are noted for all accounts and tables that were read before: a column is emptied in every
    table that has it, whichever tables this run reads.

    Raises:
        DestinationError: The destination refused.
    """
    exclude, sources = workspace.extraction.options.exclude, workspace.warehouse.source_state
    missing = [
        (endpoint.name, int(account_id), columns)
        for endpoint in ENDPOINTS
        if (columns := excluded_columns(endpoint, exclude))
        for account_id, state in stored_accounts(sources, endpoint.name).items()
        if not columns <= load_excluded(state)
    ]

    def change(state: dict[str, Any]) -> None:
        for table, account_id, columns in missing:
            note_excluded(change_account(state, table, account_id), columns)

    if missing:
        workspace.warehouse.write_state(change)


def exclude_lacking_columns(workspace: Workspace, account_id: int) -> Workspace:
    """*workspace* that also leaves out the columns that the rows of an account lack."""
    sources, options = workspace.warehouse.source_state, workspace.extraction.options
    lacking = {
        f"{endpoint.name}.{column}"
        for endpoint in ENDPOINTS
        for column in load_excluded(
            stored_accounts(sources, endpoint.name).get(str(account_id), {})
        )
    }
    only_here = lacking - options.exclude
    options = replace(options, exclude=options.exclude | lacking)
    return replace(
        workspace,
        extraction=replace(workspace.extraction, options=options),
        lacking=Lacking(account_id, frozenset(only_here)) if only_here else None,
    )
