"""
What goes wrong on the way, and what becomes of the tables: nothing is lost, emptied or half there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest_source import harvest
from harvest_source.errors import (
    AuthError,
    HarvestError,
    ResponseError,
    ServerError,
    UnsafeLinkError,
    find_cause,
)
from harvest_source.operations.run_report import SyncReport
from harvest_source.sandbox import Request
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from tests.support.lab import DAY, HOUR, Lab, Row
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

TEN_MINUTES = 600.0
"""Longer than the overlap, and short enough that no run takes the wide one."""

FAULTS: dict[str, tuple[str, type[HarvestError]]] = {
    "expenses": ("server_error", ServerError),
    "projects": ("html", ResponseError),
    "clients": ("missing_key", ResponseError),
    "tasks": ("cut_in_body", ServerError),
    "users": ("redirect", ResponseError),
    "user_assignments": ("next_to_other_host", UnsafeLinkError),
    "task_assignments": ("next_to_itself", UnsafeLinkError),
    "invoices": ("endless", ResponseError),
    "estimates": ("null_rows", ResponseError),
    "invoice_item_categories": ("half_json", ServerError),
    "estimate_item_categories": ("list_body", ResponseError),
    "expense_categories": ("empty_body", ServerError),
    "roles": ("wrong_total", ResponseError),
}
"""By table: what every request of it meets in the bad run, and what that is reported as."""
FORBIDDEN = "contacts"
LISTS = [endpoint.name for endpoint in DEFAULT_ENDPOINTS if not endpoint.single]
BELOW = {e.name for e in DEFAULT_ENDPOINTS if e.parent and e.parent.endpoint in FAULTS}
"""Tables read parent by parent, whose list of parents cannot be read."""


def contents(lab: Lab) -> dict[str, list[str]]:
    """Every row of every table of Harvest's."""
    tables = [table for e in DEFAULT_ENDPOINTS for table in (e.name, *e.child_tables)]
    return {table: sorted(map(str, lab.table(table))) for table in tables}


def edit_everywhere(lab: Lab) -> None:
    """Move the updated_at of one record in every list."""
    with lab.quotes_tell():
        for table in LISTS:
            record = lab.server.rows(table)[0]
            lab.server.edit(table, record["id"], created_at=lab.clock())


@dataclass
class Trouble:
    """A bad run between two good ones, twice."""

    lab: Lab
    before: dict[str, list[str]]
    faulty: SyncReport
    after_faulty: dict[str, list[str]]
    quiet: SyncReport
    wrong_after_quiet: dict[str, str]
    refused: SyncReport
    after_refused: dict[str, list[str]]
    before_refused: dict[str, list[str]]
    wrong_at_the_end: dict[str, str]


def wrong_tables(lab: Lab) -> dict[str, str]:
    """Tables that are not what the sandbox serves, and why."""
    wrong = {}
    for endpoint in DEFAULT_ENDPOINTS:
        try:
            assert_equal(lab, endpoint.name)
        except AssertionError as error:
            wrong[endpoint.name] = str(error)[:2000]
    return wrong


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    with Lab(tmp_path_factory.mktemp("trouble")) as lab:
        lab.stop_timers()
        lab.rest()
        lab.sync()
        before = contents(lab)
        edit_everywhere(lab)
        lab.rest(TEN_MINUTES)
        for table, (fault, _) in FAULTS.items():
            lab.server.fault(fault, table=table)
        lab.server.fault("forbidden", table=FORBIDDEN)
        faulty = lab.sync()
        after_faulty = contents(lab)
        lab.server.clear_faults()
        lab.rest(TEN_MINUTES)
        quiet = lab.sync()
        wrong_after_quiet = wrong_tables(lab)

        before_refused = contents(lab)
        edit_everywhere(lab)
        lab.rest(TEN_MINUTES)
        asked: list[Request] = []

        def revoke(request: Request) -> None:
            asked.append(request)
            if len(asked) == 6:
                lab.server.revoke()

        lab.server.after_request(revoke)
        refused = lab.sync()
        after_refused = contents(lab)
        lab.server.clear_hooks()
        lab.server.grant()
        lab.rest(TEN_MINUTES)
        lab.sync()
        yield Trouble(
            lab,
            before,
            faulty,
            after_faulty,
            quiet,
            wrong_after_quiet,
            refused,
            after_refused,
            before_refused,
            wrong_tables(lab),
        )


