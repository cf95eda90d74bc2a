"""
SIGKILL at chosen moments of a real run: the next run heals, and the tables equal the account.

The child runs the command line. At a moment inside dlt, the child kills itself; at a moment inside
Harvest, the sandbox kills it from a request hook.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from dlt.common.storages.load_package import PackageStorage

from harvest_source.errors import DestinationError
from harvest_source.operations.sync import Hooks, sync
from harvest_source.sandbox import Request
from tests.support.children import Child, fork
from tests.support.four_tables import TABLES, assert_whole, change, rows_read
from tests.support.holders import reading
from tests.support.lab import DAY, Lab
from tests.support.labs import OpenLab
from tests.support.moments import (
    COPIED,
    EXTRACTED,
    FIRST_COPIED,
    LOADED,
    NORMALIZED,
    STATEMENT,
    start_sync,
    strike_at,
)
from tests.support.truth import assert_equal

MOMENTS = {
    "between extract and normalize": EXTRACTED,
    "between normalize and load": NORMALIZED,
    "with the first table copied": FIRST_COPIED,
    "with a table copied that dlt has not noted": COPIED,
    "with every table merged": LOADED,
}


@pytest.fixture
def lab(open_lab: OpenLab) -> Lab:
    """A lab with loaded tables, and something to lose in every table."""
    lab = open_lab.loaded(*TABLES, invoices=15)
    change(lab)
    lab.server.edit("invoices", lab.server.rows("invoices")[1]["id"], line_items=[])
    lab.rest()
    return lab


def kill(lab: Lab, moment: str) -> None:
    """Run a sync that dies at *moment*."""
    with start_sync(lab, *TABLES, number=signal.SIGKILL, moment=moment) as child:
        assert child.wait() == -signal.SIGKILL


def die(lab: Lab, run: Callable[[], None]) -> None:
    """Start a child that calls *run*, a function of this module, which kills it."""
    call = f"tests.integration.test_kills:{run.__name__}"
    with fork(folder=lab.folder, environment=lab.environment, call=call) as child:
        assert child.wait() == -signal.SIGKILL


def assert_heals(lab: Lab) -> None:
    """The next run succeeds, and every row is there once."""
    lab.rest()
    assert lab.sync(*TABLES).status == "ok"
    for table in TABLES:
        assert_equal(lab, table)


@pytest.mark.rare
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_killed_in_dlt(lab: Lab, moment: str) -> None:
    """Whatever dlt was doing, the next run completes it and continues."""
    kill(lab, moment)
    assert_heals(lab)


@pytest.mark.slow
@pytest.mark.parametrize("call", range(1, 60))
def test_killed_at_any_statement(lab: Lab, call: int) -> None:
    """A run killed before its n-th SQL statement, dlt's included, loses nothing."""
    with start_sync(
        lab, *TABLES, number=signal.SIGKILL, moment=STATEMENT, call_number=call
    ) as child:
        assert child.wait() in (-signal.SIGKILL, 0)
    assert_heals(lab)


def test_killed_while_reading(lab: Lab) -> None:
    """If a run is killed between two requests, nothing has moved: the next reads all again."""
    children: Queue[Child] = Queue()

    def strike(request: Request) -> None:
        if request.table == "invoices":
            children.get().kill()

    lab.server.after_request(strike)
    with start_sync(lab, *TABLES) as child:
        children.put(child)
        assert child.wait() == -signal.SIGKILL
    lab.server.clear_hooks()
    assert_heals(lab)


@pytest.mark.rare
def test_killed_in_the_first_run(open_lab: OpenLab) -> None:
    """A first run is killed with its tables half loaded; the second run completes them."""
    lab = open_lab()
    lab.stop_timers()
    kill(lab, COPIED)
    assert_heals(lab)


@pytest.mark.rare
@pytest.mark.parametrize("moment", [FIRST_COPIED, COPIED, LOADED])
def test_killed_in_the_first_run_whose_folder_is_lost(open_lab: OpenLab, moment: str) -> None:
    """The next run knows the tables, though dlt restores none without a completed load."""
    lab = open_lab(invoices=15)
    lab.stop_timers()
    kill(lab, moment)
    shutil.rmtree(lab.folder / "dlt")
    lab.alter("ALTER TABLE invoices__line_items DROP COLUMN _dlt_root_id")
    assert_heals(lab)
    lab.rest()
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])


@pytest.mark.rare
def test_killed_before_dlt_notes_the_new_rows(open_lab: OpenLab) -> None:
    """New rows go directly into their table: those that dlt has not noted are there only once."""
    lab = open_lab(entries=1_200)
    lab.stop_timers()
    die(lab, sync_and_die_with_new_rows_in_their_table)
    assert lab.sql("SELECT count(*) AS n FROM time_entries")[0]["n"] == 1_200
    lab.server.edit("time_entries", lab.server.rows("time_entries")[0]["id"], notes="edited")
    assert_heals(lab)


def sync_and_die_with_new_rows_in_their_table() -> None:
    """In the child: a first sync that ends before dlt notes that the time entries are copied."""
    whole = PackageStorage.save_pending_transition

    def strike(storage: PackageStorage, *given: Any, **options: Any) -> None:
        if any(str(each).startswith("time_entries.") for each in (*given, *options.values())):
            os.kill(os.getpid(), signal.SIGKILL)
        whole(storage, *given, **options)

    setattr(PackageStorage, "save_pending_transition", strike)  # noqa: B010 - a method
    sync(database=Path("harvest_data.duckdb"), table=["time_entries"])


