"""
Failures on the way, and what they leave in the tables: nothing is lost, emptied or half loaded.
"""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.errors import (
    AuthError,
    HarvestError,
    ResponseError,
    ServerError,
)
from harvest_source.sandbox import Request
from harvest_source.schema.endpoints import BY_NAME
from tests.support.lab import Lab, Row
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

TEN_MINUTES = 600.0
"""Longer than the overlap, and too short for the daily run with the wide overlap."""

FAULTS: dict[str, tuple[str, type[HarvestError]]] = {
    "expenses": ("server_error", ServerError),
    "invoices": ("half_json", ServerError),
    "roles": ("html", ResponseError),
}
"""By table: the fault of each of its requests in the bad run, and the error it is reported as."""
FORBIDDEN = "contacts"
TABLES = (*FAULTS, FORBIDDEN, "invoice_payments", "time_entries", "clients")


def test_failed_tables_keep_their_rows_and_the_others_load(open_lab: OpenLab) -> None:
    """
    Each failed table is named and keeps its rows; the others land; the next run has it all.

    What can go wrong with any table: ``tests/extract/test_failures.py``.
    """
    lab = open_lab.loaded(*TABLES)
    before = contents(lab)
    with lab.quotes_tell():
        for table in TABLES:
            lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at=lab.clock())
    lab.rest(TEN_MINUTES)
    for table, (fault, _) in FAULTS.items():
        lab.server.fault(fault, table=table)
    lab.server.fault("forbidden", table=FORBIDDEN)
    faulty = lab.sync(*TABLES)
    assert (faulty.status, faulty.exit_code) == ("partial", 4)
    failed = {failure.table: type(failure.error) for failure in faulty.run_log.failures}
    assert {table: failed[table] for table in FAULTS} == {
        t: kind for t, (_, kind) in FAULTS.items()
    }
    assert failed.keys() == FAULTS.keys() | {"invoice_payments"}
    assert [skip.table for skip in faulty.run_log.skipped] == [FORBIDDEN]
    after = contents(lab)
    assert {name for name in before if after[name] != before[name]} == {"time_entries", "clients"}

    lab.server.clear_faults()
    lab.rest(TEN_MINUTES)
    assert lab.sync(*TABLES).status == "ok"
    for table in TABLES:
        assert_equal(lab, table)
    runs = lab.sql("SELECT status FROM sync_runs ORDER BY started_at")
    assert [run["status"] for run in runs] == ["ok", "partial", "ok"]


def test_a_token_refused_in_the_middle_empties_nothing(open_lab: OpenLab) -> None:
    """A 401 is never taken for an empty list: no row leaves any table; the next run catches up."""
    lab = open_lab.loaded(*TABLES)
    before = contents(lab)
    asked: list[Request] = []

    def revoke(request: Request) -> None:
        asked.append(request)
        if len(asked) == 4:
            lab.server.revoke()

    lab.server.after_request(revoke)
    lab.rest(TEN_MINUTES)
    refused = lab.sync(*TABLES)
    assert refused.exit_code == 3
    assert {type(f.error) for f in refused.run_log.failures} == {AuthError}
    assert contents(lab) == before
    lab.server.clear_hooks()
    lab.server.restore_token()
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name="Edited")
    lab.rest(TEN_MINUTES)
    assert lab.sync(*TABLES).status == "ok"
    assert_equal(lab, "clients")


def contents(lab: Lab) -> dict[str, list[str]]:
    """Every row of every table and child table."""
    tables = [table for name in TABLES for table in (name, *BY_NAME[name].child_tables)]
    with lab.reading():
        return {table: sorted(map(str, lab.table(table))) for table in tables}


# Several accounts.

FIRST, SECOND, STRANGE = 1000001, 1000002, 4004004


@pytest.fixture
def two(open_lab: OpenLab) -> Lab:
    """A lab with two loaded accounts."""
    lab = open_lab.loaded("clients", "roles", accounts=(FIRST, SECOND), entries=0, invoices=0)
    lab.rest(TEN_MINUTES)
    return lab


def test_accounts_fail_alone(two: Lab) -> None:
    """A table of one account fails, or an account cannot be opened: the rest is loaded."""
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


@pytest.mark.rare
def test_an_account_that_cannot_be_opened_keeps_its_rows(open_lab: OpenLab) -> None:
    """The working account is loaded completely; the other is named and keeps its rows."""
    lab = open_lab.loaded("clients", "tasks", accounts=(1000001, 1000002))
    before: list[Row] = lab.table("clients", account_id=1000002)
    lab.server.fault("server_error", account_id=1000002)
    for account in (1000001, 1000002):
        client = lab.server.rows("clients", account)[0]["id"]
        lab.server.edit("clients", client, account_id=account, name="Edited")
    lab.rest()
    told = lab.sync("clients", "tasks").as_dict()
    assert (told["status"], told["account_ids"]) == ("partial", [1000001, 1000002])
    (error,) = told["errors"]
    assert (error["account_id"], error["table"], error["type"]) == (1000002, None, "ServerError")
    assert_equal(lab, "clients", account_id=1000001)
    assert lab.table("clients", account_id=1000002) == before
    lab.server.clear_faults()
    lab.rest()
    assert lab.sync("clients", "tasks").status == "ok"
    assert_equal(lab, "clients", account_id=1000002)