@pytest.mark.parametrize(("table", "error"), [(t, error) for t, (_, error) in FAULTS.items()])
def test_failed_table_is_named(trouble: Trouble, table: str, error: type[HarvestError]) -> None:
    """Each table that could not be read is reported with what happened to it."""
    (failure,) = [f for f in trouble.faulty.run_log.failures if f.table == table]
    assert type(failure.error) is error
    assert failure.account_id == trouble.lab.server.account_id


@pytest.mark.parametrize("table", [*FAULTS, *sorted(BELOW), FORBIDDEN])
def test_failed_table_stays_as_it_was(trouble: Trouble, table: str) -> None:
    """A table that could not be read, or not to its end, keeps the rows it had, every one."""
    for name, rows in trouble.before.items():
        if name == table or name.startswith(f"{table}__"):
            assert trouble.after_faulty[name] == rows


@pytest.mark.parametrize("table", LISTS)
def test_failed_table_keeps_its_cursor(trouble: Trouble, table: str) -> None:
    """What changed long before the bad run comes with the next good one: no overlap reaches it."""
    assert table not in trouble.wrong_after_quiet
    assert (trouble.quiet.status, trouble.quiet.exit_code) == ("ok", 0)


def test_other_tables_land(trouble: Trouble) -> None:
    """The tables that can be read are loaded in the same run, and the exit code says the rest."""
    assert trouble.after_faulty["time_entries"] != trouble.before["time_entries"]
    assert trouble.faulty.tables["time_entries"].rows > 0
    assert (trouble.faulty.status, trouble.faulty.exit_code) == ("partial", 4)
    assert {f.table for f in trouble.faulty.run_log.failures} == FAULTS.keys() | BELOW
    runs = trouble.lab.sql("SELECT status FROM sync_runs ORDER BY started_at")
    assert [run["status"] for run in runs[:3]] == ["ok", "partial", "ok"]


def test_forbidden_table_is_skipped_not_failed(trouble: Trouble) -> None:
    """A 403 is a table this token may not read: named with the reason, no failure."""
    (skip,) = trouble.faulty.run_log.skipped
    assert skip.table == FORBIDDEN
    assert skip.reason


def test_refused_token_empties_nothing(trouble: Trouble) -> None:
    """A 401 in the middle of a run is never an empty list: no row leaves any table."""
    assert trouble.refused.exit_code == 3
    assert trouble.refused.status in ("partial", "error")
    assert {type(f.error) for f in trouble.refused.run_log.failures} == {AuthError}
    for table, rows in trouble.before_refused.items():
        assert len(trouble.after_refused[table]) == len(rows)


def test_run_after_a_refused_one_catches_up(trouble: Trouble) -> None:
    """With the token accepted again, everything that changed meanwhile is there."""
    assert trouble.wrong_at_the_end == {}


# Tables read whole.


def test_whole_table_never_lands_half(open_lab: OpenLab) -> None:
    """Roles take the place of the account's roles only when the last page was read."""
    lab = open_lab()
    while lab.server.count("roles") <= 2001:
        lab.server.create("roles")
    lab.sync("roles")
    before = lab.table("roles"), lab.table("roles__user_ids")
    for record in lab.server.rows("roles")[:3]:
        lab.server.edit("roles", record["id"], user_ids=[1, 2, 3])
    lab.server.delete("roles", lab.server.rows("roles")[5]["id"])

    def break_second_page(request: Request) -> None:
        if request.table == "roles" and {"page", "cursor"} & request.params.keys():
            lab.server.fault("unavailable", table="roles")

    lab.server.before_request(break_second_page)
    lab.rest()
    report = lab.sync("roles", "clients")
    assert (report.status, report.exit_code) == ("partial", 4)
    assert (lab.table("roles"), lab.table("roles__user_ids")) == before
    lab.server.clear_hooks()
    lab.server.clear_faults()
    lab.rest()
    lab.sync("roles")
    assert_equal(lab, "roles")


# Several accounts.

FIRST, SECOND, STRANGE = 1000001, 1000002, 4004004


@pytest.fixture
def two(open_lab: OpenLab) -> Lab:
    """A lab of two accounts, loaded."""
    lab = open_lab(accounts=(FIRST, SECOND), entries=0, invoices=0, expenses=0)
    lab.rest()
    assert lab.sync("clients", "roles").status == "ok"
    lab.rest(TEN_MINUTES)
    return lab


