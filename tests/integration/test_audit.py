"""The daily audit: deleted rows leave, lost rows come back, all rows are reread in turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log2
from typing import Any

import pytest

from harvest_source.operations.run_report import SyncReport
from harvest_source.sandbox import Request
from tests.support.lab import DAY, Lab, Row, by_id
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

MOVED = 1
"""Extra requests of a run in which a cursor moves: it asks once more who owns the token."""
NO_REREAD = {"audit_requests": 0}
ENTRIES = 9_000
"""Entries of the long list: five pages."""
FOUR = ("time_entries", "expenses", "clients", "roles")
"""Tables of the small account that many tests start with."""
WORK = (
    "time_entries",
    "expenses",
    "projects",
    "clients",
    "contacts",
    "user_assignments",
    "task_assignments",
)
MUCH_WORK: dict[str, Any] = {"entries": 600, "projects": 4}
LONG: dict[str, Any] = {"entries": 2500}
"""More than one page of time entries."""


def requests_of(report: SyncReport, lab: Lab) -> int:
    """The number of requests the sandbox counted; the report must give the same number."""
    counted = len(list(lab.server.requests))
    assert counted == report.requests
    return counted


def sync_fresh(lab: Lab, *tables: str, **options: Any) -> tuple[SyncReport, int]:
    """Run a sync; return its report and the number of its requests."""
    lab.server.reset_requests()
    report = lab.sync(*tables, **options)
    return report, requests_of(report, lab)


def kept(lab: Lab) -> list[Row]:
    return lab.table("deleted_records")


def once(lab: Lab, matches: Callable[[Request], bool], act: Callable[[], object]) -> None:
    """Do something before the first request that *matches* is answered."""
    done: list[Request] = []

    def hook(request: Request) -> None:
        if matches(request) and not done:
            done.append(request)
            act()

    lab.server.before_request(hook)


def is_count(request: Request, table: str = "time_entries") -> bool:
    return request.table == table and request.params.get("per_page") == "1"


@pytest.mark.rare
def test_deletions_are_found_in_pages_of_the_size_that_harvest_allows(open_lab: OpenLab) -> None:
    """Windows are cut until each fits one page of the current size, and each costs one request."""
    lab = open_lab(entries=300, max_per_page=30)
    lab.sync("time_entries")
    lab.rest()
    gone = lab.ids("time_entries")[100]
    lab.server.delete("time_entries", gone)
    lab.server.reset_requests()
    asked: list[str | None] = []
    lab.server.before_request(lambda request: asked.append(request.params.get("page")))
    report = lab.sync("time_entries", deletes=True, settings=NO_REREAD)
    assert report.tables["time_entries"].deleted == 1
    assert gone not in lab.ids("time_entries")
    assert "2" not in asked, "a window had more than one page"


def test_deleted_rows_are_removed_once_a_day(open_lab: OpenLab) -> None:
    """A run looks for deleted rows unasked, a day after the last time, and keeps their records."""
    lab = open_lab.loaded(*FOUR)
    row = lab.server.rows("time_entries")[3]["id"]
    before = by_id(lab.table("time_entries"))[row]
    lab.server.delete("time_entries", row)
    lab.rest()
    assert lab.sync("time_entries", "clients").run_log.audit.compared == 0
    assert row in lab.ids("time_entries")
    lab.rest(DAY)
    report = lab.sync("time_entries", "clients")
    assert report.status == "ok"
    assert report.tables["time_entries"].deleted == 1
    assert_equal(lab, "time_entries")
    (record,) = kept(lab)
    assert (record["table_name"], record["id"], record["restored_at"]) == (
        "time_entries",
        row,
        None,
    )
    assert json.loads(record["record"])["notes"] == before["notes"]
    runs = lab.sql("SELECT rows_deleted FROM sync_runs ORDER BY started_at")
    assert [run["rows_deleted"] for run in runs] == [0, 0, 1]


@pytest.mark.rare
def test_no_second_audit_runs_on_the_same_day(open_lab: OpenLab) -> None:
    """After an audit, a run asks only for what changed until the next day."""
    lab = open_lab.loaded(*FOUR)
    lab.rest()
    _, plain = sync_fresh(lab, *FOUR)
    lab.rest(DAY)
    _, audited = sync_fresh(lab, *FOUR)
    lab.rest()
    _, after = sync_fresh(lab, *FOUR)
    assert plain - MOVED <= after <= plain
    assert plain < audited <= plain + 3 + 20


@pytest.mark.rare
def test_options_force_or_prevent_the_audit(open_lab: OpenLab) -> None:
    """``--deletes`` audits now; ``--no-deletes`` never audits."""
    lab = open_lab.loaded(*FOUR)
    lab.server.delete("expenses", lab.server.rows("expenses")[0]["id"])
    lab.rest(DAY)
    assert lab.sync("expenses", deletes=False).tables["expenses"].deleted == 0
    lab.rest()
    assert lab.sync("expenses", deletes=True).tables["expenses"].deleted == 1
    assert_equal(lab, "expenses")


@pytest.fixture(scope="module")
def long_lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An account with several pages of entries, loaded and at rest."""
    with Lab(tmp_path_factory.mktemp("long"), entries=ENTRIES) as lab:
        lab.stop_timers()
        lab.rest()
        lab.sync("time_entries", settings=NO_REREAD)
        yield lab


