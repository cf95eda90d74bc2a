"""Seeding step: categories of expenses and of line items."""

from __future__ import annotations

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.records.billing import (
    estimate_item_category_record,
    expense_category_record,
    invoice_item_category_record,
)
from harvest_source.sandbox.data.seeding.plan import Plan


def seed_categories(plan: Plan) -> None:
    """Expense categories with and without unit price, one archived; three item categories each."""
    for position, (name, unit, price) in enumerate(words.EXPENSE_CATEGORIES):
        at = plan.opened(20 + position)
        record = expense_category_record(plan.new_id("expense_categories"), name, at)
        plan.add(
            "expense_categories",
            record | {"unit_name": unit, "unit_price": price, "is_active": position != 5},
        )
    for position, name in enumerate(("Product", "Service", "Expenses")):
        at = plan.opened(position)
        record = invoice_item_category_record(plan.new_id("invoice_item_categories"), name, at)
        plan.add(
            "invoice_item_categories",
            record | {"use_as_service": position == 1, "use_as_expense": position == 2},
        )
        named = plan.new_id("estimate_item_categories")
        plan.add("estimate_item_categories", estimate_item_category_record(named, name, at))
