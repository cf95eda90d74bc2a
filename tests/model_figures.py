"""
How often a read of a list that changes meanwhile is wrongly taken for complete.

``python -m tests.model_figures`` prints the figures for the model in ``tests/support/model.py``,
with all clauses of the proof and without some of them.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, combinations_with_replacement, product
from math import inf
from time import perf_counter

from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.proof import changed_during_read, is_affected
from harvest_source.extract.slices import DateWindow, Slice
from tests.support.model import (
    DAYS,
    ENTRIES,
    FIRST_DAY,
    MOODS,
    START,
    UNDATED,
    USERS,
    ModelClient,
    Unrest,
    WarehouseCopy,
    World,
    any_day,
    merge,
)
from tests.support.watched_reader import WatchedReader


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one trial. All sets hold ids; they are empty for an unproven read."""

    proven: bool
    missing: frozenset[int] = frozenset()
    """In the list, but not in the copy, even after the next read."""
    stale: frozenset[int] = frozenset()
    """Outdated in the copy, even after the next read."""
    late: frozenset[int] = frozenset()
    """Changed before the last catch-up, and wrong until the next read."""

    @property
    def is_false(self) -> bool:
        """Whether the read is proven although a row is lost."""
        return bool(self.missing or self.stale)


YEARS_AHEAD_S = 10**8


def run_trial(
    seed: int, branches: Counter[str] | None = None, *, odd_dates: bool = False
) -> Verdict:
    """
    Read a list that changes meanwhile, then once more when it is quiet, and compare.

    Args:
        odd_dates: Whether some rows have a fixed date years ahead, and the reader's clock may be
            behind.
    """
    chance, oddly = random.Random(seed), random.Random(f"odd {seed}")
    world = World()
    for _ in range(chance.randint(0, 26)):
        world.now_s = chance.uniform(0, 5000)
        world.create(any_day(chance), chance.choice(USERS))
    behind_s = 0.0
    if odd_dates:
        behind_s = oddly.choice((0.0, 0.0, 2.0, 6000.0))
        for row_id in oddly.sample(sorted(world.rows), min(len(world.rows), oddly.randint(0, 3))):
            world.fix_date(row_id, YEARS_AHEAD_S)
    world.now_s = 10_000 + chance.random()
    kind = chance.choice(("whole", "whole", "bounded", "changes"))
    copy: WarehouseCopy = {}
    slice_ = Slice()
    if kind == "bounded":
        slice_ = Slice(DateWindow(start=FIRST_DAY + timedelta(days=chance.randint(0, DAYS))))
    elif kind == "changes":
        copy = {row.id: row.cells() for row in world.rows.values()}
        slice_ = Slice(since=START + timedelta(seconds=world.now_s - 60))
        Unrest(chance, world, budget=chance.randint(0, 20), rate=1)(0, False)
        world.now_s += chance.choice((0.1, 30, 3000))
    budget, rate = chance.choice(MOODS)
    unrest = Unrest(chance, world, budget=budget, rate=rate)
    keyset = chance.choice((None, None, "id", "day"))
    window_rows = chance.randint(3, 6)
    reader = WatchedReader(
        ModelClient(world, unrest, per_page=chance.randint(2, 4), keyset=keyset, behind_s=behind_s),
        UNDATED if chance.random() < 0.25 else ENTRIES,
        long_rows=window_rows * chance.randint(1, 3),
        window_rows=window_rows,
        last_rows=chance.choice((0, inf)),
        users=chance.choice((USERS, USERS, USERS[1:])),
        branches=branches,
    )
    reader.changes = lambda: world.changes
    result = ReadResult()
    copy = merge(reader.iter_tables(slice_, result), copy)
    if not result.proven:
        return Verdict(proven=False)
    late = _late(world, slice_, copy, reader.watch.caught_up)
    unrest.budget = 0
    world.now_s += 5
    return _judge(reader, slice_, result, world, copy, late)


def _judge(
    reader: ListReader,
    slice_: Slice,
    read: ReadResult,
    world: World,
    copy: WarehouseCopy,
    late: frozenset[int],
) -> Verdict:
    """Compare after the next read, which is undisturbed."""
    assert read.began is not None
    since, result = Slice(since=read.began - timedelta(seconds=60)), ReadResult()
    copy = merge(reader.iter_tables(since, result), copy)
    assert result.proven
    assert copy.keys() <= world.rows.keys() | world.deleted
    wanted = {row.id for row in world.rows.values() if row.day in slice_.window}
    return Verdict(
        proven=True,
        missing=frozenset(wanted - copy.keys()),
        stale=frozenset(_wrong(world, copy)),
        late=late,
    )


def _late(
    world: World, slice_: Slice, copy: WarehouseCopy, caught_up: Sequence[tuple[int, bool]]
) -> frozenset[int]:
    """Rows last changed before the last catch-up that are missing or wrong in the copy."""
    known, is_sure = caught_up[-1] if caught_up else (0, False)
    if not is_sure:
        return frozenset()
    rows = [row for row in world.rows.values() if int(row.notes.partition(".")[2]) <= known]
    missing = {row.id for row in rows if row.day in slice_.window} - copy.keys()
    return frozenset(missing | _wrong(world, copy) & {row.id for row in rows})


def _wrong(world: World, copy: WarehouseCopy) -> set[int]:
    return {i for i in copy.keys() & world.rows.keys() if copy[i] != world.rows[i].cells()}


def run_many(seeds: Iterable[int], *, odd_dates: bool = False) -> tuple[Counter[str], Counter[str]]:
    """The counted verdicts and branches of many trials."""
    verdicts, branches = Counter[str](), Counter[str]()
    for seed in seeds:
        verdict = run_trial(seed, branches, odd_dates=odd_dates)
        verdicts["trials"] += 1
        verdicts["proven"] += verdict.proven
        verdicts["false"] += verdict.is_false
        verdicts["late"] += bool(verdict.late)
    return verdicts, branches


