"""Compare invoices with their lines and payments, which add up to the amount and what is paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from operator import call
from typing import Any, Final, TypeAlias

from harvest_source.api.client import find_object
from harvest_source.concurrency import in_parallel
from harvest_source.decode.coerce import loads
from harvest_source.extract.cursor import Cursor
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.operations.audit_tables import (
    AuditedTable,
    awaits_children,
    find_cursor,
)
from harvest_source.operations.changed_rows import ChangedRow
from harvest_source.operations.comparisons import (
    AT_ONCE,
    CHANGED,
    EXACT,
    HALF_CENT,
    UNASKED,
    Comparison,
    Subject,
    add_up,
    as_number,
    choose_for_day,
)
from harvest_source.operations.workspace import Workspace
from harvest_source.schema.columns import ACCOUNT_ID
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.sql.conditions import Equals
from harvest_source.sql.values import as_day, as_instant

Row = Mapping[str, Any]

_Question: TypeAlias = Callable[["Invoice"], str]
"""Asks Harvest about an invoice; the answer is an excuse, or empty."""

_LINES: Final = ("invoices__line_items", "_dlt_root_id")
_PAYMENTS: Final = ("invoice_payments", "invoice_id")
"""The tables of an invoice's parts, and their columns that refer to the invoice's row."""

_ASKED: Final = 20
"""For each check, at most this many invoices that differ from their parts are requested by id."""
_UNDECIDED: Final = "not investigated today: each day Harvest is asked about other invoices"
_CLOSED: Final = "closed"
"""The state of an invoice that was written off: nothing is due, and it need not be paid."""

_INVOICE: Final = (
    "id",
    "issue_date",
    "updated_at",
    "amount",
    "due_amount",
    "state",
    "discount_amount",
    "tax_amount",
    "tax2_amount",
    "number",
    "client__name",
    "currency",
)
TOTALS_NEED: Final = (
    "invoices.amount",
    "invoices.discount_amount",
    "invoices.tax_amount",
    "invoices.tax2_amount",
)
PAYMENTS_NEED: Final = (
    "invoices.amount",
    "invoices.due_amount",
    "invoice_payments.amount",
)


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice in the warehouse, and the amounts of its parts."""

    row: Row
    lines: tuple[Decimal, ...] = ()
    payments: tuple[Decimal, ...] = ()

    @property
    def id(self) -> int:
        """Its id."""
        return int(self.row["id"])

    @property
    def amount(self) -> Decimal:
        """The invoiced amount."""
        return as_number(self.row["amount"])

    @property
    def total(self) -> Decimal:
        """Its lines, less the discount, plus taxes."""
        taxes = add_up(as_number(self.row[name]) for name in ("tax_amount", "tax2_amount"))
        discount = as_number(self.row["discount_amount"])
        return EXACT.add(EXACT.subtract(add_up(self.lines), discount), taxes)

    @property
    def paid(self) -> Decimal:
        """Its amount, less what is due."""
        return EXACT.subtract(self.amount, as_number(self.row["due_amount"]))

    @property
    def subject(self) -> Subject:
        """Its number, and whom it was sent to."""
        number, client = self.row.get("number"), self.row.get("client__name")
        return Subject("invoice", self.id, number or "", client or "")

    @property
    def slice(self) -> Slice:
        """Its day; all days when it has none."""
        day = as_day(self.row["issue_date"])
        return Slice(ALL_DAYS if day is None else DateWindow(day, day + timedelta(days=1)))


@dataclass(frozen=True, slots=True)
class Figure:
    """A comparison, and what to ask Harvest about it."""

    comparison: Comparison
    question: Callable[[], str] | None = None
    """Its answer is the excuse of the comparison; None: there is nothing to ask."""
    is_usual: bool = False
    """Whether a write-off explains the difference, as it does of any number of invoices."""


