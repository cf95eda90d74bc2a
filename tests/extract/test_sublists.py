"""Lists that exist once for each parent or window: children, rates, reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from harvest_source.schema.columns import SEPARATOR, Type
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import ENDPOINTS
from tests.support.read_lab import OpenReadLab, ReadLab
from tests.support.simulation import DAY, HOUR, Row, number

SIZES: dict[str, Any] = {"entries": 120, "invoices": 8, "estimates": 4, "users": 6, "expenses": 20}
CHILDREN = [e for e in ENDPOINTS if e.strategy is ReadStrategy.CHILDREN]
REPORTS = [e for e in ENDPOINTS if e.strategy is ReadStrategy.WINDOWS]


@pytest.fixture(scope="module")
def loaded() -> Iterator[ReadLab]:
    """A lab in which everything that is read by sublist was read."""
    with ReadLab(**SIZES) as lab:
        assert lab.read(*(e.name for e in ENDPOINTS if e.parent or e.report)).run_log.failures == []
        yield lab


@pytest.fixture
def lab(open_lab: OpenReadLab) -> ReadLab:
    """A small account for one test."""
    return open_lab(**SIZES)


def picked(endpoint: Endpoint, rows: list[Row]) -> set[tuple[Any, ...]]:
    """Keys and amounts of rows, comparable between both sides."""
    names = [
        c.name
        for c in endpoint.columns
        if c.type in {Type.BIGINT, Type.DECIMAL} and SEPARATOR not in c.name
    ]
    return {tuple(None if r.get(n) is None else number(r[n]) for n in names) for r in rows}


@pytest.mark.parametrize("endpoint", CHILDREN, ids=lambda e: e.name)
def test_every_child_lands_with_its_parent(loaded: ReadLab, endpoint: Endpoint) -> None:
    """The rows of all parents land, each with the id that its own record lacks; keys are unique."""
    truth, landed = loaded.server.rows(endpoint.name), loaded.table(endpoint.name)
    assert truth
    assert len(landed) == len(truth)
    assert picked(endpoint, landed) == picked(endpoint, truth)
    assert len({tuple(row[name] for name in endpoint.key) for row in landed}) == len(landed)


def test_lists_still_to_be_asked_for_are_announced(lab: ReadLab) -> None:
    """Progress can say how many requests are to come: one for each parent not read yet."""
    announced = list[int]()
    lab.on_page = lambda log: announced.append(log.activity.announced)
    log = lab.read("invoice_messages", all_children=True).run_log
    invoices = len(lab.server.rows("invoices"))
    assert [*range(invoices - 1, -1, -1)] == announced[-invoices:]
    assert log.activity.announced == 0


@pytest.mark.parametrize("endpoint", REPORTS, ids=lambda e: e.name)
def test_reports_equal_those_of_harvest(loaded: ReadLab, endpoint: Endpoint) -> None:
    """Reports are read by calendar year with the window in the key; windows share no day."""
    landed = loaded.table(endpoint.name)
    windows = sorted({(row["from_date"], row["to_date"]) for row in landed})
    assert windows
    assert all((later[0] - earlier[1]).days == 1 for earlier, later in pairwise(windows))
    assert all((to - from_).days <= 365 for from_, to in windows)
    for from_, to in windows:
        report = loaded.server.report(endpoint.name, from_=str(from_), to=str(to))
        ours = [row for row in landed if (row["from_date"], row["to_date"]) == (from_, to)]
        assert picked(endpoint, ours) == picked(endpoint, report)


def test_the_key_of_a_budget_contains_the_day_of_the_read(loaded: ReadLab) -> None:
    """The key of a report without dates contains the day on which it was read."""
    landed = loaded.table("report_project_budget")
    assert {row["snapshot_date"] for row in landed} == {loaded.clock().date()}
    assert len(landed) == len(loaded.server.report("report_project_budget"))


def test_an_unchanged_run_asks_no_parent(lab: ReadLab) -> None:
    """Only the list of parents is asked for changes."""
    tables = ("invoice_messages", "invoice_payments", "estimate_messages", "cost_rates")
    lab.read(*tables)
    lab.rest()
    lab.server.reset_requests()
    assert lab.read(*tables).run_log.failures == []
    assert not set(lab.server.requests.counts()) & set(tables)


def test_a_new_payment_rereads_only_the_children_of_its_invoice(lab: ReadLab) -> None:
    """A new child changes its parent's updated_at; the run reads only that parent's children."""
    lab.read("invoice_payments")
    invoice = next(r for r in lab.server.rows("invoices") if r["state"] == "open")
    lab.rest()
    lab.server.create("invoice_payments", invoice_id=invoice["id"])
    lab.server.reset_requests()
    lab.read("invoice_payments")
    assert lab.server.requests.counts()["invoice_payments"] == 1
    assert lab.ids("invoice_payments") == sorted(
        r["id"] for r in lab.server.rows("invoice_payments")
    )


@pytest.mark.parametrize("table", ["invoice_payments", "invoice_messages"])
def test_a_deleted_child_is_noticed_by_the_sweep(lab: ReadLab, table: str) -> None:
    """The parent does not change, but the scheduled sweep finds the deletion, the last too."""
    lab.read(table)
    parents = {row["invoice_id"] for row in lab.server.rows(table)}
    for row in [r for r in lab.server.rows(table) if r["invoice_id"] == min(parents)]:
        lab.server.delete(table, row["id"])
    lab.rest(HOUR)
    lab.read(table)
    assert len(lab.table(table)) > len(lab.server.rows(table))
    lab.rest(8 * DAY)
    lab.read(table)
    assert lab.ids(table) == sorted(row["id"] for row in lab.server.rows(table))


def test_old_years_wait_for_the_schedule(open_lab: OpenReadLab) -> None:
    """A report of a past year is read once a week, the recent ones in every run."""
    lab = open_lab(**SIZES | {"entries": 600})
    asked = []
    for rest in (HOUR, 8 * DAY, HOUR):
        lab.server.reset_requests()
        lab.read("report_time_projects")
        asked.append(lab.server.requests.counts()["report_time_projects"])
        lab.rest(rest)
    every_year, recent_ones, by_schedule = asked
    assert 0 < recent_ones < every_year == by_schedule


def test_a_running_timer_is_read_every_run(lab: ReadLab) -> None:
    """A timer's hours grow while its ``updated_at`` stays unchanged, so every run reads it."""
    lab.read("time_entries")
    lab.rest(2 * HOUR)
    lab.read("time_entries")
    truth = {row["id"]: row for row in lab.server.rows("time_entries") if row["is_running"]}
    assert truth
    landed = {row["id"]: row for row in lab.table("time_entries")}
    assert all(landed[i]["hours"] == number(row["hours"]) for i, row in truth.items())


def test_parents_are_asked_as_often_as_set(lab: ReadLab) -> None:
    """A payment deleted without a trace is found after the period that ``sweep_every`` sets."""
    every = timedelta(days=2)
    lab.read("invoice_payments", sweep_every=every)
    gone = lab.server.rows("invoice_payments")[0]["id"]
    lab.server.delete("invoice_payments", gone)
    found = []
    for days in (1, 1.5):
        lab.rest(days * DAY)
        lab.read("invoice_payments", sweep_every=every)
        found.append(gone in lab.ids("invoice_payments"))
    assert found == [True, False]
