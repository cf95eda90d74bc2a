"""The daily read with the wide overlap: rows that it brings again are not loaded again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.simulation import HOUR
from tests.support.truth import assert_equal

TABLES = ("clients", "invoices")


def loads(lab: Lab, table: str) -> dict[int, str]:
    """The load that brought each row."""
    return {row["id"]: row["_dlt_load_id"] for row in lab.table(table)}


def edit_all(lab: Lab) -> None:
    for client in lab.server.rows("clients"):
        lab.server.edit("clients", client["id"], name=f"Edited {client['id']}")
    for invoice in lab.server.rows("invoices"):
        lab.server.edit("invoices", invoice["id"], notes="Edited")


def test_rows_that_are_here_are_not_loaded_again(open_lab: OpenLab) -> None:
    """After a bulk edit the next day reads all rows and loads only those committed late."""
    lab = open_lab(invoices=6)
    lab.sync(*TABLES)
    lab.rest(6 * HOUR)
    edit_all(lab)
    lab.rest(HOUR)
    lab.sync(*TABLES)
    before = {table: loads(lab, table) for table in TABLES}
    lab.rest(DAY - 2 * HOUR)
    late = {table: lab.server.rows(table)[0]["id"] for table in TABLES}
    at = lab.clock() - timedelta(hours=22, minutes=30)
    lab.server.edit("clients", late["clients"], name="Late", updated_at=at)
    lab.server.edit("invoices", late["invoices"], notes="Late", updated_at=at)
    report = lab.sync(*TABLES, settings={"audit_requests": 0})
    for table in TABLES:
        assert report.as_dict()["tables"][table]["rows"] == len(before[table])
        after = loads(lab, table)
        assert {row for row in after if after[row] != before[table][row]} == {late[table]}
        assert_equal(lab, table)


@pytest.mark.rare
def test_a_second_change_within_one_second_is_loaded(open_lab: OpenLab) -> None:
    """Harvest dates changes in whole seconds: a row from the cursor's second may have changed."""
    lab = open_lab()
    client = lab.server.rows("clients")[0]["id"]
    lab.sync("clients")
    lab.rest(HOUR)
    at = lab.clock()
    lab.server.edit("clients", client, name="Once", updated_at=at)
    lab.sync("clients")
    lab.server.edit("clients", client, name="Twice", updated_at=at)
    lab.rest(DAY)
    lab.sync("clients", settings={"audit_requests": 0})
    assert_equal(lab, "clients")


@pytest.mark.rare
@pytest.mark.parametrize("exclude", [(), ("time_entries.is_running",)])
def test_running_timers_are_loaded(open_lab: OpenLab, exclude: tuple[str, ...]) -> None:
    """Timers grow while updated_at stays, also if the warehouse lacks the column that shows it."""
    lab = open_lab()
    settings = {"audit_requests": 0, "exclude": list(exclude)}
    timers = {row["id"] for row in lab.server.rows("time_entries") if row["is_running"]}
    assert timers
    lab.sync("time_entries", settings=settings)
    before = loads(lab, "time_entries")
    lab.rest(DAY)
    lab.sync("time_entries", settings=settings)
    after = loads(lab, "time_entries")
    assert timers <= {row for row in after if after[row] != before[row]}


@pytest.mark.rare
def test_a_full_refresh_loads_every_row(open_lab: OpenLab) -> None:
    """A full refresh removes the rows that none of its loads brought."""
    lab = open_lab()
    lab.sync("clients")
    before = loads(lab, "clients")
    lab.rest(DAY)
    lab.sync("clients", full_refresh=True)
    after = loads(lab, "clients")
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_the_audit_reloads_only_rows_with_wrong_values(open_lab: OpenLab) -> None:
    """The daily audit reads all of so small a table and compares every value."""
    lab = open_lab.loaded("time_entries")
    before = loads(lab, "time_entries")
    first, second, third, *_ = sorted(before)
    lab.alter(f"UPDATE time_entries SET rounded_hours = 99 WHERE id = {first}")
    lab.alter(f"UPDATE time_entries SET notes = 'other' WHERE id = {second}")
    lab.alter(f"UPDATE time_entries SET client__name = NULL WHERE id = {third}")
    lab.rest(DAY)
    audit = lab.sync("time_entries").run_log.audit
    assert (audit.corrected, audit.reread) == (3, len(before))
    after = loads(lab, "time_entries")
    assert {row for row in after if after[row] != before[row]} == {first, second, third}
    assert_equal(lab, "time_entries")


def test_a_table_that_is_read_whole_is_loaded_whole(open_lab: OpenLab) -> None:
    """Rows that changed shortly before are filled, too, if the read is also the daily one."""
    lab = open_lab()
    lab.server.edit_many("clients", client_ids(lab), address="Street")
    lab.rest(HOUR)
    lab.sync("clients", exclude=["clients.address"])
    lab.rest(DAY)
    lab.sync("clients", settings={"audit_requests": 0})
    assert {row["address"] for row in lab.table("clients")} == {"Street"}
    lab.server.edit_many("clients", client_ids(lab), address="Avenue")
    lab.rest(HOUR)
    lab.sync("clients", settings={"audit_requests": 0})
    lab.alter("UPDATE clients SET address = 'wrong'")
    lab.rest(DAY)
    lab.sync("clients", pipeline="other", take_over=True, settings={"audit_requests": 0})
    assert_equal(lab, "clients")


def client_ids(lab: Lab) -> list[int]:
    return [row["id"] for row in lab.server.rows("clients")]
