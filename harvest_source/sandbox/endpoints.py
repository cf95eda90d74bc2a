"""
The endpoints of the simulated API, one row each, as the API facts describe them.

This module is data only. ``endpoints.yaml``, ``behaviour.md`` and ``quirks.md``, which this package
cites, are the collected facts about Harvest's API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Style = Literal["cursor", "page"]

ACTIVE = ("is_active",)
TRACKED = ("user_id", "client_id", "project_id", "is_billed", "approval_status")
MINE = "my_project_assignments"
PAGING_PARAMS = frozenset({"page", "per_page", "cursor", "ref"})


@dataclass(frozen=True, slots=True)
class Parent:
    """
    The place of a nested list: ``/{table}/{id}/{tail}``.

    Attributes:
        key: Member that holds the id of the parent in a stored row; it is never served (quirk 62).
    """

    table: str
    tail: str
    key: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A list endpoint.

    Attributes:
        name: Its name in the request log.
        style: Documented pagination.
        filters: Query parameters that compare a field of the record.
        date_field: The field that sorts the list; ``None`` sorts by id.
        dated: Whether ``from`` and ``to`` bound *date_field*.
        ascending: Oldest first; every other list is newest first.
        since: Whether ``updated_since`` is documented.
        module: The company flag that switches it off, without ``_feature``.
        single: Whether ``{path}/{id}`` serves one record.
        parent: Set on lists below one record of another table.
        envelope: The envelope key where it differs from the name.
    """

    name: str
    style: Style
    filters: tuple[str, ...] = ()
    date_field: str | None = None
    dated: bool = True
    ascending: bool = False
    since: bool = True
    module: str | None = None
    single: bool = True
    parent: Parent | None = None
    envelope: str | None = None

    @property
    def key(self) -> str:
        """The envelope member that holds the rows."""
        return self.envelope or self.name

    @property
    def known_params(self) -> frozenset[str]:
        """Query parameters that the endpoint documents."""
        names = {*PAGING_PARAMS, *self.filters}
        if self.since:
            names.add("updated_since")
        return frozenset(names | ({"from", "to"} if self.date_field and self.dated else set()))


LISTS = {
    row.name: row
    for row in (
        Endpoint("clients", "cursor", ACTIVE),
        Endpoint("contacts", "cursor", ("client_id",)),
        Endpoint(
            "invoices", "page", ("client_id", "project_id", "state"), "issue_date", module="invoice"
        ),
        Endpoint("invoice_item_categories", "cursor", module="invoice"),
        Endpoint("estimates", "page", ("client_id", "state"), "issue_date", module="estimate"),
        Endpoint("estimate_item_categories", "cursor", module="estimate"),
        Endpoint("expenses", "page", TRACKED, "spent_date", module="expense"),
        Endpoint("expense_categories", "cursor", ACTIVE, module="expense"),
        Endpoint("tasks", "cursor", ACTIVE),
        Endpoint(
            "time_entries",
            "page",
            (*TRACKED, "task_id", "external_reference_id", "is_running"),
            "spent_date",
        ),
        Endpoint("user_assignments", "cursor", ("user_id", *ACTIVE), single=False),
        Endpoint("task_assignments", "cursor", ACTIVE, single=False),
        Endpoint("projects", "cursor", ("client_id", *ACTIVE)),
        Endpoint("roles", "cursor", since=False),
        Endpoint("users", "cursor", ACTIVE),
    )
}


def _dated_by_start(name: str) -> Endpoint:
    """Rates of a user, ordered by the day they start; the list takes no filter."""
    parent = Parent("users", name, "user_id")
    return Endpoint(name, "cursor", (), "start_date", dated=False, ascending=True, since=False,
                    parent=parent)  # fmt: skip


NESTED = {
    row.name: row
    for row in (
        *(
            Endpoint(f"{parent}_{tail}", "cursor", module=parent, single=False,
                     parent=Parent(f"{parent}s", tail, f"{parent}_id"))
            for parent, tail in (
                ("invoice", "messages"), ("invoice", "payments"), ("estimate", "messages"),
            )
        ),
        _dated_by_start("billable_rates"),
        _dated_by_start("cost_rates"),
        Endpoint("teammates", "cursor", since=False, single=False,
                 parent=Parent("users", "teammates", "user_id")),
        Endpoint("project_assignments", "cursor", single=False,
                 parent=Parent("users", "project_assignments", "user_id")),
        Endpoint(MINE, "page", since=False, single=False, envelope="project_assignments",
                 parent=Parent("users", "project_assignments", "user_id")),
        Endpoint("project_user_assignments", "page", ("user_id", *ACTIVE),
                 envelope="user_assignments",
                 parent=Parent("projects", "user_assignments", "project_id")),
        Endpoint("project_task_assignments", "page", ACTIVE, envelope="task_assignments",
                 parent=Parent("projects", "task_assignments", "project_id")),
    )
}  # fmt: skip

ENDPOINTS = LISTS | NESTED
TABLES = tuple(LISTS)
"""Top-level lists."""
CHILDREN = ("invoice_messages", "invoice_payments", "estimate_messages",
            "billable_rates", "cost_rates")  # fmt: skip
"""Nested lists with rows of their own; the other nested lists are views of top-level tables."""
STORED = (*TABLES, *CHILDREN)


@dataclass(frozen=True, slots=True)
class Report:
    """
    A report: totals over a window, under ``/reports/{path}``.

    Attributes:
        params: Its own documented query parameters, apart from the window and the paging.
        dated: Whether ``from`` and ``to`` are mandatory; an undated report is as of now.
        module: The company flag that switches it off, without ``_feature``.
    """

    path: str
    params: tuple[str, ...] = ()
    dated: bool = True
    module: str | None = None

    @property
    def name(self) -> str:
        """Its name in the request log."""
        return "report_" + self.path.replace("/", "_")

    @property
    def known_params(self) -> frozenset[str]:
        """Query parameters that the endpoint documents."""
        window = {"from", "to"} if self.dated else set()
        return frozenset({"page", "per_page", "ref", *self.params, *window})


FEE = ("include_fixed_fee",)
FORECAST = (*FEE, "include_forecast")

REPORTS = {
    row.name: row
    for row in (
        *(
            Report(f"expenses/{by}", module="expense")
            for by in ("clients", "projects", "categories", "team")
        ),
        Report("time/clients", FEE),
        Report("time/projects", FORECAST),
        Report("time/tasks", FEE),
        Report("time/team", FORECAST),
        Report("uninvoiced", FEE, module="invoice"),
        Report("project_budget", ACTIVE, dated=False),
    )
}
