"""
Every record this package reads, column by column, in Harvest's own order.

Source: Harvest's API v2 reference and what recordings of it show. A column marked "undocumented" is
not in the reference: recordings or other clients have it.
"""

from __future__ import annotations

from typing import Final

from harvest_source.schema.columns import (
    Type,
    bigint,
    date,
    decimal,
    flag,
    money,
    record,
    rows,
    seconds,
    silently_changing,
    text,
    timestamp,
    values,
)

TIME_ENTRY = record(
    bigint("id", "Entry id"),
    date("spent_date", "Day worked (user's calendar day)"),
    bigint("user__id", "Who worked: id", of="users"),
    text("user__name", "Who worked: display name at read time"),
    silently_changing(
        bigint(
            "user_assignment__id",
            "User assignment at read time: user assignment id",
            of="user_assignments",
        )
    ),
    flag(
        "user_assignment__is_project_manager",
        "User assignment at read time: manages this project",
    ),
    flag("user_assignment__is_active", "User assignment at read time: assignment active"),
    flag(
        "user_assignment__use_default_rates",
        "User assignment at read time: uses the person's default rate; undocumented",
    ),
    decimal(
        "user_assignment__budget",
        "User assignment at read time: hours budget when budget_by=person",
    ),
    timestamp("user_assignment__created_at", "User assignment at read time: creation time"),
    timestamp("user_assignment__updated_at", "User assignment at read time: last change"),
    decimal(
        "user_assignment__hourly_rate",
        "User assignment at read time: rate for this person on the project; null where the "
        "role may not see it",
    ),
    bigint(
        "client__id",
        "Client at read time: id; the project's present one is in projects",
        of="clients",
    ),
    text("client__name", "Client: display name at read time"),
    text("client__currency", "Client at read time: ISO code; undocumented"),
    bigint("project__id", "Project: id", of="projects"),
    text("project__name", "Project: display name at read time"),
    text("project__code", "Project: project code, an empty text or null when unset; undocumented"),
    bigint("task__id", "Task: id", of="tasks"),
    text("task__name", "Task: display name at read time"),
    silently_changing(
        bigint(
            "task_assignment__id",
            "Task assignment at read time: task assignment id",
            of="task_assignments",
        )
    ),
    flag("task_assignment__billable", "Task assignment at read time: billable on this project"),
    flag("task_assignment__is_active", "Task assignment at read time: assignment active"),
    timestamp("task_assignment__created_at", "Task assignment at read time: creation time"),
    timestamp("task_assignment__updated_at", "Task assignment at read time: last change"),
    decimal(
        "task_assignment__hourly_rate",
        "Task assignment at read time: rate when bill_by=Tasks",
    ),
    decimal(
        "task_assignment__budget",
        "Task assignment at read time: budget when budget_by=task or task_fees",
    ),
    text("external_reference__id", "Link to a ticket in another tool: foreign id"),
    text("external_reference__group_id", "Link to a ticket in another tool: foreign group id"),
    text("external_reference__account_id", "Link to a ticket in another tool: foreign account id"),
    text("external_reference__permalink", "Link to a ticket in another tool: URL"),
    text("external_reference__service", "Link to a ticket in another tool: host of the tool"),
    text("external_reference__service_icon_url", "Link to a ticket in another tool: icon URL"),
    bigint("invoice__id", "Invoice that billed it: id", of="invoices"),
    text("invoice__number", "Invoice that billed it: number"),
    decimal("hours", "Hours; for a running entry grows with the clock at read time"),
    decimal("hours_without_timer", "Hours before the running timer was last started"),
    decimal("rounded_hours", "Hours after the account's rounding; reports and invoices use it"),
    text("notes", "Notes"),
    silently_changing(flag("is_locked", "Locked")),
    silently_changing(flag("is_explicitly_locked", "Meaning unknown; undocumented")),
    silently_changing(
        text(
            "locked_reason",
            "Human text, e.g. that the item is invoiced / approved / project archived",
        )
    ),
    flag("is_closed", "Approved; deprecated by Harvest"),
    text("approval_status", "Approval state; one of unsubmitted, submitted, approved"),
    flag("is_billed", "Marked invoiced"),
    timestamp("timer_started_at", "Start of the running timer; null when stopped"),
    text("started_time", "Clock text 8:00am or 14:59 by company.clock; user's local time"),
    text("ended_time", "Clock text; null while running or in duration mode"),
    flag("is_running", "Timer running"),
    flag("billable", "Billable"),
    flag("budgeted", "Counts to the project budget"),
    decimal(
        "billable_rate",
        "Rate in client currency; null when not billable; null where the role may not see it",
    ),
    decimal(
        "cost_rate",
        "Internal cost per hour, company currency; null where the role may not see it",
    ),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

EXPENSE = record(
    bigint("id", "Expense id"),
    bigint(
        "client__id",
        "Client at read time: id; the project's present one is in projects",
        of="clients",
    ),
    text("client__name", "Client: display name at read time"),
    text("client__currency", "Client at read time: ISO code"),
    bigint("project__id", "Project: id", of="projects"),
    text("project__name", "Project: name"),
    text("project__code", "Project: code"),
    bigint("expense_category__id", "Category: id", of="expense_categories"),
    text("expense_category__name", "Category: name"),
    decimal("expense_category__unit_price", "Category: price per unit"),
    text("expense_category__unit_name", "Category: unit"),
    bigint("user__id", "Who recorded it: id", of="users"),
    text("user__name", "Who recorded it: display name at read time"),
    silently_changing(
        bigint(
            "user_assignment__id",
            "User assignment at read time: user assignment id",
            of="user_assignments",
        )
    ),
    flag(
        "user_assignment__is_project_manager",
        "User assignment at read time: manages this project",
    ),
    flag("user_assignment__is_active", "User assignment at read time: assignment active"),
    flag(
        "user_assignment__use_default_rates",
        "User assignment at read time: uses the person's default rate; undocumented",
    ),
    decimal(
        "user_assignment__budget",
        "User assignment at read time: hours budget when budget_by=person",
    ),
    timestamp("user_assignment__created_at", "User assignment at read time: creation time"),
    timestamp("user_assignment__updated_at", "User assignment at read time: last change"),
    decimal(
        "user_assignment__hourly_rate",
        "User assignment at read time: rate for this person on the project; null where the "
        "role may not see it",
    ),
    silently_changing(text("receipt__url", "Attachment: download URL")),
    text("receipt__file_name", "Attachment: file name"),
    bigint("receipt__file_size", "Attachment: bytes"),
    text("receipt__content_type", "Attachment: MIME type"),
    bigint("invoice__id", "Invoice that billed it: id", of="invoices"),
    text("invoice__number", "Invoice that billed it: number"),
    text("notes", "Notes"),
    decimal("units", "Quantity"),
    money("total_cost", "Total"),
    flag("billable", "Billable"),
    flag("is_closed", "Approved; deprecated by Harvest"),
    text("approval_status", "Approval state; one of unsubmitted, submitted, approved"),
    silently_changing(flag("is_locked", "Invoiced, approved, or project/person archived")),
    silently_changing(flag("is_explicitly_locked", "Meaning unknown; undocumented")),
    flag("is_billed", "Marked invoiced"),
    silently_changing(text("locked_reason", "Human text")),
    date("spent_date", "Date of the expense"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

PROJECT = record(
    bigint("id", "Project id"),
    bigint("client__id", "Client: id", of="clients"),
    text("client__name", "Client: display name at read time"),
    text("client__currency", "Client: ISO code"),
    text("name", "Name"),
    text("code", "Code, an empty text or null when unset"),
    flag("is_active", "False = archived"),
    flag("is_billable", "Billable"),
    flag("is_fixed_fee", "Fixed fee"),
    text("bill_by", "Rate method; one of Project, Tasks, People, none"),
    decimal("hourly_rate", "Rate when bill_by=Project; null where the role may not see it"),
    text("budget_by", "Budget method; one of project, project_cost, task, task_fees, person, none"),
    flag("budget_is_monthly", "Budget resets monthly"),
    decimal("budget", "Hours budget"),
    money("cost_budget", "Money budget"),
    flag("cost_budget_include_expenses", "Expenses count"),
    flag("notify_when_over_budget", "Alert on"),
    decimal("over_budget_notification_percentage", "Alert threshold, percent (80.0)"),
    silently_changing(date("over_budget_notification_date", "Last alert")),
    flag("show_budget_to_all", "Budget visible to everyone"),
    money("fee", "Fixed fee"),
    text("notes", "Notes"),
    date("starts_on", "Start"),
    date("ends_on", "End"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

CLIENT = record(
    bigint("id", "Client id"),
    text("name", "Client name"),
    flag("is_active", "False = archived"),
    text("address", "Postal address"),
    text(
        "statement_key",
        "Key for the client's public statement URL; treat as sensitive",
        secret=True,
    ),
    text("currency", "ISO 4217 code"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

CONTACT = record(
    bigint("id", "Contact id"),
    bigint("client__id", "Owning client: id", of="clients"),
    text("client__name", "Owning client: display name at read time"),
    text("title", "Job title / salutation"),
    text("first_name", "First name"),
    text("last_name", "Last name"),
    text("email", "E-mail"),
    text("phone_office", "Office phone"),
    text("phone_mobile", "Mobile phone"),
    text("fax", "Fax"),
    text(
        "invoice_recipient_status",
        "How invoices are addressed to this contact; one of none, recipient, cc, bcc; undocumented",
    ),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

TASK = record(
    bigint("id", "Task id"),
    text("name", "Name"),
    flag("billable_by_default", "Default billable"),
    decimal("default_hourly_rate", "Default rate; null where the role may not see it"),
    flag("is_default", "Added to new projects"),
    flag("is_active", "False = archived"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

USER = record(
    bigint("id", "User id"),
    text("first_name", "First name"),
    text("last_name", "Last name"),
    text("email", "E-mail"),
    text("telephone", "Phone"),
    text("timezone", "Rails zone NAME (Eastern Time (US & Canada), Kyiv), not IANA"),
    flag("has_access_to_all_future_projects", "Auto-added to projects"),
    flag("is_contractor", "Contractor"),
    flag("is_active", "False = archived"),
    seconds("weekly_capacity", "SECONDS per week (126000 = 35 h)"),
    silently_changing(
        decimal("default_hourly_rate", "Current billable rate; null where the role may not see it")
    ),
    silently_changing(
        decimal("cost_rate", "Current cost rate; null where the role may not see it")
    ),
    values("roles", "Role NAMES, not ids"),
    values(
        "access_roles",
        "Permission roles; one of administrator, manager, member, project_creator, "
        "billable_rates_manager, managed_projects_invoice_drafter, "
        "managed_projects_invoice_manager, client_and_task_manager, "
        "time_and_expenses_manager, estimates_manager, people_manager",
    ),
    silently_changing(text("avatar_url", "Image URL")),
    text("employee_id", "Employee number; undocumented"),
    flag("calendar_integration_enabled", "Calendar connected; undocumented"),
    text("calendar_integration_source", "Calendar kind; undocumented"),
    flag("can_create_projects", "May create projects; undocumented"),
    values("permissions_claims", "Fine-grained claims such as timers:read:own; undocumented"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

ROLE = record(
    bigint("id", "Role id"),
    text("name", "Name (labels, no permissions)"),
    values("user_ids", "Members; [] when empty", Type.BIGINT, of="users"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

INVOICE = record(
    bigint("id", "Invoice id"),
    bigint("client__id", "Billed client: id", of="clients"),
    text("client__name", "Billed client: display name at read time"),
    rows(
        "line_items",
        "Lines, embedded in full",
        bigint("id", "Line item id"),
        text("kind", "Item category NAME (not an id)"),
        text("description", "Free text"),
        decimal("quantity", "Units"),
        decimal("unit_price", "Price per unit"),
        money("amount", "Quantity x unit_price"),
        flag("taxed", "First tax applies"),
        flag("taxed2", "Second tax applies"),
        bigint("project__id", "Project of the line: project id", of="projects"),
        text("project__name", "Project of the line: project name"),
        text("project__code", "Project of the line: project code (empty text or null when unset)"),
    ),
    bigint("estimate__id", "Source estimate: estimate id", of="estimates"),
    bigint("retainer__id", "Source retainer: retainer id"),
    bigint("creator__id", "User who created it: id", of="users"),
    text("creator__name", "User who created it: display name at read time"),
    text("client_key", "Key of the public invoice page and PDF", secret=True),
    text("number", "Invoice number"),
    text("purchase_order", "PO number"),
    money("amount", "Total incl. discounts and taxes, in invoice currency"),
    money("due_amount", "Still due"),
    decimal("tax", "First tax, percent"),
    money("tax_amount", "First tax, money"),
    decimal("tax2", "Second tax, percent"),
    money("tax2_amount", "Second tax, money"),
    decimal("discount", "Discount percent; null for a flat discount (discount_amount)"),
    money("discount_amount", "Discount, money"),
    text("subject", "Subject"),
    text("notes", "Notes"),
    text("currency", "ISO 4217 code"),
    text("state", "Status; one of draft, open, paid, closed"),
    date("period_start", "First day of billed time"),
    date("period_end", "Last day of billed time"),
    date("issue_date", "Issue date; list is sorted by it, newest first"),
    date("due_date", "Due date"),
    text("payment_term", "Term; one of upon receipt, net 15, net 30, net 45, net 60, custom"),
    values("payment_options", "Online payment methods; one of ach, credit_card, paypal"),
    timestamp("sent_at", "First sent"),
    timestamp(
        "paid_at",
        "Paid; midnight UTC when only a date was given, which is the day before in zones west of "
        "it: count days and months by paid_date",
    ),
    date("paid_date", "Day on which it was paid: count days and months by it"),
    timestamp("closed_at", "Closed (written off)"),
    bigint("recurring_invoice_id", "Id of the recurring template (no endpoint for it)"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

ESTIMATE = record(
    bigint("id", "Estimate id"),
    bigint("client__id", "Client: id", of="clients"),
    text("client__name", "Client: display name at read time"),
    rows(
        "line_items",
        "Lines; same members as invoice lines WITHOUT project",
        bigint("id", "Line item id"),
        text("kind", "Item category NAME (not an id)"),
        text("description", "Free text"),
        decimal("quantity", "Units"),
        decimal("unit_price", "Price per unit"),
        money("amount", "Quantity x unit_price"),
        flag("taxed", "First tax applies"),
        flag("taxed2", "Second tax applies"),
    ),
    bigint("creator__id", "User who created it: id", of="users"),
    text("creator__name", "User who created it: display name at read time"),
    text("client_key", "Public URL key (/client/estimates/<key>)", secret=True),
    text("number", "Number, string"),
    text("purchase_order", "PO number"),
    money("amount", "Total"),
    decimal("tax", "Percent"),
    money("tax_amount", "Money"),
    decimal("tax2", "Percent"),
    money("tax2_amount", "Money"),
    decimal("discount", "Percent"),
    money("discount_amount", "Money"),
    text("subject", "Subject"),
    text("notes", "Notes"),
    text("currency", "ISO 4217 code"),
    text("state", "Status; one of draft, sent, accepted, declined"),
    date("issue_date", "Issue date"),
    timestamp("sent_at", "Sent"),
    timestamp("accepted_at", "Accepted"),
    timestamp("declined_at", "Declined"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

INVOICE_ITEM_CATEGORY = record(
    bigint("id", "Category id"),
    text("name", "Name"),
    flag("use_as_service", "Used for hours"),
    flag("use_as_expense", "Used for expenses"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

ESTIMATE_ITEM_CATEGORY = record(
    bigint("id", "Category id"),
    text("name", "Name"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

EXPENSE_CATEGORY = record(
    bigint("id", "Category id"),
    text("name", "Name"),
    text("unit_name", "Unit"),
    decimal("unit_price", "Price per unit"),
    flag("is_active", "False = archived"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

TASK_ASSIGNMENT = record(
    bigint("id", "Assignment id"),
    bigint("project__id", "Project: id", of="projects"),
    text("project__name", "Project: name"),
    text("project__code", "Project: code"),
    bigint("task__id", "Task: id", of="tasks"),
    text("task__name", "Task: display name at read time"),
    flag("is_active", "Active"),
    flag("billable", "Billable"),
    decimal("hourly_rate", "Rate when bill_by=Tasks; null where the role may not see it"),
    decimal("budget", "Budget when budget_by=task/task_fees"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

USER_ASSIGNMENT = record(
    bigint("id", "Assignment id; equals the id in project_assignments"),
    bigint("project__id", "Project: id", of="projects"),
    text("project__name", "Project: name"),
    text("project__code", "Project: code"),
    bigint("user__id", "Person: id", of="users"),
    text("user__name", "Person: display name at read time"),
    flag("is_active", "False = removed from the project"),
    flag("is_project_manager", "Manages the project"),
    flag("use_default_rates", "Uses the person's default rates"),
    decimal(
        "hourly_rate",
        "Custom rate; the effective default when use_default_rates; null where the role may "
        "not see it",
    ),
    decimal("budget", "Hours budget when budget_by=person"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

COMPANY = record(
    text("base_uri", "Web address of the account: https://<sub>.harvestapp.com"),
    text("full_domain", "Host of base_uri; best natural key of the singleton"),
    text("name", "Company name"),
    flag("is_active", "Account active"),
    text("week_start_day", "First weekday; one of Saturday, Sunday, Monday"),
    flag("wants_timestamp_timers", "True = start/end-time tracking, false = durations"),
    text("time_format", "UI hours format; one of decimal, hours_minutes"),
    text("date_format", "UI date format, strftime style"),
    text("plan_type", "Plan code (trial, free, simple-v4, ...)"),
    text("clock", "12h or 24h; decides the format of started_time/ended_time; one of 12h, 24h"),
    text(
        "currency_code_display",
        "UI setting; one of iso_code_none, iso_code_before, iso_code_after",
    ),
    text("currency_symbol_display", "UI setting; one of symbol_none, symbol_before, symbol_after"),
    text("decimal_symbol", "UI decimal mark (JSON numbers are unaffected)"),
    text("thousands_separator", "UI separator"),
    text("color_scheme", "UI colour"),
    seconds("weekly_capacity", "Default weekly capacity in SECONDS"),
    flag("expense_feature", "Expenses module on"),
    flag("invoice_feature", "Invoices module on"),
    flag("estimate_feature", "Estimates module on"),
    flag("approval_feature", "Timesheet approval on"),
    flag("team_feature", "Team module on"),
    text("currency", "Account currency; undocumented"),
    flag("saml_sign_in_required", "SSO enforced; undocumented"),
    flag("day_entry_notes_required", "Notes mandatory on entries; undocumented"),
    flag("approval_required", "Approval mandatory; undocumented"),
)


INVOICE_MESSAGE = record(
    bigint("id", "Message id"),
    text("sent_by", "Creator name"),
    text("sent_by_email", "Creator email"),
    text("sent_from", "Sender name shown"),
    text("sent_from_email", "Sender email shown"),
    rows(
        "recipients",
        "Recipients",
        text("name", "Name"),
        text("email", "E-mail"),
    ),
    text("subject", "Subject"),
    text("body", "Body, CRLF line ends"),
    flag("include_link_to_client_invoice", "Had a client link; deprecated by Harvest"),
    flag("attach_pdf", "PDF attached"),
    flag("send_me_a_copy", "Copy to sender"),
    flag("thank_you", "Thank-you message"),
    text(
        "event_type",
        "State change made by the message; one of close, draft, re-open, send, view; null for an "
        "e-mail",
    ),
    flag("reminder", "Reminder message"),
    date("send_reminder_on", "Planned reminder date"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

INVOICE_PAYMENT = record(
    bigint("id", "Payment id"),
    money("amount", "Amount in invoice currency"),
    timestamp(
        "paid_at",
        "Payment time; midnight UTC when only a date was given, which is the day before in zones "
        "west of it: count days and months by paid_date",
    ),
    date("paid_date", "Day of the payment: count days and months by it"),
    text("recorded_by", "Who recorded it"),
    text("recorded_by_email", "Their email"),
    text("notes", "Notes"),
    text("transaction_id", "Card/PayPal reference"),
    bigint("payment_gateway__id", "Gateway: gateway id"),
    text("payment_gateway__name", "Gateway: gateway name"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

ESTIMATE_MESSAGE = record(
    bigint("id", "Message id"),
    text("sent_by", "Creator name"),
    text("sent_by_email", "Creator email"),
    text("sent_from", "Sender name shown"),
    text("sent_from_email", "Sender email shown"),
    rows(
        "recipients",
        "Recipients",
        text("name", "Name"),
        text("email", "E-mail"),
    ),
    text("subject", "Subject"),
    text("body", "Body; may hold the literal placeholder %estimate_url%"),
    flag("send_me_a_copy", "Copy to sender"),
    text("event_type", "State change; one of send, accept, decline, re-open, view, invoice"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

BILLABLE_RATE = record(
    bigint("id", "Rate id"),
    decimal("amount", "Rate per hour"),
    date("start_date", "Valid from; null = since ever (first rate)"),
    date("end_date", "Valid to, computed by Harvest; null = open"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

COST_RATE = record(
    bigint("id", "Rate id"),
    decimal("amount", "Rate per hour"),
    date("start_date", "Valid from; null = since ever (first rate)"),
    date("end_date", "Valid to, computed by Harvest; null = open"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
)

TEAMMATE = record(
    bigint("id", "Teammate's USER id", of="users"),
    text("first_name", "First name"),
    text("last_name", "Last name"),
    text("email", "E-mail"),
)

PROJECT_ASSIGNMENT = record(
    bigint("id", "Same id as the user_assignment", of="user_assignments"),
    flag("is_active", "Always true here (endpoint returns active only)"),
    flag("is_project_manager", "Manages the project"),
    flag("use_default_rates", "Default rates"),
    decimal("hourly_rate", "Rate; null where the role may not see it"),
    decimal("budget", "Hours budget"),
    timestamp("created_at", "Creation time, UTC"),
    timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
    bigint("project__id", "Project: id", of="projects"),
    text("project__name", "Project: name"),
    text("project__code", "Project: code"),
    flag("project__is_billable", "Project: billable; undocumented"),
    bigint("client__id", "Client: id", of="clients"),
    text("client__name", "Client: display name at read time"),
    text("client__currency", "Client: ISO code; undocumented"),
    rows(
        "task_assignments",
        "Tasks of the project",
        bigint("id", "Task assignment id", of="task_assignments"),
        flag("billable", "Billable on this project"),
        flag("is_active", "Assignment active"),
        timestamp("created_at", "Creation time, UTC"),
        timestamp("updated_at", "Last change, UTC, whole seconds; what updated_since compares"),
        decimal("hourly_rate", "Rate when bill_by=Tasks"),
        decimal("budget", "Budget when budget_by=task or task_fees"),
        bigint("task__id", "Task: id", of="tasks"),
        text("task__name", "Task: display name at read time"),
    ),
)

REPORT_EXPENSES_CLIENTS = record(
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    money("total_amount", "All expenses"),
    money("billable_amount", "Billable part"),
    text("currency", "ISO code; one row per subject AND currency"),
)

REPORT_EXPENSES_PROJECTS = record(
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    bigint("project_id", "Project", of="projects"),
    text("project_name", "DISPLAY name with a '[CODE] ' prefix when the project has a code"),
    money("total_amount", "All expenses"),
    money("billable_amount", "Billable part"),
    text("currency", "ISO code; one row per subject AND currency"),
)

REPORT_EXPENSES_CATEGORIES = record(
    bigint("expense_category_id", "Category", of="expense_categories"),
    text("expense_category_name", "Name"),
    money("total_amount", "All expenses"),
    money("billable_amount", "Billable part"),
    text("currency", "ISO code; one row per subject AND currency"),
)

REPORT_EXPENSES_TEAM = record(
    bigint("user_id", "Person", of="users"),
    text("user_name", "First + last"),
    flag("is_contractor", "Contractor"),
    money("total_amount", "All expenses"),
    money("billable_amount", "Billable part"),
    text("currency", "ISO code; one row per subject AND currency"),
)

_TIME_SUMS: Final = (
    decimal("total_hours", "Sum of ROUNDED hours"),
    decimal("billable_hours", "Billable rounded hours"),
    text(
        "currency",
        "ISO code; one row per subject AND currency; an empty text where the role may not see it",
    ),
    money(
        "billable_amount",
        "Money, without that of fixed-fee projects; null where the role may not see it",
    ),
)

_SCHEDULED_HOURS: Final = decimal(
    "scheduled_hours",
    "Forecast hours; null, because no sync asks for them (include_forecast); undocumented",
)

REPORT_TIME_CLIENTS = record(
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    *_TIME_SUMS,
)

REPORT_TIME_PROJECTS = record(
    bigint("project_id", "Project", of="projects"),
    text("project_name", "DISPLAY name with a '[CODE] ' prefix when the project has a code"),
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    *_TIME_SUMS,
    _SCHEDULED_HOURS,
)

REPORT_TIME_TASKS = record(
    bigint("task_id", "Task", of="tasks"),
    text("task_name", "Name"),
    *_TIME_SUMS,
)

REPORT_TIME_TEAM = record(
    bigint("user_id", "Person", of="users"),
    text("user_name", "First + last"),
    flag("is_contractor", "Contractor"),
    seconds("weekly_capacity", "SECONDS"),
    text("avatar_url", "Image"),
    *_TIME_SUMS,
    _SCHEDULED_HOURS,
)

REPORT_UNINVOICED = record(
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    bigint("project_id", "Project", of="projects"),
    text("project_name", "Plain name, no code prefix"),
    text("currency", "ISO code"),
    decimal("total_hours", "Hours"),
    decimal("uninvoiced_hours", "Hours not invoiced"),
    money("uninvoiced_expenses", "Billable expenses not invoiced"),
    money(
        "uninvoiced_amount",
        "Time, expenses and what remains of a fixed fee, not invoiced. The same remainder is in "
        "each year from the project's start: do not add up years",
    ),
)

REPORT_PROJECT_BUDGET = record(
    bigint("client_id", "Client", of="clients"),
    text("client_name", "Client name"),
    bigint("project_id", "Project", of="projects"),
    text("project_name", "Plain name, no code prefix"),
    flag("budget_is_monthly", "Monthly reset"),
    text("budget_by", "Method; one of project, project_cost, task, task_fees, person, none"),
    flag("is_active", "Project active"),
    decimal("budget", "Hours or money, by budget_by; null where the role may not see it"),
    decimal(
        "budget_spent",
        "Hours or money used, by budget_by; current month only for monthly budgets; null where "
        "the role may not see it",
    ),
    decimal("budget_remaining", "May be negative; null where the role may not see it"),
)
