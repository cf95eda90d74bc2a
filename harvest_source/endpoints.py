"""
The endpoint table: one row per table. A new Harvest endpoint is a new row here.

If a row needs an ``if`` anywhere else, :class:`Endpoint` lacks a field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harvest_source import records
from harvest_source.columns import Column, Record, bigint, date


class Way(StrEnum):
    """How a table is read."""

    CHANGES = "changes"
    """By ``updated_since``."""
    WHOLE = "whole"
    """All rows, in place of the account's."""
    CHILDREN = "children"
    """One list per parent, in place of the parent's rows."""
    WINDOWS = "windows"
    """A report of one calendar year, in place of that year's rows."""
    SNAPSHOT = "snapshot"
    """A report without dates, in place of the day's rows."""


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose list a child's list is."""

    endpoint: str
    key: str
    """The column with the parent's id, which the records lack."""
    having: tuple[str, str] | None = None
    """An array of the parent and a value in it, without which it has no such list."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is drawn from."""

    dated_by: str
    """The list whose dates it covers."""
    is_snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that holds the ``id`` of another table's row. Drawn, never enforced."""

    table: str
    column: str
    to: str


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
    by_id: bool = True
    """Whether one record can be had by its id, below the list's path."""
    module: str | None = None
    """The flag of ``company`` that switches this off."""
    envelope: str = ""
    """The key that holds the rows; empty means *name*."""
    parent: Parent | None = None
    report: Report | None = None
    fill: tuple[tuple[str, str], ...] = ()
    """What stands in a key column that Harvest hides from some roles."""
    absent: tuple[int, ...] = ()
    """Statuses that mean a parent is gone, or has no such list."""
    volatile: tuple[str, str] | None = None
    """A filter for rows that change without a new ``updated_at``: read again every run."""
    own: bool = False
    """Everyone sees all of it: it is about whoever asks."""
    in_part: bool = False
    """What is shown below a parent depends on the role; of other lists it is all, or a 403."""
    default: bool = True
    """False: read only when asked for by name."""

    @property
    def way(self) -> Way:
        """How it is read."""
        if self.parent is not None:
            return Way.CHILDREN
        if self.report is not None:
            return Way.SNAPSHOT if self.report.is_snapshot else Way.WINDOWS
        return Way.CHANGES if self.cursor else Way.WHOLE

    @property
    def may_have_history(self) -> bool:
        """Tables of things that are named and renamed; not of what is dated by itself."""
        return self.way is Way.CHANGES and self.window is None

    @property
    def injected(self) -> tuple[Column, ...]:
        """Columns that the records lack and the request knows."""
        if self.parent is not None:
            listed = self.parent.endpoint
            return (bigint(self.parent.key, f"Id of the row's parent in {listed}", of=listed),)
        if self.way is Way.SNAPSHOT:
            return (date("snapshot_date", "Day on which the report was read, UTC"),)
        if self.way is Way.WINDOWS:
            return (
                date("from", "First day the report covers"),
                date("to", "Last day the report covers"),
            )
        return ()

    @property
    def scope(self) -> tuple[str, ...]:
        """Columns whose rows are read together and replaced together, beside ``account_id``."""
        return tuple(column.name for column in self.injected)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column but ``account_id``: what the request knows, then the record's."""
        return (*self.injected, *self.record.columns)

    @property
    def list_path(self) -> str:
        """Path to ask, relative to the API's base."""
        return self.path or self.name

    @property
    def envelope_key(self) -> str | None:
        """The key that holds the rows; None for a single object."""
        return None if self.single else self.envelope or self.name

    @property
    def key(self) -> tuple[str, ...]:
        """The whole primary key: nobody promises that ids are unique across accounts."""
        return ("account_id", *self.primary_key)

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the columns of this table and its child tables refer to."""
        columns = [(self.name, column) for column in self.columns]
        for child in self.record.children:
            columns += [(f"{self.name}__{child.name}", column) for column in child.columns]
        return tuple(Reference(table, c.name, c.of) for table, c in columns if c.of)

    @property
    def child_tables(self) -> tuple[str, ...]:
        """Tables of this row's arrays."""
        return tuple(f"{self.name}__{child.name}" for child in self.record.children)