# Every short script of changes, and which clauses of the proof object to it.

CLAUSES = ("totals", "ids", "news", "catch-up", "count")
RULE_2 = frozenset(CLAUSES) - {"news"}

Script = Sequence[str]
"""
What happens before each of four requests: the first page, the second, the catch-up, the count.

``D`` deletes the newest of the initial rows, ``M`` moves it behind all others; ``B`` and ``F``
create a row behind or in front of all others, ``U`` deletes the row created last; ``d`` deletes the
oldest row.
"""


def play(world: World, step: str) -> None:
    """Carry out one letter of a script."""
    first = [i for i in range(101, 107) if i in world.rows]
    created = [i for i in world.rows if i > 106]
    behind, run_ahead = FIRST_DAY - timedelta(days=world.changes), FIRST_DAY + timedelta(days=99)
    if step == "B":
        world.create(behind, USERS[0])
    elif step == "F":
        world.create(run_ahead, USERS[0])
    elif step == "U" and created:
        world.delete(max(created))
    elif step == "M" and first:
        world.move(first[-1], behind)
    elif step in "Dd" and first:
        world.delete(first[-1] if step == "D" else first[0])


def open_stage(
    script: Script, without: frozenset[str] = frozenset(), odd: int | None = None
) -> tuple[World, WatchedReader]:
    """
    Six rows, 106 (newest day) down to 101, read in pages of three while *script* runs.

    Args:
        odd: A row with a fixed date years ahead, whatever changes it.
    """
    world = World()
    for number in range(6):
        world.create(FIRST_DAY + timedelta(days=number), USERS[0])
    if odd is not None:
        world.fix_date(odd, YEARS_AHEAD_S)
    world.now_s = 10_000.0

    def between(request: int, is_sent: bool) -> None:
        world.now_s += 0.75
        for step in script[request] if request < len(script) and not is_sent else "":
            play(world, step)

    client = ModelClient(world, between, per_page=3)
    return world, WatchedReader(client, UNDATED, long_rows=1000, window_rows=1000, without=without)


def read_script(
    script: Script, without: frozenset[str] = frozenset(), odd: int | None = None
) -> Verdict:
    """Read without some clauses while *script* runs; *odd* as in `open_stage`."""
    world, reader = open_stage(script, without, odd)
    result = ReadResult()
    copy = merge(reader.iter_tables(Slice(), result))
    if not result.proven:
        return Verdict(proven=False)
    world.now_s += 5
    return _judge(reader, Slice(), result, world, copy, frozenset())


def find_objections(script: Script) -> tuple[frozenset[str], bool]:
    """The clauses that object to one read while *script* runs, and whether a row is lost."""
    world, reader = open_stage(script)
    read = reader.slices.read_all(Slice())
    totals = list(reader.watch.totals)
    changed = reader.slices.read_all(Slice(since=read.began - timedelta(seconds=1))).table
    count = reader.count(Slice())
    objections = {
        "totals": len(set(totals)) > 1,
        "ids": totals[-1] != read.table.num_rows,
        "news": changed_during_read(read),
        "catch-up": is_affected(read, changed, UNDATED),
        "count": count != totals[-1],
    }
    ids = merge([read.table]).keys()
    lost = any(row.changed_s < 9_999 and row.id not in ids for row in world.rows.values())
    return frozenset(name for name, objects in objections.items() if objects), lost


def every_script(most: int) -> Iterator[Script]:
    """All scripts of at most *most* changes, none of them before the first page."""
    for length in range(most + 1):
        for steps in product("DMBFUd", repeat=length):
            for one, two in combinations_with_replacement(range(length + 1), 2):
                yield "", "".join(steps[:one]), "".join(steps[one:two]), "".join(steps[two:])


def count_false(most: int) -> tuple[int, int, dict[frozenset[str], int]]:
    """Scripts played, scripts that lose a row, and the unnoticed losses for each set of clauses."""
    played, losing = 0, Counter[frozenset[str]]()
    for script in every_script(most):
        objections, lost = find_objections(script)
        played += 1
        losing[objections] += lost
    passed = {
        frozenset(clauses): sum(
            n for objections, n in losing.items() if not objections & set(clauses)
        )
        for size in range(len(CLAUSES) + 1)
        for clauses in combinations(CLAUSES, size)
    }
    return played, losing.total(), passed


def main() -> None:
    """Run everything and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--changes", type=int, default=4, help="at most so many in a script")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.trials)
    started = perf_counter()
    verdicts, branches = run_many(seeds)
    print(f"Lists that change at random while they are read; seeds {seeds.start} to {seeds[-1]}.")
    print(f"  {verdicts['trials']:>7,}  reads")
    print(f"  {verdicts['proven']:>7,}  proven")
    print(f"  {verdicts['false']:>7,}  proven, and a row was lost")
    print(f"  {verdicts['late']:>7,}  proven, and a change before the last catch-up came late")
    print("  What the reader did:")
    for name, times in branches.most_common():
        print(f"  {times:>7,}  {name}")
    played, losing, passed = count_false(options.changes)
    print(f"Two pages, a catch-up, a count: every script of up to {options.changes} changes.")
    print(f"  {played:>7,}  scripts")
    print(f"  {losing:>7,}  lose a row; of these pass unnoticed")
    for clauses in sorted(passed, key=lambda each: (len(each), sorted(each))):
        print(f"  {passed[clauses]:>7,}  with {', '.join(sorted(clauses)) or 'no clause'}")
    print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
