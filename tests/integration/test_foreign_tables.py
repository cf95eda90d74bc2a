"""Tables of others in the dataset of a first sync, such as those of another connector."""

from __future__ import annotations

import shutil

import dlt
import duckdb
import pytest

from harvest_source.errors import ConfigError
from harvest_source.operations.check import check
from tests.support.lab import Lab
from tests.support.labs import OpenLab

OBJECTS = (
    "CREATE TABLE harvest.clients AS SELECT 1 AS x",
    "CREATE TABLE harvest.clients (id BIGINT, account_id BIGINT)",
    'CREATE TABLE harvest."Clients" AS SELECT 1 AS x',
    "CREATE VIEW harvest.clients AS SELECT 1 AS x",
    "CREATE TABLE harvest.sync_runs AS SELECT 1 AS x",
)

EVERY_OBJECT = """
    SELECT sql FROM duckdb_tables() WHERE schema_name LIKE 'harvest%'
    UNION ALL SELECT sql FROM duckdb_views() WHERE schema_name LIKE 'harvest%'
"""


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab without a warehouse."""
    return open_lab(entries=40)


def alter(lab: Lab, *statements: str) -> None:
    """Change the file, which may not exist yet."""
    with duckdb.connect(str(lab.database)) as connection:
        for each in statements:
            connection.execute(each)


@pytest.mark.parametrize("statement", OBJECTS)
def test_a_first_sync_into_a_table_of_others_is_refused(lab: Lab, statement: str) -> None:
    """dlt would add its columns and rows to it; in another dataset the sync works."""
    alter(lab, "CREATE SCHEMA harvest", statement)
    kept = lab.sql(EVERY_OBJECT)
    for full_refresh in (False, True):
        with pytest.raises(ConfigError, match="and no sync into it has been recorded"):
            lab.sync("clients", full_refresh=full_refresh)
    with lab.working():
        report = check(database=lab.database, settings=lab.settings)
    assert report.exit_code == 2
    assert lab.sql(EVERY_OBJECT) == kept
    assert lab.sync("clients", dataset="other").status == "ok"


def test_other_tables_in_the_dataset_are_kept(lab: Lab) -> None:
    """Only tables that the run loads are in the way, whatever else is in the dataset."""
    alter(lab, "CREATE SCHEMA harvest", "CREATE TABLE harvest.mine AS SELECT 1 AS x", OBJECTS[0])
    for _ in range(2):
        lab.rest()
        assert lab.sync("roles").status == "ok"
    assert lab.sql("SELECT x FROM harvest.clients") == lab.sql("SELECT x FROM harvest.mine")


def test_a_table_that_another_pipeline_loads_is_refused(lab: Lab) -> None:
    """Its rows have dlt's columns, too. A pipeline with other tables may share the dataset."""
    with lab.working():
        destination = dlt.destinations.duckdb(str(lab.database))
        pipeline = dlt.pipeline("other", destination=destination, dataset_name="harvest")
        pipeline.run([{"id": 1}], table_name="clients")
    with pytest.raises(ConfigError, match="table or view clients, and no sync"):
        lab.sync("clients")
    assert lab.sync("roles").status == "ok"
    assert lab.sql("SELECT id FROM harvest.clients") == [{"id": 1}]


def test_our_tables_are_known_although_dlts_lack_a_column(lab: Lab) -> None:
    """``check`` adds no columns, and knows from dlt's tables that this is no first load."""
    assert lab.sync("clients").status == "ok"
    lab.alter("ALTER TABLE _dlt_version DROP COLUMN inserted_at")
    shutil.rmtree(lab.folder / "dlt")
    with lab.working():
        found = check(database=lab.database, settings=lab.settings).findings
    assert [each.state for each in found if each.subject == "destination"] == ["ok"]
    assert lab.sync("clients").status == "ok"
