"""``verify``: compare the warehouse with Harvest's own totals, and mend what differs."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from threading import Lock
from typing import Any

import duckdb
import pytest

from harvest_source.activity import Activity
from harvest_source.api.client import HarvestClient
from harvest_source.api.http_context import RetryLimits
from harvest_source.concurrency import has_threads
from harvest_source.errors import ConfigError, DestinationError, RemoteError
from harvest_source.load.settings import Hooks
from harvest_source.operations import compare_tables, verify
from harvest_source.operations.compare_values import NAMED
from harvest_source.operations.comparisons import AT_ONCE, UNASKED, Comparison
from harvest_source.operations.mending import mend
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.operations.warehouse_status import read_warehouse_status
from harvest_source.operations.workspace import Workspace
from harvest_source.sandbox import Request
from tests.support.children import Child
from tests.support.earlier import forget_own_tables
from tests.support.holders import writing
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.meeting import Meeting
from tests.support.truth import assert_equal

OPENED = 19
"""Connections of a verification without findings: two or more per opening, and one in memory."""

TABLES = ("time_entries", "expenses", "projects", "invoices", "invoice_payments", "clients")


OTHER_WAYS = ("roles", "cost_rates")
"""Tables that are read whole, or below a parent."""


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab that is synced and at rest, with no timer running."""
    lab = open_lab.loaded(*TABLES, entries=400)
    lab.rest()
    return lab


def told(report: VerifyReport) -> set[tuple[str, str, str]]:
    return {(each.table, each.check, each.scope) for each in report.differences}


def find(report: VerifyReport, check: str, scope: str = "all") -> list[Comparison]:
    return [each for each in report.comparisons if each.check == check and each.scope == scope]


def test_an_equal_warehouse_has_no_findings(lab: Lab) -> None:
    """Counts by year, hours and money by project and year, and invoices by line all match."""
    before = lab.sql("SELECT COUNT(*) AS n FROM sync_runs")
    report = lab.verify()
    assert (report.exit_code, report.differences, report.run_log.warnings) == (0, [], [])
    checks = {each.check for each in report.comparisons if each.state == "ok"}
    assert checks == {
        "rows",
        "ids",
        "values",
        "hours",
        "amount",
        "cost",
        "billable cost",
        "invoice total",
        "payments",
        "orphans",
        "list",
    }
    hours = [each.there for each in report.comparisons if each.check == "hours"]
    assert sum(hours) == sum(row["rounded_hours"] for row in lab.table("time_entries")) > 0
    assert lab.sql("SELECT COUNT(*) AS n FROM sync_runs") == before
    (row,) = lab.table("verify_runs")
    assert (row["status"], row["differing"], row["mended"]) == ("ok", 0, False)
    assert row["compared"] == report.count_states()["ok"]
    assert json.loads(row["checks"]) == report.as_dict()["checks"]
    assert (row["account_ids"], row["started_at"]) == (str(lab.server.account_id), report.as_of)


@pytest.mark.rare
def test_concurrent_figures_open_the_file_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a file costs DuckDB 20 ms of processor time; a further connection costs nothing."""
    opened, connect = list[str](), duckdb.connect

    def note(*given: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        opened.append(str(given))
        return connect(*given, **options)

    monkeypatch.setattr(duckdb, "connect", note)
    assert lab.verify().exit_code == 0
    assert len(opened) <= OPENED


def test_a_table_of_one_page_is_counted_in_its_list(lab: Lab) -> None:
    """One request shows which rows exist, and how many there are in each year."""
    lab.server.reset_requests()
    report = lab.verify()
    rows = [each for each in report.comparisons if each.check == "rows"]
    assert {each.table for each in rows} == {*TABLES} - {"invoice_payments"}
    assert sum(each.scope.isdigit() for each in rows) > 3
    asked = [each for each in lab.server.requests if "updated_since" not in each.query]
    paths = [each.path.removeprefix("/v2/") for each in asked if "is_running" not in each.query]
    assert [paths.count(each.table) for each in rows if each.scope == "all"] == [1] * 5


@pytest.mark.rare
def test_independent_requests_are_sent_concurrently(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sequence they took minutes where each answer takes a second."""
    lab = open_lab.loaded(*TABLES, entries=2100)
    lab.rest()
    monkeypatch.setattr(compare_tables, "is_plentiful", lambda: True)
    invoices = len(lab.table("invoices"))
    meetings = {
        "changes of each table": Meeting(5),
        "years of entries": Meeting(3),
        "reports of years": Meeting(2),
        "payments of invoices": Meeting(min(invoices, AT_ONCE)),
    }

    def meet(client: HarvestClient, path: str, *given: Any, **options: Any) -> Any:
        params = options.get("params") or {}
        if "updated_since" in params:
            meetings["changes of each table"].attend()
        elif path == "time_entries" and "from" in params and params.get("per_page") == "1":
            meetings["years of entries"].attend()
        elif path == "reports/time/projects":
            meetings["reports of years"].attend()
        elif path.endswith("/payments"):
            meetings["payments of invoices"].attend()
        return fetch(client, path, *given, **options)

    fetch = HarvestClient._fetch
    monkeypatch.setattr(HarvestClient, "_fetch", meet)
    report = lab.verify()
    assert (report.exit_code, report.differences, report.run_log.warnings) == (0, [], [])
    assert [name for name, meeting in meetings.items() if not meeting.has_met] == []


