"""Who sees what: roles, grants and hidden fields (behaviour.md 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harvest_source.sandbox.endpoints import MINE
from harvest_source.sandbox.filters import Test, quoted_ids
from harvest_source.sandbox.plan import Tables
from harvest_source.sandbox.settings import Person
from harvest_source.sandbox.values import Record

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


BILLING = {
    "invoice_messages": "invoices",
    "invoice_payments": "invoices",
    "estimate_messages": "estimates",
}
SAME_ROWS = {
    "project_user_assignments": "user_assignments",
    "project_task_assignments": "task_assignments",
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """
    The person behind a request, in one account.

    Attributes:
        team: User ids that a manager looks after, the manager included.
        managed: Project ids that a manager runs.
    """

    user_id: int
    role: str
    grants: frozenset[str] = frozenset()
    team: frozenset[int] = frozenset()
    managed: frozenset[int] = frozenset()

    @property
    def hidden(self) -> frozenset[str]:
        """Keys left out of every record; inferred for lists (endpoints.yaml, may_be_absent)."""
        if self.role == "administrator":
            return frozenset()
        rates = frozenset() if self.sees_rates else BILLABLE_RATE_KEYS
        return rates | COST_RATE_KEYS

    @property
    def sees_rates(self) -> bool:
        """Whether what hours earn is shown."""
        return self.role == "administrator" or "billable_rates_manager" in self.grants


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows that a viewer sees of a table: those of *users* or *projects*; both ``None`` is all."""

    users: frozenset[int] | None = None
    projects: frozenset[int] | None = None
    nothing: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.users is None and self.projects is None and not self.nothing


EVERYTHING = Scope()
NOTHING = Scope(nothing=True)


def build_viewer(person: Person, tables: Tables) -> Viewer:
    """Look up who *person* is in an account, and what a manager manages there."""
    user = list(tables["users"].values())[person.user]
    if person.role != "manager":
        return Viewer(user["id"], person.role, frozenset(person.grants), frozenset({user["id"]}))
    managed = frozenset(
        record["project"]["id"]
        for record in tables["user_assignments"].values()
        if record["is_project_manager"] and user["id"] in quoted_ids(record, "user")
    )
    team = frozenset({user["id"], *teammates(user["id"], tables)})
    return Viewer(user["id"], "manager", frozenset(person.grants), team, managed)


def is_manager(user: Record) -> bool:
    """Whether a person is of the role that looks after others."""
    return "manager" in (user.get("access_roles") or ())


def teammates(user_id: int, tables: Tables) -> list[int]:
    """The user ids a manager looks after. Seeded as every fourth member; not on any list record."""
    members = [
        user["id"]
        for user in tables["users"].values()
        if user["id"] != user_id and "member" in (user.get("access_roles") or ())
    ]
    return members[1::4]


def scope_of(table: str, viewer: Viewer) -> Scope | None:
    """What *viewer* sees of *table*; ``None`` is a 403."""
    if viewer.role == "administrator":
        return EVERYTHING
    if table in ("time_entries", "expenses"):
        return Scope(viewer.team, viewer.managed)
    if viewer.role == "member" or table in ADMIN_ONLY:
        return None
    if table in GRANTED:
        return _granted(table, viewer)
    if table == "users":
        return Scope(users=viewer.team)
    if table == "user_assignments":
        return Scope(viewer.team, viewer.managed)
    return Scope(projects=viewer.managed) if viewer.managed else None


@dataclass(frozen=True, slots=True)
class ScopeBelow:
    """What a viewer sees of a nested list: which *parents* at all, and which *rows* there."""

    parents: Scope = EVERYTHING
    rows: Scope = EVERYTHING


def scope_below(name: str, parent_id: int, viewer: Viewer) -> ScopeBelow | None:
    """
    What *viewer* sees of nested list *name*; ``None`` is a 403.

    Unverified against a live account: a parent out of scope is a 404 here, like its own page.
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
    """Rows behind report *name* that *viewer* sees; ``None`` is a 403."""
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


def scope_test(table: str, scope: Scope) -> Test:
    """*scope* as a predicate over full records of *table*."""
    users, projects = scope.users or frozenset(), scope.projects or frozenset()
    own: dict[str, Callable[[Record], bool]] = {
        "users": lambda record: record["id"] in users,
        "projects": lambda record: record["id"] in projects,
        "invoice_item_categories": lambda _: True,
    }
    if scope.everything or scope.nothing:
        return lambda _: scope.everything
    return own.get(
        table,
        lambda record: (
            not users.isdisjoint(quoted_ids(record, "user"))
            or not projects.isdisjoint(quoted_ids(record, "project"))
        ),
    )
