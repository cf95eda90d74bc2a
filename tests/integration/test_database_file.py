"""Which DuckDB file a run writes, its properties, and what the run reports about it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from harvest_source.defaults import DATABASE, EARLIER_DATABASE
from harvest_source.errors import DestinationError
from harvest_source.operations.verify import verify
from harvest_source.warehouse import duckdb_file
from tests.support.children import fork
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal

TABLES = ("clients", "roles", "invoices")
OLDEST_STORAGE = 64
"""The version number in the header of files that DuckDB 1.0 reads."""


@pytest.fixture
def lab(open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose folder is the current one."""
    lab = open_lab(invoices=10)
    monkeypatch.chdir(lab.folder)
    return lab


def sync(lab: Lab, database: str | None = None) -> list[str]:
    """Run once into the default file or a named one; return the warnings."""
    report = lab.sync(*TABLES, database=database)
    assert report.status == "ok"
    return report.run_log.warnings


def assert_file(lab: Lab, name: str) -> None:
    """The tables are in that file, and they equal the account."""
    lab.database = lab.folder / name
    for table in TABLES:
        assert_equal(lab, table)


def edit(lab: Lab) -> None:
    """Change something in Harvest."""
    lab.rest()
    lab.server.edit("clients", lab.server.rows("clients")[0]["id"], name="Renamed")
    lab.server.create("invoices")
    lab.rest()


def test_the_dataset_needs_no_catalog(lab: Lab) -> None:
    """In the default file ``harvest.clients`` needs no catalog name, in any connection."""
    assert sync(lab) == []
    with duckdb.connect(DATABASE, read_only=True) as connection:
        (found,) = connection.execute("SELECT COUNT(*) FROM harvest.clients").fetchall()
    assert found == (lab.server.count("clients"),)
    assert not Path(EARLIER_DATABASE).exists()


@pytest.mark.rare
@pytest.mark.parametrize("content", ["empty", "another dataset", "text"])
def test_a_foreign_file_of_the_earlier_name_is_not_used(lab: Lab, content: str) -> None:
    """An empty or foreign harvest.duckdb, such as ``dlt.attach`` makes, is not a warehouse."""
    if content == "text":
        Path(EARLIER_DATABASE).write_text("Notes about Harvest. " * 1000)
    else:
        with duckdb.connect(EARLIER_DATABASE) as connection:
            if content == "another dataset":
                connection.execute("CREATE SCHEMA other; CREATE TABLE other._dlt_version (a INT)")
    before = Path(EARLIER_DATABASE).read_bytes()
    assert sync(lab) == []
    assert_file(lab, DATABASE)
    assert Path(EARLIER_DATABASE).read_bytes() == before


@pytest.mark.rare
def test_an_earlier_warehouse_is_used_until_it_is_renamed(lab: Lab) -> None:
    """A run warns how to rename an earlier file; after the rename, runs stay incremental."""
    sync(lab, EARLIER_DATABASE)
    edit(lab)
    (warning,) = sync(lab)
    assert f"rename it to {DATABASE}" in warning
    assert not Path(DATABASE).exists()
    assert_file(lab, EARLIER_DATABASE)

    Path(EARLIER_DATABASE).rename(DATABASE)
    edit(lab)
    report = lab.sync(*TABLES, database=None)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert report.tables["clients"].rows < lab.server.count("clients"), "not from the beginning"
    assert_file(lab, DATABASE)


@pytest.mark.rare
def test_the_default_file_wins_over_an_earlier_warehouse(lab: Lab) -> None:
    """If both files are there, the run uses the new name without a warning."""
    sync(lab)
    shutil.copy(DATABASE, EARLIER_DATABASE)
    before = Path(EARLIER_DATABASE).read_bytes()
    edit(lab)
    assert sync(lab) == []
    assert_file(lab, DATABASE)
    assert Path(EARLIER_DATABASE).read_bytes() == before


