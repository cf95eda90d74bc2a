"""
The endpoint table: one row per table. A new Harvest endpoint is a new row here.

If a row needs an ``if`` anywhere else, :class:`Endpoint` lacks a field.
"""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source import records
from harvest_source.columns import Record


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One list (or single object) that Harvest serves, and the table it becomes."""

    name: str
    """Table name: Harvest's own word."""
    record: Record
    docs: str
    """Page of Harvest's API reference."""
    permission: str
    """Who may read it, as documented."""
    path: str = ""
    """Relative to the API's base; empty means *name*."""
    single: bool = False
    """One object without an envelope, not a list."""
    primary_key: tuple[str, ...] = ("id",)
    """Beside ``account_id``; empty when the account has one row."""
    cursor: str | None = "updated_at"
    """The column ``updated_since`` compares. None: no such parameter, read whole every time."""
    window: str | None = None
    """The date column that ``from``/``to`` filter. None: no such parameters."""
    cut_by: str | None = None
    """The id column that can part a single day; its parameter is the name less one underscore."""
    module: str | None = None
    """The flag of ``company`` that switches this off."""

    @property
    def list_path(self) -> str:
        """Path to ask, relative to the API's base."""
        return self.path or self.name

    @property
    def envelope_key(self) -> str | None:
        """The key that holds the rows; None for a single object."""
        return None if self.single else self.name

    @property
    def key(self) -> tuple[str, ...]:
        """The whole primary key: nobody promises that ids are unique across accounts."""
        return ("account_id", *self.primary_key)

    @property
    def child_tables(self) -> tuple[str, ...]:
        """Tables of this row's arrays."""
        return tuple(f"{self.name}__{child.name}" for child in self.record.children)


_CLIENTS = "Administrator, or Manager who may create and edit clients"
_INVOICES = "Administrator, or Manager who may create and edit invoices"
_ESTIMATES = "Administrator, or Manager who may create and edit estimates"
_SCOPED = "Everyone, in part: Administrator all, Manager own, teammates' and managed projects', "

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        name="time_entries",
        record=records.TIME_ENTRY,
        window="spent_date",
        cut_by="user__id",
        docs="timesheets-api/timesheets/time-entries/",
        permission=_SCOPED + "Member own",
    ),
    Endpoint(
        name="expenses",
        record=records.EXPENSE,
        window="spent_date",
        cut_by="user__id",
        module="expense_feature",
        docs="expenses-api/expenses/expenses/",
        permission=_SCOPED + "Member own",
    ),
    Endpoint(
        name="projects",
        record=records.PROJECT,
        docs="projects-api/projects/projects/",
        permission="Administrator, or Manager (the projects they manage)",
    ),
    Endpoint(
        name="clients",
        record=records.CLIENT,
        docs="clients-api/clients/clients/",
        permission=_CLIENTS,
    ),
    Endpoint(
        name="contacts",
        record=records.CONTACT,
        docs="clients-api/clients/contacts/",
        permission=_CLIENTS,
    ),
    Endpoint(
        name="tasks",
        record=records.TASK,
        docs="tasks-api/tasks/tasks/",
        permission="Administrator, or Manager who may create and edit tasks",
    ),
    Endpoint(
        name="users",
        record=records.USER,
        docs="users-api/users/users/",
        permission="Administrator, or Manager (their teammates)",
    ),
    Endpoint(
        name="roles",
        record=records.ROLE,
        cursor=None,
        docs="roles-api/roles/roles/",
        permission="Administrator",
    ),
    Endpoint(
        name="user_assignments",
        record=records.USER_ASSIGNMENT,
        docs="projects-api/projects/user-assignments/",
        permission="Administrator, or Manager with teammates or managed projects",
    ),
    Endpoint(
        name="task_assignments",
        record=records.TASK_ASSIGNMENT,
        docs="projects-api/projects/task-assignments/",
        permission="Administrator, or Manager of projects",
    ),
    Endpoint(
        name="invoices",
        record=records.INVOICE,
        window="issue_date",
        cut_by="client__id",
        module="invoice_feature",
        docs="invoices-api/invoices/invoices/",
        permission=_INVOICES,
    ),
    Endpoint(
        name="invoice_item_categories",
        record=records.INVOICE_ITEM_CATEGORY,
        module="invoice_feature",
        docs="invoices-api/invoices/invoice-item-categories/",
        permission="Administrator, or Manager of projects",
    ),
    Endpoint(
        name="estimates",
        record=records.ESTIMATE,
        window="issue_date",
        cut_by="client__id",
        module="estimate_feature",
        docs="estimates-api/estimates/estimates/",
        permission=_ESTIMATES,
    ),
    Endpoint(
        name="estimate_item_categories",
        record=records.ESTIMATE_ITEM_CATEGORY,
        module="estimate_feature",
        docs="estimates-api/estimates/estimate-item-categories/",
        permission="Administrator",
    ),
    Endpoint(
        name="expense_categories",
        record=records.EXPENSE_CATEGORY,
        module="expense_feature",
        docs="expenses-api/expenses/expense-categories/",
        permission="Administrator",
    ),
    Endpoint(
        name="company",
        record=records.COMPANY,
        single=True,
        primary_key=(),
        cursor=None,
        docs="company-api/company/company/",
        permission="Administrator (recordings show others may read it too)",
    ),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
