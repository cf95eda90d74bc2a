"""What the simulated API serves: one row per endpoint (endpoints.yaml). Data, no behaviour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Style = Literal["cursor", "page"]

ACTIVE = ("is_active",)
TRACKED = ("user_id", "client_id", "project_id", "is_billed", "approval_status")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A list endpoint.

    Attributes:
        key: Envelope key of the rows, and the table they are kept in.
        style: Documented pagination.
        filters: Query parameters that compare a field, beside the ones below.
        date_field: The field that ``from`` and ``to`` bound, and the order; ``None`` orders by id.
        since: Whether ``updated_since`` is documented.
        module: The company flag it belongs to, without ``_feature``.
        single: Whether ``/{table}/{id}`` exists.
    """

    key: str
    style: Style
    filters: tuple[str, ...] = ()
    date_field: str | None = None
    since: bool = True
    module: str | None = None
    single: bool = True

    @property
    def known_params(self) -> frozenset[str]:
        """Query parameters that the endpoint documents."""
        names = {"page", "per_page", "cursor", "ref", *self.filters}
        if self.since:
            names.add("updated_since")
        return frozenset(names | ({"from", "to"} if self.date_field else set()))


ENDPOINTS = {
    row.key: row
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

TABLES = tuple(ENDPOINTS)
SINGLETONS = ("company", "users/me")
REPORT_PREFIX = "reports/"

API_PATH = re.compile(r"(?P<prefix>/(?:api/)?v2)/(?P<rest>[^?]*)\Z")
IDENTITY_PATHS = frozenset({"/api/v2/accounts", "/api/v1/accounts"})


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads: a list, one record of it, or a single object. ``table`` names it."""

    kind: Literal["list", "record", "company", "me"]
    table: str
    record_id: int | None = None


def route(rest: str) -> Route | None:
    """The route of a path below the version prefix; ``None`` when Harvest has no such page."""
    if rest == "company":
        return Route("company", "company")
    if rest == "users/me":
        return Route("me", "users_me")
    name, _, tail = rest.partition("/")
    endpoint = ENDPOINTS.get(name)
    if endpoint is None:
        return None
    if not tail:
        return Route("list", name) if rest == name else None
    if endpoint.single and tail.isascii() and tail.isdigit():
        return Route("record", name, int(tail))
    return None