def test_accounts_fail_alone(two: Lab) -> None:
    """A table of one account fails, another account cannot be opened: the rest lands."""
    for account in (FIRST, SECOND):
        client = two.server.rows("clients", account)[0]["id"]
        two.server.edit("clients", client, account_id=account, name="Renamed")
    two.server.fault("server_error", table="clients", account_id=SECOND)
    two.rest(TEN_MINUTES)
    report = two.sync("clients", "roles", account=[STRANGE, SECOND, FIRST])
    assert (report.status, report.exit_code) == ("partial", 3)
    failed = {(f.table, f.account_id, type(f.error)) for f in report.run_log.failures}
    assert failed == {("", STRANGE, AuthError), ("clients", SECOND, ServerError)}
    assert_equal(two, "clients", account_id=FIRST)
    assert "Renamed" not in {r["name"] for r in two.table("clients", account_id=SECOND)}

    two.server.clear_faults()
    two.rest(TEN_MINUTES)
    assert two.sync("clients", "roles").status == "ok"
    for account in (FIRST, SECOND):
        assert_equal(two, "clients", account_id=account)


def test_emptied_whole_table_is_emptied_for_its_account(two: Lab) -> None:
    """The last role deleted: that account's rows go, the other account's stay, children too."""
    for record in two.server.rows("roles", FIRST):
        two.server.delete("roles", record["id"], FIRST)
    report = two.sync("clients", "roles")
    assert report.status == "ok"
    for account in (FIRST, SECOND):
        assert_equal(two, "roles", account_id=account)
    assert two.table("roles", account_id=FIRST) == []
    assert two.table("roles", account_id=SECOND) != []
    two.rest()
    assert two.sync("roles").status == "ok"
    two.server.create("roles", FIRST)
    assert two.sync("roles").status == "ok"
    assert_equal(two, "roles", account_id=FIRST)


@pytest.mark.parametrize("status", [404, 401])
def test_unknown_account_is_refused(open_lab: OpenLab, status: Any) -> None:
    """An account the token does not reach: exit 3, whichever way Harvest says so."""
    lab = open_lab(wrong_account=status)
    with pytest.raises(AuthError, match=str(STRANGE)) as caught:
        lab.sync(account=[STRANGE])
    assert caught.value.exit_code == 3


# Being told to wait, to leave out, to look again.


def test_rate_limit_is_waited_for(open_lab: OpenLab) -> None:
    """429 with Retry-After: as long as asked is waited, and the run succeeds."""
    lab = open_lab()
    lab.server.fault("rate_limited", table="clients", times=2, retry_after=7)
    assert lab.sync("clients").status == "ok"
    assert sum(lab.shared.slept) >= 14
    assert_equal(lab, "clients")


@pytest.mark.parametrize("how", ["empty", "403", "404", "422"])
def test_switched_off_module_keeps_its_rows(open_lab: OpenLab, how: str) -> None:
    """Whatever Harvest answers for a module that is off: named, skipped, its tables stay."""
    lab = open_lab(module_off=how, estimates=12)
    tables = ("estimates", "estimate_item_categories", "clients")
    lab.sync(*tables)
    before = {table: lab.table(table) for table in (*tables, "estimates__line_items")}
    lab.server.set_module("estimate", False)
    lab.rest()
    report = lab.sync(*tables)
    assert (report.status, report.exit_code) == ("ok", 0)
    assert {skip.table for skip in report.run_log.skipped} == set(tables[:2])
    assert all("switched off" in skip.reason for skip in report.run_log.skipped)
    assert all(f"{table} of account" in str(report.run_log.warnings) for table in tables[:2])
    lab.rest()
    report = lab.sync(*tables, full_refresh=True)
    assert report.exit_code == 0
    for table in ("estimates", "estimate_item_categories", "estimates__line_items"):
        assert len(lab.table(table)) == len(before[table])
    assert lab.ids("estimates") == sorted(row["id"] for row in before["estimates"])


def test_wider_role_reads_history_again(open_lab: OpenLab) -> None:
    """A manager becomes administrator: rows come into sight that changed long before the cursor."""
    lab = open_lab(entries=300)
    lab.stop_timers()
    lab.rest()
    lab.token = lab.server.tokens["manager"]
    report = lab.sync("time_entries", "projects", "roles")
    assert "not an administrator" in report.run_log.warnings[0]
    assert [skip.table for skip in report.run_log.skipped] == ["roles"]
    assert 0 < len(lab.ids("time_entries")) < 300
    lab.server.set_role(lab.token, "administrator")
    lab.rest(TEN_MINUTES)
    lab.sync("time_entries", "projects", "roles")
    for table in ("time_entries", "projects", "roles"):
        assert_equal(lab, table)


# start_date.


