"""Roles, grants, hidden fields and modules (behaviour.md 9)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harvest_source.sandbox import NESTED, REPORTS, TABLES, ManualClock, Sandbox, Settings
from harvest_source.sandbox.endpoints import ENDPOINTS
from tests.sandbox.reader import Reader, Start

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

# Lists below a record, and reports. Only for assignments does it matter whose record it is.
TIME_REPORTS = {name for name in REPORTS if "_time_" in name}
EXPENSE_REPORTS = {name for name in REPORTS if "_expenses_" in name}
MEMBER_SEES_BELOW = {"my_project_assignments", "project_assignments of oneself"}
MANAGER_SEES_BELOW = {
    *MEMBER_SEES_BELOW,
    "project_assignments",
    "project_user_assignments",
    "project_task_assignments",
}
GRANTS_BELOW = {
    "client_and_task_manager": set(),
    "managed_projects_invoice_drafter": {"invoice_messages", "invoice_payments"},
    "managed_projects_invoice_manager": {"invoice_messages", "invoice_payments"},
    "estimates_manager": {"estimate_messages"},
    "billable_rates_manager": {"billable_rates"},
}
MEMBER_REPORTS = {*TIME_REPORTS, *EXPENSE_REPORTS, "report_project_budget"}
MODULES_BELOW = {
    "expense": EXPENSE_REPORTS,
    "invoice": {"invoice_messages", "invoice_payments", "report_uninvoiced"},
    "estimate": {"estimate_messages"},
}
YEAR: dict[str, Any] = {"from_": "2025-07-01", "to": "2026-06-17"}


def allowed(reader: Reader, role: str) -> set[str]:
    """The tables that answer 200 to a role; every other answer must be the recorded 403."""
    seen = set()
    for table in TABLES:
        answer = reader.get(table, token=reader.server.tokens[role])
        if answer.status_code == 200:
            seen.add(table)
        else:
            assert (answer.status_code, answer.json()) == (403, {"message": "Not authorized!"})
            assert answer.headers["Hint"] == "Not authorized!"
    return seen


def paths_below(reader: Reader, role: str) -> dict[str, str]:
    """The path of each nested list, below a record that *role* may see if it sees any."""
    token = reader.server.tokens["manager" if role == "member" else role]
    me = reader.get("users/me", token=reader.server.tokens[role]).json()["id"]
    managed = reader.rows("projects", token=token)[0]["id"]
    mate = reader.rows("users", token=token)[0]["id"]
    of_projects = {
        line["project"]["id"]: row["id"]
        for row in reader.server.rows("invoices")
        for line in row["line_items"]
        if line["project"]
    }
    ids = {
        "invoices": next(of_projects[row["id"]] for row in reader.rows("projects", token=token)
                         if row["id"] in of_projects),
        "estimates": reader.server.rows("estimates")[0]["id"],
        "projects": managed,
        "users": mate,
    }  # fmt: skip
    paths = {"my_project_assignments": "users/me/project_assignments",
             "project_assignments of oneself": f"users/{me}/project_assignments"}  # fmt: skip
    for name in NESTED:
        parent = ENDPOINTS[name].parent
        assert parent is not None
        paths.setdefault(name, f"{parent.table}/{ids[parent.table]}/{parent.tail}")
    manager = next(row["id"] for row in reader.server.rows("users")
                   if "manager" in row["access_roles"])  # fmt: skip
    return paths | {"teammates": f"users/{manager}/teammates"}


def allowed_below(reader: Reader, role: str) -> set[str]:
    """The nested lists that answer 200 to a role; every other answer must be the 403."""
    seen = set()
    for name, path in paths_below(reader, role).items():
        answer = reader.get(path, token=reader.server.tokens[role])
        if answer.status_code == 200:
            seen.add(name)
        else:
            assert (answer.status_code, answer.json()) == (403, {"message": "Not authorized!"})
    return seen


def allowed_reports(reader: Reader, role: str) -> set[str]:
    """The reports that answer 200 to a role; every other answer must be the 403."""
    seen = set()
    for name, report in REPORTS.items():
        path, token = f"reports/{report.path}", reader.server.tokens[role]
        answer = reader.get(path, token=token, **(YEAR if report.dated else {}))
        if answer.status_code == 200:
            seen.add(name)
        else:
            assert (answer.status_code, answer.json()) == (403, {"message": "Not authorized!"})
    return seen


def test_the_matrix_of_roles_and_lists_below_records(shared: Reader) -> None:
    """Administrators read all, managers assignments, members their own assignments."""
    every = {*NESTED, "project_assignments of oneself"}
    assert allowed_below(shared, "administrator") == every
    assert allowed_below(shared, "manager") == MANAGER_SEES_BELOW
    assert allowed_below(shared, "member") == MEMBER_SEES_BELOW


def test_the_matrix_of_roles_and_reports(shared: Reader) -> None:
    """Every role reads the scoped reports; uninvoiced needs the invoice permission."""
    assert allowed_reports(shared, "administrator") == set(REPORTS)
    assert allowed_reports(shared, "manager") == MEMBER_REPORTS
    assert allowed_reports(shared, "member") == MEMBER_REPORTS


@pytest.fixture(scope="module")
def granted() -> Iterator[Reader]:
    """A sandbox whose manager each test gives other grants."""
    with Sandbox(entries=60, expenses=40, limit=False, clock=ManualClock()).start() as server:
        reader = Reader(server)
        yield reader
        reader.client.close()


@pytest.mark.parametrize("grant", GRANTS_BELOW)
def test_a_grant_opens_its_lists_below_records(granted: Reader, grant: str) -> None:
    """Children follow the permission of their parent; billable rates have their own permission."""
    reader = granted
    reader.server.set_role(reader.server.tokens["manager"], "manager", [grant])
    assert allowed_below(reader, "manager") == MANAGER_SEES_BELOW | GRANTS_BELOW[grant]
    uninvoiced = {"report_uninvoiced"} if "invoice" in grant else set()
    assert allowed_reports(reader, "manager") == MEMBER_REPORTS | uninvoiced


def test_a_parent_out_of_sight_is_not_found(start: Start) -> None:
    """Below an invoice of other projects or a user of another team the answer is a 404."""
    reader = start()
    token = reader.server.tokens["manager"]
    grants = ["managed_projects_invoice_drafter", "billable_rates_manager"]
    reader.server.set_role(token, "manager", grants)
    for table, tails in (("invoices", ("messages", "payments")),
                         ("users", ("billable_rates", "project_assignments"))):  # fmt: skip
        seen = {row["id"] for row in reader.rows(table, token=token)}
        every = [row["id"] for row in reader.server.rows(table)]
        assert 0 < len(seen) < len(every)
        for tail in tails:
            for key in every:
                status = reader.get(f"{table}/{key}/{tail}", token=token).status_code
                assert status == (200 if key in seen else 404)


@pytest.mark.parametrize("role", ["manager", "member"])
def test_reports_are_scoped_like_their_rows(shared: Reader, role: str) -> None:
    """Reports sum up the rows that the role's own lists show."""
    token = shared.server.tokens[role]
    entries = shared.rows("time_entries", token=token, **YEAR)
    expenses = shared.rows("expenses", token=token, **YEAR)
    hours: dict[int, float] = {}
    for row in entries:
        hours[row["user"]["id"]] = hours.get(row["user"]["id"], 0) + row["rounded_hours"]
    rows = shared.rows("reports/time/team", token=token, **YEAR)
    assert {row["user_id"]: row["total_hours"] for row in rows} == hours
    spent = sum(row["total_cost"] for row in expenses)
    rows = shared.rows("reports/expenses/clients", token=token, **YEAR)
    assert sum(row["total_amount"] for row in rows) == pytest.approx(spent)
    assert 0 < len(rows) <= len(expenses) < shared.server.count("expenses")


