"""``verify --all-values``: every value of every row, in tables of many pages."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from harvest_source.operations import compare_all_values
from harvest_source.operations.compare_values import NAMED
from harvest_source.operations.verify_report import VerifyReport
from harvest_source.sandbox import Request
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

PAGE = 7
"""Rows on a page: 400 entries are 58 pages."""


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab that is synced and at rest, with few rows on each page."""
    lab = open_lab.loaded("time_entries", "user_assignments", entries=400, page_rows=PAGE)
    lab.rest()
    return lab


def told(report: VerifyReport) -> set[tuple[str, str, str]]:
    """Table, check and scope of each difference."""
    return {(each.table, each.check, each.scope) for each in report.differences}


def find_noted(report: VerifyReport) -> list[str]:
    """The scopes of values that may differ legitimately."""
    found = [each for each in report.comparisons if each.check == "values"]
    return [each.scope for each in found if each.state == "information"]


def count_values(report: VerifyReport, table: str) -> int:
    """How many rows have all values equal."""
    found = [each for each in report.comparisons if (each.check, each.scope) == ("values", "all")]
    (compared,) = [each for each in found if each.table == table]
    assert compared.here == compared.there
    return int(compared.here)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("time_entries", "notes", "'Lost'"),
        ("time_entries", "user__id", "1"),
        ("time_entries", "cost_rate", "NULL"),
        ("time_entries", "spent_date", "spent_date + 400"),
        ("user_assignments", "hourly_rate", "99.000000001"),
    ],
)
def test_any_wrong_value_is_found(lab: Lab, table: str, column: str, value: str) -> None:
    """It is named with its row and column, with exit code 5, and mending reads the row again."""
    row = lab.ids(table)[3]
    lab.alter(f"UPDATE {table} SET {column} = {value} WHERE id = {row}")
    report = lab.verify(all_values=True)
    assert (table, "values", f"id {row}: {column}") in told(report)
    assert report.exit_code == 5
    report = lab.verify(all_values=True, fix=True)
    assert (report.exit_code, report.mended) == (0, True)
    assert count_values(report, table) == len(lab.ids(table))
    assert_equal(lab, table)


