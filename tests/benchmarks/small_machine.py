"""
Whether a small container is enough: ``python -m tests.benchmarks.small_machine [--limit-mb N]
[--destination NAME] [--code FOLDER] [KIND...]``.

Does each kind of run of a large account, with every default table, as a whole process that the
system ends when it needs more memory than the limit. The limit is a control group where this
process may make one (its files in the page cache count too, and are dropped first), else a limit of
the data segment. Prints the peak size of each run, and how often the limit was reached; a run that
fails has a line too, and the next one follows. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.benchmarks.place import Line, Place, open_place
from tests.benchmarks.speed import HEAD, describe_versions
from tests.benchmarks.sync_speed import ROOT, Measured
from tests.benchmarks.upkeep import KINDS, Story
from tests.benchmarks.upkeep_stores import DESTINATIONS, open_store

GROUPS: Final = Path("/sys/fs/cgroup")
ENTER: Final = """
import os, resource, sys
group, limit, *command = sys.argv[1:]
if group:
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
else:
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
os.execvp(command[0], command)
"""
"""Enters the limit and becomes the command; inline, as the measured checkout may lack a module."""
ORDER: Final = (
    "unchanged",
    "changed",
    "deleted",
    "edit",
    "after",
    "audit",
    "refresh",
    "verify",
    "values",
    "fix",
)
"""Kinds of runs, in the order in which they follow each other."""


@dataclass(frozen=True)
class Limiter:
    """Limits the memory of processes; ``group`` is ``None`` for a limit of the data segment."""

    name: str
    group: Path | None
    limit: int

    def wrap(self, command: list[str]) -> list[str]:
        """A command that enters the limit and then becomes *command*."""
        group = "" if self.group is None else str(self.group)
        return [sys.executable, "-c", ENTER, group, str(self.limit), *command]

    def describe(self) -> str:
        """How often the limit was reached; the page cache alone can reach it too."""
        if self.group is None:
            return ""
        with suppress(OSError, ValueError):
            if (counter := self.group / "memory.failcnt").exists():
                return f"limit reached {int(counter.read_text()):,} times so far"
            events = dict(
                line.split() for line in (self.group / "memory.events").read_text().splitlines()
            )
            return f"limit reached {int(events['max']):,} times so far"
        return ""


@contextmanager
def limit_memory(limit: int) -> Iterator[Limiter]:
    """Limit memory by a control group of version 2 or 1, or by a limit of the data segment."""
    name = f"harvest-source-{os.getpid()}"
    for version, parent, file in (
        ("cgroup 2", GROUPS, "memory.max"),
        ("cgroup 1", GROUPS / "memory", "memory.limit_in_bytes"),
    ):
        if not (parent / "cgroup.procs").exists():
            continue
        group = parent / name
        try:
            group.mkdir()
            (group / file).write_text(str(limit))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        for without_swap in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
            with suppress(OSError):  # Not every kernel counts swap.
                if (group / without_swap).exists():
                    value = "0" if without_swap == "memory.swap.max" else str(limit)
                    (group / without_swap).write_text(value)
        try:
            yield Limiter(version, group, limit)
        finally:
            group.rmdir()
        return
    yield Limiter("data segment", None, limit)


@dataclass(frozen=True)
class SmallPlace(Place):
    """A place whose runs are limited in memory."""

    limiter: Limiter | None = None

    def run(self, command: list[str]) -> Measured:
        """Run *command* as a whole process within the limit, and measure it."""
        return super().run(self.limiter.wrap(command) if self.limiter else command)


def measure(
    place: Place,
    limiter: Limiter,
    entries: int,
    kinds: Sequence[str],
    destination: str = "duckdb",
) -> Iterator[Line | str]:
    """
    A first load and the runs that follow it; a failed run gives a text instead of a line.

    The limit does not include a server.
    """
    with open_store(destination, place.folder) as store:
        os.environ.update(store.environment)
        small = SmallPlace(place.server, place.folder, place.code, limiter)
        story = Story(small, store, entries)
        yield _note(story.run(f"first load, {entries:,}"), limiter)
        for kind in kinds:
            try:
                yield _note(getattr(story, kind)(), limiter)
            except SystemExit as error:  # The next run continues from there, as in real use.
                yield f"{kind}: {error}"


def _note(line: Line, limiter: Limiter) -> Line:
    return replace(line, notes=f"{line.notes}; {limiter.describe()}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit-mb", type=int, default=512, help="of each run")
    parser.add_argument("--entries", type=int, default=400_000, help="time entries")
    parser.add_argument("--destination", choices=DESTINATIONS, default="duckdb")
    parser.add_argument("--code", type=Path, default=ROOT, help="a checkout; this one")
    parser.add_argument("--first", action="store_true", help="no run after the first load")
    parser.add_argument(
        "kinds", nargs="*", choices=[*KINDS, []], help="after the first load, in this order; all"
    )
    options = parser.parse_args()
    kinds = [] if options.first else options.kinds or ORDER
    with (
        limit_memory(options.limit_mb * 1024 * 1024) as limiter,
        open_place(options.entries, limit=False, code=options.code.resolve()) as place,
    ):
        print(f"{options.limit_mb} MB by {limiter.name}")
        print(HEAD)
        for line in measure(place, limiter, options.entries, kinds, options.destination):
            print(line, flush=True)
    print(describe_versions())


if __name__ == "__main__":
    main()
