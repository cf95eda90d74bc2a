"""
Anything, in any order: edits, creations, deletions, moves, renames, faults, kills, wrong clocks,
machines in turn, working folders and warehouses that are put back from copies.

After it all one quiet sync must make every cell of every table what Harvest has.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harvest_source.errors import HarvestError
from harvest_source.operations.sync import Hooks
from harvest_source.sandbox import EditRefusedError
from tests.clocks import OwnClock
from tests.support.four_tables import TABLES
from tests.support.lab import DAY, HOUR, Lab
from tests.support.moments import MOMENTS, start_sync
from tests.support.truth import assert_equal

FAULTS = (
    "rate_limited_no_retry_after",
    "server_error",
    "unavailable_html",
    "cut_before_headers",
    "cut_in_body",
    "half_json",
    "html",
    "missing_key",
    "repeated_rows",
    "wrong_total",
    "next_cycle",
    "unauthorized",
    "forbidden",
)
TEXTS = ("Plain", 'Quoted "twice"; DROP TABLE clients;--', "Zeile\nzwei\t\U0001f41d\x00", "")
DAYS = ("2019-02-28", "2026-06-01", "2026-06-15", "0001-01-01", "9999-12-31")

COPIED = ("dlt", "harvest_data.duckdb")

tables = st.sampled_from(TABLES)
places = st.integers(0, 1000)


class Storms(RuleBasedStateMachine):
    """One account and one warehouse; nothing that happens to them is an error of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.lab = Lab(Path(self.folder.name), entries=40, invoices=12)
        self.lab.stop_timers()
        self.kills = 0

    def pick(self, table: str, place: int) -> int | None:
        """The id of some record."""
        ids = [row["id"] for row in self.lab.server.rows(table)]
        return ids[place % len(ids)] if ids else None

    @rule(table=tables, place=places, text=st.sampled_from(TEXTS))
    def edit(self, table: str, place: int, text: str) -> None:
        """Another text; the names of clients are quoted in other records."""
        name = {"time_entries": "notes", "invoices": "subject"}.get(table, "name")
        record_id = self.pick(table, place)
        if record_id is not None:
            with self.lab.quotes_tell():
                change: dict[str, Any] = {name: text}
                self.lab.server.edit(table, record_id, **change)

    @rule(table=tables)
    def create(self, table: str) -> None:
        """One more."""
        self.lab.server.create(table)

    @rule(table=tables, place=places)
    def delete(self, table: str, place: int) -> None:
        """One less, unless Harvest itself refuses."""
        record_id = self.pick(table, place)
        if record_id is not None:
            try:
                self.lab.server.delete(table, record_id)
            except EditRefusedError:
                return

    @rule(place=places, day=st.sampled_from(DAYS))
    def move(self, place: int, day: str) -> None:
        """An entry of another day."""
        record_id = self.pick("time_entries", place)
        if record_id is not None:
            self.lab.server.edit("time_entries", record_id, spent_date=day)

    @rule(seconds=st.sampled_from([1.0, 61.0, HOUR, DAY, 40 * DAY]))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.lab.rest(seconds)

    @rule(
        faults=st.lists(st.tuples(st.sampled_from(FAULTS), tables, st.integers(1, 9)), max_size=3),
        hours=st.sampled_from([0, 0, 0, -30, 30, -9000]),
        full=st.sampled_from([False, False, True]),
    )
    def sync(self, faults: list[tuple[str, str, int]], hours: int, full: bool) -> None:
        """A run with some answers spoilt, on a machine whose clock may be wrong."""
        for name, table, times in faults:
            self.lab.server.fault(name, table=table, times=times)
        options: dict[str, Any] = {"full_refresh": full, "max_deletes": "100%"}
        if hours:
            clock = OwnClock(lambda: self.lab.clock() + timedelta(hours=hours), lambda _: None)
            options["hooks"] = Hooks(clock=clock)
        try:
            self.lab.sync(*TABLES, **options)
        except HarvestError:
            pass
        finally:
            self.lab.server.clear_faults()

    @precondition(lambda self: self.kills < 1)
    @rule(moment=st.sampled_from(sorted(MOMENTS.values())))
    def kill(self, moment: str) -> None:
        """A run in a process of its own that dies somewhere."""
        self.kills += 1
        start_sync(self.lab, *TABLES, number=signal.SIGKILL, moment=moment).communicate()

    @rule()
    def change_machine(self) -> None:
        """The next run is on another machine, with a working folder of its own or none yet."""
        here, there = self.lab.folder / "dlt", self.lab.folder / "dlt of the other machine"
        between = self.lab.folder / "on the way"
        for source, target in ((here, between), (there, here), (between, there)):
            if source.exists():
                source.rename(target)

    @rule(name=st.sampled_from(COPIED))
    def copy(self, name: str) -> None:
        """Keep a copy of the working folders, or of the warehouse."""
        self.put(self.lab.folder / name, self.lab.folder / f"{name}.copy")

    @rule(name=st.sampled_from(COPIED))
    def put_back(self, name: str) -> None:
        """Replace the working folders, or the warehouse, by their copy."""
        self.put(self.lab.folder / f"{name}.copy", self.lab.folder / name)

    def put(self, source: Path, target: Path) -> None:
        """Make *target* what *source* is, if there is one."""
        if not source.exists():
            return
        if source.is_file():
            shutil.copy(source, target)
            return
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)

    def teardown(self) -> None:
        """All is well again: the next run finds everything, and says so."""
        try:
            self.lab.rest(2 * HOUR)
            report = self.lab.sync(*TABLES, deletes=True, max_deletes="100%")
            assert report.status == "ok", (report.errors, report.run_log.failures)
            for table in TABLES:
                assert_equal(self.lab, table)
        finally:
            self.lab.server.stop()
            self.folder.cleanup()


def run(examples: int, steps: int, *, is_random: bool) -> None:
    """Draw *examples* stories of *steps* at most; the same ones each time unless *is_random*."""
    run_state_machine_as_test(
        Storms,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            # Shrinking a story of real runs takes hours; the story found is short enough.
            phases=[Phase.explicit, Phase.generate],
            derandomize=not is_random,
            database=None,
        ),
    )


def test_after_any_storm_the_warehouse_is_the_account() -> None:
    """Whatever happened, in whatever order, one quiet run makes every cell right."""
    run(examples=2, steps=6, is_random=False)


@pytest.mark.slow
def test_after_long_storms_the_warehouse_is_the_account() -> None:
    """The same with many long stories, other ones each time."""
    run(examples=200, steps=25, is_random=True)
