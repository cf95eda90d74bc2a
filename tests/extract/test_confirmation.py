"""Roles and modules that change during a read: nothing is replaced, and no cursor moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harvest_source.sandbox import Request
from tests.support.read_lab import OpenReadLab, ReadLab, assert_read
from tests.support.simulation import DAY, HOUR

pytestmark = pytest.mark.thorough

SMALL: dict[str, Any] = {"entries": 60, "invoices": 6, "estimates": 2, "expenses": 24, "users": 6}
REPORT = "report_time_projects"


def at_first(lab: ReadLab, table: str, act: Callable[[], object]) -> None:
    """Do something before the first request for *table* is answered."""
    done: list[Request] = []

    def hook(request: Request) -> None:
        if request.table == table and not done:
            done.append(request)
            act()

    lab.server.before_request(hook)


@pytest.fixture
def lab(open_lab: OpenReadLab) -> ReadLab:
    """A small account at rest."""
    lab = open_lab(**SMALL)
    lab.stop_timers()
    lab.rest()
    return lab


@pytest.mark.parametrize("table", ["users", REPORT])
def test_a_role_that_shrinks_replaces_nothing(lab: ReadLab, table: str) -> None:
    """Lists below people and reports come with fewer rows: the old ones stay until the next run."""
    tables = ("users", "project_assignments", REPORT, "roles")
    lab.read(*tables)
    before = lab.contents(*tables[1:])
    lab.server.edit_many("users", [row["id"] for row in lab.server.rows("users")])
    lab.rest(9 * DAY)
    at_first(lab, table, lambda: lab.server.set_role(lab.token, "manager"))
    told = lab.read(*tables)
    assert lab.contents(*tables[1:]) == before
    (doubt,) = told.run_log.unproven
    assert "other roles" in str(doubt.error)
    lab.server.clear_hooks()
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    assert lab.read(*tables).run_log.unproven == []
    for each in tables:
        assert_read(lab, each)


def test_a_role_that_shrinks_moves_no_cursor(lab: ReadLab) -> None:
    """The cursor stays, so changes that were hidden come once the token sees them again."""
    lab.read("time_entries", "projects")
    before = lab.state("time_entries")["cursor"]
    lab.rest()
    ids = [row["id"] for row in lab.server.rows("time_entries")]
    lab.server.edit_many("time_entries", ids, notes="Edited")
    lab.rest()
    at_first(lab, "time_entries", lambda: lab.server.set_role(lab.token, "manager"))
    lab.read("time_entries", "projects")
    assert lab.state("time_entries")["cursor"] == before
    lab.server.clear_hooks()
    lab.server.set_role(lab.token, "administrator")
    lab.rest(DAY)
    lab.read("time_entries", "projects")
    assert_read(lab, "time_entries")


@pytest.mark.parametrize("table", ["report_expenses_projects", "invoice_payments"])
def test_a_module_switched_off_replaces_and_empties_nothing(lab: ReadLab, table: str) -> None:
    """The lists of a module that is off are empty, also on a second request."""
    tables = (table, "clients")
    lab.read(*tables)
    before = lab.contents(table)
    assert lab.table(table)
    lab.rest(9 * DAY)
    module = "invoice" if table.startswith("invoice") else "expense"
    at_first(lab, table, lambda: lab.server.set_module(module, False))
    told = lab.read(*tables)
    assert lab.contents(table) == before
    assert [each.table for each in told.run_log.unproven] == [table]
    lab.server.clear_hooks()
    lab.server.set_module(module, True)
    lab.rest()
    lab.read(*tables)
    assert_read(lab, table) if module == "expense" else None


def test_an_unchanged_run_asks_nothing_again(lab: ReadLab) -> None:
    """A run asks again who the owner is only before it replaces rows or moves a cursor."""
    tables = ("clients", "projects", "roles", "users")
    lab.read(*tables)
    lab.rest()
    lab.server.reset_requests()
    lab.read(*tables)
    assert lab.server.requests.counts()["users_me"] == 1
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name="New")
    lab.rest(HOUR)
    lab.server.reset_requests()
    lab.read(*tables)
    assert lab.server.requests.counts()["users_me"] == 2


LONG = ("time_entries", "invoices", "invoice_payments")


def test_a_long_read_is_confirmed_before_lists_below_parents(open_lab: OpenReadLab) -> None:
    """The thread that read the other tables confirms, while a load may be running."""
    lab = open_lab(**SMALL | {"entries": 12_000})
    lab.read(*LONG)
    asked = [each.table for each in lab.server.requests]
    first = asked.index("invoice_payments")
    assert asked[:first].count("users_me") >= 2
    assert {"users_me", "company"} == set(asked[first - 2 : first]) == set(asked[-2:])
    for each in LONG:
        assert_read(lab, each)


def test_a_role_that_shrinks_in_a_long_read_moves_no_cursor(open_lab: OpenReadLab) -> None:
    """The reading thread notices it, and loads nothing that would remove rows."""
    lab = open_lab(**SMALL | {"entries": 12_000})
    at_first(lab, "invoices", lambda: lab.server.set_role(lab.token, "manager"))
    told = lab.read(*LONG)
    assert [each.table for each in told.run_log.unproven] == [""]
    assert [lab.state(each) for each in LONG] == [{}, {}, {}]


def test_a_cached_first_list_of_a_run_replaces_nothing(lab: ReadLab) -> None:
    """Only later answers show that the list is old; then it replaces nothing either."""
    lab.read("roles", "clients")
    lab.server.fault("cache", path="roles|users/me")
    lab.read("roles")
    before = lab.contents("roles")
    lab.server.edit("roles", lab.server.rows("roles")[0]["id"], name="Edited")
    lab.rest(DAY)
    told = lab.read("roles", "clients")
    assert lab.contents("roles") == before
    assert told.run_log.failures or told.run_log.unproven


def test_the_last_payment_is_removed_like_any_other(open_lab: OpenReadLab) -> None:
    """A manager sees all payments of an invoice or none, so the last one leaves like any other."""
    lab = open_lab(**SMALL)
    tables = ("invoices", "invoice_payments")
    lab.server.set_role(lab.token, "manager", ("managed_projects_invoice_manager",))
    manage_every_project(lab)
    lab.read(*tables)
    counts = [row["invoice_id"] for row in lab.table("invoice_payments")]
    invoice = max(set(counts), key=counts.count)
    payments = [r["id"] for r in lab.server.rows("invoice_payments") if r["invoice_id"] == invoice]
    for payment in payments:
        lab.server.delete("invoice_payments", payment)
        lab.server.edit("invoices", invoice, state="open")
        lab.rest(DAY)
        lab.read(*tables)
        assert payment not in lab.ids("invoice_payments")


def manage_every_project(lab: ReadLab) -> None:
    """Make the token's owner manager of all projects."""
    me = fetch_as(lab, "users/me")["id"]
    assigned = [r for r in lab.server.rows("user_assignments") if r["user"]["id"] == me]
    have = {row["project"]["id"]: row["id"] for row in assigned}
    for project in lab.server.rows("projects"):
        if project["id"] in have:
            lab.server.edit("user_assignments", have[project["id"]], is_project_manager=True)
        else:
            lab.server.create(
                "user_assignments", user_id=me, project_id=project["id"], is_project_manager=True
            )