def test_money_is_missing_from_reports_without_the_permission(start: Start) -> None:
    """
    The keys currency, billable_amount and money budgets are absent, with one row per subject.
    """
    reader = start(entries=400)
    token = reader.server.tokens["manager"]
    for _ in range(2):
        for name in TIME_REPORTS:
            rows = reader.server.report(name, "2025-07-01", "2026-06-17", token=token)
            assert rows
            assert not any({"currency", "billable_amount"} & set(row) for row in rows)
        people = [row["user_id"] for row in reader.rows("reports/time/team", token=token, **YEAR)]
        assert len(people) == len(set(people))
        token = reader.server.tokens["member"]
    token = reader.server.tokens["manager"]
    for row in reader.rows("reports/project_budget", token=token):
        by_money = row["budget_by"] in ("project_cost", "task_fees")
        assert ("budget" in row) == ("budget_spent" in row) == (not by_money)
    assert all("currency" in row for row in reader.rows("reports/expenses/team", token=token,
                                                        **YEAR))  # fmt: skip
    reader.server.set_role(token, "manager", ["billable_rates_manager"])
    assert all("currency" in row for row in reader.rows("reports/time/team", token=token, **YEAR))
    assert all("budget" in row for row in reader.rows("reports/project_budget", token=token))


def test_budgets_shown_to_everyone(shared: Reader) -> None:
    """Managers see managed projects and those shown to all; members only the latter."""
    projects = [row for row in shared.server.rows("projects") if row["budget_by"] != "none"]
    shown = {row["id"] for row in projects if row["show_budget_to_all"]}
    managed = manager_view(shared)[1] & {row["id"] for row in projects}
    for role, expected in (("manager", shown | managed), ("member", shown)):
        rows = shared.rows("reports/project_budget", token=shared.server.tokens[role])
        assert {row["project_id"] for row in rows} == expected != set()
    assert shown < shown | managed < {row["id"] for row in projects}


