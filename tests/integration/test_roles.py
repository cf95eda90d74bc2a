"""Tokens that see less, and accounts with less to see: what lands, and what people are told."""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS, ENDPOINTS
from tests.support.lab import DAY, HOUR, Lab, Row
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

SMALL = {"entries": 120, "invoices": 6, "estimates": 4, "expenses": 20}
EVERYTHING = [e.name for e in ENDPOINTS if not e.own]
MEMBERS = {"time_entries", "expenses", "company"}
"""Default tables that a member may read."""
MANAGERS = MEMBERS | {
    "projects",
    "users",
    "user_assignments",
    "task_assignments",
    "invoice_item_categories",
}
"""Default tables that a manager without further grants may read."""


def contents(lab: Lab, *tables: str) -> dict[str, list[str]]:
    """Every row of some tables and their child tables."""
    names = [name for t in tables for name in (t, *BY_NAME[t].child_tables)]
    return {name: sorted(map(str, lab.table(name))) for name in names}


@pytest.mark.parametrize(("role", "readable"), [("manager", MANAGERS), ("member", MEMBERS)])
def test_what_lands_for_a_lower_role(open_lab: OpenLab, role: str, readable: set[str]) -> None:
    """What it may read lands, the rest is skipped by name, and it is told what may be partial."""
    lab = open_lab(**SMALL)
    lab.token = lab.server.tokens[role]
    told: dict[str, Any] = lab.sync().as_dict()
    assert (told["status"], told["errors"]) == ("ok", [])
    skipped = {each["table"]: each["reason"] for each in told["skipped"]}
    assert set(skipped) == {e.name for e in DEFAULT_ENDPOINTS} - readable
    assert all("403" in reason for reason in skipped.values())
    (warning,) = told["warnings"]
    assert f"not an administrator's (roles: {role})" in warning
    assert {name for name, each in told["tables"].items() if each["rows"]} <= readable
    assert 0 < len(lab.table("time_entries")) < lab.server.count("time_entries")
    assert all(lab.table(name) == [] for name in skipped)


def test_a_lower_role_empties_nothing(open_lab: OpenLab) -> None:
    """Run after run with the token of somebody who sees less: every row stays as it was."""
    lab = open_lab(**SMALL)
    lab.stop_timers()
    lab.rest()
    assert lab.sync(*EVERYTHING).status == "ok"
    before = contents(lab, *EVERYTHING)
    lab.token = lab.server.tokens["manager"]
    for full_refresh in (False, True):
        lab.rest(HOUR)
        report = lab.sync(*EVERYTHING, full_refresh=full_refresh)
        assert (report.status, report.exit_code) == ("ok", 0)
        after = contents(lab, *EVERYTHING)
        if not full_refresh:
            assert [table for table in before if after[table] != before[table]] == []
        assert all(len(after[table]) >= len(rows) for table, rows in before.items())
        told = " ".join(report.run_log.warnings)
        assert "sees less than the one that loaded it before" in told
        assert "report_time_projects of account 1000001" in told
        assert "tasks of account 1000001 was loaded before and cannot be read any more" in told


def test_reports_go_on_where_the_token_sees_everything_again(open_lab: OpenLab) -> None:
    """After a lower role the administrator's numbers are taken, fewer rows included."""
    lab = open_lab(**SMALL)
    lab.sync("report_time_projects")
    administrator, lab.token = lab.token, lab.server.tokens["manager"]
    lab.rest()
    lab.sync("report_time_projects")
    lab.token = administrator
    for entry in lab.server.rows("time_entries")[5:]:
        lab.server.delete("time_entries", entry["id"], force=True)
    lab.rest(8 * DAY)
    report = lab.sync("report_time_projects")
    assert report.run_log.warnings == []
    assert_equal(lab, "report_time_projects")


def test_reports_are_read_again_when_the_role_widens(open_lab: OpenLab) -> None:
    """Years long past are read again at once, not when the schedule has them."""
    lab = open_lab(**SMALL | {"entries": 600})
    lab.stop_timers()
    lab.token = lab.server.tokens["manager"]
    lab.sync("report_time_projects", "report_project_budget")
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    lab.sync("report_time_projects", "report_project_budget")
    assert_equal(lab, "report_time_projects")
    assert_equal(lab, "report_project_budget")