def test_a_right_warehouse_takes_a_request_for_each_page(lab: Lab) -> None:
    """All rows of both tables are compared and equal; the other checks are as without it."""
    lab.server.reset_requests()
    before = lab.verify()
    asked = len(lab.server.requests)
    lab.server.reset_requests()
    report = lab.verify(all_values=True)
    more = len(lab.server.requests) - asked
    assert (report.exit_code, report.differences, find_noted(report)) == (0, [], [])
    rows = {each: len(lab.ids(each)) for each in ("time_entries", "user_assignments")}
    assert {each: count_values(report, each) for each in rows} == rows
    pages = sum(-(-each // PAGE) for each in rows.values())
    # Windows end with a page that is not full, and each long read is proven.
    assert pages <= more <= 1.6 * pages
    checks = {(each.table, each.check) for each in report.comparisons}
    assert checks - {(each.table, each.check) for each in before.comparisons} == {
        (table, check) for table in rows for check in ("ids", "values")
    }


def test_rows_are_compared_in_parts(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part has its days, and a wrong row of any part is found."""
    monkeypatch.setattr(compare_all_values, "_ROWS", 100)
    first, *_, last = [
        row["id"] for row in lab.sql("SELECT id FROM time_entries ORDER BY spent_date, id")
    ]
    lab.alter(f"UPDATE time_entries SET notes = 'Lost' WHERE id IN ({first}, {last})")
    report = lab.verify(all_values=True)
    assert told(report) == {("time_entries", "values", f"id {i}: notes") for i in (first, last)}
    assert count_values(report, "time_entries") == 398
    assert lab.verify(all_values=True, fix=True).exit_code == 0
    assert_equal(lab, "time_entries")


@pytest.mark.parametrize("checked", [10_000, 50])
def test_many_wrong_rows_are_counted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, checked: int
) -> None:
    """Only some are named; those that are compared only by digest are counted apart."""
    monkeypatch.setattr(compare_all_values, "_CHECKED", checked)
    lab.alter("UPDATE time_entries SET notes = 'Lost'")
    report = lab.verify(all_values=True)
    values = [each for each in report.differences if each.check == "values"]
    assert sum(int(each.there) for each in values) == 400
    assert len(values) == NAMED + 1 + (checked < 400)
    assert count_values(report, "time_entries") == 0
    assert lab.verify(all_values=True, fix=True).exit_code == 0
    assert_equal(lab, "time_entries")


def test_texts_stored_without_nul_are_equal(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL cannot store NUL: no row differs by it, also where only digests are compared."""
    monkeypatch.setattr(compare_all_values, "_CHECKED", 50)
    for row in lab.ids("time_entries"):
        lab.server.edit("time_entries", row, notes=f"N\0ote\0 {row}")
    lab.rest()
    assert lab.sync("time_entries").status == "ok"
    lab.alter("UPDATE time_entries SET notes = replace(notes, chr(0), '')")
    report = lab.verify(all_values=True)
    assert (report.exit_code, report.differences) == (0, [])
    assert count_values(report, "time_entries") == 400
    lab.alter("UPDATE time_entries SET notes = 'Lost'")
    assert lab.verify(all_values=True).exit_code == 5


def test_missing_and_extra_rows_are_found_as_ids(lab: Lab) -> None:
    """One row too many and one too few: the counts are equal, and no value of a row differs."""
    row = lab.ids("time_entries")[5]
    lab.alter(f"UPDATE time_entries SET id = 1 WHERE id = {row}")
    report = lab.verify(all_values=True)
    assert told(report) == {("time_entries", "ids", "all")}
    assert count_values(report, "time_entries") == 399
    report = lab.verify(all_values=True, fix=True)
    assert (report.exit_code, report.differences) == (0, [])
    assert count_values(report, "time_entries") == 400
    assert_equal(lab, "time_entries")


@pytest.mark.rare
def test_what_harvest_changes_silently_is_counted_and_mended(lab: Lab) -> None:
    """Locks and running timers are no difference. Mending reads the locked rows again."""
    first, second, third = lab.ids("time_entries")[:3]
    lab.alter(f"UPDATE time_entries SET is_locked = NOT is_locked WHERE id IN ({first}, {second})")
    lab.server.edit("time_entries", third, touch=False, is_running=True, notes="Running")
    report = lab.verify(all_values=True)
    assert (report.exit_code, report.differences) == (0, [])
    (scope,) = find_noted(report)
    assert scope.startswith("2 rows: ")
    assert "is_locked" in scope
    assert lab.verify(all_values=True, fix=True).mended
    assert find_noted(lab.verify(all_values=True)) == []


def test_rows_that_change_meanwhile_are_no_difference(lab: Lab) -> None:
    """A row changes after the last sync, one while its list is read, and one is created."""
    first, second = lab.ids("time_entries")[:2]
    lab.server.edit("time_entries", first, notes="Before")
    done: list[Request] = []

    def change(request: Request) -> None:
        if request.table == "time_entries" and request.params.get("page") == "2" and not done:
            done.append(request)
            lab.server.edit("time_entries", second, notes="Meanwhile")
            lab.server.create("time_entries")

    lab.server.before_request(change)
    report = lab.verify(all_values=True)
    lab.server.clear_hooks()
    assert done
    assert (report.exit_code, told(report)) == (0, set())


@pytest.mark.rare
def test_a_list_that_keeps_changing_is_undecided(lab: Lab) -> None:
    """Here, more entries of one person and day than one page has change during each read."""
    (row, *_) = lab.server.rows("time_entries")
    same = {"user_id": row["user"]["id"], "spent_date": row["spent_date"]}
    added = [lab.server.create("time_entries", **same)["id"] for _ in range(3 * PAGE)]
    lab.sync("time_entries")
    edits = 0

    def change(request: Request) -> None:
        nonlocal edits
        if request.table == "time_entries" and "page" in request.params:
            edits += 1
            lab.server.edit("time_entries", added[0], notes=str(edits))

    lab.server.before_request(change)
    report = lab.verify(all_values=True)
    lab.server.clear_hooks()
    (undecided,) = [
        each
        for each in report.comparisons
        if (each.table, each.check) == ("time_entries", "values")
    ]
    assert (int(undecided.here), int(undecided.there), str(undecided.state)) == (
        0,
        421,
        "information",
    )
    assert undecided.detail.startswith("Harvest's list could not be read completely: ")


@pytest.mark.rare
def test_only_mended_days_are_read_again(lab: Lab) -> None:
    """After mending, the list is not read from its first page on again."""
    (row,) = lab.sql("SELECT id, spent_date AS day FROM time_entries ORDER BY id LIMIT 1 OFFSET 9")
    lab.alter(f"UPDATE time_entries SET notes = 'Lost' WHERE id = {row['id']}")
    lab.server.reset_requests()
    report = lab.verify(all_values=True, fix=True)
    assert (report.exit_code, report.mended) == (0, True)
    queries = [each.query for each in lab.server.requests if each.path == "/v2/time_entries"]
    asked = [dict(parse_qsl(each)) for each in queries]
    filters = {"from", "to", "updated_since", "project_id", "is_running", "page", "cursor"}
    whole = [each for each in asked if not filters & {*each} and each.get("per_page") != "1"]
    of_the_day = [each for each in asked if each.get("from") == row["day"].isoformat()]
    assert (len(whole), bool(of_the_day)) == (1, True)


@pytest.mark.rare
def test_excluded_columns_are_not_compared(lab: Lab) -> None:
    """The syncs leave the column out, so it says nothing about the rest."""
    lab.alter("UPDATE time_entries SET notes = 'Lost'")
    report = lab.verify(all_values=True, exclude=["time_entries.notes"])
    assert (report.exit_code, count_values(report, "time_entries")) == (0, 400)
