"""The order of the seeding steps, for both kinds of data."""

from __future__ import annotations

from harvest_source.sandbox.data.agency.seed import seed_agency
from harvest_source.sandbox.data.entries.bills import Bills
from harvest_source.sandbox.data.entries.store import EntryStore
from harvest_source.sandbox.data.locks import lock_archived
from harvest_source.sandbox.data.seeding.categories import seed_categories
from harvest_source.sandbox.data.seeding.documents import seed_documents
from harvest_source.sandbox.data.seeding.estimates import seed_estimates
from harvest_source.sandbox.data.seeding.expenses import seed_expenses
from harvest_source.sandbox.data.seeding.invoices import seed_invoices
from harvest_source.sandbox.data.seeding.people import seed_people
from harvest_source.sandbox.data.seeding.plan import Plan
from harvest_source.sandbox.data.seeding.rates import seed_rates
from harvest_source.sandbox.data.seeding.time_entries import seed_entries
from harvest_source.sandbox.data.seeding.work import seed_work


def seed_account(plan: Plan) -> EntryStore:
    """Fill every table of *plan*, and return the time entries."""
    if plan.settings.data == "agency" and not plan.settings.empty:
        entries = seed_agency(plan)
    else:
        entries = seed_entries(plan, _seed_tables(plan))
    # Time entries are computed when they are served, with their locks.
    lock_archived(plan.tables, "expenses", plan.tables["expenses"].values())
    return entries


def _seed_tables(plan: Plan) -> Bills:
    """
    Fill every table of *plan* except time entries.

    Returns:
        Which project months are invoiced; time entries are seeded to match.
    """
    seed_people(plan)
    if plan.settings.empty:
        return {}
    seed_work(plan)
    seed_categories(plan)
    seed_estimates(plan)
    bills = seed_invoices(plan)
    seed_expenses(plan, bills)
    seed_documents(plan)
    seed_rates(plan)
    return bills
