"""dlt's staging dataset is gone after each run: no table is listed twice."""

from __future__ import annotations

import shutil
import signal

import dlt
import duckdb
import pytest

from harvest_source.errors import AuthError, ConfigError
from harvest_source.operations.verify import verify
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.moments import FIRST_COPIED, start_sync
from tests.support.statements import Stopped, stopping_at

TABLES = ("time_entries", "invoices")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with two loaded tables."""
    return open_lab.loaded(*TABLES, entries=40, invoices=5)


def schemas(lab: Lab) -> list[str]:
    """The schemas of the file, except DuckDB's own."""
    rows = lab.sql(
        "SELECT schema_name AS name FROM duckdb_schemas() "
        "WHERE NOT internal AND database_name = current_database() ORDER BY 1"
    )
    return [row["name"] for row in rows]


def change(lab: Lab) -> int:
    """Edit an entry; return its id."""
    lab.rest()
    entry = int(lab.server.rows("time_entries")[0]["id"])
    lab.server.edit("time_entries", entry, notes="Changed")
    return entry


def is_merged(lab: Lab, entry: int) -> bool:
    return lab.sql(f"SELECT notes FROM time_entries WHERE id = {entry}") == [{"notes": "Changed"}]


def test_no_staging_schema_is_left_after_a_run(lab: Lab) -> None:
    """After a first sync, a changed one, a full refresh and a mending there is one schema."""
    assert schemas(lab) == ["harvest"]
    entry = change(lab)
    assert lab.sync(*TABLES).status == "ok"
    assert (is_merged(lab, entry), schemas(lab)) == (True, ["harvest"])
    assert lab.sync(*TABLES, full_refresh=True).status == "ok"
    assert schemas(lab) == ["harvest"]
    lab.alter("DELETE FROM time_entries WHERE id % 2 = 0")
    with lab.working():
        options = {"account": lab.server.settings.accounts, "settings": lab.settings}
        report = verify(database=lab.database, fix=True, max_deletes="100%", **options)  # type: ignore[arg-type]
    assert report.exit_code == 0
    assert schemas(lab) == ["harvest"]


def test_a_refused_first_run_leaves_one_schema(open_lab: OpenLab) -> None:
    """A wrong account id in the first run: its row is written into a new warehouse."""
    lab = open_lab(entries=40)
    with pytest.raises(AuthError):
        lab.sync("clients", account=[999])
    assert (len(lab.table("sync_runs")), schemas(lab)) == (1, ["harvest"])
    assert lab.sync("clients").status == "ok"
    assert (len(lab.table("sync_runs")), schemas(lab)) == (2, ["harvest"])


def test_tables_that_dlt_did_not_create_are_kept(lab: Lab) -> None:
    """Tables and views that dlt did not create are kept, and then the schema is kept too."""
    lab.alter("CREATE SCHEMA harvest_staging")
    lab.alter("CREATE TABLE harvest_staging.mine AS SELECT 1 AS one")
    lab.alter("CREATE VIEW harvest_staging.users AS SELECT 1 AS one")
    entry = change(lab)
    assert lab.sync(*TABLES).status == "ok"
    assert (is_merged(lab, entry), schemas(lab)) == (True, ["harvest", "harvest_staging"])
    assert lab.sql(
        "SELECT table_name AS name FROM duckdb_tables() WHERE schema_name <> 'harvest'"
    ) == [{"name": "mine"}]
    assert lab.sql("SELECT * FROM harvest_staging.users") == [{"one": 1}]


@pytest.mark.rare
def test_a_schema_that_dlt_did_not_create_is_kept(lab: Lab) -> None:
    """A schema with tables named like Harvest's is dlt's only if it has a _dlt_version table."""
    lab.alter("CREATE SCHEMA harvest_staging")
    lab.alter("CREATE TABLE harvest_staging.roles AS SELECT 1 AS one")
    assert lab.sync(*TABLES).status == "ok"
    assert lab.sql("SELECT * FROM harvest_staging.roles") == [{"one": 1}]