_CLIENTS = "Administrator, or Manager who may create and edit clients"
_INVOICES = "Administrator, or Manager who may create and edit invoices"
_ESTIMATES = "Administrator, or Manager who may create and edit estimates"
_GONE = (404,)
_REPORTS = "Everyone, in part: what the role may see; money with the permission to see rates"
_SCOPED = "Everyone, in part: Administrator all, Manager own, teammates' and managed projects', "

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        name="time_entries",
        record=records.TIME_ENTRY,
        window="spent_date",
        cut_by="user__id",
        volatile=("is_running", "true"),
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
        by_id=False,
        docs="projects-api/projects/user-assignments/",
        permission="Administrator, or Manager with teammates or managed projects",
    ),
    Endpoint(
        name="task_assignments",
        record=records.TASK_ASSIGNMENT,
        by_id=False,
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
    Endpoint(
        name="invoice_messages",
        record=records.INVOICE_MESSAGE,
        path="invoices/{parent}/messages",
        parent=Parent("invoices", "invoice_id"),
        primary_key=("invoice_id", "id"),
        cursor=None,
        absent=_GONE,
        module="invoice_feature",
        docs="invoices-api/invoices/invoice-messages/",
        permission=_INVOICES,
    ),
    Endpoint(
        name="invoice_payments",
        record=records.INVOICE_PAYMENT,
        path="invoices/{parent}/payments",
        parent=Parent("invoices", "invoice_id"),
        primary_key=("invoice_id", "id"),
        cursor=None,
        absent=_GONE,
        module="invoice_feature",
        docs="invoices-api/invoices/invoice-payments/",
        permission=_INVOICES,
    ),
    Endpoint(
        name="estimate_messages",
        record=records.ESTIMATE_MESSAGE,
        path="estimates/{parent}/messages",
        parent=Parent("estimates", "estimate_id"),
        primary_key=("estimate_id", "id"),
        cursor=None,
        absent=_GONE,
        module="estimate_feature",
        docs="estimates-api/estimates/estimate-messages/",
        permission=_ESTIMATES,
    ),
    Endpoint(
        name="billable_rates",
        record=records.BILLABLE_RATE,
        path="users/{parent}/billable_rates",
        parent=Parent("users", "user_id"),
        primary_key=("user_id", "id"),
        cursor=None,
        absent=_GONE,
        docs="users-api/users/billable-rates/",
        permission="Administrator, or Manager who may edit billable rates",
    ),
    Endpoint(
        name="cost_rates",
        record=records.COST_RATE,
        path="users/{parent}/cost_rates",
        parent=Parent("users", "user_id"),
        primary_key=("user_id", "id"),
        cursor=None,
        absent=_GONE,
        docs="users-api/users/cost-rates/",
        permission="Administrator",
    ),
    Endpoint(
        name="teammates",
        record=records.TEAMMATE,
        path="users/{parent}/teammates",
        parent=Parent("users", "user_id", having=("access_roles", "manager")),
        primary_key=("user_id", "id"),
        cursor=None,
        absent=(*_GONE, 422),  # Not a manager any more.
        default=False,
        docs="users-api/users/teammates/",
        permission="Administrator",
    ),
    Endpoint(
        name="project_assignments",
        record=records.PROJECT_ASSIGNMENT,
        path="users/{parent}/project_assignments",
        parent=Parent("users", "user_id"),
        primary_key=("user_id", "id"),
        cursor=None,
        absent=_GONE,
        in_part=True,
        default=False,  # Repeats user_assignments and task_assignments, active ones only.
        docs="users-api/users/project-assignments/",
        permission="Administrator, or Manager with teammates; everyone their own",
    ),
    Endpoint(
        name="my_project_assignments",
        record=records.PROJECT_ASSIGNMENT,
        path="users/me/project_assignments",
        envelope="project_assignments",
        cursor=None,
        own=True,
        default=False,  # For members, who may read neither projects nor tasks.
        docs="users-api/users/project-assignments/",
        permission="Everyone",
    ),
    Endpoint(
        name="project_user_assignments",
        record=records.USER_ASSIGNMENT,
        path="projects/{parent}/user_assignments",
        envelope="user_assignments",
        parent=Parent("projects", "project_id"),
        primary_key=("project_id", "id"),
        cursor=None,
        absent=_GONE,
        in_part=True,
        default=False,  # The same rows as user_assignments.
        docs="projects-api/projects/user-assignments/",
        permission="As user_assignments",
    ),
    Endpoint(
        name="project_task_assignments",
        record=records.TASK_ASSIGNMENT,
        path="projects/{parent}/task_assignments",
        envelope="task_assignments",
        parent=Parent("projects", "project_id"),
        primary_key=("project_id", "id"),
        cursor=None,
        absent=_GONE,
        in_part=True,
        default=False,  # The same rows as task_assignments.
        docs="projects-api/projects/task-assignments/",
        permission="As task_assignments",
    ),
    Endpoint(
        name="report_expenses_clients",
        record=records.REPORT_EXPENSES_CLIENTS,
        path="reports/expenses/clients",
        envelope="results",
        report=Report("expenses"),
        primary_key=("client_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        module="expense_feature",
        default=False,
        docs="reports-api/reports/expense-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_expenses_projects",
        record=records.REPORT_EXPENSES_PROJECTS,
        path="reports/expenses/projects",
        envelope="results",
        report=Report("expenses"),
        primary_key=("project_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        module="expense_feature",
        default=False,
        docs="reports-api/reports/expense-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_expenses_categories",
        record=records.REPORT_EXPENSES_CATEGORIES,
        path="reports/expenses/categories",
        envelope="results",
        report=Report("expenses"),
        primary_key=("expense_category_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        module="expense_feature",
        default=False,
        docs="reports-api/reports/expense-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_expenses_team",
        record=records.REPORT_EXPENSES_TEAM,
        path="reports/expenses/team",
        envelope="results",
        report=Report("expenses"),
        primary_key=("user_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        module="expense_feature",
        default=False,
        docs="reports-api/reports/expense-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_time_clients",
        record=records.REPORT_TIME_CLIENTS,
        path="reports/time/clients",
        envelope="results",
        report=Report("time_entries"),
        primary_key=("client_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        default=False,
        docs="reports-api/reports/time-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_time_projects",
        record=records.REPORT_TIME_PROJECTS,
        path="reports/time/projects",
        envelope="results",
        report=Report("time_entries"),
        primary_key=("project_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        default=False,
        docs="reports-api/reports/time-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_time_tasks",
        record=records.REPORT_TIME_TASKS,
        path="reports/time/tasks",
        envelope="results",
        report=Report("time_entries"),
        primary_key=("task_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        default=False,
        docs="reports-api/reports/time-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_time_team",
        record=records.REPORT_TIME_TEAM,
        path="reports/time/team",
        envelope="results",
        report=Report("time_entries"),
        primary_key=("user_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        default=False,
        docs="reports-api/reports/time-reports/",
        permission=_REPORTS,
    ),
    Endpoint(
        name="report_uninvoiced",
        record=records.REPORT_UNINVOICED,
        path="reports/uninvoiced",
        envelope="results",
        report=Report("time_entries"),
        primary_key=("project_id", "currency", "from", "to"),
        cursor=None,
        fill=(("currency", ""),),
        module="invoice_feature",
        default=False,
        docs="reports-api/reports/uninvoiced-report/",
        permission="Administrator, or Manager who may create invoices (managed projects)",
    ),
    Endpoint(
        name="report_project_budget",
        record=records.REPORT_PROJECT_BUDGET,
        path="reports/project_budget",
        envelope="results",
        report=Report("time_entries", is_snapshot=True),
        primary_key=("project_id", "snapshot_date"),
        cursor=None,
        default=False,
        docs="reports-api/reports/project-budget-report/",
        permission="Administrator; others the projects whose report they are shown",
    ),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}

DEFAULTS = tuple(endpoint for endpoint in ENDPOINTS if endpoint.default)
"""What is read when nothing is asked for by name."""

SECRETS = frozenset(
    f"{e.name}.{column.name}" for e in ENDPOINTS for column in e.record if column.secret
)
"""``table.column`` of what opens documents without a login: left out unless asked for."""