def test_children_come_into_sight_with_the_role(open_lab: OpenLab) -> None:
    """Payments and rates of records that did not move are read when the role widens."""
    lab = open_lab(**SMALL)
    tables = ("invoice_payments", "billable_rates", "cost_rates", "project_user_assignments")
    lab.token = lab.server.tokens["manager"]
    assert {skip.table for skip in lab.sync(*tables).run_log.skipped} == set(tables[:3])
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    assert lab.sync(*tables).run_log.skipped == []
    for table in tables:
        assert_equal(lab, table)


def test_my_assignments_shrink_for_whoever_they_are(open_lab: OpenLab) -> None:
    """A member sees all of their own list: what is gone from it goes."""
    lab = open_lab(**SMALL)
    lab.token = lab.server.tokens["member"]
    lab.sync("my_project_assignments")
    mine = lab.table("my_project_assignments")
    lab.server.edit("user_assignments", mine[0]["id"], is_active=False)
    lab.rest()
    lab.sync("my_project_assignments")
    assert lab.ids("my_project_assignments") == sorted(row["id"] for row in mine[1:])


@pytest.mark.parametrize("how", ["empty", "404"])
def test_a_switched_off_module(open_lab: OpenLab, how: str) -> None:
    """Every table of it is skipped with the module's name, reports too; loud if it was loaded."""
    lab = open_lab(**SMALL, module_off=how)
    tables = [e.name for e in ENDPOINTS if e.module in {"invoice_feature", "expense_feature"}]
    lab.server.set_module("expense", False)
    lab.rest()
    first = lab.sync(*tables, "clients")
    lab.server.set_module("invoice", False)
    before = contents(lab, *tables)
    lab.rest(8 * DAY)
    told = lab.sync(*tables, "clients").as_dict()
    assert (told["status"], told["errors"]) == ("ok", [])
    skipped = {each["table"]: each["reason"] for each in told["skipped"]}
    assert set(skipped) == set(tables)
    for name, reason in skipped.items():
        module = (BY_NAME[name].module or "").removesuffix("_feature")
        assert f"the {module} module is switched off" in reason
    assert contents(lab, *tables) == before
    loaded = {each for each in tables if BY_NAME[each].module == "invoice_feature"}
    lost = {warning.partition(" ")[0] for warning in told["warnings"]}
    assert (first.run_log.warnings, lost) == ([], loaded)
    lab.server.set_module("invoice", True)
    lab.server.set_module("expense", True)
    lab.rest()
    assert lab.sync(*tables).run_log.skipped == []
    for name in tables:
        assert_equal(lab, name)


@pytest.mark.parametrize("how", ["403", "404", "422"])
def test_a_switched_off_module_that_cannot_be_looked_up(open_lab: OpenLab, how: str) -> None:
    """Where company is hidden from the token, too, the table is skipped, and the doubt is told."""
    lab = open_lab(**SMALL, module_off=how, company_needs_admin=True)
    lab.server.set_module("expense", False)
    lab.token = lab.server.tokens["member"]
    told = lab.sync("expenses", "time_entries").as_dict()
    assert (told["status"], [each["table"] for each in told["skipped"]]) == ("ok", ["expenses"])
    assert how in told["skipped"][0]["reason"]


def test_a_missing_list_of_a_module_that_is_on_is_a_failure(open_lab: OpenLab) -> None:
    """404 is no reason to leave out a table that should be there."""
    lab = open_lab(**SMALL)
    lab.server.fault("not_found", table="expenses")
    report = lab.sync("expenses", "clients")
    assert (report.status, report.exit_code) == ("partial", 4)
    assert [failure.table for failure in report.run_log.failures] == ["expenses"]


def test_two_accounts_one_of_which_fails(open_lab: OpenLab) -> None:
    """The account that works lands whole; the other is named with its error, and keeps its rows."""
    lab = open_lab(**SMALL, accounts=(1000001, 1000002))
    lab.stop_timers()
    lab.rest()
    assert lab.sync().status == "ok"
    before: list[Row] = lab.table("clients", account_id=1000002)
    lab.server.fault("server_error", account_id=1000002)
    for account in (1000001, 1000002):
        client = lab.server.rows("clients", account)[0]["id"]
        lab.server.edit("clients", client, account_id=account, name="Edited")
    lab.rest()
    told = lab.sync().as_dict()
    assert (told["status"], told["account_ids"]) == ("partial", [1000001, 1000002])
    (error,) = told["errors"]
    assert (error["account_id"], error["table"], error["type"]) == (1000002, None, "ServerError")
    assert_equal(lab, "clients", account_id=1000001)
    assert lab.table("clients", account_id=1000002) == before
    lab.server.clear_faults()
    lab.rest()
    assert lab.sync().status == "ok"
    assert_equal(lab, "clients", account_id=1000002)
