"""History against its own table: each row that is there has one open version, and no other has."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pyarrow.compute as pc

from harvest_source.extract.slices import Slice
from harvest_source.load.history import VALID_TO, TableHistory
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.compare_rows import count_common
from harvest_source.operations.comparisons import ALL, Comparison
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.sql.conditions import AllOf, Equals
from harvest_source.warehouse.arrow_reads import select_ids


def compare_history(workspace: Workspace, table: AuditedTable) -> Iterator[Comparison]:
    """
    Compare the open versions of *table* with its rows, if its history is kept. Asks nothing.

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
        rows = pc.unique(select_ids(sql, name, of_account))
        versions = select_ids(sql, history.table, is_open)
    right = count_common(rows, versions)
    # As many versions as rows may be one too many and one too few.
    here = len(versions) if len(versions) != len(rows) else right
    yield Comparison(
        account_id=account_id,
        table=history.table,
        check="open versions",
        scope=ALL,
        here=Decimal(here),
        there=Decimal(len(rows)),
        slices=(Slice(),),
    )