@pytest.mark.rare
def test_a_403_for_the_owner_of_one_account_does_not_stop_the_others(two: Lab) -> None:
    """403 on users/me, which every role may read: partial, exit 3; the other account is whole."""
    for account in (FIRST, SECOND):
        two.server.create("clients", account)
    before = two.table("clients", account_id=SECOND)
    two.server.fault("forbidden", table="users_me", account_id=SECOND)
    two.rest()
    report = two.sync("clients", "roles")
    assert (report.status, report.exit_code) == ("partial", 3)
    [failure] = report.run_log.failures
    assert (failure.table, failure.account_id) == ("", SECOND)
    assert f"refuses this token in account {SECOND} (403 on users/me" in str(failure.error)
    assert_equal(two, "clients", account_id=FIRST)
    assert two.table("clients", account_id=SECOND) == before
    two.server.clear_faults()
    two.rest()
    assert two.sync("clients", "roles").status == "ok"
    assert_equal(two, "clients", account_id=SECOND)


@pytest.mark.rare
def test_a_403_for_the_owner_of_the_only_account_ends_the_run(open_lab: OpenLab) -> None:
    """The run exits with 3, the refusal and a remedy; rows stay, and the run is recorded."""
    lab = open_lab.loaded("clients", "tasks")
    before = lab.table("clients")
    lab.server.fault("forbidden", table="users_me")
    with pytest.raises(AuthError, match=r"403 on users/me.*developers") as caught:
        lab.sync("clients", "tasks")
    assert caught.value.exit_code == 3
    assert lab.table("clients") == before
    assert {run["status"] for run in lab.table("sync_runs")} == {"ok", "error"}


@pytest.mark.rare
def test_a_list_that_becomes_empty_is_emptied_for_its_account_only(two: Lab) -> None:
    """If an account's last role is deleted, its rows leave; the other's stay, children too."""
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


@pytest.mark.rare
@pytest.mark.parametrize("status", [404, 401])
def test_unknown_account_is_refused(open_lab: OpenLab, status: Any) -> None:
    """An account that the token does not reach is exit code 3, whichever way Harvest says so."""
    lab = open_lab(wrong_account=status)
    with pytest.raises(AuthError, match=str(STRANGE)) as caught:
        lab.sync(account=[STRANGE])
    assert caught.value.exit_code == 3


# Throttling, modules that are off, roles that change.


@pytest.mark.rare
@pytest.mark.parametrize("how", ["empty", "404"])
def test_switched_off_module_keeps_its_rows(open_lab: OpenLab, how: str) -> None:
    """Whatever Harvest answers for a module that is off, it is named and its tables stay."""
    tables = ("estimates", "estimate_item_categories", "clients")
    lab = open_lab.loaded(*tables, module_off=how, estimates=12)
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


@pytest.mark.rare
def test_wider_role_reads_history_again(open_lab: OpenLab) -> None:
    """When a manager becomes administrator, old rows appear that changed before the cursor."""
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


@pytest.mark.rare
def test_only_the_record_with_an_unusable_id_is_left_out(open_lab: OpenLab) -> None:
    """Other records land; the run is partial and removes no row there until the record is gone."""
    lab = open_lab.loaded("clients")
    gone, kept = lab.server.rows("clients")[:2]
    lab.server.delete("clients", gone["id"], force=True)
    odd = lab.server.create("clients", id=10**22, name="Odd")
    lab.server.edit("clients", kept["id"], name="Edited")
    lab.rest(TEN_MINUTES)
    report = lab.sync("clients", deletes=True)
    assert (report.status, report.exit_code) == ("partial", 5)
    (failure,) = report.run_log.unproven
    assert failure.table == "clients"
    assert "1 record came without a usable key" in str(failure.error)
    rows = {row["id"]: row for row in lab.table("clients")}
    assert gone["id"] in rows
    assert rows[kept["id"]]["name"] == "Edited"
    assert not any("__v_text" in name for row in rows.values() for name in row)

    lab.server.delete("clients", odd["id"])
    lab.rest(TEN_MINUTES)
    report = lab.sync("clients", deletes=True)
    assert (report.status, report.exit_code) == ("ok", 0)
    assert gone["id"] not in {row["id"] for row in lab.table("clients")}
