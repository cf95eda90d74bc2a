"""What people see at the end of a sync."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from harvest_source.cli.console import Console
from harvest_source.cli.show_sync import show_sync, summarise
from harvest_source.errors import DestinationError, HarvestError, ServerError
from harvest_source.extract.run_log import RunLog, UnaskedParents
from harvest_source.operations.run_report import SyncReport, TableCount
from harvest_source.warehouse.target import Target
from tests.clocks import START

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]

ENTRIES = TableCount(5000, 2, {1000001: (5000, 2)})
ROLES = TableCount(5, 0, {1000001: (5, 0)})
TABLES = {"time_entries": ENTRIES, "estimate_item_categories": ROLES}
FILE = Target(database=Path("acme.duckdb"))


def report(
    run_log: RunLog | None = None,
    *,
    account_ids: tuple[int, ...] = (1000001,),
    tables: Mapping[str, TableCount] = TABLES,
    errors: tuple[HarvestError, ...] = (),
    target: Target = FILE,
) -> SyncReport:
    return SyncReport(
        target=target,
        account_ids=account_ids,
        started_at=START,
        ended_at=START + timedelta(seconds=3),
        seconds=3.21,
        requests=31,
        tables=tables,
        run_log=run_log or RunLog(),
        errors=errors,
    )


EXPECTED = f"""\

 Table                      Rows read   Deleted
 ──────────────────────────────────────────────
 time_entries                   5,000         2
 estimate_item_categories           5         0

ok: 5,005 rows of account 1000001, into acme.duckdb, dataset harvest: 31 requests, 3.2 s, complete \
as of {START:%H:%M:%S} UTC
"""


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_the_report_is_a_table_and_an_unbroken_last_line(
    capsys: Capture, screen: Screen, columns: int
) -> None:
    """The output is the same on every screen: a table fits, the last line is never broken."""
    screen(columns)
    show_sync(Console(), report())
    captured = capsys.readouterr()
    assert captured.out == EXPECTED
    assert captured.err == ""


def test_tables_without_news_are_counted(capsys: Capture) -> None:
    """An hourly run lists only the tables that changed, and counts the others."""
    quiet = TableCount(0, 0, {1000001: (0, 0)})
    show_sync(Console(), report(tables={"roles": ROLES, "clients": quiet, "tasks": quiet}))
    lines = capsys.readouterr().out.splitlines()
    assert "roles" in lines[3]
    assert not any("clients" in line for line in lines)
    assert "Nothing new in 2 tables." in lines


def test_quiet_is_one_line_with_the_time(capsys: Capture) -> None:
    """The line has the end time, the rows, and the time as of which they are complete."""
    show_sync(Console(quiet=True), report())
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    ended = START + timedelta(seconds=3)
    assert line.startswith(f"{ended:%Y-%m-%d %H:%M:%S} UTC ok: 5,005 rows of account 1000001, ")
    assert line.endswith(f"complete as of {START:%H:%M:%S} UTC")
    assert captured.err == ""


def test_several_accounts_have_a_column(capsys: Capture) -> None:
    """Accounts have separate lines per table, and the last line names both accounts."""
    entries = TableCount(12, 0, {1000001: (10, 0), 1000002: (2, 0)})
    show_sync(Console(), report(account_ids=(1000001, 1000002), tables={"time_entries": entries}))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[3:5]] == [
        ["1000001", "time_entries", "10", "0"],
        ["1000002", "time_entries", "2", "0"],
    ]
    assert lines[-1].startswith("ok: 12 rows of accounts 1000001, 1000002, ")


def test_problems_are_printed_on_stderr(capsys: Capture) -> None:
    """Warnings, skipped tables, the audit, then errors: each on its own line."""
    log = RunLog()
    log.warn("The clocks differ.")
    log.skip("invoices", 1000001, "the role may not read it")
    log.fail("projects", 1000001, ServerError("Gave up on projects."))
    log.fail("", 1000002, ServerError("Gave up on users/me."))
    log.note_unproven("tasks", 1000001, "tasks kept changing while it was read.")
    log.audit.compared = 2
    show_sync(Console(), report(log, errors=(DestinationError("The disk is full."),)))
    assert capsys.readouterr().err.splitlines() == [
        "warning: The clocks differ.",
        "skipped: invoices of account 1000001: the role may not read it",
        "audit: 2 tables compared with Harvest, 0 rows deleted, 0 found missing, 0 read again, "
        "0 of them corrected",
        "error: The disk is full.",
        "error: projects of account 1000001: Gave up on projects.",
        "error: the whole account of account 1000002: Gave up on users/me.",
        "error: tasks kept changing while it was read.",
    ]


def test_parents_left_for_later_runs_are_reported(capsys: Capture) -> None:
    """The message has table, parents left and in total, the last date, and how to read all now."""
    log = RunLog()
    log.unasked["invoice_payments", 1000001] = UnaskedParents(450, 500, START + timedelta(days=7))
    show_sync(Console(), report(log))
    captured = capsys.readouterr()
    assert captured.err == (
        "later: the next runs read invoice_payments of 450 of 500 invoices, all of them by "
        f"{START + timedelta(days=7):%Y-%m-%d} with one run a day. To read all now: "
        "harvest-source sync --all-children --database acme.duckdb\n"
    )
    assert captured.out.endswith(f"complete as of {START:%H:%M:%S} UTC except for 1 table\n")
    assert report(log).as_dict()["unasked"] == [
        {
            "account_id": 1000001,
            "table": "invoice_payments",
            "left": 450,
            "parents": 500,
            "by": (START + timedelta(days=7)).isoformat(),
        }
    ]


def test_a_run_without_tables_prints_its_last_line(capsys: Capture) -> None:
    """No empty table is printed."""
    show_sync(Console(), report(tables={}, errors=(DestinationError("Full."),)))
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("error: 0 rows of account 1000001, into acme.duckdb, ")


def test_json_is_the_report_and_nothing_else(capsys: Capture) -> None:
    """Warnings and errors are in the object, not on stderr."""
    log = RunLog()
    log.warn("The clocks differ.")
    show_sync(Console(as_json=True), report(log))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == report(log).as_dict()
    assert captured.err == ""


def test_the_last_line_names_the_destination() -> None:
    """Without a file, the destination's name says where the rows went."""
    target = Target("postgres", None, "harvest_raw", "harvest")
    assert ", into postgres, dataset harvest_raw: " in summarise(report(target=target))
