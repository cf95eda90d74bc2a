"""Failures while tables are read: the others are read, and a failed table keeps its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from harvest_source.errors import (
    AuthError,
    HarvestError,
    IncompleteListError,
    ResponseError,
    ServerError,
    UnsafeLinkError,
)
from harvest_source.sandbox import Request
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS
from tests.support.read_lab import (
    OpenReadLab,
    Reading,
    ReadLab,
    assert_read,
    find_differences,
)
from tests.support.simulation import DAY, HOUR, Row

TEN_MINUTES = 600.0
"""Longer than the overlap, and too short for the daily run with the wide overlap."""

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
    "roles": ("wrong_total", IncompleteListError),
}
"""By table: the fault of each of its requests in the bad run, and the error it is reported as."""
FORBIDDEN = "contacts"
LISTS = [endpoint.name for endpoint in DEFAULT_ENDPOINTS if not endpoint.single]
BELOW = {e.name for e in DEFAULT_ENDPOINTS if e.parent and e.parent.endpoint in FAULTS}
"""Tables that are read parent by parent, whose list of parents cannot be read."""


TABLES = [endpoint.name for endpoint in DEFAULT_ENDPOINTS]


def edit_everywhere(lab: ReadLab) -> None:
    """Move the updated_at of one record in every list."""
    with lab.quotes_tell():
        for table in LISTS:
            record = lab.server.rows(table)[0]
            lab.server.edit(table, record["id"], created_at=lab.clock())


@dataclass
class Trouble:
    """A bad run between two good ones, twice. Contents are by table and account."""

    lab: ReadLab
    before: dict[Any, Any]
    faulty: Reading
    after_faulty: dict[Any, Any]
    quiet: Reading
    wrong_after_quiet: dict[str, Any]
    before_refused: dict[Any, Any]
    refused: Reading
    after_refused: dict[Any, Any]
    wrong_at_the_end: dict[str, Any]


def find_wrong(lab: ReadLab) -> dict[str, Any]:
    """Tables that differ from what the sandbox serves, and how."""
    found = {table: find_differences(lab, table) for table in TABLES}
    return {table: why for table, why in found.items() if why}


@pytest.fixture(scope="module")
def trouble() -> Iterator[Trouble]:
    with ReadLab() as lab:
        lab.stop_timers()
        lab.rest()
        lab.read(*TABLES)
        before = lab.contents(*TABLES)
        edit_everywhere(lab)
        lab.rest(TEN_MINUTES)
        for table, (fault, _) in FAULTS.items():
            lab.server.fault(fault, table=table)
        lab.server.fault("forbidden", table=FORBIDDEN)
        faulty = lab.read(*TABLES)
        after_faulty = lab.contents(*TABLES)
        lab.server.clear_faults()
        lab.rest(TEN_MINUTES)
        quiet = lab.read(*TABLES)
        wrong_after_quiet = find_wrong(lab)

        before_refused = lab.contents(*TABLES)
        edit_everywhere(lab)
        lab.rest(TEN_MINUTES)
        asked: list[Request] = []

        def revoke(request: Request) -> None:
            asked.append(request)
            if len(asked) == 6:
                lab.server.revoke()

        lab.server.after_request(revoke)
        refused = lab.read(*TABLES)
        after_refused = lab.contents(*TABLES)
        lab.server.clear_hooks()
        lab.server.restore_token()
        lab.rest(TEN_MINUTES)
        lab.read(*TABLES)
        yield Trouble(
            lab,
            before,
            faulty,
            after_faulty,
            quiet,
            wrong_after_quiet,
            before_refused,
            refused,
            after_refused,
            find_wrong(lab),
        )


@pytest.mark.parametrize(("table", "error"), [(t, error) for t, (_, error) in FAULTS.items()])
def test_a_failed_table_is_named(trouble: Trouble, table: str, error: type[HarvestError]) -> None:
    """Each table that could not be read is reported with its error."""
    (failure,) = [f for f in trouble.faulty.run_log.failures if f.table == table]
    assert type(failure.error) is error
    assert failure.account_id == trouble.lab.server.account_id


@pytest.mark.parametrize("table", [*FAULTS, *sorted(BELOW), FORBIDDEN])
def test_a_failed_table_keeps_its_rows(trouble: Trouble, table: str) -> None:
    """A table that could not be read to its end keeps every row that it had."""
    key = table, trouble.lab.server.account_id
    assert trouble.after_faulty[key] == trouble.before[key]


@pytest.mark.parametrize("table", LISTS)
def test_a_failed_table_keeps_its_cursor(trouble: Trouble, table: str) -> None:
    """The next good run brings changes from long before the bad run, which no overlap reaches."""
    assert table not in trouble.wrong_after_quiet
    assert trouble.quiet.run_log.failures == []


def test_other_tables_are_read(trouble: Trouble) -> None:
    """The tables that can be read are read in the same run."""
    key = "time_entries", trouble.lab.server.account_id
    assert trouble.after_faulty[key] != trouble.before[key]
    assert trouble.faulty.rows("time_entries") > 0
    assert {f.table for f in trouble.faulty.run_log.failures} == FAULTS.keys() | BELOW


def test_a_forbidden_table_is_skipped_not_failed(trouble: Trouble) -> None:
    """A 403 means that the token may not read the table: it is skipped with the reason."""
    (skip,) = trouble.faulty.run_log.skipped
    assert skip.table == FORBIDDEN
    assert skip.reason


def test_a_refused_token_empties_nothing(trouble: Trouble) -> None:
    """A 401 in the middle of a run is never taken for an empty list: no row leaves any table."""
    assert {type(f.error) for f in trouble.refused.run_log.failures} == {AuthError}
    for table, (rows, _) in trouble.before_refused.items():
        assert len(trouble.after_refused[table][0]) == len(rows)


def test_the_run_after_a_refused_one_catches_up(trouble: Trouble) -> None:
    """Once the token is accepted again, a run brings everything that changed meanwhile."""
    assert trouble.wrong_at_the_end == {}


def test_a_list_read_whole_is_never_replaced_by_half(open_lab: OpenReadLab) -> None:
    """New roles replace the account's roles only if the last page was read."""
    lab = open_lab(page_rows=2)
    assert lab.server.count("roles") > 4
    lab.read("roles")
    before = lab.contents("roles")
    for record in lab.server.rows("roles")[:3]:
        lab.server.edit("roles", record["id"], user_ids=[1, 2, 3])
    lab.server.delete("roles", lab.server.rows("roles")[3]["id"])

    def break_second_page(request: Request) -> None:
        if request.table == "roles" and {"page", "cursor"} & request.params.keys():
            lab.server.fault("unavailable", table="roles")

    lab.server.before_request(break_second_page)
    lab.rest()
    told = lab.read("roles", "clients")
    assert [failure.table for failure in told.run_log.failures] == ["roles"]
    assert lab.contents("roles") == before
    lab.server.clear_hooks()
    lab.server.clear_faults()
    lab.rest()
    lab.read("roles")
    assert_read(lab, "roles")