@pytest.mark.rare
@pytest.mark.parametrize("deletions", [0, 7, 100])
def test_the_cost_of_an_audit_grows_with_the_deletions(long_lab: Lab, deletions: int) -> None:
    """Comparing costs one request; d deletions cost about d times the logarithm of history more."""
    lab = long_lab
    lab.rest()
    _, plain = sync_fresh(lab, "time_entries", deletes=False, settings=NO_REREAD)
    gone = lab.server.churn(deletions=deletions, seed=deletions)["deleted"]
    report, searched = sync_fresh(lab, "time_entries", deletes=True, settings=NO_REREAD)
    assert report.tables["time_entries"].deleted == deletions
    assert not set(gone) & set(lab.ids("time_entries"))
    assert len(lab.ids("time_entries")) == lab.server.count("time_entries")
    pages = ENTRIES / 2000
    extra = searched - plain - 1
    if deletions == 0:
        assert -MOVED <= extra <= 0
    elif deletions <= 7:
        assert extra <= 2 + deletions * (log2(pages) + 3)
    else:
        # A window is half full on average; each is counted once and listed twice.
        assert extra <= 2 + 3 * 2 * pages


def test_an_audit_with_a_narrower_role_deletes_nothing(open_lab: OpenLab) -> None:
    """A manager sees fewer rows than the administrator did; the audit deletes none of them."""
    lab = open_lab.loaded(*WORK, **MUCH_WORK)
    before = {name: lab.ids(name) for name in ("time_entries", "projects", "user_assignments")}
    lab.server.set_role(lab.token, "manager")
    lab.rest(DAY)
    report = lab.sync(*before, deletes=True)
    assert {name: lab.ids(name) for name in before} == before
    assert report.exit_code == 5
    assert any("administrator" in str(each.error) for each in report.run_log.unproven)


@pytest.mark.rare
@pytest.mark.parametrize("role", ["manager", "member"])
def test_an_audit_deletes_nothing_if_the_role_shrinks_meanwhile(
    open_lab: OpenLab, role: Any
) -> None:
    """Counts, lists and 404s say that rows are gone, but the owner's roles changed meanwhile."""
    lab = open_lab.loaded(*FOUR)
    before = lab.ids("time_entries")
    lab.rest(DAY)
    once(lab, is_count, lambda: lab.server.set_role(lab.token, role))
    report = lab.sync("time_entries", settings=NO_REREAD, max_deletes="100%")
    assert lab.ids("time_entries") == before
    assert report.status == "partial"
    assert ["other roles" in str(each.error) for each in report.run_log.unproven] == [True]


@pytest.mark.rare
def test_deletions_are_found_although_a_manager_syncs_in_between(open_lab: OpenLab) -> None:
    """Each run of the administrator rereads everything, as a manager was shown less before."""
    lab = open_lab.loaded(*FOUR)
    for _ in range(2):
        row = lab.server.rows("expenses")[0]["id"]
        lab.server.delete("expenses", row)
        for token in (lab.server.tokens["manager"], lab.server.tokens["administrator"]):
            lab.token = token
            lab.rest(DAY / 2)
            report = lab.sync("expenses")
        assert (report.status, report.run_log.audit.deleted) == ("ok", 1)
        assert row not in lab.ids("expenses")


