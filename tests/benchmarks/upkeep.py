"""
What later runs cost: audits, repairs, bulk edits, refreshes, and what stays on disk.

``python -m tests.benchmarks.speed upkeep [--entries=N,N] [--accounts=N,N] [--kinds=NAME,NAME]
[--destination=postgres|delta] [--latency-ms=N] [--code=FOLDER]``. Wall times on a shared machine
say little here, so compare the CPU seconds, requests, peak memory and bytes written of whole
processes and, with ``--latency-ms``, the number of answers that a run waited for one after the
other. ``--code`` measures the connector of another checkout.
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
"""Rows that a repair finds wrong."""
EDITED: Final = 100_000
"""Rows of a bulk edit; half of a smaller account."""
A_DAY: Final = 25
"""Hours after which daily work is due again."""
_ALMOST: Final = 0.95
"""Share of the latency after which a request counts as having waited for the answer before it."""


@dataclass
class Story:
    """One warehouse after its first load, and the runs that follow it."""

    place: Place
    store: Store
    entries: int
    latency_ms: float = 0
    """Latency of each answer."""
    hours: float = 0
    """How far the calendar of the runs is ahead by now."""

    def run(self, name: str, *options: str, then: str = "") -> Line:
        """Sync all tables once, with *options*."""
        script = str(ROOT / "tests" / "benchmarks" / "impatient_sync.py")
        later = f"--later={self.hours}"
        # Run by path: with --code, it is the only module of this checkout in the process.
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
        """How many answers the run waited for in a row; concurrent requests count as one."""
        if not self.latency_ms:
            return ""
        rounds, began = 0, -math.inf
        for request in self.place.requests():
            at = datetime.fromisoformat(request["time"]).timestamp()
            if at >= began + _ALMOST * self.latency_ms / 1000:
                rounds, began = rounds + 1, at
        return f"{rounds} answers in a row"

    def unchanged(self) -> Line:
        """A run when nothing has changed, except that timers run."""
        return self.run("unchanged")

    def changed(self) -> Line:
        """A run after a few entries have changed."""
        self.churn(edits=70)
        return self.run("70 changed")

    def deleted(self) -> Line:
        """A run that looks for a few deleted entries."""
        self.churn(deletions=WRONG)
        return self.run(f"--deletes, {WRONG} gone", "--deletes")

    def verify(self) -> Line:
        """A verification that finds nothing."""
        return self.run("verify", "--verify")

    def values(self) -> Line:
        """A verification of all values that finds nothing."""
        return self.run("verify --all-values", "--verify-all-values")

    def fix(self) -> Line:
        """A verification that repairs wrong rows."""
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
        """A run after many entries have changed."""
        edited = min(EDITED, self.entries // 2)
        self.churn(edits=edited)
        return self.run(f"bulk edit, {edited:,}")

    def after(self) -> Line:
        """The first run a day later."""
        self.hours += A_DAY
        return self.run("a day after it")

    def refresh(self) -> Line:
        """A full refresh."""
        return self.run("full refresh", "--full-refresh")


KINDS: Final = (
    "unchanged",
    "changed",
    "deleted",
    "verify",
    "values",
    "fix",
    "audit",
    "edit",
    "after",
    "refresh",
)
"""Kinds of runs after a first load, in this order."""


def build_parser() -> argparse.ArgumentParser:
    """The options of ``speed upkeep``."""
    parser = argparse.ArgumentParser("upkeep", description=__doc__)
    parser.add_argument("--entries", default=SIZES, help=f"of each account; {SIZES}")
    parser.add_argument("--accounts", default="1", help="in one run; 1")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of runs: {','.join(KINDS)}")
    parser.add_argument("--latency-ms", type=float, default=0, help="of each answer; 0")
    parser.add_argument("--destination", choices=DESTINATIONS, default="duckdb")
    parser.add_argument("--code", type=Path, default=ROOT, help="a checkout to measure; this one")
    return parser


def upkeep(arguments: Sequence[str] = ()) -> Iterator[Line]:
    """For each size and number of accounts, a first load and the chosen kinds of runs after it."""
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