def test_rate_limit_is_waited_for(open_lab: OpenReadLab) -> None:
    """After a 429 a run waits as long as Retry-After says, and then succeeds."""
    lab = open_lab()
    lab.server.fault("rate_limited", table="clients", times=2, retry_after=7)
    assert lab.read("clients").run_log.failures == []
    assert sum(lab.shared.slept) >= 14
    assert_read(lab, "clients")


def test_start_date_limits_history_and_can_be_moved_back(open_lab: OpenReadLab) -> None:
    """start_date bounds history: a later date reads nothing, an earlier one what is missing."""
    lab = open_lab(entries=400)
    lab.stop_timers()
    lab.rest()
    tables = ("time_entries", "invoices", "clients")
    middle, late, early = date(2026, 1, 15), date(2026, 5, 1), date(2025, 6, 1)

    def ids_from(table: str, day: date, to: date = date.max) -> list[int]:
        dated = {"time_entries": "spent_date", "invoices": "issue_date"}.get(table)
        return sorted(
            record["id"]
            for record in lab.server.rows(table)
            if dated is None or str(day) <= (record[dated] or "") < str(to)
        )

    told = lab.read(*tables, start_date=middle)
    for table in tables:
        assert lab.ids(table) == ids_from(table, middle)
    assert 0 < told.rows("time_entries") == len(ids_from("time_entries", middle)) < 400

    lab.rest()
    assert lab.read(*tables, start_date=late).rows("time_entries") == 0
    assert lab.ids("time_entries") == ids_from("time_entries", middle)

    lab.rest()
    told = lab.read(*tables, start_date=early)
    assert 0 < told.rows("time_entries") == len(ids_from("time_entries", early, middle))
    assert told.rows("clients") == 0
    for table in tables:
        assert lab.ids(table) == ids_from(table, early)

    lab.rest()
    old = lab.server.rows("time_entries")[-1]
    lab.server.edit("time_entries", old["id"], notes="Old, edited")
    lab.read(*tables)
    for table in tables:
        assert_read(lab, table)


