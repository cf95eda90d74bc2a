"""Columns that are excluded after they were loaded, and numbers that do not fit their column."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harvest_source.operations.check import check
from harvest_source.operations.sync import Hooks
from harvest_source.operations.verify import verify
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

EXCLUDED = ["users.cost_rate", "users.roles"]


@pytest.mark.rare
def test_loaded_values_of_a_newly_excluded_column_are_emptied(open_lab: OpenLab) -> None:
    """The table, its history, child table and deleted records lose the values; one warning."""
    history = {"settings": {"history": ["users"]}}
    lab = open_lab.loaded("users", entries=10, options=history)
    lab.rest(2 * DAY)
    gone = lab.server.create("users", first_name="Short-lived", cost_rate=99.0)["id"]
    lab.sync("users", **history)
    lab.rest(2 * DAY)
    lab.server.delete("users", gone)
    lab.sync("users", deletes=True, **history)
    (record,) = lab.table("deleted_records")
    assert json.loads(record["record"])["cost_rate"] == "99"
    lab.rest()
    report = lab.sync("users", exclude=EXCLUDED, **history)
    assert [each.partition(" is excluded")[0] for each in report.run_log.warnings] == EXCLUDED
    for table in ("users", "users_history"):
        query = f"SELECT COUNT(*) AS rows, COUNT(cost_rate) AS salaries FROM {table}"
        (counts,) = lab.sql(query)
        assert counts["rows"] > 0 == counts["salaries"]
    assert lab.table("users__roles") == []
    (record,) = lab.table("deleted_records")
    assert "cost_rate" not in json.loads(record["record"])
    assert json.loads(record["record"])["first_name"] == "Short-lived"
    lab.rest()
    assert lab.sync("users", exclude=EXCLUDED, **history).run_log.warnings == []


FILLED = ["time_entries.hours", "users.cost_rate", "cost_rates.amount", "roles.name"]
ELSEWHERE = ["clients.name"]
"""A column of a table that the runs with exclusions do not read."""
REPORTED = ["report_time_projects.total_hours"]


def count_values(lab: Lab) -> dict[str, tuple[int, int]]:
    """The rows of each table, and how many have a value in the column."""
    counts = {}
    for name in (*FILLED, *ELSEWHERE, *REPORTED):
        table, _, column = name.partition(".")
        (row,) = lab.sql(f"SELECT COUNT(*) AS rows, COUNT({column}) AS filled FROM {table}")
        counts[name] = row["rows"], row["filled"]
    return counts


def test_a_column_that_is_no_longer_excluded_is_filled(open_lab: OpenLab) -> None:
    """Every row is filled although none has changed, whichever strategy reads the table."""
    tables = sorted({each.partition(".")[0] for each in (*FILLED, *REPORTED)})
    lab = open_lab.loaded(*tables, "clients", entries=60, page_rows=20)
    before = count_values(lab)
    assert all(filled for _, filled in before.values())
    lab.rest()
    lab.sync(*tables, exclude=[*FILLED, *ELSEWHERE, *REPORTED])
    assert {filled for _, filled in count_values(lab).values()} == {0}
    assert lab.verify().exit_code == 0
    lab.rest()
    report = lab.sync(*tables, "clients")
    assert count_values(lab) == before
    told = [each.partition(" is no longer excluded")[0] for each in report.run_log.warnings]
    assert sorted(told) == sorted([*FILLED[:3], *ELSEWHERE])
    lab.rest()
    again = lab.sync(*tables, "clients")
    assert (again.run_log.warnings, again.status) == ([], "ok")
    assert again.tables["time_entries"].rows == 0 < report.tables["time_entries"].rows


@pytest.mark.rare
def test_mending_does_not_load_columns_that_syncs_exclude(open_lab: OpenLab) -> None:
    """Even if verify is given no exclusions, mending does not load what syncs leave out."""
    lab = open_lab(entries=60)
    lab.stop_timers()
    lab.rest()
    lab.sync("time_entries", exclude=["time_entries.hours"])
    lab.alter("UPDATE time_entries SET rounded_hours = 99")
    lab.rest()
    assert lab.verify(fix=True).exit_code == 0
    assert max(row["rounded_hours"] for row in lab.table("time_entries")) < 99
    assert "hours" not in lab.columns("time_entries")


@pytest.mark.rare
def test_the_next_sync_fills_a_column_that_only_mending_excluded(open_lab: OpenLab) -> None:
    """If only verify was given an exclusion, the next sync fills the column again."""
    lab = open_lab.loaded("time_entries", entries=60)
    lab.alter("UPDATE time_entries SET rounded_hours = 99")
    lab.rest()
    assert lab.verify(fix=True, exclude=["time_entries.notes"]).exit_code == 0
    lab.rest()
    lab.sync("time_entries")
    stored = {row["id"]: row["notes"] for row in lab.table("time_entries")}
    assert stored == {row["id"]: row["notes"] for row in lab.server.rows("time_entries")}


def settle(lab: Lab) -> dict[str, Any]:
    """The arguments for verify and check."""
    return {
        "database": lab.database,
        "account": lab.server.settings.accounts,
        "settings": lab.settings,
        "hooks": Hooks(clock=lab.shared),
    }


@pytest.mark.rare
def test_numbers_that_do_not_fit_their_column_are_counted(open_lab: OpenLab) -> None:
    """SUM lacks such numbers: sync, verify and check say how many there are, and where."""
    lab = open_lab(entries=10)
    lab.stop_timers()
    entry = lab.server.rows("time_entries")[0]["id"]
    lab.server.edit("time_entries", entry, billable_rate=1e40)
    lab.rest()
    said = "time_entries.billable_rate: 1 value does not fit decimal(38,9)"
    assert said in str(lab.sync("time_entries").run_log.warnings)
    with lab.working():
        assert said in str(verify(**settle(lab)).run_log.warnings)
    with lab.working():
        warnings = [each for each in check(**settle(lab)).findings if each.state == "warning"]
    assert [each.name for each in warnings if said in each.detail] == ["numbers"]


@pytest.mark.rare
@pytest.mark.parametrize("options", [{}, {"full_refresh": True}])
def test_a_once_excluded_child_column_is_filled_for_all_parents_at_once(
    open_lab: OpenLab, options: dict[str, Any]
) -> None:
    """Even where a first read asks for a tenth of them, as no schedule would ask for the rest."""
    tables, excluded = ("invoices", "invoice_payments"), "invoice_payments.amount"
    query = "SELECT COUNT(*) AS rows, COUNT(amount) AS amounts FROM invoice_payments"
    lab = open_lab.loaded(*tables, entries=0, invoices=200)
    lab.rest()
    lab.sync(*tables, exclude=[excluded], all_children=True)
    (counts,) = lab.sql(query)
    assert counts["rows"] > 100
    assert counts["amounts"] == 0
    lab.rest()
    report = lab.sync(*tables, **options)
    assert (report.status, lab.sql(query)) == ("ok", [counts | {"amounts": counts["rows"]}])
    assert lab.verify().exit_code == 0


FIRST, SECOND = 1000001, 1000002


def open_half_filled(open_lab: OpenLab) -> Lab:
    """Two accounts; the run that was to fill what is no longer excluded failed for the second."""
    excluded = ["users.cost_rate", "roles.name"]
    lab = open_lab.loaded("users", "roles", accounts=(FIRST, SECOND), entries=0, invoices=0)
    lab.rest()
    lab.sync("users", "roles", exclude=excluded)
    lab.rest()
    lab.server.fault("server_error", account_id=SECOND, times=1000)
    assert lab.sync("users", "roles").exit_code == 4
    lab.server.clear_faults()
    return lab


@pytest.mark.rare
def test_verify_compares_each_account_without_the_columns_that_it_lacks(open_lab: OpenLab) -> None:
    """A column that only another account lacks is compared, and its table is not excused."""
    lab = open_half_filled(open_lab)
    report = lab.verify()
    assert report.exit_code == 0
    assert {each.account_id for each in report.comparisons if each.table == "roles"} == {
        FIRST,
        SECOND,
    }
    lab.alter(f"UPDATE roles SET name = 'x' WHERE account_id = {FIRST}")
    lab.alter(f"UPDATE users SET cost_rate = 1234 WHERE account_id = {FIRST}")
    lab.alter(f"UPDATE users SET first_name = 'x' WHERE account_id = {SECOND}")
    assert {
        (each.account_id, each.table, each.check, each.scope.partition(": ")[2])
        for each in lab.verify().comparisons
        if not each.is_equal
    } == {
        (FIRST, "roles", "values", "name"),
        (FIRST, "users", "values", "cost_rate"),
        (SECOND, "users", "values", "first_name"),
    }


@pytest.mark.rare
def test_mending_loads_columns_that_are_unfilled_only_in_another_account(
    open_lab: OpenLab,
) -> None:
    """If the run that was to fill the columns failed for one account, the other is mended whole."""
    lab = open_half_filled(open_lab)
    for table in ("users", "roles"):
        lab.alter(f"DELETE FROM {table} WHERE id = (SELECT MIN(id) FROM {table})")
    lab.rest()
    assert lab.verify(fix=True).exit_code == 0
    for table in ("users", "roles"):
        assert_equal(lab, table, account_id=FIRST)