@pytest.mark.rare
def test_an_earlier_warehouse_in_use_is_waited_for(lab: Lab) -> None:
    """As a locked file hides whether it holds the dataset, the run starts no second warehouse."""
    sync(lab, EARLIER_DATABASE)
    call = "tests.integration.test_database_file:hold"
    path = lab.folder / EARLIER_DATABASE
    with fork(str(path), folder=lab.folder, environment=lab.environment, call=call) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DestinationError, match=rf"{EARLIER_DATABASE} is in use .*{holder.pid}"):
            lab.sync(*TABLES, database=None, settings={"destination_wait": 0})
    assert not Path(DATABASE).exists()


def hold() -> None:
    """In the child: open the named file for writing, and wait."""
    with duckdb.connect(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.read()


@pytest.mark.rare
@pytest.mark.parametrize("name", ["harvest.prod.duckdb", "harvest.2026.db", "Harvest.duckdb"])
def test_a_name_that_collides_loads_with_a_warning(lab: Lab, name: str) -> None:
    """If the catalog is named as the dataset, all works, and a warning says how to query."""
    (warning,) = sync(lab, name)
    assert f"{name.partition('.')[0]}.harvest.time_entries" in warning
    edit(lab)
    sync(lab, name)
    assert_file(lab, name)
    with lab.working():
        report = verify(database=name, account=lab.server.settings.accounts, settings=lab.settings)
    assert report.differences == []


@pytest.mark.rare
def test_file_names_with_dots_load_without_a_warning(lab: Lab) -> None:
    """Dots in the file's name do not make it collide."""
    assert sync(lab, "acme.harvest.2026.duckdb") == []
    assert_file(lab, "acme.harvest.2026.duckdb")


def read_storage(path: Path) -> int:
    """The storage version in a DuckDB file's header."""
    return int.from_bytes(path.read_bytes()[12:20], "little")


@pytest.mark.rare
def test_old_clients_can_open_the_file(lab: Lab) -> None:
    """The storage version stays the oldest one through merges, deletions and checkpoints."""
    sync(lab)
    path = Path(DATABASE)
    assert read_storage(path) == OLDEST_STORAGE
    for _ in range(2):
        edit(lab)
        lab.server.delete("clients", lab.server.rows("clients")[-1]["id"], force=True)
        lab.rest(DAY)
        sync(lab)
        with duckdb.connect(DATABASE) as connection:
            connection.execute("CHECKPOINT")
        assert read_storage(path) == OLDEST_STORAGE
    assert_file(lab, DATABASE)


@pytest.mark.rare
@pytest.mark.parametrize("pipeline", ["my-pipe", "2026", "p" * 200])
def test_any_folder_name_is_a_valid_pipeline_name(lab: Lab, pipeline: str) -> None:
    """dlt makes a schema of the name for its first client: no identifier, or one too long."""
    for rows in (lab.server.count("clients"), 0):
        report = lab.sync("clients", pipeline=pipeline)
        assert (report.status, report.tables["clients"].rows) == ("ok", rows)
        lab.rest()


@pytest.mark.rare
@pytest.mark.parametrize("target", ["harvest.duckdb", "data.duckdb"])
def test_a_symbolic_link_to_the_warehouse_works(lab: Lab, target: str) -> None:
    """DuckDB names the catalog after the file that the links lead to, not after the first link."""
    Path("harvest.duckdb").unlink(missing_ok=True)
    (lab.folder / "disk").mkdir()
    Path("link.duckdb").symlink_to("second.duckdb")
    Path("second.duckdb").symlink_to(lab.folder / "disk" / target)
    for _ in range(2):
        sync(lab, "link.duckdb")
        edit(lab)
    sync(lab, "link.duckdb")
    assert_file(lab, f"disk/{target}")


@pytest.mark.rare
def test_only_its_owner_may_read_a_new_warehouse(lab: Lab) -> None:
    """Rows hold salaries, so a new file is private; an existing file keeps its permissions."""
    sync(lab)
    assert Path(DATABASE).stat().st_mode & 0o777 == 0o600
    Path(DATABASE).chmod(0o640)
    edit(lab)
    sync(lab)
    assert Path(DATABASE).stat().st_mode & 0o777 == 0o640


@pytest.mark.rare
def test_a_connection_of_the_same_process_is_named(lab: Lab) -> None:
    """A run that finds a notebook's read connection names it and does not call the file damaged."""
    sync(lab)
    before = Path(DATABASE).read_bytes()
    with (
        duckdb.connect(DATABASE, read_only=True),
        pytest.raises(
            DestinationError, match=r"already open in this process.*connection.close\(\)"
        ),
    ):
        lab.sync(*TABLES, database=None)
    assert Path(DATABASE).read_bytes() == before
    sync(lab)


@pytest.mark.rare
def test_a_connection_that_writes_may_stay_open(lab: Lab) -> None:
    """The connection keeps its threads afterwards; during the run it has at most half of them."""
    sync(lab)
    with duckdb.connect(DATABASE) as connection:
        connection.execute("SET threads = 6")
        edit(lab)
        sync(lab)
        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(6,)]
    assert_file(lab, DATABASE)


