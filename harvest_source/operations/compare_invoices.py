"""Invoices against their own lines: an amount is its lines, less the discount, plus taxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from harvest_source.errors import ResponseError
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.operations.audit_tables import AuditedTable
from harvest_source.operations.comparisons import HALF_CENT, Comparison, as_number
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.warehouse.table_copy import as_day

_ASKED: Final = 20
"""Invoices that Harvest is asked for by id, of those whose amount differs from their lines."""
_NOT_FOUND: Final = 404

_QUERY: Final = (
    "SELECT i.id, i.issue_date, i.amount, COALESCE(SUM(l.amount), 0) AS lines, "  # noqa: S608
    "COALESCE(i.discount_amount, 0) AS discount, "
    "COALESCE(i.tax_amount, 0) + COALESCE(i.tax2_amount, 0) AS tax "
    "FROM {invoices} AS i LEFT JOIN {invoices__line_items} AS l ON l._dlt_root_id = i._dlt_id "
    f"WHERE i.{ACCOUNT_ID} = %s GROUP BY i.id, i.issue_date, i.amount, i.discount_amount, "
    "i.tax_amount, i.tax2_amount ORDER BY i.id"
)

_COLUMNS: Final = ("id", "issue_date", "amount", "lines", "discount", "tax")


def compare_invoices(workspace: Workspace, table: AuditedTable) -> Iterator[Comparison]:
    """
    Compare every invoice's amount with what its lines come to.

    Harvest is asked for the first invoices that differ: its own total may differ in the same way.

    Raises:
        HarvestError: Harvest did not answer, or the destination refused.
    """
    if not workspace.warehouse.has_table("invoices__line_items"):
        return
    asked = 0
    with workspace.warehouse.sql() as sql:
        rows = sql.query(_QUERY, _COLUMNS, table.session.account_id)
    for row in rows:
        invoice = _Invoice(row["id"], as_number(row["amount"]), as_number(row["lines"]))
        due, excuse = invoice.lines - row["discount"] + row["tax"], ""
        if abs(due - invoice.amount) > HALF_CENT:
            asked += 1
            excuse = _ask(table, invoice) if asked <= _ASKED else "not looked into: too many"
        yield Comparison(
            account_id=table.session.account_id,
            table="invoices",
            check="invoice total",
            scope=f"invoice {invoice.id}",
            here=invoice.amount,
            there=due,
            tolerance=HALF_CENT,
            excuse=excuse,
            slices=(_find_slice(row),),
        )


@dataclass(frozen=True, slots=True)
class _Invoice:
    """What the warehouse has of an invoice."""

    id: int
    amount: Decimal
    lines: Decimal
    """The sum of its lines."""


def _find_slice(row: Mapping[str, Any]) -> Slice:
    """The day of the invoice; all days when it has none."""
    day = as_day(row["issue_date"])
    return Slice(ALL_DAYS if day is None else DateWindow(day, day + timedelta(days=1)))


def _ask(table: AuditedTable, invoice: _Invoice) -> str:
    """Why the amount may be right all the same: Harvest has this amount for these lines too."""
    try:
        theirs = table.session.client.fetch_object(f"invoices/{invoice.id}")
    except ResponseError as error:
        if error.status == _NOT_FOUND:
            return ""
        raise
    lines = sum((as_number(each.get("amount")) for each in theirs["line_items"]), Decimal(0))
    is_same = lines == invoice.lines and as_number(theirs.get("amount")) == invoice.amount
    return "Harvest itself has this total for these lines" if is_same else ""