def test_uninvoiced_is_scoped_to_managed_projects(start: Start) -> None:
    """With the invoice permission a manager sees the managed projects."""
    reader = start()
    token = reader.server.tokens["manager"]
    reader.server.set_role(token, "manager", ["managed_projects_invoice_manager"])
    rows = reader.rows("reports/uninvoiced", token=token, **YEAR)
    assert {row["project_id"] for row in rows} == manager_view(reader)[1] != set()


def test_the_matrix_of_roles_and_tables(shared: Reader) -> None:
    """The tables that each role may read, without grants."""
    assert allowed(shared, "administrator") == set(TABLES)
    assert allowed(shared, "manager") == MANAGER_SEES
    assert allowed(shared, "member") == MEMBER_SEES


@pytest.mark.parametrize("grant", GRANTS)
def test_a_grant_opens_its_tables(granted: Reader, grant: str) -> None:
    """A manager with a grant may read its tables and no others."""
    reader = granted
    reader.server.set_role(reader.server.tokens["manager"], "manager", [grant])
    assert allowed(reader, "manager") == MANAGER_SEES | GRANTS[grant]


@pytest.mark.parametrize("table", ["time_entries", "expenses"])
def test_a_member_sees_only_own_rows(shared: Reader, table: str) -> None:
    """Scoped tables answer 200 with fewer rows and totals."""
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
    """A manager sees own rows, the team's, and all rows of managed projects."""
    users, projects = manager_view(shared)
    rows = shared.server.rows(table)
    expected = [
        row["id"] for row in rows if row["user"]["id"] in users or row["project"]["id"] in projects
    ]
    seen = shared.rows(table, token=shared.server.tokens["manager"], per_page=2000)
    assert [row["id"] for row in seen] == expected
    assert 0 < len(expected) < len(rows)


def test_a_manager_without_team_and_projects_sees_no_people(start: Start) -> None:
    """Users need teammates, user assignments teammates or managed projects; otherwise 403."""
    reader = start(users=3)
    token = reader.server.tokens["manager"]
    me = reader.get("users/me", token=token).json()["id"]
    own = [row for row in reader.server.rows("user_assignments") if row["user"]["id"] == me]
    for row in own:
        reader.server.edit("user_assignments", row["id"], is_project_manager=True)
    assert allowed(reader, "manager") == MANAGER_SEES - {"users"}
    other = next(row["id"] for row in reader.server.rows("users") if row["id"] != me)
    assert reader.get(f"users/{other}/project_assignments", token=token).status_code == 403
    assert reader.get(f"users/{me}/project_assignments", token=token).status_code == 200
    for row in own:
        reader.server.edit("user_assignments", row["id"], is_project_manager=False)
    assert allowed(reader, "manager") == MEMBER_SEES


def test_managed_projects_are_those_of_the_assignments(shared: Reader) -> None:
    """A manager manages the projects where the manager's own assignment says so."""
    me = shared.get("users/me", token=shared.server.tokens["manager"]).json()["id"]
    managed = {
        row["project"]["id"]
        for row in shared.server.rows("user_assignments")
        if row["user"]["id"] == me and row["is_project_manager"]
    }
    assert manager_view(shared)[1] == managed


def test_rate_keys_are_missing_not_null(shared: Reader) -> None:
    """Without the permission the keys of rates are absent, at any depth (quirk 13)."""
    for role in ("manager", "member"):
        token = shared.server.tokens[role]
        bodies = [shared.get(path, token=token).text for path in ("users/me", "time_entries")]
        for key in ("hourly_rate", "billable_rate", "cost_rate", "default_hourly_rate"):
            assert not any(f'"{key}"' in body for body in bodies)
    entry = shared.get("time_entries", per_page=1).json()["time_entries"][0]
    assert {"billable_rate", "cost_rate"} <= set(entry)
    assert {"default_hourly_rate", "cost_rate"} <= set(shared.get("users/me").json())


@pytest.mark.parametrize("role", ["manager", "member"])
def test_hidden_values_may_be_null_instead(start: Start, role: str) -> None:
    """Then every key is served: of users/me, of rows and what they quote, and of reports."""
    reader = start(entries=400, hidden_values="null")
    token = reader.server.tokens[role]
    me = reader.get("users/me", token=token).json()
    assert me["default_hourly_rate"] is me["cost_rate"] is None
    entries = reader.rows("time_entries", token=token)
    assert [list(row) for row in entries] == [list(reader.server.rows("time_entries")[0])] * len(
        entries
    )
    for row in entries:
        assert row["billable_rate"] is row["cost_rate"] is None
        assert (row["user_assignment"] or {}).get("hourly_rate") is None
    for row in reader.rows("reports/time/team", token=token, **YEAR):
        assert row["currency"] is row["billable_amount"] is None
    for row in reader.rows("reports/project_budget", token=token):
        assert {"budget", "budget_spent", "budget_remaining"} <= set(row)
    sees_all = reader.rows("time_entries")
    assert any(row["billable_rate"] for row in sees_all)


