"""dlt's staging dataset is gone after each run: no table is listed twice."""

from __future__ import annotations

import signal

import pytest

from harvest_source.errors import AuthError
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