def test_a_killed_backfill_goes_on_where_it_was(open_lab: OpenLab) -> None:
    """Windows that were loaded are not read again, and no change in the meantime is lost."""
    lab = open_lab(entries=62_000)
    lab.stop_timers()
    die(lab, sync_and_die_in_the_fifth_load)
    there = lab.sql("SELECT count(*) AS n, min(id) AS first FROM time_entries")[0]
    assert 0 < there["n"] < 62_000
    query = "SELECT count(*) AS n FROM duckdb_columns() WHERE comment LIKE 'Hours%'"
    assert lab.sql(query)[0]["n"] > 0, "described before the read has ended"
    lab.server.edit("time_entries", there["first"], notes="edited between the runs")
    lab.rest()
    lab.server.reset_requests()
    assert lab.sync("time_entries").status == "ok"
    pages = lab.server.stats()["requests"]["time_entries"]
    assert pages < 31, "a whole read has 31 pages"
    rows = lab.server.rows("time_entries")
    found = lab.sql("SELECT id, notes FROM time_entries ORDER BY id")
    assert [(row["id"], row["notes"]) for row in found] == sorted(
        (row["id"], row["notes"]) for row in rows
    )


def sync_and_die_in_the_fifth_load() -> None:
    """In the child: a first sync in packages, killed once four of them are loaded."""
    strike_at(LOADED, signal.SIGKILL, call=5)
    hooks = Hooks(package_rows=10_000, workers=1)
    sync(database=Path("harvest_data.duckdb"), table=["time_entries"], hooks=hooks)


def test_a_payment_loaded_by_a_killed_first_run_is_removed_once_deleted(open_lab: OpenLab) -> None:
    """Its invoice looks as if it never had one, but rows were loaded before the cursor was."""
    lab = open_lab(invoices=15)
    lab.stop_timers()
    lab.rest(3 * DAY)
    die(lab, sync_and_die_with_payments_and_no_cursor)
    gone = lab.table("invoice_payments")[0]
    for row in lab.server.rows("invoice_payments"):
        if row["invoice_id"] == gone["invoice_id"]:
            lab.server.delete("invoice_payments", row["id"])
    lab.rest(2 * DAY)
    assert lab.sync("invoice_payments").status == "ok"
    assert_equal(lab, "invoice_payments")


def sync_and_die_with_payments_and_no_cursor() -> None:
    """In the child: a first sync that is killed between the load of rows and that of the cursor."""
    strike_at("harvest_source.warehouse.warehouse:Warehouse:load", signal.SIGKILL, call=2)
    hooks = Hooks(package_rows=1, workers=1)
    sync(database=Path("harvest_data.duckdb"), table=["invoice_payments"], hooks=hooks)


# Packages that a killed run left behind.


@pytest.mark.rare
def test_a_package_whose_rows_were_in_a_lost_log_is_read_again(lab: Lab) -> None:
    """dlt has noted that its files are copied, and its cursors would go on from there."""
    kill(lab, LOADED)
    Path(f"{lab.database}.wal").unlink()
    lab.rest()
    report = lab.sync(*TABLES)
    assert report.status == "ok"
    (warning,) = report.run_log.warnings
    assert "not as the last run left it" in warning
    assert_whole(lab)


@pytest.mark.rare
def test_a_pending_package_for_a_deleted_file_is_discarded(lab: Lab) -> None:
    """A pending package would bring its cursors into a new file, but none of the history."""
    kill(lab, EXTRACTED)
    lab.database.unlink()
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_a_pending_package_is_not_loaded_into_an_older_copy(lab: Lab, tmp_path: Path) -> None:
    """A pending package is not loaded into an older copy of the file either."""
    backup = tmp_path / "backup.duckdb"
    shutil.copy(lab.database, backup)
    assert lab.sync(*TABLES).status == "ok"
    change(lab)
    kill(lab, EXTRACTED)
    lab.rest(2 * DAY)
    shutil.copy(backup, lab.database)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)


@pytest.mark.rare
def test_a_pending_package_is_kept_while_the_file_is_locked(lab: Lab) -> None:
    """The lock is temporary, so the package stays and is loaded without asking Harvest again."""
    kill(lab, EXTRACTED)
    with reading(lab.database), pytest.raises(DestinationError, match="PID"):
        lab.sync(*TABLES)
    lab.rest()
    report = lab.sync(*TABLES)
    assert (report.status, report.run_log.warnings) == ("ok", [])
    assert rows_read(report) == 0
    assert_whole(lab)


@pytest.mark.rare
@pytest.mark.parametrize("pattern", ["*.parquet", "schema.json", "load_package_state.json"])
@pytest.mark.parametrize("content", [pytest.param(b"", marks=pytest.mark.slow), b"half"])
def test_a_broken_package_is_discarded(lab: Lab, pattern: str, content: bytes) -> None:
    """Half a package, as a power cut leaves, never loads and must not block runs permanently."""
    kill(lab, NORMALIZED)
    broken = [file for file in (lab.folder / "dlt").rglob(pattern) if "load" in file.parts]
    assert broken
    for file in broken:
        file.write_bytes(content)
    assert lab.sync(*TABLES).status == "ok"
    assert_whole(lab)
