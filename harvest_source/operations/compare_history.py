"""Compare a history with its table: each row of the table, and no other, has one open version."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from harvest_source.extract.slices import Slice
from harvest_source.load.history import VALID_TO, TableHistory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.comparisons import ALL, Comparison
from harvest_source.operations.row_differences import find_differences
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, Equals
from harvest_source.warehouse.arrow_reads import select_keys


def compare_history(workspace: Workspace, table: AuditedTable) -> Iterator[Comparison]:
    """
    Compare the open versions of *table* with its rows, if its history is kept.

    Sends nothing to Harvest.

    Raises:
        DestinationError: The destination refused.
    """
    name, account_id = table.place
    history = TableHistory(table.endpoint)
    is_kept = name in workspace.extraction.options.history
    if not is_kept or not workspace.warehouse.has_table(history.table):
        return
    of_account = Equals(ACCOUNT_ID, account_id)
    is_open = AllOf(of_account, Equals(VALID_TO, None))
    with workspace.warehouse.sql() as sql:
        rows = select_keys(sql, name, of_account, None)
        versions = select_keys(sql, history.table, is_open, None)
    found = find_differences(rows, versions)
    # Equal numbers may hide one extra and one missing version.
    here = versions.num_rows if versions.num_rows != found.here else found.same
    yield Comparison(
        account_id=account_id,
        table=history.table,
        check="open versions",
        scope=ALL,
        here=Decimal(here),
        there=Decimal(found.here),
        slices=(Slice(),),
    )
