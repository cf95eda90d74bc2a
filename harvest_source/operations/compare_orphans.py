"""Count rows whose parent is not in the warehouse, by table."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from harvest_source.api.client import find_object
from harvest_source.auth.sessions import Session
from harvest_source.operations.comparisons import ALL, Comparison
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.removal import count_orphans, find_missing_parents

_ASKED: Final = 20
"""Harvest is asked for a table's missing parents only if there are at most this many."""


def compare_orphans(workspace: Workspace, session: Session) -> Iterator[Comparison]:
    """
    Count the rows of one account whose parent is not in the warehouse; there should be none.

    Harvest is asked for the parents: those that it has were not read yet.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    with workspace.warehouse.sql() as sql:
        counts = count_orphans(sql, session.account_id)
    for table, rows in counts.items():
        yield Comparison(
            account_id=session.account_id,
            table=table,
            check="orphans",
            scope=ALL,
            here=Decimal(rows),
            there=Decimal(0),
            excuse=_explain(workspace, session, table) if rows else "",
        )


def _explain(workspace: Workspace, session: Session, table: str) -> str:
    """Why rows may legitimately lack a parent here: Harvest has every parent."""
    endpoint = BY_NAME.get(table)
    if endpoint is None or endpoint.parent is None:
        return ""  # Elements of an array come and go with their row.
    with workspace.warehouse.sql() as sql:
        missing = find_missing_parents(sql, endpoint, session.account_id)
    path = BY_NAME[endpoint.parent.endpoint].list_path
    if len(missing) > _ASKED or not all(
        find_object(session.client, f"{path}/{each}") for each in missing
    ):
        return ""
    return f"Harvest has these {endpoint.parent.endpoint}: the next sync reads them"