@pytest.mark.rare
def test_accounts_are_compared_at_the_same_time(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each account has its own allowance; the findings are still reported account by account."""
    monkeypatch.setattr(compare_tables, "is_plentiful", lambda: True)
    accounts = (1000001, 1000002, 1000003)
    lab = open_lab.loaded("clients", "tasks", accounts=accounts, entries=0, invoices=0)
    lab.rest()
    opened, changes = Meeting(3), Meeting(6)

    def meet(client: HarvestClient, path: str, *given: Any, **options: Any) -> Any:
        if "updated_since" in (options.get("params") or {}):
            changes.attend()
        return fetch(client, path, *given, **options)

    def open_together(client: HarvestClient, path: str, **options: Any) -> Any:
        if path == "users/me":
            opened.attend()
        return fetch_object(client, path, **options)

    fetch, fetch_object = HarvestClient._fetch, HarvestClient.fetch_object
    monkeypatch.setattr(HarvestClient, "_fetch", meet)
    monkeypatch.setattr(HarvestClient, "fetch_object", open_together)
    report = lab.verify()
    assert (report.exit_code, report.differences) == (0, [])
    assert (opened.has_met, changes.has_met) == (True, True)
    told = [each.account_id for each in report.comparisons]
    assert told == sorted(told)
    assert set(told) == set(accounts)


def test_a_row_tampered_with_is_found_and_mended(lab: Lab) -> None:
    """Hours and money of its project and year differ; mending loads that row only."""
    others = "SELECT id, _dlt_load_id FROM time_entries WHERE id <> {} ORDER BY id"
    row = lab.sql(
        "SELECT t.* FROM time_entries t JOIN projects p ON p.id = t.project__id "
        "WHERE t.billable AND t.billable_rate > 0 AND NOT p.is_fixed_fee LIMIT 1"
    )[0]
    lab.alter(f"UPDATE time_entries SET rounded_hours = 99 WHERE id = {row['id']}")
    before = lab.sql(others.format(row["id"]))
    scope = f"project {row['project__id']}, {row['spent_date'].year}"
    report = lab.verify()
    assert report.exit_code == 5
    assert told(report) == {
        ("time_entries", "values", f"id {row['id']}: rounded_hours"),
        ("time_entries", "hours", scope),
        ("time_entries", "amount", scope),
    }
    (hours,) = find(report, "hours", scope)
    assert hours.here - hours.there == 99 - row["rounded_hours"]
    lab.server.reset_requests()
    mended = lab.verify(fix=True)
    assert (mended.exit_code, mended.differences, mended.mended) == (0, [], True)
    again = [
        r.query for r in lab.server.requests if "from=" in r.query and "/reports" not in r.path
    ]
    day = f"from={row['spent_date']}&to={row['spent_date']}"
    assert again
    assert all(f"project_id={row['project__id']}" in each or day in each for each in again)
    assert lab.sql(others.format(row["id"])) == before
    assert_equal(lab, "time_entries")
    first, second = sorted(lab.table("verify_runs"), key=lambda row: row["mended"])
    assert [first["status"], second["status"]] == ["differs", "ok"]
    assert first["differing"] == len(json.loads(first["differences"])) == 3
    assert {each["table"] for each in json.loads(first["differences"])} == {"time_entries"}


@pytest.mark.rare
@pytest.mark.parametrize("has_syncs", [True, False])
def test_a_verification_makes_no_table(lab: Lab, has_syncs: bool) -> None:
    """A warehouse of an earlier version can be compared; the next sync creates the table."""
    dropped = ("verify_runs",) if has_syncs else ("verify_runs", "sync_runs")
    forget_own_tables(lab, *dropped)
    report = lab.verify()
    assert report.exit_code == 0
    warnings = report.run_log.warnings
    assert any("next sync makes it: harvest-source sync" in each for each in warnings) == has_syncs
    lab.rest()
    lab.sync(*TABLES)
    assert lab.verify().run_log.warnings == []
    assert len(lab.table("verify_runs")) == 1


@pytest.mark.rare
def test_a_damaged_verification_log_never_fails_a_verification(lab: Lab) -> None:
    """Whatever replaces our table, the figures are compared."""
    lab.alter("DROP TABLE verify_runs; CREATE VIEW verify_runs AS SELECT 1 AS id")
    report = lab.verify()
    assert (report.exit_code, report.status) == (0, "ok")
    assert any("could not be written" in each for each in report.run_log.warnings)


def test_lost_and_deleted_rows_are_found_and_mended(lab: Lab) -> None:
    """A row too few in a year is read again; a row too many in another table is removed."""
    year = lab.sql("SELECT MIN(spent_date) AS day FROM time_entries")[0]["day"].year
    lab.alter(
        "DELETE FROM time_entries WHERE id = (SELECT arg_min(id, spent_date) FROM time_entries)",
    )
    gone = lab.server.create("clients", name="Short-lived")["id"]
    lab.sync("clients")
    lab.server.delete("clients", gone)
    report = lab.verify()
    assert {("time_entries", "rows", "all"), ("clients", "rows", "all")} <= told(report)
    assert any(check == "rows" and str(year) in scope for _, check, scope in told(report))
    assert gone in lab.ids("clients")
    mended = lab.verify(fix=True)
    assert (mended.exit_code, mended.differences) == (0, [])
    assert_equal(lab, "time_entries")
    assert_equal(lab, "clients")
    assert [row["id"] for row in lab.table("deleted_records")] == [gone]


@pytest.mark.rare
def test_an_invoice_that_differs_from_its_lines_is_requested(lab: Lab) -> None:
    """If Harvest agrees, it is information; if not, it is a difference, which is mended."""
    first, second = (record["id"] for record in lab.server.rows("invoices")[:2])
    lab.server.edit("invoices", first, amount=123456.78)
    lab.sync("invoices")
    lab.alter(f"UPDATE invoices SET amount = 1 WHERE id = {second}")
    report = lab.verify()
    assert told(report) == {
        ("invoices", "invoice total", f"invoice {second}"),
        ("invoices", "values", f"id {second}: amount"),
    }
    (excused,) = find(report, "invoice total", f"invoice {first}")
    assert (excused.state, excused.here) == ("information", Decimal("123456.78"))
    assert lab.verify(fix=True).differences == []
    assert_equal(lab, "invoices")


@pytest.mark.rare
def test_changes_since_the_last_sync_are_not_differences(lab: Lab) -> None:
    """Rows created, moved or edited meanwhile are left to the next sync."""
    listed = [record["id"] for record in lab.server.rows("time_entries")]
    lab.server.edit("time_entries", listed[0], hours=7, rounded_hours=7)
    lab.server.edit("time_entries", listed[1], spent_date="2024-01-02")
    lab.server.create("time_entries", spent_date="2026-06-17", hours=3, rounded_hours=3)
    lab.server.create("clients", name="New")
    report = lab.verify()
    assert (report.exit_code, report.differences) == (0, [])
    assert any(each.state == "information" for each in report.comparisons)
    assert all(each.state == "ok" for each in find(report, "rows"))


@pytest.mark.rare
def test_expenses_and_payments_are_compared_with_harvest(open_lab: OpenLab) -> None:
    """Cost by project and year, payments by what is due; only those are read again."""
    lab = open_lab.loaded("expenses", "invoices", "invoice_payments", entries=10)
    lab.rest()
    (cost,) = lab.sql(
        "SELECT id, project__id, spent_date FROM expenses WHERE total_cost > 0 LIMIT 1"
    )
    (paid,) = lab.sql("SELECT id, invoice_id FROM invoice_payments LIMIT 1")
    lab.alter(f"UPDATE expenses SET total_cost = total_cost + 1 WHERE id = {cost['id']}")
    lab.alter(f"DELETE FROM invoice_payments WHERE id = {paid['id']}")
    differing = told(lab.verify())
    scope = f"project {cost['project__id']}, {cost['spent_date'].year}"
    assert {
        ("expenses", "cost", scope),
        ("expenses", "values", f"id {cost['id']}: total_cost"),
        ("invoices", "payments", f"invoice {paid['invoice_id']}"),
    } <= differing
    checks = {check for _, check, _ in differing}
    assert checks <= {"cost", "billable cost", "values", "payments", "list"}
    assert lab.verify(fix=True).differences == []
    assert_equal(lab, "expenses")
    assert_equal(lab, "invoice_payments")


def test_payments_that_are_not_read_yet_hide_no_difference(open_lab: OpenLab) -> None:
    """
    Only questions to Harvest are limited, not reasons that are known.

    After a first read, the payments of older invoices are not read yet, more than are asked about.
    """
    lab = open_lab.loaded("invoices", "invoice_payments", entries=10, invoices=240)
    lab.rest()
    (paid,) = lab.sql(
        "SELECT id, invoice_id FROM invoice_payments ORDER BY invoice_id DESC LIMIT 1"
    )
    lab.alter(f"DELETE FROM invoice_payments WHERE id = {paid['id']}")
    report = lab.verify()
    excuses = [each.excuse for each in report.comparisons if each.check == "payments"]
    assert excuses.count(UNASKED) > 20
    assert not [each for each in excuses if each.startswith("not investigated")]
    assert ("invoices", "payments", f"invoice {paid['invoice_id']}") in told(report)


@pytest.mark.rare
def test_written_off_invoices_hide_no_difference(open_lab: OpenLab) -> None:
    """
    Their payments differ in Harvest, too, and there may be more of them than are asked about.

    A payment too many is asked about first, whatever the state of its invoice.
    """
    options = {"all_children": True}
    tables = ("invoices", "invoice_payments")
    lab = open_lab.loaded(*tables, options=options, entries=10, invoices=240)
    lab.rest()
    wrong = {
        row["id"]
        for state in ("open", "closed")
        for row in lab.sql(
            "SELECT id FROM invoices WHERE state = ? ORDER BY id DESC LIMIT 1", state
        )
    }
    for invoice in wrong:
        lab.alter(
            "INSERT INTO invoice_payments BY NAME SELECT * REPLACE "
            f"({invoice} AS invoice_id, {invoice} AS id) FROM invoice_payments LIMIT 1"
        )
    report = lab.verify()
    payments = [each for each in report.comparisons if each.check == "payments"]
    assert sum(each.state == "information" for each in payments) > 20
    named = {each.scope for each in payments if each.state == "differs"}
    assert named == {f"invoice {invoice}" for invoice in wrong}
    assert report.exit_code == 5


@pytest.mark.rare
def test_one_row_too_many_and_one_too_few_are_noticed(open_lab: OpenLab) -> None:
    """Every count is right, but the ids are not."""
    lab = open_lab.loaded("clients", entries=10)
    lost = lab.ids("clients")[0]
    lab.alter(f"DELETE FROM clients WHERE id = {lost}")
    lab.alter("INSERT INTO clients SELECT * REPLACE (1 AS id) FROM clients LIMIT 1")
    assert told(lab.verify()) == {("clients", "ids", "all")}
    assert lab.verify(fix=True).exit_code == 0
    assert_equal(lab, "clients")


@pytest.mark.rare
@pytest.mark.parametrize(
    ("named", "there"),
    [("dataset", "Datasets there: harvest"), ("pipeline", "belongs to pipeline harvest")],
)
def test_a_mistyped_dataset_or_pipeline_is_refused_with_the_real_names(
    open_lab: OpenLab, named: str, there: str
) -> None:
    """Nothing was loaded under that name: exit code 2, with the names that exist."""
    lab = open_lab.loaded("clients", entries=10)
    with pytest.raises(ConfigError, match=there) as raised:
        lab.verify(**{named: "harvset"})
    assert "harvset" in str(raised.value)


@pytest.mark.rare
def test_an_account_that_was_never_read_is_not_ok(open_lab: OpenLab) -> None:
    """Nothing was compared: exit code 5 with the reason."""
    lab = open_lab.loaded("clients", options={"account": [1000001]}, accounts=(1000001, 1000002))
    report = lab.verify()
    assert report.exit_code == 5
    (failure,) = report.run_log.failures
    assert failure.account_id == 1000002
    assert "no table that can be counted has been read completely" in str(failure.error)


class Waits(Activity):
    """Records the processes that a run waits for, once for each opening of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[str] = []

    def wait_for(self, holder: str) -> None:
        self.holders += [holder] if holder else []
        super().wait_for(holder)


@pytest.mark.rare
def test_a_file_that_stays_in_use_is_waited_for_once(open_lab: OpenLab) -> None:
    """The tables' threads do not wait in turn: Python cannot exit before they end."""
    lab = open_lab.loaded(entries=60)
    lab.rest()
    waits, lock, held = Waits(), Lock(), list[Child]()
    with ExitStack() as stack:

        def take(request: Request) -> None:
            """Answer each thread only once another process holds the file."""
            with lock:
                if request.table not in (None, "users_me", "company") and not held:
                    held.append(stack.enter_context(writing(lab.database)))

        lab.server.before_request(take)
        with pytest.raises(DestinationError, match="is in use"):
            lab.verify(hooks=Hooks(clock=lab.shared, activity=waits))
        deadline = time.monotonic() + 10
        while has_threads() and time.monotonic() < deadline:
            gc.collect()  # The threads of an abandoned generator end with it.
            time.sleep(0.05)
    assert len(waits.holders) == 1


@pytest.mark.parametrize("fault", ["unauthorized", "server_error"])
def test_an_account_that_cannot_be_opened_does_not_stop_the_others(
    open_lab: OpenLab, fault: str
) -> None:
    """The account is named with its error and exit code; the others are compared and mended."""
    first, second = 1000001, 1000002
    lab = open_lab.loaded("clients", accounts=(first, second), entries=0, invoices=0)
    lab.alter(f"DELETE FROM clients WHERE account_id = {first}")
    lab.server.fault(fault, account_id=second, times=1000)
    for options in ({}, {"fix": True}):
        report = lab.verify(**options)
        assert (report.status, report.account_ids) == ("partial", (first, second))
        (failure,) = report.run_log.failures
        assert (failure.account_id, failure.table) == (second, "")
        assert report.exit_code == failure.error.exit_code in (3, 4)
        assert {each.account_id for each in report.comparisons} == {first}
        assert bool(report.differences) is not bool(options)
    assert_equal(lab, "clients", account_id=first)
    lab.server.fault(fault, account_id=first, times=1000)
    with pytest.raises(RemoteError):
        lab.verify()


@pytest.mark.rare
def test_a_table_that_a_later_round_compares_has_not_failed(open_lab: OpenLab) -> None:
    """Harvest did not answer at first; what it never answers is named once, after all rounds."""
    lab = open_lab.loaded("clients", "tasks", entries=0, invoices=0)
    damage = "DELETE FROM tasks WHERE id = (SELECT MIN(id) FROM tasks)"
    lab.alter(damage)
    lab.server.fault("server_error", table="clients", times=RetryLimits().attempts)
    report = lab.verify(fix=True)
    assert (report.mended, report.status, report.exit_code) == (True, "ok", 0)
    assert {each.table for each in report.comparisons} == {"clients", "tasks"}
    lab.alter(damage)
    lab.server.fault("server_error", table="clients", times=1000)
    report = lab.verify(fix=True)
    assert (report.mended, report.status, report.exit_code) == (True, "partial", 4)
    assert [each.table for each in report.run_log.failures] == ["clients"]
    assert {each.table for each in report.comparisons} == {"tasks"}


@pytest.mark.rare
@pytest.mark.parametrize("recovers", [True, False])
def test_a_failure_of_mending_counts_only_if_no_later_round_succeeds(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch, recovers: bool
) -> None:
    """Harvest does not answer for one table while another is mended; the next round mends it."""
    lab = open_lab.loaded("clients", "tasks", entries=0, invoices=0)
    for table in ("clients", "tasks"):
        lab.alter(f"DELETE FROM {table} WHERE id = (SELECT MIN(id) FROM {table})")
    rounds: list[int] = []

    def mend_badly(workspace: Workspace, differing: Sequence[Comparison]) -> None:
        rounds.append(len(differing))
        if len(rounds) == 1 or not recovers:
            lab.server.fault("server_error", table="clients", times=1000)
        mend(workspace, differing)
        lab.server.clear_faults()

    monkeypatch.setattr(verify, "mend", mend_badly)
    report = lab.verify(fix=True)
    assert len(rounds) >= 2
    if recovers:
        assert (report.status, report.exit_code, report.differences) == ("ok", 0, [])
        assert report.run_log.failures == []
    else:
        assert (report.status, report.exit_code) == ("partial", 4)
        assert [each.table for each in report.run_log.failures] == ["clients"]
        assert {each.table for each in report.differences} == {"clients"}


@pytest.mark.rare
@pytest.mark.parametrize("table", ["clients", *OTHER_WAYS])
def test_a_table_that_was_never_read_to_its_end_is_not_ok(open_lab: OpenLab, table: str) -> None:
    """If its first run failed, verify and status name the table until a run succeeds."""
    lab = open_lab(entries=20)
    lab.server.fault("server_error", table=table, times=100)
    assert lab.sync(table, "tasks").exit_code == 4
    lab.server.clear_faults()
    lab.rest()
    for _ in range(2):
        report = lab.verify()
        assert (report.status, report.exit_code) == ("partial", 5)
        (failure,) = report.run_log.failures
        assert failure.table == table
        assert "never been read completely" in str(failure.error)
    with lab.working():
        found = read_warehouse_status(
            database=lab.database, settings=lab.settings, clock=lab.shared, max_age="1000d"
        )
    assert [(each.table, each.as_of, each.rows) for each in found.stale] == [(table, None, 0)]
    assert found.exit_code == 5
    lab.sync(table, "tasks")
    assert lab.verify().exit_code == 0


@pytest.mark.rare
def test_excluded_columns_are_not_compared(open_lab: OpenLab) -> None:
    """Each check is reported once; the others are made, and a second sync succeeds."""
    excluded = [
        "time_entries.is_running",
        "time_entries.billable_rate",
        "expenses.total_cost",
        "projects.is_fixed_fee",
        "invoices.line_items",
        "invoices.due_amount",
    ]
    lab = open_lab.loaded(*TABLES, entries=20, options={"exclude": excluded})
    lab.rest(2 * DAY)
    assert lab.sync(*TABLES, exclude=excluded).exit_code == 0
    report = lab.verify(exclude=excluded)
    assert report.exit_code == 0
    assert {each.check for each in report.comparisons} == {
        "rows",
        "ids",
        "values",
        "hours",
        "orphans",
        "list",
    }
    # Tables are compared concurrently.
    assert sorted(each.partition(" cannot")[0] for each in report.run_log.warnings) == [
        "Amounts",
        "Expenses",
        "Invoices",
        "Payments",
    ]


@pytest.mark.rare
def test_amounts_of_any_size_are_compared(open_lab: OpenLab) -> None:
    """Hours times rate may exceed the column of a sum, which leaves no table out."""
    lab = open_lab(entries=20)
    lab.stop_timers()
    entry = lab.server.rows("time_entries")[3]["id"]
    lab.server.edit("time_entries", entry, hours=2e7, billable=True, billable_rate=9e14)
    lab.rest()
    lab.sync("time_entries", "projects")
    lab.rest()
    report = lab.verify()
    assert (report.run_log.failures, report.run_log.warnings) == ([], [])
    amounts = [each.there for each in report.comparisons if each.check == "amount"]
    assert max(amounts) > 10**22


@pytest.mark.rare
def test_rows_without_their_parent_are_counted(open_lab: OpenLab) -> None:
    """If Harvest lacks the parent too, it is a difference, and mending removes the rows."""
    lab = open_lab.loaded("invoices", "invoice_payments", "clients", entries=10)
    lab.rest()
    first = lab.sql("SELECT MIN(invoice_id) AS id FROM invoice_payments")[0]["id"]
    lab.alter(
        "INSERT INTO invoice_payments SELECT * REPLACE (1 AS invoice_id) FROM invoice_payments "
        f"WHERE invoice_id = {first} LIMIT 1"
    )
    lab.alter(
        "INSERT INTO invoices__line_items SELECT * REPLACE ('lost' AS _dlt_root_id, 'x' AS _dlt_id)"
        " FROM invoices__line_items LIMIT 1"
    )
    orphans = [each for each in lab.verify().comparisons if each.check == "orphans" and each.here]
    assert [(each.table, each.state) for each in orphans] == [
        ("invoices__line_items", "differs"),
        ("invoice_payments", "differs"),
    ]
    mended = lab.verify(fix=True)
    assert (mended.exit_code, mended.differences) == (0, [])
    for table in ("invoices", "invoice_payments"):
        assert_equal(lab, table)
    (record,) = lab.table("deleted_records")
    assert (record["table_name"], record["parent_id"]) == ("invoice_payments", 1)


@pytest.mark.rare
def test_lists_below_a_parent_are_compared_row_by_row(open_lab: OpenLab) -> None:
    """No total shows a deleted message or a rate with another amount, but each list does."""
    lab = open_lab.loaded("invoices", "invoice_messages", "users", "cost_rates", entries=10)
    lab.rest()
    sent, rate = lab.table("invoice_messages")[0], lab.table("cost_rates")[0]
    lab.server.delete("invoice_messages", sent["id"])
    lab.alter(f"UPDATE cost_rates SET amount = amount + 1 WHERE id = {rate['id']}")
    assert told(lab.verify()) == {
        ("invoice_messages", "list", f"invoice {sent['invoice_id']}"),
        ("cost_rates", "list", f"user {rate['user_id']}"),
    }
    assert lab.verify(fix=True).exit_code == 0
    for table in ("invoice_messages", "cost_rates"):
        assert_equal(lab, table)


@pytest.mark.rare
def test_duplicated_rows_of_lists_are_found(open_lab: OpenLab) -> None:
    """Every id and every row is right, only the number differs, even if another row is missing."""
    lab = open_lab.loaded("invoices", "invoice_messages", "users", "cost_rates", entries=10)
    lab.rest()
    sent, rate = lab.table("invoice_messages")[0], lab.table("cost_rates")
    user = next(row["user_id"] for row in rate if len(by_user(rate, row["user_id"])) > 1)
    lab.alter(
        f"INSERT INTO invoice_messages SELECT * FROM invoice_messages WHERE id = {sent['id']};"
        f"DELETE FROM cost_rates WHERE id = {by_user(rate, user)[0]};"
        f"INSERT INTO cost_rates SELECT * FROM cost_rates WHERE id = {by_user(rate, user)[1]}"
    )
    assert told(lab.verify()) == {
        ("invoice_messages", "list", f"invoice {sent['invoice_id']}"),
        ("cost_rates", "list", f"user {user}"),
    }
    assert lab.verify(fix=True).exit_code == 0
    for table in ("invoice_messages", "cost_rates"):
        assert_equal(lab, table)


def by_user(rates: list[dict[str, Any]], user: int) -> list[int]:
    """The ids of one person's rates."""
    return [row["id"] for row in rates if row["user_id"] == user]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM roles", {"roles": {"rows", "ids"}, "roles__user_ids": {"orphans"}}),
        ("INSERT INTO roles SELECT * FROM roles", {"roles": {"rows", "ids"}}),
        ("UPDATE roles SET id = -id WHERE id = (SELECT MIN(id) FROM roles)", {"roles": {"ids"}}),
        ("DELETE FROM roles__user_ids WHERE rowid = 0", {"roles__user_ids": {"rows"}}),
        ("DELETE FROM company", {"company": {"rows"}}),
    ],
)
def test_tables_that_are_read_whole_are_compared(
    open_lab: OpenLab, statement: str, expected: dict[str, set[str]]
) -> None:
    """Harvest's lists are unchanged since their load, so the warehouse must equal them."""
    lab = open_lab.loaded("roles", "company", entries=10)
    lab.rest()
    lab.server.reset_requests()
    assert lab.verify().exit_code == 0
    paths = [each.path for each in lab.server.requests]
    assert sorted(paths) == ["/v2/company", "/v2/roles", "/v2/users/me"]
    lab.alter(statement)
    wanted = {(table, check, "all") for table, checks in expected.items() for check in checks}
    assert told(lab.verify()) == wanted
    assert lab.verify(fix=True).exit_code == 0
    for table in ("roles", "company"):
        assert_equal(lab, table)
    assert lab.verify().differences == []


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("time_entries", "hours", "hours + 1"),
        ("time_entries", "user__id", "1"),
        ("time_entries", "cost_rate", "NULL"),
        ("clients", "name", "'Other'"),
        ("user_assignments", "hourly_rate", "99.000000001"),
        ("projects", "budget", "0"),
        ("estimates", "state", "'accepted?'"),
        ("invoices", "due_date", "due_date + 1"),
        ("tasks", "updated_at", "updated_at - INTERVAL 1 DAY"),
    ],
)
def test_any_wrong_value_in_a_table_of_one_page_is_found(
    open_lab: OpenLab, table: str, column: str, value: str
) -> None:
    """A wrong value is named with its row and column, and mending reads the row again."""
    lab = open_lab.loaded(table, entries=400)
    lab.rest()
    (row,) = lab.sql(f"SELECT id FROM {table} ORDER BY id LIMIT 1 OFFSET 3")
    lab.server.reset_requests()
    assert lab.verify().exit_code == 0
    asked = len(lab.server.requests)
    lab.alter(f"UPDATE {table} SET {column} = {value} WHERE id = {row['id']}")
    lab.server.reset_requests()
    report = lab.verify()
    assert (table, "values", f"id {row['id']}: {column}") in told(report)
    assert (report.exit_code, len(lab.server.requests)) == (5, asked)
    assert lab.verify(fix=True).exit_code == 0
    assert_equal(lab, table)


