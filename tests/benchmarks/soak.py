"""
Hundreds of syncs under faults, kills and changes: does the warehouse still equal Harvest?

``python -m tests.benchmarks.soak --runs 300`` syncs a simulated account again and again. Before
each sync, records are created, changed and deleted. During it, answers are refused, delayed, cut or
garbled, and now and then the process is killed. After each block of syncs, without faults, a sync
and a full refresh must make every cell of every table equal to Harvest. Otherwise it exits with 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from harvest_source.__main__ import DEFAULTS
from harvest_source.errors import HarvestError
from harvest_source.sandbox import Request
from tests.support.children import Child
from tests.support.lab import DAY, HOUR, Lab
from tests.support.moments import MOMENTS, start_sync
from tests.support.truth import assert_equal

TABLES = ("time_entries", "invoices", "clients", "roles")
"""One table of each kind: long, with arrays, short, and always read as a whole."""

FAULTS: dict[str, dict[str, float]] = {
    "rate_limited": {"retry_after": 3},
    "rate_limited_no_retry_after": {},
    "server_error": {},
    "unavailable": {},
    "unavailable_html": {},
    "cut_before_headers": {},
    "cut_in_body": {},
    "half_json": {},
    "html": {},
    "empty_body": {},
    "slow_body": {"chunk": 65536, "delay_s": 0.001},
    "repeated_rows": {},
    "wrong_total": {},
    "missing_key": {},
    "unauthorized": {},
}
SETTLED_S = 2 * HOUR


@dataclass
class Storm:
    """One soak: its random generator, its laboratory and what has happened so far."""

    lab: Lab
    dice: random.Random
    block: int = 10
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def run(self, runs: int) -> None:
        """Sync *runs* times; compare after each block."""
        self.lab.stop_timers()
        for number in range(1, runs + 1):
            self.change()
            if self.dice.random() < 0.1:
                self.sync_and_kill()
            else:
                self.sync_under_faults()
            if number % self.block == 0 or number == runs:
                self.compare(number)

    def change(self) -> None:
        """Create, edit and delete records, and let time pass."""
        server, dice = self.lab.server, self.dice
        for table in TABLES:
            ids = [row["id"] for row in server.rows(table)]
            for record_id in dice.sample(ids, min(len(ids), dice.randint(0, 4))):
                server.edit(table, record_id, created_at=self.lab.clock())
                self.counts["records edited"] += 1
            for _ in range(dice.randint(0, 2)):
                server.create(table)
                self.counts["records created"] += 1
        for table in ("time_entries", "invoices"):
            ids = [row["id"] for row in server.rows(table)]
            if dice.random() < 0.5 and len(ids) > 50:
                server.delete(table, dice.choice(ids))
                self.counts["records deleted"] += 1
        entries = server.rows("time_entries")
        day = dice.choice(entries)["spent_date"]
        server.edit("time_entries", dice.choice(entries)["id"], spent_date=day)
        self.counts["entries moved to another day"] += 1
        self.lab.rest(dice.choice([60.0, 900.0, HOUR, HOUR, DAY]))

    def sync_under_faults(self) -> None:
        """Sync once while faults spoil some of the answers."""
        names = self.dice.sample(sorted(FAULTS), self.dice.randint(0, 3))
        faults = [
            self.lab.server.fault(
                name,
                table=self.dice.choice([None, *TABLES]),
                probability=self.dice.choice([0.1, 0.3, 1.0]),
                times=self.dice.choice([1, 2, 5, None]),
                **FAULTS[name],
            )
            for name in names
        ]
        try:
            ended = self.lab.sync(*TABLES).status
        except HarvestError:
            ended = "error"
        self.counts[f"syncs that ended {ended}"] += 1
        for fault in faults:
            self.counts[f"answers spoilt: {fault.name}"] += fault.done
        self.lab.server.clear_faults()

    def sync_and_kill(self) -> None:
        """Sync once in a process of its own, and kill it at a random point."""
        children: Queue[Child] = Queue()
        last = self.dice.randint(1, 6)
        asked: list[Request] = []

        def kill(request: Request) -> None:
            asked.append(request)
            if len(asked) == last:
                children.get().send_signal(signal.SIGKILL)

        moment = self.dice.choice(["", *MOMENTS.values()])
        if not moment:
            self.lab.server.after_request(kill)
        child = start_sync(self.lab, *TABLES, number=signal.SIGKILL, moment=moment)
        children.put(child)
        child.communicate()
        self.lab.server.clear_hooks()
        self.counts[
            "syncs killed" if (child.returncode or 0) < 0 else "syncs that outran the kill"
        ] += 1

    def compare(self, number: int) -> None:
        """Without faults, sync and do a full refresh; after that nothing may differ."""
        self.lab.rest(SETTLED_S)
        for is_full in (False, True):
            report = self.lab.sync(*TABLES, full_refresh=is_full, max_deletes="100%")
            if report.status != "ok":
                told = [f"{f.table}: {f.error}" for f in report.run_log.failures]
                self.wrong.append(f"after {number}: {report.status} {told} {report.errors}")
            self.lab.rest(SETTLED_S)
        for table in TABLES:
            try:
                assert_equal(self.lab, table)
            except AssertionError as error:
                self.wrong.append(f"after {number}: {table} differs: {str(error)[:500]}")
            self.counts["tables compared, every cell"] += 1


def main() -> int:
    """Run one soak and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--block", type=int, default=10)
    parser.add_argument("--entries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder), entries=options.entries, invoices=80) as lab,
    ):
        os.environ["DLT_PROJECT_DIR"] = folder
        storm = Storm(lab, random.Random(options.seed), options.block)
        storm.run(options.runs)
    print("| What | How many |\n|---|---|")
    print(f"| syncs (seed {options.seed}) | {options.runs} |")
    for what, count in sorted(storm.counts.items()):
        print(f"| {what} | {count:,} |")
    print(f"| differences found | {len(storm.wrong)} |")
    print(f"| seconds | {time.monotonic() - began:,.0f} |")
    print(*storm.wrong, sep="\n")
    return 1 if storm.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
