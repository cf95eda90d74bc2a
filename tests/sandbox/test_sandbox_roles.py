"""Roles, grants, hidden fields and modules (behaviour.md 9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvest_source.sandbox import TABLES, Settings
from tests.sandbox.conftest import Start
from tests.sandbox.reader import Reader

MEMBER_SEES = {"time_entries", "expenses"}
MANAGER_SEES = {
    *MEMBER_SEES,
    "projects",
    "users",
    "user_assignments",
    "task_assignments",
    "invoice_item_categories",
}
GRANTS = {
    "client_and_task_manager": {"clients", "contacts", "tasks"},
    "managed_projects_invoice_drafter": {"invoices"},
    "managed_projects_invoice_manager": {"invoices"},
    "estimates_manager": {"estimates"},
}
MODULES = {
    "expense": {"expenses", "expense_categories"},
    "invoice": {"invoices", "invoice_item_categories"},
    "estimate": {"estimates", "estimate_item_categories"},
}


def allowed(reader: Reader, role: str) -> set[str]:
    """The tables that answer 200 to a role; every other answer has to be the recorded 403."""
    seen = set()
    for table in TABLES:
        answer = reader.get(table, token=reader.server.tokens[role])
        if answer.status_code == 200:
            seen.add(table)
        else:
            assert (answer.status_code, answer.json()) == (403, {"message": "Not authorized!"})
            assert answer.headers["Hint"] == "Not authorized!"
    return seen


def test_the_matrix_of_roles_and_tables(shared: Reader) -> None:
    """Who may read which table at all; without grants."""
    assert allowed(shared, "administrator") == set(TABLES)
    assert allowed(shared, "manager") == MANAGER_SEES
    assert allowed(shared, "member") == MEMBER_SEES


@pytest.mark.parametrize("grant", GRANTS)
def test_a_grant_opens_its_tables(start: Start, grant: str) -> None:
    """A manager with a grant reads what it is for, and no more."""
    reader = start()
    reader.server.set_role(reader.server.tokens["manager"], "manager", [grant])
    assert allowed(reader, "manager") == MANAGER_SEES | GRANTS[grant]


@pytest.mark.parametrize("table", ["time_entries", "expenses"])
def test_a_member_sees_only_own_rows(shared: Reader, table: str) -> None:
    """Scoped tables answer 200 with fewer rows and totals, without a sign."""
    token = shared.server.tokens["member"]
    me = shared.get("users/me", token=token).json()["id"]
    own = [row["id"] for row in shared.server.rows(table) if row["user"]["id"] == me]
    page = shared.get(table, token=token).json()
    assert own
    assert [row["id"] for row in page[table]] == own
    assert page["total_entries"] == len(own)


def manager_view(reader: Reader) -> tuple[set[int], set[int]]:
    """The user ids and project ids that the manager's token shows."""
    token = reader.server.tokens["manager"]
    users = {row["id"] for row in reader.rows("users", token=token)}
    return users, {row["id"] for row in reader.rows("projects", token=token)}


@pytest.mark.parametrize("table", ["time_entries", "expenses", "user_assignments"])
def test_a_manager_sees_team_and_managed_projects(shared: Reader, table: str) -> None:
    """Own rows, the team's, and everybody's on managed projects."""
    users, projects = manager_view(shared)
    rows = shared.server.rows(table)
    expected = [
        row["id"] for row in rows if row["user"]["id"] in users or row["project"]["id"] in projects
    ]
    seen = shared.rows(table, token=shared.server.tokens["manager"], per_page=2000)
    assert [row["id"] for row in seen] == expected
    assert 0 < len(expected) < len(rows)


def test_managed_projects_are_those_of_the_assignments(shared: Reader) -> None:
    """A manager's projects are the ones with is_project_manager on the own assignment."""
    me = shared.get("users/me", token=shared.server.tokens["manager"]).json()["id"]
    managed = {
        row["project"]["id"]
        for row in shared.server.rows("user_assignments")
        if row["user"]["id"] == me and row["is_project_manager"]
    }
    assert manager_view(shared)[1] == managed