@dataclass(frozen=True, slots=True)
class InvoiceComparison:
    """
    The invoices of one account.

    Args:
        changed: Invoices that changed since the merge: the next sync brings them and their parts.
    """

    workspace: Workspace
    table: AuditedTable
    changed: Sequence[ChangedRow]

    def run(self) -> Iterator[Comparison]:
        """
        Compare every invoice's amount with its lines, and what is paid of it with its payments.

        Some invoices that differ are requested: Harvest's own may differ in the same way.

        Raises:
            HarvestError: Harvest did not answer, or the destination refused.
        """
        has_totals = not self._lacks_lines() and self._has("invoices__line_items")
        cursor = self._find_payments()
        figures: list[Figure] = []
        for invoice in self._read(has_totals, cursor is not None):
            if has_totals:
                figures.append(self._compare_total(invoice))
            if cursor is not None:
                figures.append(self._compare_payments(invoice, cursor))
        questions = choose_questions(figures, _ASKED, self.workspace.now().date())
        answers = in_parallel(call, questions.values(), workers=AT_ONCE)
        excuses = dict(zip(questions, answers, strict=True))
        for position, figure in enumerate(figures):
            comparison = figure.comparison
            if figure.question is not None:
                comparison = replace(comparison, excuse=excuses.get(position, _UNDECIDED))
            yield comparison

    def _has(self, table: str) -> bool:
        return self.workspace.warehouse.has_table(table)

    def _lacks_lines(self) -> bool:
        if "invoices.line_items" in self.workspace.extraction.options.exclude:
            self.workspace.warn_of_lacking("invoices", ["invoices.line_items"])
            return True
        return self.workspace.lacks("invoice totals", TOTALS_NEED)

    def _find_payments(self) -> Cursor | None:
        """How far the payments were read; None when they cannot be compared."""
        place = "invoice_payments", self.table.session.account_id
        cursor = find_cursor(self.workspace, place) if self._has(place[0]) else None
        if cursor is None or self.workspace.lacks("payments", PAYMENTS_NEED):
            return None
        return cursor

    def _read(self, has_totals: bool, has_payments: bool) -> Iterator[Invoice]:
        if not (has_totals or has_payments):
            return
        names = [each for each in _INVOICE if self.workspace.has_column("invoices", each)]
        where, warehouse = self.table.copy.all_rows(), self.workspace.warehouse
        with warehouse.querying():
            lines = self._group(*_LINES) if has_totals else {}
            payments = self._group(*_PAYMENTS) if has_payments else {}
            with warehouse.sql() as sql:
                rows = sql.select("invoices", where, (*names, "_dlt_id"), order_by=("id",))
        for row in rows:
            key, root = row["id"], row.pop("_dlt_id")
            yield Invoice(row, tuple(lines.get(root, ())), tuple(payments.get(key, ())))

    def _group(self, table: str, key: str) -> Mapping[Any, Sequence[Decimal]]:
        """The amounts of the rows of *table*, by the value of *key*."""
        of_account = Equals(ACCOUNT_ID, self.table.session.account_id)
        parts: dict[Any, list[Decimal]] = defaultdict(list)
        with self.workspace.warehouse.sql() as sql:
            for part, amount in sql.iter_values(table, of_account, (key, "amount")):
                parts[part].append(as_number(amount))
        return parts

    def _compare_total(self, invoice: Invoice) -> Figure:
        return self._compare(
            invoice,
            "invoice total",
            here=invoice.amount,
            there=invoice.total,
            ask=self._ask_total,
        )

    def _compare_payments(self, invoice: Invoice, cursor: Cursor) -> Figure:
        changed_at = as_instant(invoice.row["updated_at"])
        is_newer = changed_at is not None and changed_at > cursor.at
        figure = self._compare(
            invoice,
            "payments",
            here=add_up(invoice.payments),
            there=invoice.paid,
            ask=self._choose_question(invoice, is_newer=is_newer),
            children=(("invoice_payments", invoice.id),),
        )
        is_less = figure.comparison.here < figure.comparison.there
        return replace(figure, is_usual=is_less and invoice.row.get("state") == _CLOSED)

    def _choose_question(self, invoice: Invoice, *, is_newer: bool) -> _Question | str:
        place = _PAYMENTS[0], self.table.session.account_id
        if awaits_children(self.workspace, place, invoice.id):
            return UNASKED
        if is_newer:
            return "the invoice changed after its payments were read"
        return self._ask_payments

    def _compare(
        self,
        invoice: Invoice,
        check: str,
        *,
        here: Decimal,
        there: Decimal,
        ask: _Question | str,
        children: tuple[tuple[str, int], ...] = (),
    ) -> Figure:
        """Compare two figures; *ask* is the question why they differ, or the answer if known."""
        question: Callable[[], str] | None = None
        excuse = ""
        if EXACT.abs(EXACT.subtract(here, there)) > HALF_CENT:
            if any(each.there["id"] == invoice.id for each in self.changed):
                excuse = CHANGED
            elif isinstance(ask, str):
                excuse = ask
            else:
                question = partial(ask, invoice)
        comparison = Comparison(
            account_id=self.table.session.account_id,
            table="invoices",
            check=check,
            scope=f"invoice {invoice.id}",
            currency=invoice.row.get("currency") or "",
            subject=invoice.subject,
            here=here,
            there=there,
            tolerance=HALF_CENT,
            excuse=excuse,
            slices=(invoice.slice,),
            children=children,
        )
        return Figure(comparison, question)

    def _ask_total(self, invoice: Invoice) -> str:
        """Why the amount may be right nevertheless: Harvest has it for these lines, too."""
        theirs = find_object(self.table.session.client, f"invoices/{invoice.id}")
        if theirs is None:
            return ""
        lines = add_up(as_number(each.get("amount")) for each in theirs["line_items"])
        is_same = lines == add_up(invoice.lines) and as_number(theirs["amount"]) == invoice.amount
        return "Harvest itself has this total for these lines" if is_same else ""

    def _ask_payments(self, invoice: Invoice) -> str:
        """Why they may be right nevertheless: Harvest has these payments and this amount due."""
        theirs = find_object(self.table.session.client, f"invoices/{invoice.id}")
        if theirs is None:
            return ""
        path, key = f"invoices/{invoice.id}/payments", BY_NAME["invoice_payments"].envelope_key
        amounts = [
            as_number(each.get("amount"))
            for page in self.table.session.client.iter_pages(path, key=key)
            for each in loads(page.rows)
        ]
        due = EXACT.subtract(invoice.amount, invoice.paid)
        is_same = sorted(amounts) == sorted(invoice.payments)
        if is_same and as_number(theirs.get("due_amount")) == due:
            return "Harvest itself has these payments and this amount due"
        return ""


def choose_questions(
    figures: Sequence[Figure], most: int, today: date
) -> Mapping[int, Callable[[], str]]:
    """
    At most *most* questions of each check, by the position of their figure.

    First those that no write-off explains: many invoices that were written off must not hide one
    whose payments are wrong. Where there are more, each day the next ones are chosen.
    """
    asked: dict[int, Callable[[], str]] = {}
    open_questions: dict[str, dict[bool, list[int]]] = defaultdict(lambda: {False: [], True: []})
    for position, figure in enumerate(figures):
        if figure.question is not None:
            open_questions[figure.comparison.check][figure.is_usual].append(position)
    for waiting in open_questions.values():
        first = choose_for_day(waiting[False], most, today)
        chosen = [*first, *choose_for_day(waiting[True], most - len(first), today)]
        for position in chosen:
            question = figures[position].question
            assert question is not None
            asked[position] = question
    return asked
