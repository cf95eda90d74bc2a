"""Settings of a simulated installation, and the clock it runs on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from harvest_source.sandbox.checks import check_choice, check_flag, check_number, check_whole

Role = Literal["administrator", "manager", "member"]
ROLES: tuple[Role, ...] = get_args(Role)
GRANTS = (
    "project_creator",
    "billable_rates_manager",
    "managed_projects_invoice_drafter",
    "managed_projects_invoice_manager",
    "client_and_task_manager",
    "time_and_expenses_manager",
    "estimates_manager",
    "people_manager",
)
"""A manager's extra access roles (endpoints.yaml, user.access_roles)."""
Data = Literal["varied", "agency"]
Off = Literal["empty", "403", "404", "422"]
Hidden = Literal["missing", "null"]
Clock = Callable[[], datetime]

MODULES = ("expense", "invoice", "estimate", "approval", "team")


def utc_now() -> datetime:
    """The current time, as an aware datetime in UTC."""
    return datetime.now(UTC)


class ManualClock:
    """
    A clock that moves only by `advance` and `set`. Thread-safe.

    Args:
        start: An aware datetime; by default 2026-06-17 12:00 UTC, a Wednesday.
    """

    def __init__(self, start: datetime = datetime(2026, 6, 17, 12, tzinfo=UTC)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Move forward (or back, if negative) by *seconds*, and return the new time."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now

    def set(self, moment: datetime) -> None:
        """Set the clock to *moment*, an aware datetime."""
        with self._lock:
            self._now = moment


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *requests* in any *seconds* (behaviour.md 3)."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Person:
    """
    The holder of a personal access token.

    Attributes:
        user: Position of the user in each account, from 0; the account must have enough users.
        grants: Extra access roles, of `GRANTS`; only managers have any.
        accounts: Account ids that the token reaches; ``None`` for all.
    """

    token: str
    user: int = 0
    role: Role = "administrator"
    grants: tuple[str, ...] = ()
    accounts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)
        for grant in self.grants:
            check_choice("grants", grant, GRANTS)
        if self.grants and self.role != "manager":
            msg = f"Only a manager has grants, and the role is {self.role}"
            raise ValueError(msg)

    def reaches(self, account_id: int) -> bool:
        """Whether the token gives access to that account."""
        return self.accounts is None or account_id in self.accounts


PEOPLE = (
    Person("1.pt.sandbox-administrator", 0, "administrator"),
    Person("2.pt.sandbox-manager", 1, "manager"),
    Person("3.pt.sandbox-member", 2, "member"),
)