def test_a_rates_manager_sees_billable_rates_only(start: Start) -> None:
    """billable_rates_manager shows billable rates; cost rates are for administrators."""
    reader = start()
    token = reader.server.tokens["manager"]
    reader.server.set_role(token, "manager", ["billable_rates_manager"])
    body = reader.get("time_entries", token=token).text
    assert '"billable_rate"' in body
    assert '"cost_rate"' not in body


def test_invisible_records_are_404_and_forbidden_tables_403(shared: Reader) -> None:
    """A single record follows its list: 404 if out of scope, 403 if the role forbids the table."""
    token = shared.server.tokens["member"]
    me = shared.get("users/me", token=token).json()["id"]
    for row in shared.server.rows("time_entries")[:40]:
        status = 200 if row["user"]["id"] == me else 404
        assert shared.get(f"time_entries/{row['id']}", token=token).status_code == status
    client = shared.server.rows("clients")[0]["id"]
    assert shared.get(f"clients/{client}", token=token).status_code == 403
    assert shared.get(f"clients/{client}").json() == shared.server.row("clients", client)


def test_set_role_takes_effect_at_once_and_touches_the_user(start: Start) -> None:
    """A promoted member sees everything from the next request on, and users/me says so."""
    reader = start()
    token = reader.server.tokens["member"]
    reader.server.set_role(token, "administrator")
    assert reader.get("clients", token=token).status_code == 200
    me = reader.get("users/me", token=token).json()
    assert me["access_roles"] == ["administrator"]
    assert me["updated_at"] == "2026-06-17T12:00:00Z"


def test_company_is_open_or_for_administrators(start: Start, shared: Reader) -> None:
    """Sources conflict on /company: open by default, 403 for others by setting."""
    token = shared.server.tokens["member"]
    assert shared.get("company", token=token).status_code == 200
    strict = start(company_needs_admin=True)
    assert strict.get("company", token=token).status_code == 403
    assert strict.get("company").status_code == 200


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("off", ["empty", "403", "404", "422"])
def test_a_module_that_is_off_answers_in_the_chosen_way(
    start: Start, module: str, off: str
) -> None:
    """Its flag is false and its lists and reports answer in the chosen way."""
    reader = start(module_off=off, entries=5)
    reader.server.set_module(module, False)
    assert reader.get("company").json()[f"{module}_feature"] is False
    for name, path in every_path(reader).items():
        if name not in MODULES[module] | MODULES_BELOW[module]:
            continue
        answer = reader.get(path, **YEAR)
        if off == "empty":
            rows = answer.json()[next(iter(answer.json()))]
            assert (rows, answer.json()["total_entries"]) == ([], 0)
        else:
            assert answer.status_code == int(off)
    reader.server.set_module(f"{module}_feature", True)
    assert reader.get("company").json()[f"{module}_feature"] is True


@pytest.mark.parametrize("module", MODULES)
def test_a_module_that_is_off_does_not_affect_the_others(start: Start, module: str) -> None:
    """Lists and reports of other modules answer as before."""
    reader = start(module_off="404", entries=5)
    reader.server.set_module(module, False)
    for name, path in every_path(reader).items():
        if name not in MODULES[module] | MODULES_BELOW[module]:
            answer = reader.get(path, **YEAR)
            assert answer.status_code == 200
            assert name not in TABLES or answer.json()["total_entries"] > 0


def every_path(reader: Reader) -> dict[str, str]:
    """The paths of all lists, nested lists and reports, by name, as an administrator sees them."""
    reports = {name: f"reports/{report.path}" for name, report in REPORTS.items()}
    return {name: name for name in TABLES} | paths_below(reader, "administrator") | reports


def test_unknown_modules_are_refused() -> None:
    """An unknown module name is an error."""
    with pytest.raises(ValueError, match="No module named invoices"):
        Settings(modules_off=("invoices",))


def test_bodies_hold_no_token(shared: Reader) -> None:
    """No answer repeats the token that was sent."""
    answers: list[Any] = [shared.get(table) for table in (*TABLES, "users/me", "company")]
    logged = json.dumps([str(entry) for entry in shared.server.requests])
    for text in (*(answer.text for answer in answers), logged):
        assert shared.server.token not in text
