"""Cached answers, answers without a date, unexpected empty answers: what they do not prove."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from harvest_source.errors import StaleAnswerError
from harvest_source.notices import NoticeKind
from tests.support.read_lab import OpenReadLab, ReadLab, assert_read
from tests.support.simulation import DAY, HOUR

SMALL = {"entries": 60, "invoices": 6, "estimates": 2, "expenses": 10, "users": 5}
REPORT = "report_time_projects"


def cursor_at(lab: ReadLab, table: str) -> datetime:
    """The stored cursor of *table*."""
    return datetime.fromisoformat(lab.state(table)["cursor"]["at"])


@pytest.mark.parametrize("age", [True, False])
def test_an_outdated_whole_list_replaces_nothing(open_lab: OpenReadLab, age: bool) -> None:
    """If a cache serves yesterday's roles, with or without ``Age``, the old rows stay: exit 5."""
    lab = open_lab(**SMALL)
    lab.server.fault("cache", table="roles", age=age)
    lab.read("roles", "clients")
    role = lab.server.rows("roles")[0]["id"]
    lab.server.edit("roles", role, name="Edited")
    lab.rest(DAY)
    lab.server.reset_requests()
    told = lab.read("roles", "clients")
    (failure,) = told.run_log.failures
    assert (failure.table, type(failure.error)) == ("roles", StaleAnswerError)
    assert failure.error.exit_code == 5
    assert lab.server.requests.counts()["roles"] == 3
    lab.server.clear_faults()
    lab.rest()
    assert lab.read("roles").run_log.failures == []
    assert_read(lab, "roles")


def test_a_cache_that_revalidates_on_the_second_request_is_no_error(open_lab: OpenReadLab) -> None:
    """The second request gets today's answer from the cache."""
    lab = open_lab(**SMALL)
    lab.server.fault("cache", table="roles", times=2)
    lab.read("roles")
    lab.rest(DAY)
    assert lab.read("roles").run_log.failures == []


@pytest.mark.parametrize("hours", [-72, 0, 48])
def test_a_cached_answer_moves_no_cursor_past_an_edit(open_lab: OpenReadLab, hours: int) -> None:
    """The cursor is the date of the data, whatever ``Age`` says and however wrong our clock is."""
    lab = open_lab(**SMALL)
    lab.shared.ahead = timedelta(hours=hours)
    lab.read("clients")
    client = lab.server.rows("clients")[0]["id"]
    lab.server.edit("clients", client, name="First")
    lab.server.fault("date_aged", table="clients", seconds=0)
    lab.rest(2 * HOUR)
    lab.read("clients")
    assert cursor_at(lab, "clients") <= lab.clock()
    lab.server.edit("clients", client, name="Second")
    lab.rest(2 * HOUR)
    lab.read("clients")
    assert_read(lab, "clients")


@pytest.mark.parametrize("hours", [0, 48])
def test_answers_without_a_date_move_no_cursor(open_lab: OpenReadLab, hours: int) -> None:
    """Rows are loaded; the cursor stays at the last date that Harvest gave, with a warning."""
    lab = open_lab(**SMALL)
    lab.read("clients")
    before = cursor_at(lab, "clients")
    lab.shared.ahead = timedelta(hours=hours)
    lab.server.fault("date_missing")
    for name in ("First", "Second"):
        lab.rest(2 * HOUR)
        lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name=name)
        told = lab.read("clients")
        assert_read(lab, "clients")
        assert cursor_at(lab, "clients") == before
    assert [each.kind for each in told.run_log.notices] == [NoticeKind.MISSING_DATE]


def test_a_list_without_a_date_replaces_nothing(open_lab: OpenReadLab) -> None:
    """A list with fewer rows may be yesterday's, so it replaces nothing."""
    lab = open_lab(**SMALL)
    tables = ("roles", REPORT, "invoice_payments")
    lab.read(*tables)
    before = lab.contents(*tables)
    for table in ("roles", "invoice_payments"):
        for record in lab.server.rows(table)[1:]:
            lab.server.delete(table, record["id"])
    for entry in lab.server.rows("time_entries"):
        lab.server.delete("time_entries", entry["id"], force=True)
    lab.server.fault("date_missing")
    lab.rest(8 * DAY)
    told = lab.read(*tables)
    assert lab.contents(*tables) == before
    assert [failure.table for failure in told.run_log.failures] == ["invoice_payments"]


@pytest.mark.parametrize(
    "table", ["roles", "invoice_payments", "invoice_messages", "project_user_assignments", REPORT]
)
def test_an_odd_empty_list_empties_nothing(open_lab: OpenReadLab, table: str) -> None:
    """An empty list is requested again where rows were loaded: one odd answer removes no row."""
    lab = open_lab(**SMALL)
    lab.stop_timers()
    lab.read(table)
    before = lab.contents(table)
    assert lab.table(table)
    lab.rest(8 * DAY)
    lab.server.fault("empty_list", table=table, times=1)
    assert lab.read(table).run_log.failures == []
    assert lab.contents(table) == before


def test_an_odd_empty_list_does_not_count_as_a_read_of_the_whole_table(
    open_lab: OpenReadLab,
) -> None:
    """Otherwise a full refresh would remove every row that was not served."""
    lab = open_lab(**SMALL)
    lab.read("clients")
    lab.rest()
    lab.server.fault("empty_list", table="clients", times=1)
    told = lab.read("clients", full_refresh=True)
    assert told.rows("clients") == lab.server.count("clients")
    assert told.run_log.unproven == []


def test_a_schedule_stored_by_a_clock_years_ahead_is_reset(open_lab: OpenReadLab) -> None:
    """A date that a wrong clock stored in the future postpones nothing for years."""
    lab = open_lab(**SMALL)
    tables = ("invoice_payments", REPORT)
    lab.shared.ahead = timedelta(days=3650)
    lab.read(*tables)
    lab.shared.ahead = timedelta(0)
    gone = lab.server.rows("invoice_payments")[0]["id"]
    lab.server.delete("invoice_payments", gone)
    lab.rest()
    lab.server.reset_requests()
    lab.read(*tables)
    assert gone not in lab.ids("invoice_payments")
    first = min(row["from_date"] for row in lab.table(REPORT))
    asked = [each.query for each in lab.server.requests if each.table == REPORT]
    assert any(f"from={first:%Y%m%d}" in query for query in asked)


@pytest.mark.parametrize("is_behind", [False, True])
def test_odd_dates_and_a_slow_clock_do_not_prevent_a_proof(
    open_lab: OpenReadLab, is_behind: bool
) -> None:
    """With a record dated 2031, or our clock three days behind, two reads prove what one cannot."""
    lab = open_lab(**SMALL, page_rows=8)
    lab.rest(DAY)
    rows = lab.server.rows("user_assignments")
    assert len(rows) > 16
    if is_behind:
        lab.shared.ahead = timedelta(hours=-72)
        lab.server.edit("user_assignments", rows[5]["id"], budget=5)
    else:
        lab.server.edit("user_assignments", rows[5]["id"], updated_at="2031-01-01T00:00:00Z")
    lab.rest(DAY)
    told = lab.read("user_assignments")
    assert told.run_log.unproven == []
    assert lab.state("user_assignments")["cursor"]
    lab.server.edit("user_assignments", rows[9]["id"], budget=6)
    lab.rest(DAY)
    assert lab.read("user_assignments").run_log.unproven == []
    assert_read(lab, "user_assignments")