def test_start_date_bounds_and_widens(open_lab: OpenLab) -> None:
    """History from start_date on; a later one reads nothing, an earlier one what is missing."""
    lab = open_lab(entries=400)
    lab.stop_timers()
    lab.rest()
    tables = ("time_entries", "invoices", "clients")
    middle, late, early = "2026-01-15", "2026-05-01", "2025-06-01"

    def since(day: str) -> Any:
        return lambda record: (
            min(record.get("spent_date", "9"), record.get("issue_date", "9")) >= day
        )

    def rows_from(day: str, to: str = "9") -> int:
        entries = lab.server.rows("time_entries")
        return sum(1 for entry in entries if day <= entry["spent_date"] < to)

    report = lab.sync(*tables, settings={"start_date": middle})
    for table in tables:
        assert_equal(lab, table, where=since(middle))
    assert 0 < report.tables["time_entries"].rows == rows_from(middle) < 400

    lab.rest()
    assert lab.sync(*tables, since=late).tables["time_entries"].rows == 0
    assert_equal(lab, "time_entries", where=since(middle))

    lab.rest()
    report = lab.sync(*tables, since=early, settings={"start_date": middle})
    assert 0 < report.tables["time_entries"].rows == rows_from(early, middle)
    assert report.tables["clients"].rows == 0
    for table in tables:
        assert_equal(lab, table, where=since(early))

    lab.rest()
    old = lab.server.rows("time_entries")[-1]
    lab.server.edit("time_entries", old["id"], notes="Old, edited")
    lab.sync(*tables)
    for table in tables:
        assert_equal(lab, table)


# --full-refresh.


def test_full_refresh_moves_what_is_gone(open_lab: OpenLab) -> None:
    """Deleted invoices leave with their lines and are kept whole, lines included."""
    lab = open_lab(invoices=20)
    lab.sync("invoices", "clients")
    before = lab.columns()
    doomed = [record for record in lab.server.rows("invoices") if record["line_items"]][:3]
    for record in doomed:
        lab.server.delete("invoices", record["id"])
    lab.rest()
    assert lab.sync("invoices", "clients").tables["invoices"].deleted == 0
    assert len(lab.ids("invoices")) == 20
    lab.rest()
    report = lab.sync("invoices", "clients", full_refresh=True)
    assert (report.status, report.tables["invoices"].deleted) == ("ok", 3)
    assert_equal(lab, "invoices")
    assert_equal(lab, "clients")
    kept = {row["id"]: row for row in lab.table("deleted_records")}
    assert kept.keys() == {record["id"] for record in doomed}
    for record in doomed:
        assert kept[record["id"]]["table_name"] == "invoices"
        content = json.loads(kept[record["id"]]["record"])
        assert content["number"] == record["number"]
        assert content["client__id"] == record["client"]["id"]
        assert [line["id"] for line in content["line_items"]] == [
            line["id"] for line in record["line_items"]
        ]
    assert before.items() <= lab.columns().items()


def test_guard_refuses_a_mass_removal(open_lab: OpenLab) -> None:
    """More than a fifth of a table, and more than 25 rows: exit 5, and nothing is removed."""
    lab = open_lab(contacts=100)
    lab.sync("contacts", "tasks")
    contacts = [record["id"] for record in lab.server.rows("contacts")]
    for record_id in contacts[:30]:
        lab.server.delete("contacts", record_id)
    lab.server.delete("tasks", lab.server.rows("tasks")[0]["id"], force=True)
    lab.rest()
    report = lab.sync("contacts", "tasks", full_refresh=True)
    assert (report.status, report.exit_code) == ("partial", 5)
    assert "Not deleting 30 of 100 contacts (30%, limit 20%)" in str(
        report.run_log.failures[0].error
    )
    assert lab.ids("contacts") == sorted(contacts)
    assert_equal(lab, "tasks")
    assert [row["table_name"] for row in lab.table("deleted_records")] == ["tasks"]
    lab.rest()
    report = lab.sync("contacts", full_refresh=True, max_deletes="30%")
    assert (report.exit_code, report.tables["contacts"].deleted) == (0, 30)
    assert_equal(lab, "contacts")


def test_full_refresh_of_others_than_administrators_removes_nothing(open_lab: OpenLab) -> None:
    """Fewer rows because of a role look like deletions: only an administrator's run removes."""
    lab = open_lab(entries=100)
    lab.sync("time_entries")
    lab.token = lab.server.tokens["member"]
    lab.rest()
    report = lab.sync("time_entries", full_refresh=True, max_deletes="100%")
    assert report.status == "ok"
    assert any("Nothing was removed" in warning for warning in report.run_log.warnings)
    assert len(lab.ids("time_entries")) == 100