@pytest.mark.rare
def test_administrators_can_take_turns_at_auditing(open_lab: OpenLab) -> None:
    """All administrators see every row: two in turn each find at once what was deleted."""
    lab = open_lab.loaded(*FOUR)
    lab.server.set_role("2.pt.sandbox-manager", "administrator")
    for token in ("2.pt.sandbox-manager", lab.token):
        lab.token = token
        row = lab.server.rows("expenses")[0]["id"]
        lab.server.delete("expenses", row)
        lab.rest()
        report = lab.sync("expenses", deletes=True)
        assert (report.status, report.run_log.audit.compared) == ("ok", 1)
        assert row not in lab.ids("expenses")


@pytest.mark.rare
@pytest.mark.parametrize("full_refresh", [False, True])
def test_an_audit_deletes_nothing_if_a_module_is_switched_off_meanwhile(
    open_lab: OpenLab, full_refresh: bool
) -> None:
    """Counts, lists and 404s say that expenses are gone, and the guard would let 24 rows pass."""
    lab = open_lab.loaded("expenses", "clients", expenses=24)
    before = lab.ids("expenses")
    lab.rest(DAY)

    def matches(request: Request) -> bool:
        return request.table == "expenses" and (full_refresh or is_count(request, "expenses"))

    once(lab, matches, lambda: lab.server.set_module("expense", False))
    report = lab.sync("expenses", "clients", full_refresh=full_refresh)
    assert lab.ids("expenses") == before
    assert report.exit_code == 5
    assert [each.table for each in report.run_log.unproven] == ["expenses"]


@pytest.mark.rare
def test_a_role_that_shrinks_during_a_full_refresh_removes_nothing(open_lab: OpenLab) -> None:
    """The lists were read whole, but by a manager who sees only some of the rows."""
    lab = open_lab.loaded(*FOUR)
    before = {name: lab.ids(name) for name in FOUR}
    lab.rest(DAY)
    once(
        lab,
        lambda request: request.table in FOUR,
        lambda: lab.server.set_role(lab.token, "manager"),
    )
    report = lab.sync(*FOUR, full_refresh=True, max_deletes="100%")
    assert {name: lab.ids(name) for name in FOUR} == before
    assert report.exit_code == 5


@pytest.mark.rare
def test_a_deletion_during_the_audit_does_no_harm(open_lab: OpenLab) -> None:
    """A row deleted during the audit does no harm; it leaves with the next audit at the latest."""
    lab = open_lab.loaded("time_entries", "clients", options={"settings": NO_REREAD}, **LONG)
    listed = [record["id"] for record in lab.server.rows("time_entries")]
    lab.server.delete("time_entries", listed[10])
    lab.rest(DAY)
    once(
        lab,
        lambda request: is_count(request) and "to" in request.params,
        lambda: lab.server.delete("time_entries", listed[-10]),
    )
    report = lab.sync("time_entries", settings=NO_REREAD)
    assert report.run_log.warnings == []
    assert set(lab.ids("time_entries")) >= {row["id"] for row in lab.server.rows("time_entries")}
    lab.rest(DAY)
    lab.sync("time_entries", settings=NO_REREAD)
    assert_equal(lab, "time_entries")


@pytest.mark.rare
def test_rows_that_change_during_the_audit_are_kept(open_lab: OpenLab) -> None:
    """Rows created, moved to another year or edited between the counts are not removed."""
    lab = open_lab.loaded("time_entries", "clients", options={"settings": NO_REREAD}, **LONG)
    listed = [record["id"] for record in lab.server.rows("time_entries")]
    lab.server.delete("time_entries", listed[10])
    lab.rest(DAY)

    def move() -> None:
        for row in listed[20:60]:
            lab.server.edit("time_entries", row, spent_date="2001-01-01")
        lab.server.create("time_entries", spent_date="2026-06-17")

    once(lab, lambda request: is_count(request) and "to" in request.params, move)
    report = lab.sync("time_entries", settings=NO_REREAD, max_deletes="100%")
    assert report.tables["time_entries"].deleted <= 1
    lab.server.clear_hooks()
    lab.rest(DAY)
    lab.sync("time_entries", settings=NO_REREAD)
    assert_equal(lab, "time_entries")


