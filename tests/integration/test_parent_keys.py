"""Rows of child tables carry the key of their parent, whichever version loaded them."""

from __future__ import annotations

import shutil

import pytest

from harvest_source.warehouse.pipeline import attach
from harvest_source.warehouse.target import build_target
from tests.support.earlier import forget_parent_keys
from tests.support.four_tables import TABLES, assert_whole, change, rows_read
from tests.support.lab import Lab
from tests.support.labs import OpenLab


def test_child_rows_join_by_ordinary_columns(open_lab: OpenLab) -> None:
    """Account and parent id find the same parent that dlt's keys find; no other join is needed."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    rows = lab.sql(
        "SELECT count(*) AS n, count(*) FILTER (i._dlt_id = l._dlt_root_id) AS same "
        "FROM invoices__line_items l JOIN invoices i "
        "ON i.account_id = l.account_id AND i.id = l.invoice_id"
    )
    assert rows[0]["n"] == rows[0]["same"] == len(lab.table("invoices__line_items")) > 0


@pytest.mark.parametrize("is_folder_lost", [False, True])
def test_rows_of_an_earlier_version_are_filled(open_lab: OpenLab, *, is_folder_lost: bool) -> None:
    """Columns are added and filled in place: no row is read again, and nothing is reported."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    make_earlier(lab)
    assert "invoice_id" not in lab.columns("invoices__line_items")
    if is_folder_lost:
        shutil.rmtree(lab.folder / "dlt")
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert rows_read(report, "invoices") < 5
    assert_whole(lab)


def test_a_table_that_the_run_does_not_read_is_filled_too(open_lab: OpenLab) -> None:
    """One run fills every table, even if it reads only one."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    make_earlier(lab)
    assert lab.sync("clients").status == "ok"
    assert lab.sql("SELECT count(*) AS n FROM roles__user_ids WHERE role_id IS NULL")[0]["n"] == 0
    assert_whole(lab)


def test_a_key_dropped_by_hand_is_filled_again(open_lab: OpenLab) -> None:
    """The state equals that after a run killed between dlt's schema and the warehouse."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    lab.alter("ALTER TABLE invoices__line_items DROP COLUMN invoice_id")
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert rows_read(report, "invoices") < 5
    assert_whole(lab)


def make_earlier(lab: Lab) -> None:
    """Make the lab's warehouse as an earlier version of this package would have made it."""
    with lab.working():
        target = build_target("duckdb", lab.database, "harvest", "harvest")
        forget_parent_keys(attach(target, lambda _: None))
