"""``--full-refresh``: everything is read again, and what Harvest no longer has is removed."""

from __future__ import annotations

import json

import pytest

from tests.support.labs import OpenLab
from tests.support.truth import assert_equal


def test_full_refresh_moves_deleted_rows_to_deleted_records(open_lab: OpenLab) -> None:
    """Deleted invoices leave with their lines; their records are kept whole, lines included."""
    lab = open_lab.loaded("invoices", "clients", invoices=20)
    before = lab.columns()
    gone = [record for record in lab.server.rows("invoices") if record["line_items"]][:3]
    for record in gone:
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
    assert kept.keys() == {record["id"] for record in gone}
    for record in gone:
        assert kept[record["id"]]["table_name"] == "invoices"
        content = json.loads(kept[record["id"]]["record"])
        assert content["number"] == record["number"]
        assert content["client__id"] == record["client"]["id"]
        assert [line["id"] for line in content["line_items"]] == [
            line["id"] for line in record["line_items"]
        ]
    assert before.items() <= lab.columns().items()


@pytest.mark.rare
def test_guard_refuses_a_mass_removal(open_lab: OpenLab) -> None:
    """Over a fifth of a table and over 25 rows: exit 5, and nothing is removed."""
    lab = open_lab.loaded("contacts", "tasks", contacts=100)
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


@pytest.mark.rare
def test_full_refresh_of_others_than_administrators_removes_nothing(open_lab: OpenLab) -> None:
    """A role that shows fewer rows looks like deletions, so only administrators' runs remove."""
    lab = open_lab.loaded("time_entries", entries=100)
    lab.token = lab.server.tokens["member"]
    lab.rest()
    report = lab.sync("time_entries", full_refresh=True, max_deletes="100%")
    assert report.status == "ok"
    assert any("Nothing was removed" in warning for warning in report.run_log.warnings)
    assert len(lab.ids("time_entries")) == 100


@pytest.mark.rare
def test_full_refresh_keeps_rows_before_start_date(open_lab: OpenLab) -> None:
    """Rows dated before start_date were not read, so they are not taken for deleted."""
    lab = open_lab.loaded("time_entries", entries=100)
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


@pytest.mark.rare
def test_a_row_missing_from_the_lists_is_requested_by_id(open_lab: OpenLab) -> None:
    """A row in no list that was read is asked for by id; it leaves only if Harvest answers 404."""
    lab = open_lab.loaded("time_entries", entries=60)
    lab.rest()
    recent = [row["id"] for row in lab.table("time_entries") if row["spent_date"].year == 2026]
    moved, gone = recent[:2]
    # Its updated_at does not change, so a query for recent changes does not return it.
    lab.server.edit("time_entries", moved, touch=False, spent_date="2025-12-31")
    lab.server.delete("time_entries", gone)
    report = lab.sync("time_entries", full_refresh=True, settings={"start_date": "2026-01-01"})
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert [row["id"] for row in lab.table("deleted_records")] == [gone]
    assert moved in lab.ids("time_entries")
    assert gone not in lab.ids("time_entries")


def test_full_refresh_removes_elements_without_a_row(open_lab: OpenLab) -> None:
    """The log of another file, written into a restored one, can leave lines without an invoice."""
    lab = open_lab.loaded("invoices", invoices=20)
    lab.alter(
        "INSERT INTO invoices__line_items BY NAME SELECT * REPLACE ('x' AS _dlt_id, 'gone' AS "
        "_dlt_root_id, 'gone' AS _dlt_parent_id) FROM invoices__line_items LIMIT 1"
    )
    lab.rest()
    report = lab.sync("invoices", full_refresh=True)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert_equal(lab, "invoices")


def test_full_refresh_removes_elements_of_undeclared_arrays_too(open_lab: OpenLab) -> None:
    """A list that Harvest adds later becomes a child table by itself."""
    lab = open_lab(invoices=5)
    lab.stop_timers()
    for table in ("invoices", "users"):
        lab.server.alter(table, "set_field", name="brand_new", value=["a", "b"])
    lab.sync("invoices", "users")
    arrays = ("invoices__brand_new", "users__brand_new")
    before = [len(lab.table(array)) for array in arrays]
    for array in arrays:
        lab.alter(
            f"INSERT INTO {array} BY NAME SELECT * REPLACE ('x' AS _dlt_id, 'gone' AS "
            f"_dlt_root_id, 'gone' AS _dlt_parent_id) FROM {array} LIMIT 1"
        )
    lab.rest()
    assert lab.sync("invoices", "users", full_refresh=True).status == "ok"
    assert [len(lab.table(array)) for array in arrays] == before
    assert lab.verify().exit_code == 0
