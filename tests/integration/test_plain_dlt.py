"""The source under plain dlt: the same tables as a sync, in any destination."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.runtime import run_context
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.sources import DltSource

from harvest_source import harvest
from harvest_source.errors import HarvestError, ResponseError, find_cause
from harvest_source.schema.endpoints import BY_NAME, DEFAULT_ENDPOINTS
from tests.support.earlier import forget_parent_keys
from tests.support.lab import Lab, Row
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

OURS = ("sync_runs.", "verify_runs.", "deleted_records.")


def source(lab: Lab) -> DltSource:
    """The source of the lab's account."""
    return harvest(account_id=lab.server.account_id, **lab.settings)


def run(lab: Lab, *tables: str, database: Path, name: str = "plain", **options: Any) -> None:
    """``pipeline.run(harvest())`` into a DuckDB file."""
    with lab.working():
        pipeline = dlt.pipeline(
            name, destination=dlt.destinations.duckdb(str(database)), dataset_name="harvest"
        )
        pipeline.run(source(lab).with_resources(*tables) if tables else source(lab), **options)


@pytest.mark.rare
def test_same_tables_columns_and_rows_as_sync(open_lab: OpenLab) -> None:
    """Two runs of pipeline.run(harvest()) make the tables, columns and rows that sync makes."""
    lab = open_lab(entries=600)
    lab.stop_timers()
    lab.rest()
    assert lab.sync().status == "ok"
    by_sync = {n: t for n, t in lab.columns().items() if not n.startswith(OURS)}

    lab.database = lab.folder / "plain.duckdb"
    run(lab, database=lab.database)
    assert lab.columns() == by_sync
    for endpoint in DEFAULT_ENDPOINTS:
        assert_equal(lab, endpoint.name)

    lab.rest()
    for table in ("time_entries", "invoices", "roles"):
        lab.server.edit(table, lab.server.rows(table)[0]["id"], created_at="2001-02-03T04:05:06Z")
    run(lab, database=lab.database)
    assert lab.columns() == by_sync
    for endpoint in DEFAULT_ENDPOINTS:
        assert_equal(lab, endpoint.name)


def test_child_tables_of_an_earlier_version_gain_the_new_columns(open_lab: OpenLab) -> None:
    """The columns are added, also to tables without new rows, and the lists are read again."""
    lab = open_lab()
    lab.rest()
    tables = ("invoices", "roles")
    database = lab.database
    run(lab, *tables, database=database)
    with lab.working():
        destination = dlt.destinations.duckdb(str(database))
        forget_parent_keys(dlt.attach("plain", destination=destination, dataset_name="harvest"))
    for role in lab.server.rows("roles"):
        lab.server.edit("roles", role["id"], user_ids=[])
    run(lab, *tables, database=database)
    for table in tables:
        assert_equal(lab, table)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, where dlt creates files for which no path was given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_LOCAL_DIR", str(tmp_path))
    Container()[PluggableRunContext].reload(".")
    yield tmp_path
    monkeypatch.undo()
    Container()[PluggableRunContext].reload(".")


def test_the_documented_pipeline_loads_twice(open_lab: OpenLab, here: Path) -> None:
    """dlt's default file has the dataset's name: it loads twice, and dlt reads it."""
    lab = open_lab()
    for _ in range(2):
        with lab.working():
            pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest")
            pipeline.run(source(lab).with_resources("clients", "roles"))
            landed = pipeline.dataset()["clients"].arrow()
        assert landed is not None
        assert landed.num_rows == lab.server.count("clients")
    lab.database = here / "harvest.duckdb"
    assert_equal(lab, "clients")
    assert_equal(lab, "roles")


def test_a_pipeline_made_too_late_is_refused(open_lab: OpenLab, here: Path) -> None:
    """A source built before its pipeline reads nothing, and the message says why."""
    lab = open_lab()
    with lab.working():
        built = source(lab).with_resources("clients")
        pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest")
        with pytest.raises(PipelineStepFailed, match=r"Call harvest\(\) after dlt.pipeline"):
            pipeline.run(built)
        assert not pipeline.has_pending_data
        other = dlt.destinations.duckdb(str(here / "harvest_data.duckdb"))
        pipeline = dlt.pipeline("harvest", destination=other, dataset_name="harvest")
        pipeline.run(built)
    lab.database = here / "harvest_data.duckdb"
    assert_equal(lab, "clients")


