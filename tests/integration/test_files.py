"""Tables in files: ``sync`` writes Delta and Iceberg, and refuses plain files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest

from harvest_source import attach, harvest
from harvest_source.errors import ConfigError
from harvest_source.warehouse.target import Target
from harvest_source.warehouse.trial import try_destination
from tests.support.destination_story import DestinationLab
from tests.support.destinations import BY_NAME

TABLES = ("clients", "roles")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DestinationLab]:
    """An account, and a folder for tables of Delta."""
    with DestinationLab(tmp_path, BY_NAME["delta"], entries=10, invoices=0) as lab:
        yield lab


def refused(lab: DestinationLab, **options: Any) -> str:
    """The message that refuses a run before it asks Harvest for a table."""
    lab.server.reset_requests()
    with pytest.raises(ConfigError) as caught:
        lab.sync(*TABLES, **options)
    assert not {request.table for request in lab.server.requests} & set(TABLES)
    return str(caught.value)


def test_plain_files_are_refused(lab: DestinationLab) -> None:
    """Plain files cannot replace rows: the message names the formats that can, and their option."""
    message = refused(lab, settings={"table_format": None})
    assert "--table-format delta" in message
    assert "table_format under [sources.harvest]" in message
    assert not (lab.folder / "lake").exists()


@pytest.mark.rare
def test_a_format_that_differs_from_that_of_the_tables_is_refused(lab: DestinationLab) -> None:
    """If the tables have another format, the run names both; a run with the right one works."""
    pytest.importorskip("pyiceberg")
    lab.sync(*TABLES)
    message = refused(lab, settings={"table_format": "iceberg"})
    assert "are delta" in message
    assert lab.sync(*TABLES).status == "ok"


@pytest.mark.rare
def test_a_warehouse_of_another_pipeline_is_refused(lab: DestinationLab) -> None:
    """The state files show which pipeline loaded last."""
    lab.sync(*TABLES)
    assert "belongs to pipeline harvest" in refused(lab, pipeline="another")
    assert lab.sync(*TABLES, pipeline="another", take_over=True).status == "ok"
    assert "belongs to pipeline another" in refused(lab)


@pytest.mark.thorough
def test_two_machines_in_turn(lab: DestinationLab) -> None:
    """A folder that is behind goes on from the state in the files and overwrites no load."""
    lab.sync(*TABLES)
    folder, kept = lab.folder / "dlt", lab.folder / "kept"
    shutil.copytree(folder, kept)
    lab.server.create("clients")
    lab.rest()
    lab.sync(*TABLES)
    for _ in range(2):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        lab.rest()
        assert lab.sync(*TABLES).status == "ok"
        found = sorted(row["id"] for row in lab.table("clients"))
        assert found == sorted(row["id"] for row in lab.server.rows("clients"))


@pytest.mark.rare
def test_a_table_that_was_removed_is_read_again(lab: DestinationLab) -> None:
    """If a table's folder is gone, a run creates it anew and reads it from the beginning."""
    lab.sync(*TABLES)
    shutil.rmtree(lab.folder / "lake" / "harvest" / "clients")
    lab.rest()
    report = lab.sync(*TABLES)
    assert any("clients" in each and "created again" in each for each in report.run_log.warnings)
    assert len(lab.table("clients")) == len(lab.server.rows("clients"))


@pytest.mark.rare
def test_attach_reads_tables_without_duckdb_extensions(lab: DestinationLab) -> None:
    """attach() gives a dataset that needs no packages beyond those that a sync needs."""
    lab.sync(*TABLES)
    with lab.working():
        dataset = attach(destination="filesystem").dataset()
        rows = dataset("SELECT id FROM clients").fetchall()
        assert len(rows) == dataset.clients.arrow().num_rows == len(lab.server.rows("clients"))


def test_no_comments_are_written_to_files(lab: DestinationLab) -> None:
    """Comments would need a view on every table, which disappears with the connection."""
    assert lab.sync(*TABLES).status == "ok"
    with lab.working(), pytest.raises(KeyError):
        attach(destination="filesystem").get_local_state_val("harvest_source_comments")


@pytest.mark.thorough
def test_the_trial_of_files_uses_its_own_table(lab: DestinationLab) -> None:
    """Every value comes back, and the trial leaves nothing behind."""
    with lab.working():
        target = Target("filesystem", None, "harvest", "harvest", table_format="delta")
        assert try_destination(target) == []
    assert not list((lab.folder / "lake").glob("harvest_check*"))


@pytest.mark.rare
def test_plain_dlt_loads_delta(lab: DestinationLab) -> None:
    """With table_format dlt merges by itself, tables without rows too; history needs a sync."""
    tables = ("clients", "invoices")
    assert not lab.server.rows("invoices")
    with lab.working():
        pipeline = dlt.pipeline("plain", destination="filesystem", dataset_name="plain")
        options: Any = {"account_id": lab.server.account_id, "table_format": "delta"}
        for _ in range(2):
            pipeline.run(harvest(**options, **lab.settings).with_resources(*tables))
        from dlt.common.libs.deltalake import get_delta_tables

        table = get_delta_tables(pipeline, "clients")["clients"].to_pyarrow_table()
        assert table.num_rows == len(lab.server.rows("clients"))
        source = harvest(history=["clients"], **options, **lab.settings)
        with pytest.raises(Exception, match="harvest-source sync, which keeps history"):
            pipeline.run(source.with_resources("clients"))
