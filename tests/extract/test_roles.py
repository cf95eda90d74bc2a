"""Tokens that see less, and accounts with less to see: what is read, and what users are told."""

from __future__ import annotations

import pytest

from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS, ENDPOINTS
from tests.support.read_lab import OpenReadLab, Reading, assert_read
from tests.support.simulation import DAY, HOUR

SMALL = {"entries": 120, "invoices": 6, "estimates": 4, "expenses": 20}
DEFAULT = [e.name for e in DEFAULT_ENDPOINTS]
EVERYTHING = [e.name for e in ENDPOINTS if not e.is_personal]
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


def skipped(reading: Reading) -> dict[str, str]:
    """The reason for each table that was skipped."""
    return {skip.table: skip.reason for skip in reading.run_log.skipped}


@pytest.mark.parametrize(("role", "readable"), [("manager", MANAGERS), ("member", MEMBERS)])
def test_a_lower_role_reads_what_it_may_and_skips_the_rest(
    open_lab: OpenReadLab, role: str, readable: set[str]
) -> None:
    """What the role may read is read, and the rest is skipped by name."""
    lab = open_lab(**SMALL)
    lab.token = lab.server.tokens[role]
    told = lab.read(*DEFAULT)
    assert told.run_log.failures == []
    assert set(skipped(told)) == set(DEFAULT) - readable
    assert all("403" in reason for reason in skipped(told).values())
    assert {name for name in DEFAULT if told.rows(name)} <= readable
    assert 0 < len(lab.table("time_entries")) < lab.server.count("time_entries")
    assert all(lab.table(name) == [] for name in skipped(told))


def test_a_lower_role_empties_nothing(open_lab: OpenReadLab) -> None:
    """Runs with the token of a person who sees less leave every row unchanged."""
    lab = open_lab(**SMALL)
    lab.stop_timers()
    lab.rest()
    assert lab.read(*EVERYTHING).run_log.failures == []
    before = lab.contents(*EVERYTHING)
    lab.token = lab.server.tokens["manager"]
    for full_refresh in (False, True):
        lab.rest(HOUR)
        told = lab.read(*EVERYTHING, full_refresh=full_refresh)
        assert told.run_log.failures == []
        after = lab.contents(*EVERYTHING)
        if not full_refresh:
            assert [table for table in before if after[table] != before[table]] == []
        assert all(len(after[table][0]) >= len(rows) for table, (rows, _) in before.items())
        words = " ".join(told.run_log.warnings)
        assert "sees less than the one that loaded it before" in words
        assert "report_time_projects of account 1000001" in words
        assert "tasks of account 1000001 was loaded before and cannot be read any more" in words


@pytest.mark.parametrize("role", ["manager", "member"])
def test_hidden_values_are_read_alike_whether_null_or_missing(
    open_lab: OpenReadLab, role: str
) -> None:
    """No source says which of the two Harvest sends: the rows and the warnings are the same."""
    found = []
    for hidden_values in ("missing", "null"):
        lab = open_lab(**SMALL, hidden_values=hidden_values)
        lab.token = lab.server.tokens[role]
        told = lab.read(*EVERYTHING)
        assert told.run_log.failures == []
        assert told.rows("report_time_projects")
        rows = {name: lab.table(name) for name in EVERYTHING}
        found.append((rows, skipped(told), told.run_log.warnings))
    assert found[0] == found[1]


def test_reports_resume_once_the_token_sees_everything_again(open_lab: OpenReadLab) -> None:
    """After a lower role the administrator's numbers are accepted, even with fewer rows."""
    lab = open_lab(**SMALL)
    lab.read("report_time_projects")
    administrator, lab.token = lab.token, lab.server.tokens["manager"]
    lab.rest()
    lab.read("report_time_projects")
    lab.token = administrator
    for entry in lab.server.rows("time_entries")[5:]:
        lab.server.delete("time_entries", entry["id"], force=True)
    lab.rest(8 * DAY)
    report = lab.read("report_time_projects")
    assert report.run_log.warnings == []
    assert_read(lab, "report_time_projects")


