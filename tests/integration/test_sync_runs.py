"""``sync_runs``: a row for every run that reached the warehouse, however it ended."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from harvest_source.errors import AuthError, ServerError
from harvest_source.sandbox import Request
from tests.support.lab import Lab, Row
from tests.support.labs import OpenLab

TABLES = ("clients", "roles")


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A small account, loaded."""
    return open_lab.loaded(*TABLES, "tasks", invoices=0)


def last_run(lab: Lab) -> Row:
    """The newest row, with its JSON decoded."""
    (row,) = lab.sql("SELECT * FROM sync_runs ORDER BY started_at DESC, ended_at DESC LIMIT 1")
    return row | {name: json.loads(row[name]) for name in ("tables", "errors")}


@pytest.mark.rare
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refused_sign_in_is_recorded(open_lab: OpenLab, is_first: bool) -> None:
    """Even the very first run is recorded, so that readers see why there is nothing else."""
    lab = open_lab(invoices=0) if is_first else open_lab.loaded(*TABLES, "tasks", invoices=0)
    lab.rest()
    lab.server.revoke()
    with pytest.raises(AuthError):
        lab.sync(*TABLES)
    run = last_run(lab)
    assert (run["status"], run["tables"]) == ("error", {})
    assert [error["type"] for error in run["errors"]] == ["AuthError"]
    assert run["account_ids"] == str(lab.server.account_id)
    lab.server.restore_token()
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    assert lab.ids("clients") == sorted(row["id"] for row in lab.server.rows("clients"))


def test_an_unreachable_harvest_is_recorded(lab: Lab) -> None:
    """If no account could be opened, the row names each of them."""
    lab.rest()
    lab.server.fault("unavailable")
    with pytest.raises(ServerError):
        lab.sync(*TABLES)
    run = last_run(lab)
    assert run["status"] == "error"
    assert run["errors"][0]["account_id"] == lab.server.account_id


@pytest.mark.rare
def test_a_partial_run_is_recorded(lab: Lab) -> None:
    """The row says by table what was loaded and what failed."""
    lab.server.create("clients")
    lab.rest()
    lab.server.fault("html", table="roles")
    lab.sync(*TABLES)
    run = last_run(lab)
    assert (run["status"], run["errors"][0]["table"]) == ("partial", "roles")
    assert run["tables"]["clients"]["rows"] == 1


@pytest.mark.rare
def test_a_run_refused_by_the_guard_is_recorded(lab: Lab) -> None:
    """A refusal by the guard is a failure like any other."""
    for _ in range(60):
        lab.server.create("tasks")
    lab.rest()
    lab.sync("tasks")
    lab.rest()
    for record in lab.server.rows("tasks"):
        lab.server.delete("tasks", record["id"], force=True)
    report = lab.sync("tasks", full_refresh=True)
    assert report.exit_code == 5
    assert [error["type"] for error in last_run(lab)["errors"]] == ["GuardError"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW sync_runs AS SELECT 1 AS id",
        "CREATE TABLE sync_runs (id INTEGER, nothing TEXT)",
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_a_damaged_run_log_never_fails_the_sync(lab: Lab, statement: str, is_new: bool) -> None:
    """Whatever replaces the table, the rows of Harvest's tables decide the result."""
    lab.rest()

    def spoil(request: Request) -> None:
        if request.table != "clients":
            return
        with duckdb.connect(str(lab.database)) as connection:
            (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
            connection.execute(f'USE "{catalog}".harvest; DROP TABLE sync_runs; {statement}')

    lab.server.after_request(spoil)
    if is_new:
        lab.server.create("clients")
    report = lab.sync(*TABLES)
    assert (report.status, report.exit_code) == ("ok", 0), report.errors
    assert "sync_runs" in report.run_log.warnings[0]
    assert lab.ids("clients") == sorted(row["id"] for row in lab.server.rows("clients"))


def test_a_run_that_can_write_nothing_is_an_error(lab: Lab) -> None:
    """Its own row is the only one that the destination could refuse, if Harvest has nothing new."""
    lab.rest()
    assert lab.sync(*TABLES).exit_code == 0
    lab.rest()
    with ExitStack() as held:

        def hold(request: Request) -> None:
            if request.table == "clients":
                held.enter_context(duckdb.connect(str(lab.database), read_only=True))

        lab.server.after_request(hold)
        report = lab.sync(*TABLES)
    assert report.tables["roles"].rows, "read, and loaded before"
    assert report.run_log.failures == []
    assert (report.status, report.exit_code) == ("error", 6)


def test_a_run_that_loads_nothing_does_not_change_the_file(lab: Lab, tmp_path: Path) -> None:
    """The run's row stays in the log beside the file until a loading run writes both into it."""
    log = lab.database.with_name(f"{lab.database.name}.wal")
    for _ in range(2):
        lab.rest()
        lab.sync(*TABLES)
        before = lab.database.read_bytes()
        lab.rest()
        report = lab.sync(*TABLES)
        assert last_run(lab)["started_at"] == report.started_at
        assert (log.exists(), lab.database.read_bytes() == before) == (True, True)

    lab.rest()
    lab.server.create("clients")
    lab.sync(*TABLES)
    assert not log.exists()
    runs = lab.sql("SELECT COUNT(*) AS runs FROM sync_runs")
    alone = tmp_path / "alone.duckdb"
    shutil.copy(lab.database, alone)
    with duckdb.connect(str(alone), read_only=True) as copy:
        found = copy.execute("SELECT COUNT(*) FROM harvest.sync_runs").fetchall()
    assert found == [(runs[0]["runs"],)]


def test_a_published_copy_contains_the_row_of_its_run(lab: Lab, tmp_path: Path) -> None:
    """The copy has the row even if the run loaded nothing and left its row in the log."""
    place = tmp_path / "published.duckdb"
    for _ in range(2):
        lab.rest()
        report = lab.sync(*TABLES, publish=place)
    with duckdb.connect(str(place), read_only=True) as copy:
        found = copy.execute("SELECT max(started_at) FROM harvest.sync_runs").fetchall()
    assert found == [(report.started_at,)]
