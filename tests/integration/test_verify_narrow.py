"""``verify --fix`` of tables of many pages: only the days on which rows differ are read again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

PAGE = 7
"""Rows on a page: of 400 entries every project has several pages in each year."""


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab that is synced and at rest, with few rows on each page."""
    lab = open_lab.loaded("time_entries", "projects", entries=400, page_rows=PAGE)
    lab.rest()
    return lab


def find_long_year(lab: Lab) -> dict[str, Any]:
    """A project and year whose entries take several pages, and one of its entries."""
    (found,) = lab.sql(
        "SELECT project__id AS project, year(spent_date) AS year, count(*) AS rows, "
        "min(id) AS id, min_by(spent_date, id) AS day FROM time_entries WHERE NOT is_running "
        "GROUP BY ALL ORDER BY rows DESC LIMIT 1"
    )
    assert found["rows"] > 2 * PAGE
    return found


def asked(lab: Lab, path: str = "/v2/time_entries") -> list[dict[str, str]]:
    """The requests for the list of entries since the last reset."""
    queries = [r.query for r in lab.server.requests if r.path == path]
    return [{name: value for name, (value, *_) in parse_qs(each).items()} for each in queries]


def whole_lists(lab: Lab) -> int:
    """How often all entries were read, from the first page on."""
    filters = {"from", "to", "updated_since", "project_id", "is_running", "page", "cursor"}
    return sum(not filters & {*each} and each.get("per_page") != "1" for each in asked(lab))


@pytest.mark.rare
def test_a_wrong_entry_is_reloaded_with_only_its_day(lab: Lab) -> None:
    """All figures of a project's year are compared, and the rows of one day are reloaded."""
    found = find_long_year(lab)
    lab.alter(f"UPDATE time_entries SET rounded_hours = 99 WHERE id = {found['id']}")
    lab.server.reset_requests()
    report = lab.verify(fix=True)
    assert (report.exit_code, report.mended, report.differences) == (0, True, [])
    assert_equal(lab, "time_entries")
    again = [each for each in asked(lab) if each.get("project_id") == str(found["project"])]
    days = {(each["from"], each["to"]) for each in again}
    year = (f"{found['year']}-01-01", f"{found['year']}-12-31")
    day = found["day"].isoformat()
    assert days == {year, (day, day)}
    assert report.run_log.audit.reread < found["rows"]


@pytest.mark.rare
def test_an_unexplained_sum_rereads_the_whole_year(lab: Lab) -> None:
    """Here, the project states another value for its hours."""
    found = find_long_year(lab)
    lab.alter(f"UPDATE projects SET is_fixed_fee = NOT is_fixed_fee WHERE id = {found['project']}")
    lab.server.reset_requests()
    lab.verify(fix=True)
    again = [each for each in asked(lab) if each.get("project_id") == str(found["project"])]
    assert {each["from"][5:] for each in again} <= {"01-01"}


def test_a_lost_row_is_searched_for_only_on_its_day(lab: Lab) -> None:
    """All ids are read once; then that day's ids in the warehouse, its rows, and the ids again."""
    found = find_long_year(lab)
    lab.alter(f"DELETE FROM time_entries WHERE id = {found['id']}")
    lab.server.reset_requests()
    report = lab.verify(fix=True)
    assert (report.exit_code, report.mended, report.differences) == (0, True, [])
    assert_equal(lab, "time_entries")
    assert whole_lists(lab) == 1
    reading = [each for each in asked(lab) if each.get("per_page") != "1" and "from" in each]
    windows = {(each["from"], each.get("to", "")) for each in reading if "project_id" not in each}
    day = found["day"].isoformat()
    assert windows == {(day, day)}


def test_one_row_too_many_and_one_too_few_are_found_among_many(lab: Lab) -> None:
    """The counts and all sums of the year are right."""
    found = find_long_year(lab)
    lab.alter(f"UPDATE time_entries SET id = 1 WHERE id = {found['id']}")
    assert lab.verify().exit_code == 0
    report = lab.verify(fix=True)
    assert (report.exit_code, report.mended, report.differences) == (0, True, [])
    assert_equal(lab, "time_entries")


@pytest.mark.rare
@pytest.mark.parametrize("days", [1, 30])
def test_a_row_under_another_day_is_found(lab: Lab, days: int) -> None:
    """No count or sum of a year shows it, but the list of ids has the day."""
    found = find_long_year(lab)
    day = found["day"] + timedelta(days if found["day"] < date(found["year"], 7, 1) else -days)
    lab.alter(f"UPDATE time_entries SET spent_date = DATE '{day}' WHERE id = {found['id']}")
    assert lab.verify().exit_code == 0
    report = lab.verify(fix=True)
    assert (report.exit_code, report.mended, report.differences) == (0, True, [])
    assert_equal(lab, "time_entries")
    assert whole_lists(lab) >= 1


@pytest.mark.rare
def test_a_duplicated_row_is_found_and_removed(lab: Lab) -> None:
    """The row is there only once afterwards."""
    found = find_long_year(lab)
    lab.alter(f"INSERT INTO time_entries SELECT * FROM time_entries WHERE id = {found['id']}")
    report = lab.verify(fix=True)
    assert (report.mended, report.differences) == (True, [])
    assert_equal(lab, "time_entries")