def test_a_deleted_project_takes_its_rows_along(open_lab: OpenLab) -> None:
    """A project's entries, expenses and assignments leave with it; most are confirmed in lists."""
    lab = open_lab.loaded(*WORK, **MUCH_WORK)
    tables = ("time_entries", "expenses", "projects", "user_assignments", "task_assignments")
    entries = lab.sql("SELECT project__id AS id, COUNT(*) AS n FROM time_entries GROUP BY 1")
    project, rows = max(((row["id"], row["n"]) for row in entries), key=lambda each: each[1])
    lab.server.delete("projects", project)
    lab.rest(DAY)
    report, asked = sync_fresh(lab, *tables, settings=NO_REREAD, max_deletes="50%")
    assert report.status == "ok", report.as_dict()
    assert report.tables["projects"].deleted == 1
    assert report.tables["time_entries"].deleted == rows > 100
    assert asked < 100
    for table in set(tables) - {"projects"}:
        assert lab.sql(f"SELECT 1 FROM {table} WHERE project__id = {project}") == []
    assert_equal(lab, "projects")
    assert_equal(lab, "time_entries")


@pytest.mark.rare
def test_the_guard_refuses_only_the_table_that_loses_too_much(open_lab: OpenLab) -> None:
    """Over a fifth and over 25 rows: exit 5; that table loses no row, the others go on."""
    lab = open_lab.loaded("time_entries", "expenses", entries=300)
    for record in lab.server.rows("time_entries")[:90]:
        lab.server.delete("time_entries", record["id"])
    lab.server.delete("expenses", lab.server.rows("expenses")[0]["id"])
    lab.rest(DAY)
    report = lab.sync("time_entries", "expenses")
    assert report.exit_code == 5
    assert report.tables["time_entries"].deleted == 0
    assert report.tables["expenses"].deleted == 1
    assert len(lab.ids("time_entries")) == 300
    (failure,) = report.run_log.failures
    assert "90 of 300 time_entries (30%, limit 20%)" in str(failure.error)
    said = str(failure.error)
    assert f"sync --deletes --database {lab.database} --account" in said
    assert said.endswith("--max-deletes 100%")
    lab.rest()
    assert (
        lab.sync("time_entries", deletes=True, max_deletes="100%").tables["time_entries"].deleted
        == 90
    )
    assert len(lab.ids("time_entries")) == 210


@pytest.mark.rare
def test_children_of_a_deleted_invoice_are_removed_and_recorded(open_lab: OpenLab) -> None:
    """Line items, messages and payments of a deleted invoice leave and are kept with it."""
    tables = ("invoices", "invoice_messages", "invoice_payments")
    lab = open_lab.loaded(*tables)
    paid = lab.sql(
        "SELECT invoice_id AS id FROM invoice_payments WHERE invoice_id IN "
        "(SELECT invoice_id FROM invoice_messages) LIMIT 1"
    )[0]["id"]
    below = {
        name: lab.sql(f"SELECT id FROM {name} WHERE invoice_id = {paid}") for name in tables[1:]
    }
    lab.server.delete("invoices", paid, force=True)
    lab.rest(DAY)
    lab.sync(*tables, settings=NO_REREAD)
    for name in tables[1:]:
        assert below[name]
        assert lab.sql(f"SELECT id FROM {name} WHERE invoice_id = {paid}") == []
    assert_equal(lab, "invoices")
    names = {record["table_name"] for record in kept(lab)}
    assert names == set(tables)
    (invoice,) = [r for r in kept(lab) if r["table_name"] == "invoices"]
    assert json.loads(invoice["record"])["line_items"]


