"""What people change in the tables by hand: one table that cannot be loaded holds up no other."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.support.four_tables import TABLES, assert_whole, change
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

OTHERS = ("time_entries", "invoices", "roles")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab whose tables are loaded, with something new in Harvest."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    return lab


def refuse(lab: Lab) -> str:
    """Two runs in which only clients fails, each with the same words; returns them."""
    messages = []
    for _ in range(2):
        report = lab.sync(*TABLES)
        assert (report.status, report.exit_code, report.errors) == ("partial", 6, ())
        [failure] = report.run_log.failures
        assert failure.table == "clients"
        messages.append(str(failure.error))
        for table in OTHERS:
            assert_equal(lab, table)
        lab.rest()
        lab.server.create("invoices")
        lab.rest()
    assert messages[0] == messages[1]
    return messages[0]


def test_a_column_of_ones_own_with_another_type(lab: Lab) -> None:
    """A new field of Harvest's meets a column that a person has added under its name."""
    lab.alter("ALTER TABLE clients ADD COLUMN brand_new INTEGER")
    lab.server.alter("clients", "set_field", name="brand_new", value="text")
    message = refuse(lab)
    assert "Column brand_new has another type" in message
    statement = message.partition("made anew: ")[2]
    lab.alter(statement.replace("harvest.", ""))
    assert lab.sync(*TABLES).status == "ok"
    assert lab.ids("clients") == sorted(row["id"] for row in lab.server.rows("clients"))
    assert "text" in {row["brand_new"] for row in lab.table("clients")}


def test_a_view_in_place_of_a_table(lab: Lab) -> None:
    """No advice fits everything, but what to do is said, and which table it is."""
    lab.alter("ALTER TABLE clients RENAME TO kept; CREATE VIEW clients AS SELECT * FROM kept")
    message = refuse(lab)
    assert "refused clients" in message
    assert "undo that" in message


def test_a_refused_table_loses_no_row_in_a_full_refresh(lab: Lab) -> None:
    """What was read of it did not land: nothing that is missing from that is removed."""
    lab.alter("ALTER TABLE clients ALTER name TYPE INTEGER USING 1")
    before = lab.ids("clients")
    report = lab.sync(*TABLES, full_refresh=True)
    assert [each.table for each in report.run_log.failures] == ["clients"]
    assert lab.ids("clients") == before


def test_a_unique_index_is_no_obstacle_or_named(lab: Lab) -> None:
    """Where DuckDB refuses the merge, the message has the index and the statement."""
    lab.alter("CREATE UNIQUE INDEX mine ON clients (account_id, id)")
    report: Any = lab.sync(*TABLES)
    if report.status != "ok":
        [failure] = report.run_log.failures
        assert "DROP INDEX harvest.mine;" in shlex.split(str(failure.error))
        lab.alter("DROP INDEX mine")
    assert_whole(lab)