@pytest.mark.parametrize("is_late", [True, False])
def test_a_pipeline_made_too_late_is_warned_of(
    open_lab: OpenLab,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    is_late: bool,
) -> None:
    """dlt creates its file before the source can, so dlt's log says what the file lacks, once."""
    lab = open_lab()
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "WARNING")
    run_context.active().reload()
    with lab.working():
        early = source(lab).with_resources("clients", "roles")
        other = dlt.destinations.duckdb(str(lab.folder / "plain.duckdb"))
        pipeline = dlt.pipeline("plain", destination=other, dataset_name="harvest")
        built = early if is_late else source(lab).with_resources("clients", "roles")
        for _ in range(2):
            pipeline.run(built)
    advice = "Call harvest() after dlt.pipeline()"
    assert sum(advice in each for each in caplog.messages) == is_late


def test_dlt_knows_the_references(open_lab: OpenLab) -> None:
    """The schema says which column holds which table's id, child tables included."""
    lab = open_lab()
    with lab.working():
        tables = source(lab).discover_schema().tables
    known = {
        (name, each["columns"][1], each["referenced_table"])
        for name, table in tables.items()
        for each in table.get("references") or ()
        if (each["columns"][0], each["referenced_columns"]) == ("account_id", ["account_id", "id"])
    }
    assert known == {(r.table, r.column, r.to) for e in DEFAULT_ENDPOINTS for r in e.references}


def test_one_table(open_lab: OpenLab) -> None:
    """with_resources reads and creates one table, and asks Harvest for nothing else."""
    lab = open_lab()
    lab.database = lab.folder / "plain.duckdb"
    run(lab, "time_entries", database=lab.database)
    assert {name.partition(".")[0] for name in lab.columns()} == {"time_entries"}
    assert_equal(lab, "time_entries")
    assert {asked.table for asked in lab.server.requests} == {"users_me", "time_entries"}


