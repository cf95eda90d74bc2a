"""
What runs after the first cost: audits, repairs, bulk edits, refreshes, and what stays on the disk.

``python -m tests.benchmarks.speed upkeep [--entries=N,N] [--accounts=N,N] [--kinds=NAME,NAME]
[--destination=postgres|delta] [--latency-ms=N] [--code=FOLDER]``. Wall times of a shared machine
say little here: CPU seconds, requests, the largest size in memory and the bytes written are
compared, of whole processes; where answers take time, also the answers that were waited for one
after the other. With ``--code``, of another checkout's connector.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.benchmarks.place import Line, Place, open_place
from tests.benchmarks.sync_speed import ROOT
from tests.benchmarks.upkeep_stores import DESTINATIONS, Store, open_store

SIZES: Final = "20000,200000,1000000"
"""Time entries of each account."""
WRONG: Final = 10
"""Rows that a repair finds different."""
EDITED: Final = 100_000
"""Rows of a bulk edit; half of a smaller account."""
A_DAY: Final = 25
"""Hours after which what is due daily is due again."""
_ALMOST: Final = 0.95
"""Part of an answer's time after which a request counts as one that waited for the answer."""


@dataclass
class Story:
    """One warehouse after its first load, and the runs that follow it."""

    place: Place
    store: Store
    entries: int
    latency_ms: float = 0
    """Of each answer."""
    hours: float = 0
    """By how much the calendar of the runs is ahead by now."""

    def run(self, name: str, *options: str, then: str = "") -> Line:
        """One run of all tables, with *options*."""
        script = str(ROOT / "tests" / "benchmarks" / "impatient_sync.py")
        later = f"--later={self.hours}"
        # By its path: with --code it is the only module of this checkout in the process.
        measured = self.place.run([sys.executable, script, later, *self.store.options, *options])
        notes = [
            self._describe_waits(),
            self.store.describe(measured.written_mb),
            self._describe_folder(),
            then,
        ]
        return Line(name, measured, "; ".join(filter(None, notes)))

    def churn(self, **changes: int) -> None:
        """Change the entries of each account."""
        for number, account in enumerate(self.place.server.account_ids):
            seed = number + int(self.hours) + sum(changes.values())
            self.place.server.control("churn", account_id=account, seed=seed, **changes)

    def _describe_folder(self) -> str:
        files = [each for each in (self.place.folder / "dlt").rglob("*") if each.is_file()]
        size = sum(each.stat().st_size for each in files) / 1e6
        return f"folder {size:.1f} MB, {len(files)} files"

    def _describe_waits(self) -> str:
        """How many answers were waited for in a row: what is asked meanwhile takes no time."""
        if not self.latency_ms:
            return ""
        rounds, began = 0, -math.inf
        for request in self.place.requests():
            at = datetime.fromisoformat(request["time"]).timestamp()
            if at >= began + _ALMOST * self.latency_ms / 1000:
                rounds, began = rounds + 1, at
        return f"{rounds} answers in a row"

    def unchanged(self) -> Line:
        """Nothing has changed, except that timers run."""
        return self.run("unchanged")

    def changed(self) -> Line:
        """A few entries have changed."""
        self.churn(edits=70)
        return self.run("70 changed")

    def deleted(self) -> Line:
        """A few entries are gone, and are looked for."""
        self.churn(deletions=WRONG)
        return self.run(f"--deletes, {WRONG} gone", "--deletes")

    def verify(self) -> Line:
        """A verification that finds nothing."""
        return self.run("verify", "--verify")

    def fix(self) -> Line:
        """A verification that mends."""
        before = self.store.sum_hours()
        self.store.spoil(WRONG)
        line = self.run(f"verify --fix, {WRONG} wrong", "--verify-fix")
        is_mended = before == self.store.sum_hours()
        return Line(line.name, line.run, f"{line.notes}; {'mended' if is_mended else 'NOT MENDED'}")

    def audit(self) -> Line:
        """The first run of another day."""
        self.hours += A_DAY
        return self.run("a day later, with the audit")

    def edit(self) -> Line:
        """Many entries have changed."""
        edited = min(EDITED, self.entries // 2)
        self.churn(edits=edited)
        return self.run(f"bulk edit, {edited:,}")

    def after(self) -> Line:
        """The first run of the day after that."""
        self.hours += A_DAY
        return self.run("a day after it")

    def refresh(self) -> Line:
        """Everything again."""
        return self.run("full refresh", "--full-refresh")


KINDS: Final = (
    "unchanged",
    "changed",
    "deleted",
    "verify",
    "fix",
    "audit",
    "edit",
    "after",
    "refresh",
)
"""What follows a first load, in this order."""


def build_parser() -> argparse.ArgumentParser:
    """What can be chosen."""
    parser = argparse.ArgumentParser("upkeep", description=__doc__)
    parser.add_argument("--entries", default=SIZES, help=f"of each account; {SIZES}")
    parser.add_argument("--accounts", default="1", help="in one run; 1")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of runs: {','.join(KINDS)}")
    parser.add_argument("--latency-ms", type=float, default=0, help="of each answer; 0")
    parser.add_argument("--destination", choices=DESTINATIONS, default="duckdb")
    parser.add_argument("--code", type=Path, default=ROOT, help="a checkout to measure; this one")
    return parser


def upkeep(arguments: Sequence[str] = ()) -> Iterator[Line]:
    """For each size and number of accounts a first load, then the kinds of run that follow it."""
    options = build_parser().parse_args(arguments)
    chosen = options.kinds.split(",")
    if unknown := set(chosen) - {*KINDS, ""}:
        raise SystemExit(f"There are no runs of the kind {', '.join(sorted(unknown))}.")
    for entries in map(int, options.entries.split(",")):
        for accounts in map(int, options.accounts.split(",")):
            yield from tell(options, entries, accounts, [each for each in KINDS if each in chosen])


def tell(
    options: argparse.Namespace, entries: int, accounts: int, kinds: Sequence[str]
) -> Iterator[Line]:
    """The runs of one warehouse."""
    code, latency_ms = options.code.resolve(), options.latency_ms
    with (
        open_place(
            entries, limit=False, latency_ms=latency_ms, accounts=accounts, code=code
        ) as place,
        open_store(options.destination, place.folder) as store,
    ):
        os.environ.update(store.environment)
        story = Story(place, store, entries, latency_ms)
        yield story.run(f"first load, {accounts} x {entries:,}")
        for kind in kinds:
            yield getattr(story, kind)()