def test_late_changes_are_found_within_the_overlap(open_lab: OpenReadLab) -> None:
    """
    A late change under an old timestamp is found: within five minutes by every run, within the
    configured overlap if that is longer, within 25 hours once a day.
    """
    lab = open_lab()
    lab.rest()

    def commit_late(place: int, seconds: float, name: str) -> None:
        """Make a change visible now whose updated_at lies *seconds* before the cursor."""
        record: Row = lab.server.rows("clients")[place]
        at = cursor - timedelta(seconds=seconds)
        lab.server.edit("clients", record["id"], name=name, updated_at=at)

    def names() -> set[str]:
        return {row["name"] for row in lab.table("clients")} & {"4 min", "50 min", "20 h", "26 h"}

    cursor = lab.clock()
    lab.read("clients")
    commit_late(0, 4 * 60, "4 min")
    commit_late(1, 50 * 60, "50 min")
    commit_late(2, 20 * HOUR, "20 h")
    commit_late(3, 26 * HOUR, "26 h")
    lab.read("clients")
    assert names() == {"4 min"}
    lab.read("clients", overlap=timedelta(hours=1))
    assert names() == {"4 min", "50 min"}
    lab.clock.set(cursor + timedelta(hours=20) - timedelta(seconds=1))
    lab.read("clients", overlap=timedelta(minutes=1))
    assert names() == {"4 min", "50 min"}
    lab.clock.set(cursor)
    assert names() == {"4 min", "50 min"}


def changes_asked_for(lab: ReadLab) -> list[str]:
    """The queries for changes, without the daily audit's others."""
    queries = [request.query for request in lab.server.requests if request.table == "clients"]
    return [query for query in queries if "updated_since" in query]


def test_wide_overlap_once_a_day(open_lab: OpenReadLab) -> None:
    """A day after the last wide read the overlap is 25 hours, and then short again."""
    lab = open_lab()
    lab.read("clients")
    lab.rest(DAY)
    record = lab.server.rows("clients")[0]
    late = lab.clock() - timedelta(hours=24, minutes=30)
    lab.server.edit("clients", record["id"], name="24 h", updated_at=late)
    lab.read("clients")
    assert "24 h" in {row["name"] for row in lab.table("clients")}
    asked = changes_asked_for(lab)
    lab.rest(HOUR)
    lab.read("clients")
    newest = changes_asked_for(lab)[len(asked) :]
    assert "updated_since=2026-06-16T11" in asked[-1]
    assert "updated_since=2026-06-18T11" in newest[-1]