def test_reports_are_read_again_when_the_role_widens(open_lab: OpenReadLab) -> None:
    """Past years are read again at once, not when the schedule reaches them."""
    lab = open_lab(**SMALL | {"entries": 600})
    lab.stop_timers()
    lab.token = lab.server.tokens["manager"]
    lab.read("report_time_projects", "report_project_budget")
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    lab.read("report_time_projects", "report_project_budget")
    assert_read(lab, "report_time_projects")
    assert_read(lab, "report_project_budget")


def test_children_of_unchanged_records_are_read_when_the_role_widens(open_lab: OpenReadLab) -> None:
    """Payments and rates of unchanged records are read when the role widens."""
    lab = open_lab(**SMALL)
    tables = ("invoice_payments", "billable_rates", "cost_rates", "project_user_assignments")
    lab.token = lab.server.tokens["manager"]
    assert set(skipped(lab.read(*tables))) == set(tables[:3])
    lab.server.set_role(lab.token, "administrator")
    lab.rest()
    assert lab.read(*tables).run_log.skipped == []
    for table in tables:
        assert_read(lab, table)


def test_my_assignments_shrink_in_every_role(open_lab: OpenReadLab) -> None:
    """A member sees all of their own list, so rows that are gone from it leave."""
    lab = open_lab(**SMALL)
    lab.token = lab.server.tokens["member"]
    lab.read("my_project_assignments")
    mine = lab.table("my_project_assignments")
    lab.server.edit("user_assignments", mine[0]["id"], is_active=False)
    lab.rest()
    lab.read("my_project_assignments")
    assert lab.ids("my_project_assignments") == sorted(row["id"] for row in mine[1:])


@pytest.mark.parametrize("how", ["empty", "403", "404", "422"])
def test_all_tables_of_a_switched_off_module_are_skipped(open_lab: OpenReadLab, how: str) -> None:
    """All its tables are skipped with the module's name, reports too; a loaded table warns."""
    lab = open_lab(**SMALL, module_off=how)
    tables = [e.name for e in ENDPOINTS if e.module in {"invoice_feature", "expense_feature"}]
    lab.server.set_module("expense", False)
    lab.rest()
    first = lab.read(*tables, "clients")
    lab.server.set_module("invoice", False)
    before = lab.contents(*tables)
    lab.rest(8 * DAY)
    told = lab.read(*tables, "clients")
    assert told.run_log.failures == []
    assert set(skipped(told)) == set(tables)
    for name, reason in skipped(told).items():
        module = (BY_NAME[name].module or "").removesuffix("_feature")
        assert f"the {module} module is switched off" in reason
    assert lab.contents(*tables) == before
    loaded = {each for each in tables if BY_NAME[each].module == "invoice_feature"}
    lost = {warning.partition(" ")[0] for warning in told.run_log.warnings}
    assert (first.run_log.warnings, lost) == ([], loaded)
    lab.server.set_module("invoice", True)
    lab.server.set_module("expense", True)
    lab.rest()
    assert skipped(lab.read(*tables)) == {}
    for name in tables:
        assert_read(lab, name)


@pytest.mark.parametrize("how", ["403", "404", "422"])
def test_a_module_is_skipped_if_company_cannot_be_read_either(
    open_lab: OpenReadLab, how: str
) -> None:
    """If the token cannot read company either, the table is skipped, and the reason says so."""
    lab = open_lab(**SMALL, module_off=how, company_needs_admin=True)
    lab.server.set_module("expense", False)
    lab.token = lab.server.tokens["member"]
    told = lab.read("expenses", "time_entries")
    assert (told.run_log.failures, set(skipped(told))) == ([], {"expenses"})
    assert how in skipped(told)["expenses"]


def test_a_missing_list_of_a_module_that_is_on_is_a_failure(open_lab: OpenReadLab) -> None:
    """A 404 is no reason to skip a table that should exist."""
    lab = open_lab(**SMALL)
    lab.server.fault("not_found", table="expenses")
    told = lab.read("expenses", "clients")
    assert skipped(told) == {}
    (failure,) = told.run_log.failures
    assert (failure.table, failure.error.exit_code) == ("expenses", 4)