@pytest.mark.rare
def test_values_that_harvest_changes_without_a_date_are_no_difference(open_lab: OpenLab) -> None:
    """
    A lock is information, the copy of a client's name is not reported, and a running timer counts.
    Mending rereads what was reported.
    """
    lab = open_lab.loaded("time_entries", "clients", entries=400)
    lab.rest()
    first, second = lab.ids("time_entries")[:2]
    lab.alter(
        f"UPDATE time_entries SET is_locked = NOT is_locked WHERE id = {first};"
        f"UPDATE time_entries SET client__name = 'Former' WHERE id = {second}"
    )
    report = lab.verify()
    assert (report.exit_code, report.differences) == (0, [])
    values = [each for each in report.comparisons if each.check == "values"]
    said = [each for each in values if each.state == "information"]
    assert [each.scope for each in said] == [f"id {first}: is_locked"]
    assert "without a new updated_at" in said[0].detail
    assert lab.verify(fix=True).exit_code == 0
    (row,) = lab.sql(f"SELECT is_locked FROM time_entries WHERE id = {first}")
    (there,) = [each for each in lab.server.rows("time_entries") if each["id"] == first]
    assert row["is_locked"] == there["is_locked"]


@pytest.mark.rare
def test_only_some_of_many_wrong_values_are_named(open_lab: OpenLab) -> None:
    """The others are counted, with the columns in which they differ."""
    lab = open_lab.loaded("time_entries", entries=400)
    lab.rest()
    lab.alter("UPDATE time_entries SET notes = 'Lost' WHERE NOT is_running")
    scopes = [scope for _, check, scope in told(lab.verify()) if check == "values"]
    assert len(scopes) == NAMED + 1
    assert sum("other rows: notes" in each for each in scopes) == 1
    assert lab.verify(fix=True).exit_code == 0
    assert_equal(lab, "time_entries")