def test_full_refresh_leaves_rows_before_start_date(open_lab: OpenLab) -> None:
    """Rows dated before start_date were not looked at, so they are not taken for deleted."""
    lab = open_lab(entries=100)
    lab.stop_timers()
    lab.sync("time_entries")
    entries = lab.server.rows("time_entries")
    newest, oldest = entries[0], entries[-1]
    for entry in (newest, oldest):
        lab.server.delete("time_entries", entry["id"])
    lab.rest()
    middle = entries[50]["spent_date"]
    report = lab.sync("time_entries", since=middle, full_refresh=True)
    assert report.tables["time_entries"].deleted == 1
    assert len(lab.ids("time_entries")) == 99
    assert_equal(lab, "time_entries", gone=[oldest["id"]])


# The overlap.


def test_overlaps(open_lab: OpenLab) -> None:
    """
    A change that shows late, under an old timestamp, is found: within five minutes by every run,
    within the configured overlap if that is longer, within 25 hours once a day.
    """
    lab = open_lab()
    lab.rest()

    def commit_late(place: int, seconds: float, name: str) -> None:
        """A change becomes visible now whose updated_at lies *seconds* before the cursor."""
        record: Row = lab.server.rows("clients")[place]
        at = cursor - timedelta(seconds=seconds)
        lab.server.edit("clients", record["id"], name=name, updated_at=at)

    def names() -> set[str]:
        return {row["name"] for row in lab.table("clients")} & {"4 min", "50 min", "20 h", "26 h"}

    cursor = lab.clock()
    lab.sync("clients")
    commit_late(0, 4 * 60, "4 min")
    commit_late(1, 50 * 60, "50 min")
    commit_late(2, 20 * HOUR, "20 h")
    commit_late(3, 26 * HOUR, "26 h")
    lab.sync("clients")
    assert names() == {"4 min"}
    lab.sync("clients", settings={"overlap": 3600})
    assert names() == {"4 min", "50 min"}
    lab.clock.set(cursor + timedelta(seconds=DAY - 1))
    lab.sync("clients", settings={"overlap": 60})
    assert names() == {"4 min", "50 min"}
    lab.clock.set(cursor)
    assert names() == {"4 min", "50 min"}


def changes_asked_for(lab: Lab) -> list[str]:
    """Queries for what changed; the daily audit's others aside."""
    queries = [request.query for request in lab.server.requests if request.table == "clients"]
    return [query for query in queries if "updated_since" in query]


def test_wide_overlap_once_a_day(open_lab: OpenLab) -> None:
    """A day after the last wide read the overlap is 25 hours, and then short again."""
    lab = open_lab()
    lab.sync("clients")
    lab.rest(DAY)
    record = lab.server.rows("clients")[0]
    late = lab.clock() - timedelta(hours=24, minutes=30)
    lab.server.edit("clients", record["id"], name="24 h", updated_at=late)
    lab.sync("clients")
    assert "24 h" in {row["name"] for row in lab.table("clients")}
    asked = changes_asked_for(lab)
    lab.rest(HOUR)
    lab.sync("clients")
    newest = changes_asked_for(lab)[len(asked) :]
    assert "updated_since=2026-06-16T11" in asked[-1]
    assert "updated_since=2026-06-18T11" in newest[-1]


# Plain dlt.


def test_plain_dlt_is_all_or_nothing(open_lab: OpenLab) -> None:
    """One table fails: pipeline.run raises ours, no table moves, the next run has it all."""
    lab = open_lab()
    lab.stop_timers()
    lab.rest()
    lab.database = lab.folder / "plain.duckdb"

    def run() -> None:
        with lab.working():
            pipeline = dlt.pipeline(
                "plain",
                destination=dlt.destinations.duckdb(str(lab.database)),
                dataset_name="harvest",
            )
            source = harvest(account_id=lab.server.account_id, **lab.settings)
            pipeline.run(source.with_resources("clients", "tasks", "roles"))

    run()
    before = lab.sql("SELECT * FROM clients ORDER BY id")
    for table in ("clients", "tasks"):
        lab.server.edit(table, lab.server.rows(table)[0]["id"], name="Edited")
    lab.server.fault("html", table="tasks")
    with pytest.raises(PipelineStepFailed) as caught:
        run()
    assert isinstance(find_cause(caught.value, HarvestError), ResponseError)
    assert lab.sql("SELECT * FROM clients ORDER BY id") == before
    lab.server.clear_faults()
    run()
    for table in ("clients", "tasks"):
        names = lab.sql(f"SELECT name FROM {table}")
        assert {row["name"] for row in names} == {r["name"] for r in lab.server.rows(table)}