@pytest.mark.rare
@pytest.mark.parametrize(
    "statement", ['DELETE FROM "harvest_staging"."_dlt_version"', "DROP TABLE", "DROP SCHEMA"]
)
def test_a_stopped_drop_is_finished(lab: Lab, statement: str) -> None:
    """If it stops at any statement, the next run loads, and drops what is left."""
    change(lab)
    with stopping_at(statement), pytest.raises(Stopped):
        lab.sync(*TABLES)
    entry = change(lab)
    assert lab.sync(*TABLES).status == "ok"
    assert (is_merged(lab, entry), schemas(lab)) == (True, ["harvest"])


@pytest.mark.rare
def test_a_pending_package_is_loaded_before_the_staging_schema_is_dropped(lab: Lab) -> None:
    """An interrupted package may need the rows there, so it is loaded before the drop."""
    entry = change(lab)
    with start_sync(lab, *TABLES, number=signal.SIGKILL, moment=FIRST_COPIED) as child:
        assert child.wait() == -signal.SIGKILL
    assert schemas(lab) == ["harvest", "harvest_staging"]
    assert lab.sync(*TABLES).status == "ok"
    assert (is_merged(lab, entry), schemas(lab)) == (True, ["harvest"])


def load_other(lab: Lab) -> None:
    """Another pipeline of dlt loads a table with the name of ours into ``harvest_staging``."""
    with lab.working():
        destination = dlt.destinations.duckdb(str(lab.database))
        pipeline = dlt.pipeline("other", destination=destination, dataset_name="harvest_staging")
        pipeline.run([{"id": 1}], table_name="time_entries")


OTHER = "SELECT id FROM harvest_staging.time_entries"


def test_a_dataset_with_the_name_of_the_staging_schema_is_kept(lab: Lab) -> None:
    """Datasets harvest and harvest_staging in one file: a sync into the first is refused."""
    load_other(lab)
    entry = change(lab)
    for full_refresh in (False, True):
        with pytest.raises(ConfigError, match="staging dataset, harvest_staging, and another"):
            lab.sync(*TABLES, full_refresh=full_refresh)
    assert (is_merged(lab, entry), lab.sql(OTHER)) == (False, [{"id": 1}])


def test_verify_keeps_a_dataset_with_the_name_of_the_staging_schema(lab: Lab) -> None:
    """It writes its row through dlt, which would empty tables there."""
    load_other(lab)
    options = {"account": lab.server.settings.accounts, "settings": lab.settings}
    for fix in (False, True):
        with lab.working(), pytest.raises(ConfigError, match="another pipeline has loaded"):
            verify(database=lab.database, fix=fix, **options)  # type: ignore[arg-type]
    assert lab.sql(OTHER) == [{"id": 1}]


def test_a_first_sync_keeps_a_dataset_with_the_name_of_the_staging_schema(
    open_lab: OpenLab,
) -> None:
    """The check needs nothing that an earlier run left."""
    lab = open_lab(entries=40)
    load_other(lab)
    with pytest.raises(ConfigError, match="STAGING_DATASET_NAME_LAYOUT"):
        lab.sync("clients")
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        assert connection.sql(OTHER).fetchall() == [(1,)]