@pytest.mark.rare
def test_a_changed_value_of_a_whole_list_is_found(open_lab: OpenLab) -> None:
    """No sync corrects it, as Harvest's list is unchanged. It is named with its row and column."""
    lab = open_lab.loaded("roles", "company", entries=10)
    lab.rest()
    role = lab.ids("roles")[0]
    lab.alter(
        f"UPDATE roles SET name = 'Other' WHERE id = {role};"
        "UPDATE company SET clock = 'sundial', week_start_day = 'Friday'"
    )
    assert told(lab.verify()) == {
        ("roles", "values", f"id {role}: name"),
        ("company", "values", "week_start_day, clock"),
    }
    assert lab.verify(fix=True).exit_code == 0
    for table in ("roles", "company"):
        assert_equal(lab, table)
    lab.server.edit("roles", role, name="Third")
    report = lab.verify()
    assert (report.exit_code, find(report, "values")[0].table) == (0, "company")


@pytest.mark.rare
def test_a_changed_list_does_not_excuse_a_lost_row(open_lab: OpenLab) -> None:
    """A changed list has other rows, but the warehouse must have as many as were loaded."""
    lab = open_lab.loaded("roles", entries=10)
    lab.rest()
    lab.server.create("roles")
    report = lab.verify()
    assert (report.exit_code, len(report.open_questions)) == (0, 2)
    lab.alter("DELETE FROM roles WHERE rowid = 0")
    assert ("roles", "rows", "all") in told(lab.verify())
    assert lab.verify(fix=True).exit_code == 0
    assert_equal(lab, "roles")