def test_another_destination_by_name(
    open_lab: OpenLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in a folder instead of a database receive every row, in both ways that rows travel."""
    lab = open_lab()
    bucket = tmp_path / "bucket"
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(bucket))
    tables = ("time_entries", "invoices", "clients")
    with lab.working():
        pipeline = dlt.pipeline("files", destination="filesystem", dataset_name="harvest")
        pipeline.run(source(lab).with_resources(*tables), loader_file_format="parquet")
    for table in tables:
        rows = read_parquet(bucket / "harvest" / table)
        assert {row["id"] for row in rows} == {row["id"] for row in lab.server.rows(table)}
        assert len(rows) == lab.server.count(table)
        declared = {column.name for column in BY_NAME[table].record.columns if not column.secret}
        assert declared <= rows[0].keys()
    lines = read_parquet(bucket / "harvest" / "invoices__line_items")
    assert len(lines) == sum(len(row["line_items"]) for row in lab.server.rows("invoices"))


def read_parquet(folder: Path) -> list[Row]:
    """Every row of a folder of parquet files."""
    with duckdb.connect() as connection:
        query = "SELECT * FROM read_parquet(?, union_by_name = true)"
        found = connection.sql(query, params=[str(folder / "*.parquet")])
        rows: list[Row] = found.to_arrow_table().to_pylist()
    return rows


def test_no_request_is_sent_until_rows_are_read(open_lab: OpenLab) -> None:
    """Building the source, naming its tables and selecting some of them sends no request."""
    lab = open_lab()
    with lab.working():
        built = source(lab)
        assert list(built.selected_resources) == [endpoint.name for endpoint in DEFAULT_ENDPOINTS]
        built.with_resources("clients", "tasks")
    assert list(lab.server.requests) == []


def test_rows_without_a_pipeline(open_lab: OpenLab) -> None:
    """list(harvest().clients) gives the rows, in either way they travel, and keeps no cursor."""
    lab = open_lab()
    for _ in range(2):
        with lab.working():
            clients = drawn(list(source(lab).clients))
            users = drawn(list(source(lab).users))
        assert sorted(row["id"] for row in clients) == sorted(
            row["id"] for row in lab.server.rows("clients")
        )
        assert {row["email"] for row in users} == {row["email"] for row in lab.server.rows("users")}


def drawn(items: list[Any]) -> list[Row]:
    """The rows of the items that a resource yields."""
    rows: list[Row] = []
    for item in items:
        rows += item.to_pylist() if isinstance(item, pa.Table) else [item]
    return rows


def test_settings_do_not_leak_into_other_pipelines(open_lab: OpenLab) -> None:
    """After a run, another pipeline in the same process has dlt's own behaviour."""
    lab = open_lab()
    run(lab, "clients", "invoices", database=lab.folder / "plain.duckdb")
    with lab.working():
        other = dlt.pipeline(
            "other",
            destination=dlt.destinations.duckdb(str(lab.folder / "other.duckdb")),
            dataset_name="elsewhere",
        )
        other.run([{"at": "2026-01-02T03:04:05Z"}], table_name="guessed")
        other.run(pa.table({"a": [1]}), table_name="arrow")
        columns = other.default_schema.tables
        assert columns["guessed"]["columns"]["at"]["data_type"] == "timestamp"
        assert columns["arrow"]["columns"].keys() == {"a"}


@pytest.mark.rare
@pytest.mark.parametrize("how", ["plain", "sync"])
def test_one_pipeline_name_for_two_databases(open_lab: OpenLab, how: str) -> None:
    """
    The cursors of one database are never used for another: a new one gets everything, and going
    back to the first brings what changed in between.
    """
    lab = open_lab()
    lab.stop_timers()
    first, second = lab.folder / "first.duckdb", lab.folder / "second.duckdb"

    def copy(database: Path) -> None:
        lab.rest()
        lab.database = database
        if how == "sync":
            assert lab.sync("clients", "roles").status == "ok"
        else:
            run(lab, "clients", "roles", database=database)

    def edit(name: str) -> None:
        for table in ("clients", "roles"):
            lab.server.edit(table, lab.server.rows(table)[0]["id"], name=name)

    copy(first)
    edit("While the first rests")
    copy(second)
    copy(second)
    edit("While both rest")
    copy(second)
    for database in (first, second):
        copy(database)
        for table in ("clients", "roles"):
            assert_equal(lab, table)


def test_plain_dlt_is_all_or_nothing(open_lab: OpenLab) -> None:
    """If one table fails, pipeline.run raises our error and no table changes; a rerun loads all."""
    lab = open_lab()
    lab.stop_timers()
    lab.rest()
    lab.database = lab.folder / "plain.duckdb"

    tables = ("clients", "tasks", "roles")
    run(lab, *tables, database=lab.database)
    before = lab.sql("SELECT * FROM clients ORDER BY id")
    for table in ("clients", "tasks"):
        lab.server.edit(table, lab.server.rows(table)[0]["id"], name="Edited")
    lab.server.fault("html", table="tasks")
    with pytest.raises(PipelineStepFailed) as caught:
        run(lab, *tables, database=lab.database)
    assert isinstance(find_cause(caught.value, HarvestError), ResponseError)
    assert lab.sql("SELECT * FROM clients ORDER BY id") == before
    lab.server.clear_faults()
    run(lab, *tables, database=lab.database)
    for table in ("clients", "tasks"):
        names = lab.sql(f"SELECT name FROM {table}")
        assert {row["name"] for row in names} == {r["name"] for r in lab.server.rows(table)}


def test_a_sync_removes_no_payments_that_came_after_an_empty_list(open_lab: OpenLab) -> None:
    """Plain dlt notes each list that is empty; the invoice may be paid before a sync removes."""
    lab = open_lab(invoices=15)
    tables = ("invoices", "invoice_payments")
    run(lab, *tables, database=lab.database, name="harvest")
    paid = {row["invoice_id"] for row in lab.table("invoice_payments")}
    unpaid = [each["id"] for each in lab.server.rows("invoices") if each["id"] not in paid]
    first, *_ = [lab.server.create("invoice_payments", invoice_id=each)["id"] for each in unpaid]
    lab.rest()
    run(lab, *tables, database=lab.database, name="harvest")
    assert first in lab.ids("invoice_payments")
    lab.rest()
    report = lab.sync(*tables)
    assert (report.status, report.run_log.deleted) == ("ok", {})
    assert lab.table("deleted_records") == []
    assert_equal(lab, "invoice_payments")
