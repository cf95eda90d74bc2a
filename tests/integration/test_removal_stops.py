"""
A model of removal: runs that remove rows of every kind, stopped before and after each statement.

Rows leave because they, their parent or their list are gone; one removed row has returned. The run
is stopped by SIGKILL or Ctrl-C. After one more run: no row without its parent, no open version of a
deleted row, each removed row recorded once, and marked as restored only if it is.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harvest_source.schema.endpoints import BY_NAME
from tests.support.lab import DAY, Lab
from tests.support.postgres import serving
from tests.support.stops import InDuckDB, Place, Stops, in_postgres
from tests.support.truth import child_differences, differences, served

TABLES = (
    "clients",
    "projects",
    "project_user_assignments",
    "invoices",
    "invoice_payments",
    "invoice_messages",
    "roles",
    "report_time_projects",
)
HISTORY = {"settings": {"history": ["projects"]}}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "audit": ("sync", {"deletes": True}),
    "full refresh": ("sync", {"full_refresh": True}),
    "without history": ("sync", {"deletes": True, "settings": {"history": []}}),
    "verify --fix": ("verify", {"fix": True}),
}
"""The runs that are stopped, by name."""


@dataclass(frozen=True)
class Story:
    """Rows that are to be removed, and a run that has removed them all."""

    stops: Stops
    began: datetime
    expected: Sequence[Any]
    """The deleted records after that run."""

    def assert_finished(self, report: Any) -> None:
        """The warehouse equals the account, and its records of removed rows are true."""
        assert report.status == "ok", report.as_dict()
        assert find_differences(self.stops) == {}
        assert read_records(self.stops.place) == self.expected


def find_differences(stops: Stops) -> dict[str, Any]:
    """The differences from Harvest, including orphaned elements and versions."""
    lab, select = stops.lab, stops.place.select
    account_id, found = lab.server.account_id, dict[str, Any]()
    for name in TABLES:
        endpoint, rows = BY_NAME[name], select(f"SELECT * FROM {name}")
        records = served(lab, endpoint, account_id) if name != TABLES[2] else []
        if records:
            found[name] = differences(endpoint, rows, records, account_id)
        for child in endpoint.record.children:
            elements = select(f"SELECT * FROM {name}__{child.name}")
            key = f"{name}__{child.name}"
            found[key] = child_differences(endpoint, child, rows, elements, records, account_id)
    here = sorted(row["id"] for row in select(f"SELECT id FROM {TABLES[2]}"))
    there = sorted(row["id"] for row in lab.server.rows("user_assignments"))
    found["assignments"] = {"landed": here, "served": there} if here != there else {}
    opened = select("SELECT id FROM projects_history WHERE valid_to IS NULL")
    ids = sorted(row["id"] for row in opened)
    projects = sorted(row["id"] for row in lab.server.rows("projects"))
    found["open versions"] = {"open": ids, "served": projects} if ids != projects else {}
    return {name: each for name, each in found.items() if each}


def read_records(place: Place) -> list[Any]:
    """The rows of ``deleted_records`` without their times."""
    query = "SELECT table_name, parent_id, id, restored_at IS NULL AS is_gone FROM deleted_records"
    return sorted((tuple(row.values()) for row in place.select(query)), key=repr)


def prepare(lab: Lab, place: Place) -> Stops:
    """Load everything, remove a client and restore it, and delete rows of each kind."""
    stops = Stops(lab, place, TABLES, {"max_deletes": "100%", **HISTORY})
    lab.stop_timers()
    returned = lab.server.create("clients", name="Returned")
    short_lived = lab.server.create("roles", name="Of a summer")
    lab.rest()
    assert stops.run().status == "ok"
    lab.server.delete("clients", returned["id"])
    lab.rest()
    assert stops.run(deletes=True).tables["clients"].deleted == 1

    lab.server.create("clients", **returned)
    lab.server.delete("roles", short_lived["id"])
    paid = [row["invoice_id"] for row in lab.server.rows("invoice_payments")]
    gone, shorter = paid[0], next(each for each in paid if each != paid[0])
    lab.server.delete("invoices", gone, force=True)
    for row in lab.server.rows("invoice_payments"):
        if row["invoice_id"] == shorter:
            lab.server.delete("invoice_payments", row["id"])
    lab.server.edit("invoices", shorter, line_items=[])
    lab.server.delete("projects", lab.server.rows("projects")[0]["id"], force=True)
    for entry in lab.server.rows("time_entries"):
        if entry["spent_date"] >= "2026":
            lab.server.delete("time_entries", entry["id"])
    lab.rest(DAY)
    stops.keep()
    return stops


def tell(stops: Stops) -> Story:
    """Run without a stop: the result is what every stopped run must reach."""
    began = stops.lab.clock()
    report = stops.run(deletes=True)
    assert report.status == "ok", report.as_dict()
    assert find_differences(stops) == {}
    records = read_records(stops.place)
    kinds = {name for name, *_ in records}
    assert kinds == {*TABLES}, "a row of each table goes"
    assert [name for name, _, _, is_gone in records if not is_gone] == ["clients"]
    return Story(stops, began, records)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[Story]:
    """The story of a warehouse in DuckDB, or in its own PostgreSQL."""
    folder: Path = tmp_path_factory.mktemp("stops")
    with Lab(folder, entries=30, expenses=0, invoices=6) as lab:
        if request.param == "duckdb":
            yield tell(prepare(lab, InDuckDB(lab, {})))
            return
        with (
            serving(tmp_path_factory.mktemp("postgres")) as address,
            pytest.MonkeyPatch.context() as patch,
        ):
            place = in_postgres(address)
            for name, value in place.environment.items():
                patch.setenv(name, value)
            yield tell(prepare(lab, place))


def stop_at(story: Story, point: int, name: str, number: int) -> None:
    """Stop one run at a point, then run once without a stop."""
    call, options = RUNS[name]
    story.stops.put_back(story.began)
    story.stops.run_stopped(point, number, call, **options)
    story.stops.lab.rest()
    story.assert_finished(story.stops.run(deletes=True))


def count_points(story: Story, name: str) -> int:
    call, options = RUNS[name]
    story.stops.put_back(story.began)
    return story.stops.count(call, **options)


PLACES = pytest.mark.parametrize("story", ["duckdb", "postgres"], indirect=True)


@pytest.mark.slow
@PLACES
def test_stopped_at_some_statements(story: Story) -> None:
    """Stops at two statements in an audit's second half, where rows leave, lose nothing."""
    points = count_points(story, "audit")
    assert points > 100
    for point in (points // 2, points * 3 // 4):
        stop_at(story, point, "audit", signal.SIGKILL)


@pytest.mark.slow
@PLACES
@pytest.mark.parametrize(
    ("name", "number"),
    [*((name, signal.SIGKILL) for name in RUNS), ("audit", signal.SIGINT)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_stopped_at_every_statement(story: Story, name: str, number: int) -> None:
    """Stops before and after each writing statement, including dlt's, lose nothing."""
    points = count_points(story, name)
    for point in range(points):
        stop_at(story, point, name, number)
        print(f"Stopped at point {point + 1} of {points}.", flush=True)