@pytest.mark.rare
def test_large_numbers_of_lists_are_compared_over_several_days(open_lab: OpenLab) -> None:
    """Part of the allowance pays for part of them; the rest is reported and is no difference."""
    lab = open_lab.loaded("invoices", "invoice_messages", entries=10, invoices=40)
    compared = set[str]()
    for _ in range(2):
        lab.rest(DAY)
        report = lab.verify()
        assert report.exit_code == 0
        lists = [each for each in report.comparisons if each.check == "list"]
        compared |= {each.scope for each in lists if each.state == "ok"}
        assert [each.scope for each in lists if each.state == "information"] == ["15 others"]
    assert len(compared) == 40


@pytest.mark.rare
def test_history_is_compared_with_its_table(open_lab: OpenLab) -> None:
    """A row without an open version is read again and gets one; a version without a row ends."""
    history = {"settings": {"history": ["clients"]}}
    lab = open_lab.loaded("clients", entries=10, options=history)
    lab.rest()
    given = {"settings": lab.settings | {"history": ["clients"]}}
    assert told(lab.verify(**given)) == set()
    lab.alter("DELETE FROM clients_history WHERE id = (SELECT MIN(id) FROM clients)")
    lab.alter("INSERT INTO clients_history SELECT * REPLACE (1 AS id) FROM clients_history LIMIT 1")
    assert told(lab.verify(**given)) == {("clients_history", "open versions", "all")}
    assert lab.verify(fix=True, **given).exit_code == 0
    query = "SELECT COUNT(*) AS n FROM clients_history WHERE valid_to IS NULL"
    assert lab.sql(query) == [{"n": len(lab.ids("clients"))}]