@dataclass(frozen=True, slots=True)
class App:
    """
    An OAuth application as registered.

    Attributes:
        redirect_uri: What every redirect address must start with; a loopback address without a
            port allows every port.
    """

    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - invented
    redirect_uri: str = "http://127.0.0.1"
    name: str = "Sandbox app"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """
    How the identity host behaves (behaviour.md 10).

    Attributes:
        visitor: Position in ``Settings.people`` of the person at the browser.
        auto: Decide at once instead of showing the consent page.
        scope: Text of ``scope`` in the redirect; lists the chosen accounts when ``None``.
        access_s: Lifetime of an access token, in seconds.
        code_s: Lifetime of a code, in seconds. Unverified against a live account.
        rotate: A refresh returns a new refresh token and ends the old one; sources conflict.
        grace_s: Seconds during which a rotated token still returns its successor.
        omit_refresh: The answer to a refresh has no ``refresh_token``.
        pkce: Enforce PKCE; otherwise its parameters are ignored, because Harvest documents none.
        revocation: An app can end a login at ``oauth2/revoke``, beside the token endpoint (RFC
            7009). Harvest documents no such address. Unverified against a live account.
    """

    apps: tuple[App, ...] = (App(),)
    visitor: int = 0
    auto: Literal["approve", "deny"] | None = None
    scope: str | None = None
    access_s: int = 1_209_600
    code_s: float = 300
    rotate: bool = False
    grace_s: float = 0
    omit_refresh: bool = False
    pkce: bool = False
    revocation: bool = False

    def __post_init__(self) -> None:
        for name in ("access_s", "code_s", "grace_s"):
            check_number(name, getattr(self, name))
        for name in ("rotate", "omit_refresh", "pkce", "revocation"):
            check_flag(name, getattr(self, name))
        check_whole("visitor", self.visitor)
        check_choice("auto", self.auto, ("approve", "deny", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    A simulated installation: how much data, who may see it, how the server answers.

    Sizes are per account. The same settings and clock give the same account, byte for byte.

    Attributes:
        entries: Time entries at the start, including running timers.
        data: ``varied`` packs every oddity of the API into few rows, for tests; ``agency`` is a
            plausible consultancy with realistic figures (`agency_settings`).
        users: Number of users; for ``agency``, of its current people: some former ones are added.
        years: Years of working days, up to the clock's current date.
        empty: Only the users behind the tokens exist; every other table has no rows.
        forecast_accounts: Accounts of the other product; listed before the Harvest ones (quirk 2).
        limit: ``False`` switches both rate limits off.
        limit_scope: Which requests share one rate limit. Unverified against a live account.
        cursor_tables: Page-numbered tables that return a cursor anyway (quirk 28).
        page_tables: Cursor tables served by page number.
        wrong_account: Status for a valid token with an account it does not reach. Unverified
            against a live account: 404 and 401 are both reported (behaviour.md 2).
        module_off: Answer for a table whose module is off. Unverified against a live account.
        hidden_values: Whether rates and amounts that a role may not see are missing, as recorded of
            users/me, or null. Unverified against a live account: which of them, elsewhere.
        company_needs_admin: Whether /company is 403 for other roles; sources conflict
            (behaviour.md 9).
        page_rows: Most rows in a page, whatever a request asks for. Harvest's limit is 2000; a
            smaller one splits short lists into several pages.
        max_per_page: Largest ``per_page`` that is accepted; above it the answer is 422.
        default_per_page: Page size by table for requests without ``per_page``; *max_per_page* for
            tables that it does not name.
        rate_touches_user: Whether a new rate moves its user's ``updated_at``. Unverified against
            a live account, like the next two.
        view_touches_parent: Whether a client opening a document moves its ``updated_at``.
        child_deletion_touches_parent: Whether deleting a message or payment does.
        latency_ms: Delay before every answer.
    """

    entries: int = 5000
    data: Data = "varied"
    seed: int = 1
    years: int = 3
    users: int = 12
    clients: int = 8
    projects: int = 20
    tasks: int = 10
    contacts: int = 20
    invoices: int = 12
    estimates: int = 6
    expenses: int = 150
    empty: bool = False
    accounts: tuple[int, ...] = (1000001,)
    forecast_accounts: tuple[int, ...] = ()
    people: tuple[Person, ...] = PEOPLE
    clock: Clock = utc_now
    limit: bool = True
    general_limit: Limit = Limit(100, 15)
    reports_limit: Limit = Limit(100, 900)
    limit_scope: Literal["token+account", "token", "account"] = "token+account"
    cursor_tables: tuple[str, ...] = ()
    page_tables: tuple[str, ...] = ()
    wrong_account: Literal[401, 404] = 404
    modules_off: tuple[str, ...] = ()
    module_off: Off = "empty"
    hidden_values: Hidden = "missing"
    company_needs_admin: bool = False
    timestamp_timers: bool = True
    clock_24h: bool = False
    page_rows: int = 2000
    max_per_page: int = 2000
    default_per_page: Mapping[str, int] = field(default_factory=lambda: {"invoices": 100})
    rate_touches_user: bool = True
    view_touches_parent: bool = True
    child_deletion_touches_parent: bool = False
    oauth: OAuth = OAuth()
    latency_ms: float = 0

    def __post_init__(self) -> None:
        _check_sizes(self)
        check_choice("hidden_values", self.hidden_values, get_args(Hidden))
        unknown = sorted(set(self.modules_off) - set(MODULES))
        if unknown:
            msg = f"No module named {', '.join(unknown)}; there are {', '.join(MODULES)}"
            raise ValueError(msg)


AGENCY_ENTRIES = 24_000
AGENCY_PEOPLE = 40
ENTRIES_PER_PERSON = 2700
"""About five years of work; further entries add people to the agency, not years."""


def agency_settings(
    entries: int = AGENCY_ENTRIES, people: int | None = None, **fields: Any
) -> Settings:
    """
    Settings of a plausible consultancy; by default about thirteen months of 40 people.

    The other sizes (clients, projects, invoices, expenses, years) follow from these two.

    Args:
        people: People who work there now; by default 40, or more if there are many entries.
        fields: Other fields of `Settings`.
    """
    users = people or max(AGENCY_PEOPLE, -(-entries // ENTRIES_PER_PERSON))
    return Settings(entries=entries, users=users, data="agency", **fields)


def _check_sizes(settings: Settings) -> None:
    least = 1 + max((person.user for person in settings.people), default=0)
    if settings.users < least:
        msg = f"users must be at least {least}: the tokens belong to that many users"
        raise ValueError(msg)
    check_number("latency_ms", settings.latency_ms)
    if settings.empty:
        return
    sizes = ("entries", "contacts", "invoices", "estimates", "expenses")
    if any(getattr(settings, name) < 0 for name in sizes):
        msg = f"None of {', '.join(sizes)} can be below 0"
        raise ValueError(msg)
    if min(settings.clients, settings.projects, settings.tasks, settings.years) < 1:
        msg = "clients, projects, tasks and years must be at least 1; use empty=True for nothing"
        raise ValueError(msg)