def test_the_setting_that_the_refusal_names_works(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another layout of dlt's staging dataset, both datasets are loaded."""
    load_other(lab)
    entry = change(lab)
    monkeypatch.setenv("DESTINATION__DUCKDB__STAGING_DATASET_NAME_LAYOUT", "%s_loading")
    assert lab.sync(*TABLES, full_refresh=True).status == "ok"
    assert (is_merged(lab, entry), lab.sql(OTHER)) == (True, [{"id": 1}])
    assert schemas(lab) == ["harvest", "harvest_staging"]


OBJECTS = (
    "CREATE TABLE harvest_staging.sync_runs (id BIGINT)",
    "CREATE TABLE harvest_staging.time_entries (x INTEGER)",
    'CREATE TABLE harvest_staging."Time_Entries" AS SELECT 1 AS x',
    "CREATE VIEW harvest_staging.invoices AS SELECT 1 AS x",
    "CREATE TABLE harvest_staging.invoices__line_items AS SELECT 1 AS x",
    "CREATE TABLE harvest_staging.time_entries AS FROM harvest.time_entries",
)
"""Objects of the user in place of tables that dlt uses; the last one has dlt's columns."""

EVERY_OBJECT = """
    SELECT schema_name AS place, table_name AS name, sql FROM duckdb_tables()
    WHERE schema_name = 'harvest_staging'
    UNION ALL SELECT schema_name, view_name, sql FROM duckdb_views()
    WHERE schema_name = 'harvest_staging'
"""


@pytest.mark.parametrize("statement", OBJECTS)
def test_objects_in_place_of_our_tables_are_kept(lab: Lab, statement: str) -> None:
    """dlt would empty and drop them, so nothing is loaded until they are elsewhere."""
    lab.alter("CREATE SCHEMA harvest_staging")
    lab.alter(statement)
    kept, entry = lab.sql(EVERY_OBJECT), change(lab)
    assert len(kept) == 1
    name = str(kept[0]["name"])
    for full_refresh in (False, True):
        with pytest.raises(ConfigError, match=f"table or view {name} that dlt did not create"):
            lab.sync(*TABLES, full_refresh=full_refresh)
    options = {"account": lab.server.settings.accounts, "settings": lab.settings}
    for fix in (False, True):
        with lab.working(), pytest.raises(ConfigError, match=f"Move {name} into another schema"):
            verify(database=lab.database, fix=fix, **options)  # type: ignore[arg-type]
    assert (is_merged(lab, entry), lab.sql(EVERY_OBJECT)) == (False, kept)
    lab.alter(f'DROP {"VIEW" if "VIEW" in statement else "TABLE"} harvest_staging."{name}"')
    assert lab.sync(*TABLES).status == "ok"
    assert is_merged(lab, entry)


def test_a_first_sync_keeps_an_object_in_place_of_a_table_that_it_reads(open_lab: OpenLab) -> None:
    """Other schemas' tables may be in the file before ours are."""
    lab = open_lab(entries=40)
    with duckdb.connect(str(lab.database)) as connection:
        connection.sql("CREATE SCHEMA harvest_staging")
        connection.sql("CREATE TABLE harvest_staging.clients AS SELECT 1 AS x")
    assert lab.sync("roles").status == "ok"
    with pytest.raises(ConfigError, match="table or view clients that dlt did not create"):
        lab.sync("clients")
    assert lab.sql("SELECT x FROM harvest_staging.clients") == [{"x": 1}]


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_a_new_working_folder_keeps_an_object_in_place_of_a_table_that_it_does_not_read(
    lab: Lab, kind: str
) -> None:
    """In a new container the folder is empty; dlt uses and drops all tables that are loaded."""
    lab.alter("CREATE SCHEMA harvest_staging")
    lab.alter(f"CREATE {kind} harvest_staging.invoices AS FROM harvest.invoices")
    kept = lab.sql("FROM harvest_staging.invoices")
    change(lab)
    shutil.rmtree(lab.folder / "dlt")
    with pytest.raises(ConfigError, match="table or view invoices that dlt did not create"):
        lab.sync("time_entries")
    shutil.rmtree(lab.folder / "dlt")
    options = {"account": lab.server.settings.accounts, "settings": lab.settings}
    with lab.working(), pytest.raises(ConfigError, match="Move invoices into another schema"):
        verify(database=lab.database, **options)  # type: ignore[arg-type]
    assert lab.sql("FROM harvest_staging.invoices") == kept


@pytest.mark.rare
def test_rows_that_wait_are_loaded_once_the_object_is_elsewhere(lab: Lab) -> None:
    """A killed run left dlt's own staging tables; one of them was replaced since."""
    entry = change(lab)
    with start_sync(lab, *TABLES, number=signal.SIGKILL, moment=FIRST_COPIED) as child:
        assert child.wait() == -signal.SIGKILL
    lab.alter("DROP TABLE harvest_staging.time_entries")
    lab.alter("CREATE VIEW harvest_staging.time_entries AS SELECT 1 AS x")
    with pytest.raises(ConfigError, match="table or view time_entries that dlt did not create"):
        lab.sync(*TABLES)
    lab.alter("DROP VIEW harvest_staging.time_entries")
    assert lab.sync(*TABLES).status == "ok"
    assert (is_merged(lab, entry), schemas(lab)) == (True, ["harvest"])
