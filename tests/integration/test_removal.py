"""Rows that leave and come back, whichever tables a run names and wherever it stops."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

import dlt
import pytest

from harvest_source import harvest
from harvest_source.operations.sync_steps import SyncSteps
from harvest_source.sandbox import Request
from tests.support.holders import reading
from tests.support.lab import DAY, Lab, Row
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

NO_REREAD = {"audit_requests": 0}
"""A toy account is reread whole every day; a real one takes a month."""
SMALL: dict[str, Any] = {"entries": 0, "expenses": 0}
BILLS = ("invoices", "invoice_payments", "invoice_messages")
REPORT = "report_time_projects"
STAFF = ("projects", "project_user_assignments", "project_task_assignments")


def sync(lab: Lab, *tables: str, **options: Any) -> Any:
    """A run that rereads nothing on its own."""
    settings = NO_REREAD | options.pop("settings", {})
    return lab.sync(*tables, settings=settings, **options)


def paid_invoice(lab: Lab) -> int:
    return int(lab.server.rows("invoice_payments")[0]["invoice_id"])


def count(lab: Lab, table: str, where: str) -> int:
    return int(lab.sql(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}")[0]["n"])


def put_back(lab: Lab, table: str, rows: list[Row]) -> None:
    """Harvest's support restores records unchanged."""
    for row in rows:
        lab.server.create(table, **row)


@pytest.mark.rare
def test_a_full_refresh_of_parents_removes_children_it_did_not_read(open_lab: OpenLab) -> None:
    """A deleted invoice's payments and messages leave, though the run names only invoices."""
    lab = open_lab.loaded(*BILLS, **SMALL)
    gone = paid_invoice(lab)
    lab.server.delete("invoices", gone, force=True)
    lab.rest()
    report = sync(lab, "invoices", full_refresh=True)
    assert report.status == "ok"
    for table in BILLS[1:]:
        assert count(lab, table, f"invoice_id = {gone}") == 0
        assert_equal(lab, table)
    (run,) = lab.sql("SELECT rows_deleted FROM sync_runs ORDER BY started_at DESC LIMIT 1")
    assert run["rows_deleted"] == count(lab, "deleted_records", "true") > 1


@pytest.mark.rare
def test_an_audit_of_children_alone_removes_orphans(open_lab: OpenLab) -> None:
    """If only payments and rates are read, their own audit finds the missing parents."""
    lab = open_lab.loaded("invoice_payments", "cost_rates", **SMALL)
    gone, left = paid_invoice(lab), lab.server.rows("cost_rates")[0]["user_id"]
    lab.server.delete("invoices", gone, force=True)
    lab.server.delete("users", left, force=True)
    lab.rest()
    sync(lab, "invoice_payments", "cost_rates", deletes=True)
    assert count(lab, "invoice_payments", f"invoice_id = {gone}") == 0
    assert count(lab, "cost_rates", f"user_id = {left}") == 0
    lab.rest()
    lab.server.reset_requests()
    sync(lab, "invoice_payments", "cost_rates")
    assert lab.server.stats()["requests"].get("invoices", 0) <= 1, "once a day, and not again"


@pytest.mark.rare
def test_rows_whose_parent_was_never_loaded_are_removed(open_lab: OpenLab) -> None:
    """An invoice can be created and deleted between two lists of one run."""
    lab = open_lab.loaded(*BILLS, **SMALL)
    lab.alter(
        "INSERT INTO invoice_payments BY NAME "
        "(SELECT * REPLACE (987654 AS invoice_id) FROM invoice_payments LIMIT 1)"
    )
    lab.rest(DAY)
    report = sync(lab, *BILLS)
    assert report.status == "ok"
    assert count(lab, "invoice_payments", "invoice_id = 987654") == 0
    assert count(lab, "deleted_records", "parent_id = 987654") == 1
    assert_equal(lab, "invoice_payments")


@pytest.mark.parametrize("is_touched", [True, False])
def test_a_project_that_returns_has_its_children_at_once(
    open_lab: OpenLab, is_touched: bool
) -> None:
    """The children return whether its ``updated_at`` or only the count shows its return."""
    lab = open_lab.loaded(*STAFF, **SMALL)
    project = lab.server.rows("projects")[0]
    below = {
        table: [r for r in lab.server.rows(table) if r["project"]["id"] == project["id"]]
        for table in ("user_assignments", "task_assignments")
    }
    assert all(below.values())
    lab.server.delete("projects", project["id"], force=True)
    lab.rest(DAY)
    sync(lab, *STAFF)
    assert count(lab, STAFF[1], f"project_id = {project['id']}") == 0
    put_back(lab, "projects", [project])
    for table, rows in below.items():
        put_back(lab, table, rows)
    if is_touched:
        lab.server.edit("projects", project["id"], touch=True)
    lab.rest(DAY)
    sync(lab, *STAFF)
    assert count(lab, "projects", f"id = {project['id']}") == 1
    for table, rows in zip(STAFF[1:], below.values(), strict=True):
        assert count(lab, table, f"project_id = {project['id']}") == len(rows)
    assert count(lab, "deleted_records", "restored_at IS NULL") == 0


