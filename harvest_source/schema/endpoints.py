"""The endpoint table: one row per table. A new Harvest endpoint is a new row here."""

from __future__ import annotations

from harvest_source.schema import records
from harvest_source.schema.endpoint import (
    FROM_DATE,
    TO_DATE,
    Endpoint,
    NoChildren,
    Parent,
    Report,
)

_CLIENTS = "Administrator, or Manager who may create and edit clients"
_INVOICES = "Administrator, or Manager who may create and edit invoices"
_ESTIMATES = "Administrator, or Manager who may create and edit estimates"
_GONE = (404,)
_REPORTS = "Everyone, in part: what the role may see; money with the permission to see rates"
_SCOPED = "Everyone, in part: Administrator all, Manager own, teammates' and managed projects', "

_A_TENTH = 0.1

# Harvest computes due_amount from the payments; paid_at is set when nothing is due any more.
_UNPAID = NoChildren(equal=(("amount", "due_amount"),), null=("paid_at", "paid_date"))

# Sending moves the document's updated_at, as do closing, accepting and declining it: each of them
# is a message. A draft that was sent before ("draft" is an event, too) has changed since.
_UNTOUCHED_INVOICE = NoChildren(
    equal=(("created_at", "updated_at"),),
    value=(("state", "draft"),),
    null=("sent_at", "closed_at", "paid_at"),
)
_UNTOUCHED_ESTIMATE = NoChildren(
    equal=(("created_at", "updated_at"),),
    value=(("state", "draft"),),
    null=("sent_at", "accepted_at", "declined_at"),
)

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
        parent=Parent("invoices", "invoice_id", none_if=_UNTOUCHED_INVOICE, at_first=_A_TENTH),
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
        parent=Parent("invoices", "invoice_id", none_if=_UNPAID, at_first=_A_TENTH),
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
        parent=Parent("estimates", "estimate_id", none_if=_UNTOUCHED_ESTIMATE, at_first=_A_TENTH),
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
        is_personal=True,
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
        report=Report(("expenses",)),
        primary_key=("client_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("expenses",)),
        primary_key=("project_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("expenses",)),
        primary_key=("expense_category_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("expenses",)),
        primary_key=("user_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries",)),
        primary_key=("client_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries",)),
        primary_key=("project_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries",)),
        primary_key=("task_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries",)),
        primary_key=("user_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries", "expenses")),
        primary_key=("project_id", "currency", FROM_DATE, TO_DATE),
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
        report=Report(("time_entries",), is_snapshot=True),
        primary_key=("project_id", "snapshot_date"),
        cursor=None,
        default=False,
        docs="reports-api/reports/project-budget-report/",
        permission="Administrator; others the projects whose report they are shown",
    ),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}

DEFAULT_ENDPOINTS = tuple(endpoint for endpoint in ENDPOINTS if endpoint.default)
"""What is read when nothing is asked for by name."""

SECRET_COLUMNS = frozenset(
    f"{e.name}.{column.name}" for e in ENDPOINTS for column in e.record if column.secret
)
"""``table.column`` of keys that open documents without a login: left out unless asked for."""

PARENT_COLUMNS = {
    listed: tuple(
        dict.fromkeys(
            name
            for endpoint in ENDPOINTS
            if endpoint.parent is not None and endpoint.parent.endpoint == listed
            for name in endpoint.parent.columns
        )
    )
    for listed in {e.parent.endpoint for e in ENDPOINTS if e.parent is not None}
}
"""By list of parents, the columns that decide which lists below its records are read."""