@pytest.mark.rare
def test_the_record_of_a_deleted_row_notes_its_return(open_lab: OpenLab) -> None:
    """A returned row's deleted record is kept and gets the time of the return."""
    lab = open_lab.loaded(*FOUR)
    record = lab.server.create("clients", name="Short-lived")
    lab.rest()
    lab.sync("clients")
    lab.server.delete("clients", record["id"])
    lab.rest()
    assert lab.sync("clients", deletes=True).tables["clients"].deleted == 1
    lab.server.create("clients", id=record["id"], name="Back")
    lab.rest()
    lab.sync("clients")
    (row,) = kept(lab)
    assert row["restored_at"] == lab.clock()
    assert_equal(lab, "clients")
    lab.server.delete("clients", record["id"])
    lab.rest()
    lab.sync("clients", deletes=True)
    assert [row["restored_at"] is None for row in kept(lab)] == [False, True]


@pytest.mark.rare
def test_settings_limit_what_is_kept_of_deleted_rows(open_lab: OpenLab) -> None:
    """``keep_deleted = "ids"`` keeps no content; ``keep_deleted_days`` limits how long."""
    lab = open_lab.loaded(*FOUR)
    settings = {"keep_deleted": "ids", "keep_deleted_days": 30}
    first, second = (record["id"] for record in lab.server.rows("expenses")[:2])
    lab.server.delete("expenses", first)
    lab.rest(DAY)
    lab.sync("expenses", settings=settings)
    assert [(row["id"], row["record"]) for row in kept(lab)] == [(first, None)]
    lab.server.delete("expenses", second)
    lab.rest(31 * DAY)
    lab.sync("expenses", settings=settings)
    assert [row["id"] for row in kept(lab)] == [second]


@pytest.mark.rare
def test_a_module_that_is_switched_off_deletes_nothing(open_lab: OpenLab) -> None:
    """The lists of a module that is off are empty; its rows are hidden, not deleted."""
    lab = open_lab.loaded(*FOUR)
    lab.server.set_module("expense", False)
    lab.rest(DAY)
    report = lab.sync("expenses", max_deletes="100%")
    assert len(lab.ids("expenses")) == 150
    assert any("switched off" in warning for warning in report.run_log.warnings)


@pytest.mark.rare
def test_the_audit_ignores_rows_before_start_date(open_lab: OpenLab) -> None:
    """Rows before start_date are neither counted nor removed, on either side."""
    lab = open_lab.loaded("time_entries", "expenses", entries=300)
    days = sorted(row["spent_date"] for row in lab.table("time_entries"))
    settings = {"start_date": str(days[150]), **NO_REREAD}
    old, new = (r["id"] for r in (lab.server.rows("time_entries")[i] for i in (-1, 0)))
    lab.server.delete("time_entries", old)
    lab.server.delete("time_entries", new)
    lab.rest(DAY)
    assert lab.sync("time_entries", settings=settings).tables["time_entries"].deleted == 1
    assert old in lab.ids("time_entries")
    assert new not in lab.ids("time_entries")


@pytest.mark.rare
def test_the_audit_covers_rows_with_odd_dates(open_lab: OpenLab) -> None:
    """People type years such as 0201 and 9999; the audit finds deleted rows there too."""
    lab = open_lab(entries=2500)
    odd = [
        lab.server.create("time_entries", spent_date=day)["id"]
        for day in ("0201-03-04", "9999-12-31")
    ]
    lab.sync("time_entries", settings=NO_REREAD)
    for row in odd:
        lab.server.delete("time_entries", row)
    lab.rest(DAY)
    assert lab.sync("time_entries", settings=NO_REREAD).tables["time_entries"].deleted == 2
    assert_equal(lab, "time_entries")


def test_a_lost_row_is_read_again_with_a_warning(open_lab: OpenLab) -> None:
    """Rows that Harvest has and the warehouse lacks are read again, with a warning."""
    lab = open_lab.loaded("time_entries", "clients", options={"settings": NO_REREAD}, **LONG)
    lab.alter("DELETE FROM time_entries WHERE id = (SELECT MIN(id) FROM time_entries)")
    lab.alter("DELETE FROM clients WHERE id = (SELECT MIN(id) FROM clients)")
    lab.rest(DAY)
    report = lab.sync("time_entries", "clients", settings=NO_REREAD)
    assert sum("lacked 1 row that" in warning for warning in report.run_log.warnings) == 2
    assert (report.run_log.audit.lost, report.run_log.audit.corrected) == (2, 2)
    assert_equal(lab, "time_entries")
    assert_equal(lab, "clients")
    (run,) = lab.sql("SELECT rows_lost FROM sync_runs ORDER BY started_at DESC LIMIT 1")
    assert run["rows_lost"] == 2