WRITE_AND_DIE = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE harvest.mine AS SELECT range AS a FROM range(1000)")
os._exit(1)
"""


@pytest.mark.rare
def test_a_damaged_log_has_a_remedy(lab: Lab) -> None:
    """The command in the message restores the warehouse; the next run fills it."""
    sync(lab)
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, DATABASE], check=False)
    log = Path(f"{DATABASE}.wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)
    with pytest.raises(DestinationError, match=r"mv harvest_data.duckdb.wal") as caught:
        lab.sync(*TABLES, database=None)
    command = str(caught.value).partition("again: ")[2]
    subprocess.run(shlex.split(command), check=True)
    edit(lab)
    lab.sync(*TABLES, database=None)
    assert_file(lab, DATABASE)


def test_a_memory_limit_that_is_too_tight_is_lifted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If DuckDB runs out of memory under our limit, the same run loads again without it."""
    monkeypatch.setattr(duckdb_file, "MOST_MEMORY", 1024 * 1024)
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    assert sync(lab) == []
    assert_file(lab, DATABASE)


@pytest.mark.rare
def test_a_memory_limit_too_tight_for_a_removal_is_lifted(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB needs 16 KB for each 2,048 rows of which one is deleted: nine megabytes here."""
    lab, tables = open_lab(entries=60, invoices=6), ("invoices", "invoice_messages")
    lab.sync(*tables)
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute(
            """
            INSERT INTO harvest.invoice_messages
            SELECT one.* REPLACE (
                5_000_000_000 + i AS id,
                'x' || i AS _dlt_id,
                CASE WHEN i % 300 = 0 THEN -i - 1 ELSE invoice_id END AS invoice_id
            )
            FROM (SELECT * FROM harvest.invoice_messages LIMIT 1) AS one, range(1_200_000) AS t(i)
            """
        )
    lab.rest(DAY)
    monkeypatch.setattr(duckdb_file, "MOST_MEMORY", 8 * 1024 * 1024)
    report = lab.sync(*tables, deletes=True, max_deletes="100%")
    assert report.errors == ()
    assert [*report.run_log.deleted.values()] == [4000]


@pytest.mark.parametrize(("limit", "status"), [("200MB", "ok"), ("1MB", "error")])
def test_a_memory_limit_set_by_the_user_wins(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, limit: str, status: str
) -> None:
    """dlt's memory setting for DuckDB replaces our limit, whether it is wider or tighter."""
    config = json.dumps({"memory_limit": limit})
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__GLOBAL_CONFIG", config)
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    report = lab.sync(*TABLES, database=None)
    assert report.status == status
    assert ("Out of Memory" in str(report.errors)) == (status == "error")