@pytest.mark.rare
def test_a_manager_who_becomes_a_member_has_no_teammates(open_lab: OpenLab) -> None:
    """Harvest no longer has such a list, but the person's own row is still there."""
    lab = open_lab(**SMALL)
    managers = [user["id"] for user in lab.server.rows("users")[3:5]]
    for user in managers:
        lab.server.edit("users", user, access_roles=["manager"])
    lab.rest()
    sync(lab, "users", "teammates")
    assert count(lab, "teammates", f"user_id = {managers[0]}") > 0
    lab.server.edit("users", managers[0], access_roles=["member"])
    lab.rest()
    sync(lab, "users", "teammates")
    assert count(lab, "teammates", f"user_id = {managers[0]}") == 0
    assert count(lab, "teammates", f"user_id = {managers[1]}") > 0
    assert count(lab, "deleted_records", f"parent_id <> {managers[0]}") == 0


class Stopped(BaseException):
    """Stands for a killed process."""


@pytest.mark.rare
def test_rows_of_an_emptied_year_are_removed_after_a_killed_run(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is killed after loading that the list is empty, before anything else is done."""
    lab = open_lab.loaded(REPORT, expenses=0)
    for entry in lab.server.rows("time_entries"):
        if entry["spent_date"] >= "2026":
            lab.server.delete("time_entries", entry["id"])
    lab.rest(3 * DAY)

    def die(_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch, suppress(Stopped):
        patch.setattr(SyncSteps, "_write_comments", die)
        sync(lab, REPORT)
        pytest.fail("not stopped")
    lab.rest()
    assert sync(lab, REPORT).status == "ok"
    assert_equal(lab, REPORT)


@pytest.mark.rare
@pytest.mark.parametrize("tables", [(REPORT,), BILLS], ids=["replaced", "audit"])
def test_the_next_run_removes_rows_if_a_reader_held_the_file(
    open_lab: OpenLab, tables: tuple[str, ...]
) -> None:
    """If another process opens the file after the last request, before rows leave: exit 6."""
    lab = open_lab.loaded(*tables, expenses=0)
    for entry in lab.server.rows("time_entries"):
        if entry["spent_date"] >= "2026":
            lab.server.delete("time_entries", entry["id"])
    lab.server.delete("invoices", paid_invoice(lab), force=True)
    lab.rest(3 * DAY)
    asked: list[Request] = []
    with ExitStack() as reader:

        def hold(request: Request) -> None:
            """The run asks for the token's owner again immediately before rows leave."""
            asked.append(request)
            if [each.path for each in asked].count(
                request.path
            ) == 2 and "users/me" in request.path:
                reader.enter_context(reading(lab.database))

        lab.server.after_request(hold)
        report = sync(lab, *tables, deletes=True, settings={"destination_wait": 0})
        assert report.exit_code == 6
        assert "PID" in str(report.errors[0])
    lab.server.clear_hooks()
    lab.rest()
    assert sync(lab, *tables, deletes=True).status == "ok"
    for table in tables:
        assert_equal(lab, table)


@pytest.mark.rare
def test_plain_dlt_leaves_removals_to_the_next_sync(open_lab: OpenLab) -> None:
    """The state keeps the removal, beside the digest that says that the list is empty."""
    lab = open_lab.loaded(REPORT, expenses=0)
    for entry in lab.server.rows("time_entries"):
        if entry["spent_date"] >= "2026":
            lab.server.delete("time_entries", entry["id"])
    lab.rest(3 * DAY)
    there = len(lab.table(REPORT))
    with lab.working():
        destination = dlt.destinations.duckdb(str(lab.database))
        pipeline = dlt.pipeline("harvest", destination=destination, dataset_name="harvest")
        source = harvest(account_id=lab.server.account_id, **lab.settings)
        pipeline.run(source.with_resources(REPORT))
    assert len(lab.table(REPORT)) == there
    lab.rest()
    sync(lab, REPORT)
    assert_equal(lab, REPORT)


@pytest.mark.rare
def test_a_row_deleted_while_history_is_paused_has_no_open_version(open_lab: OpenLab) -> None:
    """A task deleted while no history is requested has no open version afterwards."""
    wish = {"history": ["tasks"]}
    lab = open_lab.loaded("tasks", options={"settings": wish}, **SMALL)
    first, second = (row["id"] for row in lab.server.rows("tasks")[:2])
    lab.server.delete("tasks", first, force=True)
    lab.rest(DAY)
    sync(lab, "tasks")
    lab.server.edit("tasks", second, name="Renamed in the pause")
    lab.rest()
    sync(lab, "tasks")
    lab.rest()
    sync(lab, "tasks", settings=wish)
    assert count(lab, "tasks_history", f"id = {first} AND valid_to IS NULL") == 0
    assert count(lab, "tasks_history", f"id = {second} AND name LIKE '%pause'") == 1


@pytest.mark.rare
def test_history_starts_separately_for_each_account(open_lab: OpenLab) -> None:
    """If an account fails when its history begins, the next run reads it from its first row."""
    lab = open_lab.loaded("projects", accounts=(1000001, 1000002), **SMALL)
    wish = {"history": ["projects"]}
    lab.server.fault("html", table="projects", account_id=1000002)
    lab.rest()
    assert sync(lab, "projects", settings=wish).status == "partial"
    assert count(lab, "projects_history", "account_id = 1000002") == 0
    lab.server.clear_faults()
    for _ in range(2):
        lab.rest()
        sync(lab, "projects", settings=wish)
    for account in (1000001, 1000002):
        rows = count(lab, "projects", f"account_id = {account}")
        assert count(lab, "projects_history", f"account_id = {account}") == rows > 0