def test_rate_keys_are_missing_not_null(shared: Reader) -> None:
    """Who may not see rates gets records without the KEYS, at any depth (quirk 13)."""
    for role in ("manager", "member"):
        token = shared.server.tokens[role]
        bodies = [shared.get(path, token=token).text for path in ("users/me", "time_entries")]
        for key in ("hourly_rate", "billable_rate", "cost_rate", "default_hourly_rate"):
            assert not any(f'"{key}"' in body for body in bodies)
    entry = shared.get("time_entries", per_page=1).json()["time_entries"][0]
    assert {"billable_rate", "cost_rate"} <= set(entry)
    assert {"default_hourly_rate", "cost_rate"} <= set(shared.get("users/me").json())


def test_a_rates_manager_sees_billable_rates_only(start: Start) -> None:
    """billable_rates_manager brings the billable rates back; costs stay for administrators."""
    reader = start()
    token = reader.server.tokens["manager"]
    reader.server.set_role(token, "manager", ["billable_rates_manager"])
    body = reader.get("time_entries", token=token).text
    assert '"billable_rate"' in body
    assert '"cost_rate"' not in body


def test_invisible_records_are_404_and_forbidden_tables_403(shared: Reader) -> None:
    """A single record follows its list: out of scope is not found, out of role is forbidden."""
    token = shared.server.tokens["member"]
    me = shared.get("users/me", token=token).json()["id"]
    for row in shared.server.rows("time_entries")[:40]:
        status = 200 if row["user"]["id"] == me else 404
        assert shared.get(f"time_entries/{row['id']}", token=token).status_code == status
    client = shared.server.rows("clients")[0]["id"]
    assert shared.get(f"clients/{client}", token=token).status_code == 403
    assert shared.get(f"clients/{client}").json() == shared.server.row("clients", client)


def test_set_role_takes_effect_at_once_and_touches_the_user(start: Start) -> None:
    """A promoted member sees everything from the next request on; users/me says so."""
    reader = start()
    token = reader.server.tokens["member"]
    reader.server.set_role(token, "administrator")
    assert reader.get("clients", token=token).status_code == 200
    me = reader.get("users/me", token=token).json()
    assert me["access_roles"] == ["administrator"]
    assert me["updated_at"] == "2026-06-17T12:00:00Z"


def test_company_is_open_or_for_administrators(start: Start, shared: Reader) -> None:
    """Sources conflict on /company: open by default, 403 for others on request."""
    token = shared.server.tokens["member"]
    assert shared.get("company", token=token).status_code == 200
    strict = start(company_needs_admin=True)
    assert strict.get("company", token=token).status_code == 403
    assert strict.get("company").status_code == 200


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("off", ["empty", "403", "404", "422"])
def test_a_module_that_is_off(start: Start, module: str, off: str) -> None:
    """Its flag is false and its tables answer in the chosen way; the others do not notice."""
    reader = start(module_off=off, entries=5)
    reader.server.set_module(module, False)
    assert reader.get("company").json()[f"{module}_feature"] is False
    for table in TABLES:
        answer = reader.get(table)
        if table not in MODULES[module]:
            assert answer.json()["total_entries"] > 0
        elif off == "empty":
            assert (answer.json()[table], answer.json()["total_entries"]) == ([], 0)
        else:
            assert answer.status_code == int(off)
    reader.server.set_module(f"{module}_feature", True)
    assert reader.get("company").json()[f"{module}_feature"] is True


def test_unknown_modules_are_refused() -> None:
    """A slip in a module name is an error, not a switch that does nothing."""
    with pytest.raises(ValueError, match="No module named invoices"):
        Settings(modules_off=("invoices",))


def test_bodies_hold_no_token(shared: Reader) -> None:
    """No answer repeats the token that was sent."""
    answers: list[Any] = [shared.get(table) for table in (*TABLES, "users/me", "company")]
    logged = json.dumps([str(entry) for entry in shared.server.requests])
    for text in (*(answer.text for answer in answers), logged):
        assert shared.server.token not in text