def test_verifying_nothing_is_refused(open_lab: OpenLab) -> None:
    """A missing warehouse is refused, and not created."""
    lab = open_lab()
    with pytest.raises(ConfigError, match="no warehouse"):
        lab.verify()
    assert not lab.database.exists()


def test_a_wrong_row_beside_a_running_timer_is_mended(open_lab: OpenLab) -> None:
    """
    The timer excuses a difference in its project's hours, but mending looks at the rows.

    There are more rows than fit one page, whose values would be compared one by one.
    """
    lab = open_lab.loaded("time_entries", "projects", entries=2100)
    lab.rest()
    row = lab.sql("SELECT * FROM time_entries ORDER BY spent_date DESC, id LIMIT 1")[0]
    timer = {"project_id": row["project__id"], "spent_date": row["spent_date"].isoformat()}
    lab.server.create("time_entries", **timer, is_running=True, hours=1, rounded_hours=1)
    lab.sync("time_entries")
    lab.alter(f"UPDATE time_entries SET rounded_hours = 99 WHERE id = {row['id']}")
    assert told(lab.verify()) == set()
    report = lab.verify(fix=True)
    assert (report.exit_code, report.mended) == (0, True)
    assert_equal(lab, "time_entries")
    assert not lab.verify(fix=True).mended


@pytest.mark.rare
def test_what_the_guard_stops_is_removed_by_the_command_that_it_names(open_lab: OpenLab) -> None:
    """More than a fifth is gone: exit 5 and verify --fix --max-deletes, which then mends it."""
    lab = open_lab.loaded("time_entries", entries=200)
    lab.rest()
    for record in lab.server.rows("time_entries")[:60]:
        lab.server.delete("time_entries", record["id"])
    lab.rest()
    refused = lab.verify(fix=True)
    assert refused.exit_code == 5
    (failure,) = refused.run_log.failures
    said = (
        f"harvest-source verify --fix --database {lab.database} --account {lab.server.account_id} "
    )
    assert f"{said}--max-deletes 100%" in str(failure.error)
    assert lab.verify(fix=True, max_deletes="100%").exit_code == 0
    assert_equal(lab, "time_entries")
