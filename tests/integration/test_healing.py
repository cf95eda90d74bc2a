"""
Damage that people and machines do to a warehouse between two runs: the next run repairs it.

No manual step is needed, and in the end the tables equal the account.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from harvest_source.clock import Clock
from harvest_source.errors import BusyError, DestinationError
from harvest_source.operations.sync import Hooks
from harvest_source.sandbox import Request
from tests.clocks import OwnClock
from tests.support.children import Child
from tests.support.four_tables import TABLES, assert_whole, change, rows_read
from tests.support.holders import reading
from tests.support.lab import Lab
from tests.support.labs import OpenLab
from tests.support.truth import assert_equal


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with loaded tables and something new in Harvest."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    return lab


def test_a_lost_folder_is_restored(lab: Lab) -> None:
    """The warehouse holds the cursors too, so a new machine reads only what changed."""
    shutil.rmtree(lab.folder / "dlt")
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    assert rows_read(report) == 2, "the one that changed and the new one"
    assert_whole(lab)


def test_a_folder_that_is_lost_during_a_run_is_restored(lab: Lab) -> None:
    """The run is refused, not reported as a bug; the next one reads what it could not load."""

    def lose(request: Request) -> None:
        if request.table == "clients":
            shutil.rmtree(lab.folder / "dlt", ignore_errors=True)

    lab.server.before_request(lose)
    report = lab.sync(*TABLES)
    lab.server.clear_hooks()
    assert report.exit_code == 6
    assert "dlt" in str(report.errors[0])
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


def test_a_file_that_is_lost_during_a_run_is_made_again(lab: Lab) -> None:
    """The run does not claim to know of another run; the next one reads everything."""

    def lose(request: Request) -> None:
        if request.table == "clients":
            lab.database.unlink(missing_ok=True)

    lab.server.before_request(lose)
    with pytest.raises(BusyError, match="or the file was deleted, moved or replaced"):
        lab.sync("clients")
    lab.server.clear_hooks()
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("DROP TABLE clients", "clients"),
        ("DROP TABLE invoices", "invoices"),
        ("DROP TABLE invoices__line_items", "invoices"),
        ("ALTER TABLE time_entries DROP COLUMN notes", "time_entries"),
        ("ALTER TABLE clients DROP COLUMN id", "clients"),
        ("ALTER TABLE clients DROP COLUMN _dlt_load_id", "clients"),
        ("ALTER TABLE invoices DROP COLUMN _dlt_id", "invoices"),
        ("ALTER TABLE invoices__line_items DROP COLUMN _dlt_root_id", "invoices"),
    ],
)
def test_a_dropped_table_comes_back(lab: Lab, statement: str, table: str) -> None:
    """dlt believes it is there, but the run creates it and reads it from the beginning."""
    lab.alter(statement)
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    (warning,) = report.run_log.warnings
    assert table in warning
    assert rows_read(report, table) == len(lab.server.rows(table))
    others = {"clients", "time_entries"} - {table}
    assert all(rows_read(report, other) < 5 for other in others)
    assert_whole(lab)


@pytest.mark.rare
@pytest.mark.parametrize(
    "table", ["sync_runs", "_dlt_loads", "_dlt_version", "_dlt_pipeline_state"]
)
def test_lost_bookkeeping_tables_are_recreated(lab: Lab, table: str) -> None:
    """The loss of our own tables or dlt's cannot stop runs permanently."""
    lab.alter(f"DROP TABLE {table}")
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)
    assert lab.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"] > 0


@pytest.mark.rare
def test_a_dropped_table_that_the_run_does_not_read_is_recreated_too(lab: Lab) -> None:
    """A run of other tables recreates it empty; the next run of it still reads all its history."""
    lab.alter("DROP TABLE clients")
    assert lab.sync("time_entries").status == "ok"
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


def test_a_deleted_file_is_filled_again(lab: Lab) -> None:
    """The working folder's cursors do not count for a database that is gone."""
    lab.database.unlink()
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    assert rows_read(report) == len(lab.server.rows("time_entries"))
    assert_whole(lab)


@pytest.mark.rare
def test_an_older_copy_is_brought_up_to_date(lab: Lab, tmp_path: Path) -> None:
    """If yesterday's copy is put back, its own cursors count, not those of the working folder."""
    backup = tmp_path / "backup.duckdb"
    shutil.copy(lab.database, backup)
    assert lab.sync(*TABLES).status == "ok"
    change(lab)
    assert lab.sync(*TABLES).status == "ok"
    lab.rest()
    shutil.copy(backup, lab.database)
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    assert "not as the last run left it" in report.run_log.warnings[0]
    assert rows_read(report) < 5
    assert_whole(lab)