@pytest.mark.rare
def test_a_duplicated_row_is_reloaded_and_the_run_is_partial(open_lab: OpenLab) -> None:
    """A duplicated row and its child rows are there once afterwards, and the run is partial."""
    lab = open_lab.loaded("clients", "invoices")
    for table in ("clients", "invoices"):
        lab.alter(f"INSERT INTO {table} SELECT * FROM {table}")
    lab.rest()
    report = lab.sync("clients", "invoices", deletes=True)
    assert (report.status, report.exit_code) == ("partial", 5)
    assert {each.table for each in report.run_log.unproven} == {"clients", "invoices"}
    assert "more than once" in str(report.run_log.unproven[0].error)
    for table in ("clients", "invoices"):
        assert_equal(lab, table)
    lab.rest()
    assert lab.sync("clients", "invoices", deletes=True).status == "ok"


@pytest.mark.rare
def test_changes_that_leave_updated_at_unchanged_are_corrected(open_lab: OpenLab) -> None:
    """Renaming a client leaves its entries' updated_at; a day later they have the new name."""
    lab = open_lab.loaded(*WORK, **MUCH_WORK)
    tables = ("time_entries", "expenses", "projects", "clients", "contacts")
    client = lab.table("projects")[0]["client__id"]
    lab.server.edit("clients", client, name="Renamed")
    stale = lab.sql(f"SELECT COUNT(*) AS n FROM time_entries WHERE client__id = {client}")[0]["n"]
    lab.rest(DAY)
    report = lab.sync(*tables)
    assert report.run_log.audit.corrected >= stale > 0
    for table in ("time_entries", "expenses", "projects", "contacts"):
        assert_equal(lab, table)
    (run,) = lab.sql("SELECT * FROM sync_runs ORDER BY started_at DESC LIMIT 1")
    assert run["rows_corrected"] == report.run_log.audit.corrected
    assert run["oldest_read_at"] == lab.clock()


@pytest.mark.rare
def test_an_audit_keeps_to_its_share_of_the_allowance(long_lab: Lab) -> None:
    """An audit reads so many pages a day; after enough days it has reread every row."""
    lab, settings = long_lab, {"audit_requests": 3}
    lab.rest(DAY)
    lab.sync("time_entries", settings=NO_REREAD)
    _, plain = sync_fresh(lab, "time_entries", settings=NO_REREAD)
    began, days = lab.clock(), 0
    oldest = None
    while oldest is None or oldest < began:
        lab.rest(DAY)
        days += 1
        report, asked = sync_fresh(lab, "time_entries", settings=settings)
        assert asked <= plain + 1 + 3 + MOVED
        if days == 1:  # Rows that are old by then wait for tomorrow.
            lab.rest()
            assert sync_fresh(lab, "time_entries", settings=settings)[1] == plain
        oldest = report.run_log.audit.oldest_read_at
    assert days <= 7


@pytest.mark.rare
def test_an_unanswered_audit_removes_nothing(open_lab: OpenLab) -> None:
    """Nothing is removed; the daily audit warns, and an audit that was asked for fails."""
    lab = open_lab.loaded(*FOUR)
    lab.server.delete("expenses", lab.server.rows("expenses")[0]["id"])
    lab.rest(DAY)

    def sync(**options: Any) -> SyncReport:
        lab.server.clear_hooks()
        lab.server.clear_faults()
        once(
            lab,
            lambda request: is_count(request, "expenses"),
            lambda: lab.server.fault("server_error", table="expenses"),
        )
        return lab.sync("expenses", settings=NO_REREAD, **options)

    report = sync()
    assert report.exit_code == 0
    assert any("was not audited" in warning for warning in report.run_log.warnings)
    assert sync(deletes=True).exit_code == 4
    assert len(lab.ids("expenses")) == 150