def test_a_manager_who_is_given_projects_reads_their_history(open_lab: OpenReadLab) -> None:
    """The roles do not change, and the entries come with old timestamps."""
    lab = open_lab(**SMALL | {"entries": 200, "users": 12})
    lab.stop_timers()
    lab.token = lab.server.tokens["manager"]
    tables = ("time_entries", "projects")
    me = fetch_as(lab, "users/me")["id"]
    assigned = [r for r in lab.server.rows("user_assignments") if r["user"]["id"] == me]
    managed = [row["id"] for row in assigned if row["is_project_manager"]][1:]
    assert managed
    for each in managed:
        lab.server.edit("user_assignments", each, is_project_manager=False)
    lab.rest(DAY)
    lab.read(*tables)
    before = len(lab.table("time_entries"))
    lab.rest(2 * DAY)
    for each in managed:
        lab.server.edit("user_assignments", each, is_project_manager=True)
    lab.rest()
    lab.read(*tables)
    for table in tables:
        assert len(lab.table(table)) == fetch_as(lab, table)["total_entries"]
    assert len(lab.table("time_entries")) > before
    lab.rest()
    assert lab.read(*tables).rows("projects") == 0


def test_a_manager_who_is_given_a_teammate_reads_their_history(open_lab: OpenReadLab) -> None:
    """Neither roles nor projects change, and the entries come with old timestamps."""
    lab = open_lab(**SMALL | {"entries": 200, "users": 12})
    lab.stop_timers()
    lab.token = lab.server.tokens["manager"]
    for assigned in lab.server.rows("user_assignments"):
        lab.server.edit("user_assignments", assigned["id"], is_project_manager=False)
    me = fetch_as(lab, "users/me")["id"]
    teammate = next(row["id"] for row in fetch_as(lab, "users")["users"] if row["id"] != me)
    lab.server.edit("users", teammate, access_roles=["administrator"])
    lab.rest(DAY)
    lab.read("time_entries", "users")
    assert teammate not in lab.ids("users")
    lab.rest(2 * DAY)
    lab.server.edit("users", teammate, access_roles=["member"])
    lab.rest()
    lab.read("time_entries", "users")
    entries = fetch_as(lab, "time_entries")["time_entries"]
    assert teammate in {row["user"]["id"] for row in entries}
    assert {row["id"] for row in entries} <= set(lab.ids("time_entries"))


def fetch_as(lab: ReadLab, path: str) -> Any:
    """Harvest's answer to the lab's token."""
    headers = {**lab.server.headers, "Authorization": f"Bearer {lab.token}"}
    return httpx.get(f"{lab.server.api_url}/{path}", headers=headers).json()