@pytest.mark.rare
@pytest.mark.parametrize("name", ["state.json", "*.schema.json"])
@pytest.mark.parametrize(
    "content", ['{"half":', *(pytest.param(text, marks=pytest.mark.slow) for text in (None, ""))]
)
def test_a_damaged_folder_is_made_anew(lab: Lab, name: str, content: str | None) -> None:
    """A full disk or a power cut left files empty, truncated or missing."""
    for file in (lab.folder / "dlt").rglob(name):
        file.unlink()
        if content is not None:
            file.write_text(content)
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    assert rows_read(report) == 2
    assert_whole(lab)


# A database that others hold.


@pytest.mark.rare
def test_a_run_waits_for_a_reader_to_release_the_file(lab: Lab) -> None:
    """A file that is released within destination_wait costs time and nothing else."""
    with reading(lab.database) as reader:

        def leave(slept: float) -> None:
            if slept >= 10:
                reader.kill()
                reader.wait()

        report = lab.sync(*TABLES, hooks=Hooks(clock=OwnClock(lab.clock, leave)))
    assert report.status == "ok"
    assert str(reader.pid) in report.run_log.warnings[0]
    assert_whole(lab)


@pytest.mark.rare
@pytest.mark.parametrize(("settings", "seconds"), [({}, 60), ({"destination_wait": 5}, 5)])
def test_a_reader_that_stays_is_named(lab: Lab, settings: dict[str, int], seconds: int) -> None:
    """After destination_wait: exit 6 with the PID; no list was requested; the next run has all."""
    slept: list[float] = []
    lab.server.reset_requests()
    with reading(lab.database) as reader, pytest.raises(DestinationError) as caught:
        lab.sync(*TABLES, settings=settings, hooks=Hooks(clock=OwnClock(lab.clock, slept.append)))
    assert f"(PID {reader.pid})" in str(caught.value)
    assert (caught.value.exit_code, slept[-1]) == (6, seconds)
    # Asked while the file is opened: who the token's owner is, and which modules are on.
    assert lab.server.stats()["requests"].keys() <= {"users_me", "company"}
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_a_run_waits_only_twice_for_a_reader_that_arrives_after_the_load(lab: Lab) -> None:
    """The audit waits once and the end of the run once, but not again for each of its steps."""
    slept: list[float] = []
    with ExitStack() as readers:

        def come(request: Request) -> None:
            if request.params.get("per_page") == "1" and not asked:
                asked.append(request)
                readers.enter_context(reading(lab.database))

        asked: list[Request] = []
        lab.server.before_request(come)
        clock = OwnClock(lab.clock, slept.append)
        report = lab.sync(*TABLES, deletes=True, hooks=Hooks(clock=clock))
    lab.server.clear_hooks()
    assert len(asked) == 1
    assert (report.exit_code, slept[-1]) == (6, 120)
    assert "smaller" not in " ".join(report.run_log.warnings)
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_another_process_may_open_the_file_while_harvest_is_asked(lab: Lab) -> None:
    """A run does not hold the file while it asks Harvest; another process may open it meanwhile."""
    with ExitStack() as readers:
        came: list[Child] = []

        def come(request: Request) -> None:
            if request.table == "clients":
                came.append(readers.enter_context(reading(lab.database)))

        def leave(_: float) -> None:
            came[0].kill()
            came[0].wait()

        lab.server.before_request(come)
        report = lab.sync(*TABLES, hooks=Hooks(clock=OwnClock(lab.clock, leave)))
    lab.server.clear_hooks()
    assert report.status == "ok"
    assert str(came[0].pid) in report.run_log.warnings[0]
    assert_whole(lab)


# Clocks.


@pytest.mark.rare
@pytest.mark.parametrize(
    "days", [400, *(pytest.param(days, marks=pytest.mark.slow) for days in (-20_000, -400))]
)
def test_a_wrong_clock_loses_no_row(lab: Lab, days: int) -> None:
    """If this machine's clock is behind or ahead for one run, no row is missed."""
    clock: Clock = OwnClock(lambda: lab.clock() + timedelta(days=days), lambda _: None)
    for wrong in (True, False, False):
        change(lab)
        report = lab.sync(*TABLES, **({"hooks": Hooks(clock=clock)} if wrong else {}))
        assert report.status == "ok"
        for table in TABLES:
            assert_equal(lab, table)


@pytest.mark.parametrize("days", [-2, 400])
def test_a_snapshot_has_the_day_of_harvests_clock(open_lab: OpenLab, days: int) -> None:
    """This machine's clock may be wrong for a run, but no later run corrects the day."""
    lab = open_lab()
    clock: Clock = OwnClock(lambda: lab.clock() + timedelta(days=days), lambda _: None)
    assert lab.sync("report_project_budget", hooks=Hooks(clock=clock)).status == "ok"
    found = lab.sql("SELECT DISTINCT snapshot_date FROM report_project_budget")
    assert found == [{"snapshot_date": lab.clock().date()}]
