"""What each role may see: tables, rows and fields (behaviour.md 9)."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.sandbox.data.nested import teammate_ids
from harvest_source.sandbox.data.query import quoted_ids
from harvest_source.sandbox.data.scope import EVERYTHING, Scope
from harvest_source.sandbox.data.values import Tables
from harvest_source.sandbox.endpoints import MINE
from harvest_source.sandbox.settings import Person

BILLABLE_RATE_KEYS = frozenset({"hourly_rate", "billable_rate", "default_hourly_rate"})
COST_RATE_KEYS = frozenset({"cost_rate"})
INVOICERS = frozenset({"managed_projects_invoice_drafter", "managed_projects_invoice_manager"})

ADMIN_ONLY = frozenset({"estimate_item_categories", "expense_categories", "roles"})
GRANTED = {
    "clients": frozenset({"client_and_task_manager"}),
    "contacts": frozenset({"client_and_task_manager"}),
    "tasks": frozenset({"client_and_task_manager"}),
    "invoices": INVOICERS,
    "estimates": frozenset({"estimates_manager"}),
}
"""Grants that open a table to a manager."""

BILLING = {
    "invoice_messages": "invoices",
    "invoice_payments": "invoices",
    "estimate_messages": "estimates",
}
"""Nested lists that follow the permission of their parent's table."""

SAME_ROWS = {
    "project_user_assignments": "user_assignments",
    "project_task_assignments": "task_assignments",
}
"""Nested lists that show rows of a top-level table."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """
    The user who sends a request, in one account.

    Attributes:
        team: User ids that a manager looks after, including the manager.
        managed: Ids of the projects that a manager is project manager of.
    """

    user_id: int
    role: str
    grants: frozenset[str] = frozenset()
    team: frozenset[int] = frozenset()
    managed: frozenset[int] = frozenset()

    @property
    def has_teammates(self) -> bool:
        """Whether a manager looks after other people."""
        return not self.team <= {self.user_id}

    @property
    def hidden(self) -> frozenset[str]:
        """Keys hidden in every record; inferred for lists (endpoints.yaml, may_be_absent)."""
        if self.role == "administrator":
            return frozenset()
        rates = frozenset() if self.sees_rates else BILLABLE_RATE_KEYS
        return rates | COST_RATE_KEYS

    @property
    def sees_rates(self) -> bool:
        """Whether billable rates are shown."""
        return self.role == "administrator" or "billable_rates_manager" in self.grants


def build_viewer(person: Person, tables: Tables) -> Viewer:
    """The user of *person* in an account, and what a manager manages there."""
    user = list(tables["users"].values())[person.user]
    if person.role != "manager":
        return Viewer(user["id"], person.role, frozenset(person.grants), frozenset({user["id"]}))
    managed = frozenset(
        record["project"]["id"]
        for record in tables["user_assignments"].values()
        if record["is_project_manager"] and user["id"] in quoted_ids(record, "user")
    )
    team = frozenset({user["id"], *teammate_ids(user["id"], tables)})
    return Viewer(user["id"], "manager", frozenset(person.grants), team, managed)


def scope_of(table: str, viewer: Viewer) -> Scope | None:
    """The rows of *table* that *viewer* sees; ``None`` is a 403."""
    if viewer.role == "administrator":
        return EVERYTHING
    if table in ("time_entries", "expenses"):
        return Scope(viewer.team, viewer.managed)
    if viewer.role == "member" or table in ADMIN_ONLY:
        return None
    if table in GRANTED:
        return _granted(table, viewer)
    if table == "users":
        return Scope(users=viewer.team) if viewer.has_teammates else None
    if table == "user_assignments":
        sees_any = viewer.has_teammates or viewer.managed
        return Scope(viewer.team, viewer.managed) if sees_any else None
    return Scope(projects=viewer.managed) if viewer.managed else None


@dataclass(frozen=True, slots=True)
class ScopeBelow:
    """What a viewer sees of a nested list: the *rows* below the *parents* that are in scope."""

    parents: Scope = EVERYTHING
    rows: Scope = EVERYTHING


def scope_below(name: str, parent_id: int, viewer: Viewer) -> ScopeBelow | None:
    """
    What *viewer* sees of nested list *name*; ``None`` is a 403.

    Unverified against a live account: below a parent out of scope, the list is a 404 here, as the
    parent's own record is.
    """
    if name == MINE or (name == "project_assignments" and parent_id == viewer.user_id):
        return ScopeBelow()
    if name in ("cost_rates", "teammates"):
        return ScopeBelow() if viewer.role == "administrator" else None
    if name == "billable_rates" and not (viewer.sees_rates and viewer.role != "member"):
        return None
    if name in SAME_ROWS:
        rows = scope_of(SAME_ROWS[name], viewer)
        return None if rows is None else ScopeBelow(rows=rows)
    parents = scope_of(BILLING.get(name, "users"), viewer)
    return None if parents is None else ScopeBelow(parents)


def scope_of_report(name: str, viewer: Viewer) -> Scope | None:
    """The rows that report *name* sums up for *viewer*; ``None`` is a 403."""
    if name == "report_uninvoiced":
        if viewer.role == "member":
            return None
        return scope_of("invoices", viewer)
    if name == "report_project_budget":
        return EVERYTHING if viewer.role == "administrator" else Scope(projects=viewer.managed)
    return scope_of("time_entries", viewer)


def _granted(table: str, viewer: Viewer) -> Scope | None:
    if not GRANTED[table] & viewer.grants:
        return None
    return Scope(projects=viewer.managed) if table == "invoices" else EVERYTHING
