"""
A model of Harvest's lists that change while they are read, and the results of reading it.

``python -m tests.model_figures`` prints the figures: how often a read was taken for complete that
was not, with all clauses of the proof and without some of them.

The model is small on purpose: pages of two to four rows and a change between almost any two
requests meet every race thousands of times more often than a real account does.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import combinations, combinations_with_replacement, product
from math import floor, inf
from time import perf_counter
from typing import Any

import pyarrow as pa

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.extract.list_reader import ListReader, ReadResult
from harvest_source.extract.proof import (
    CaughtUp,
    Clauses,
    Prover,
    changed_during_read,
    count_changed,
    is_affected,
    pages_agree,
)
from harvest_source.extract.slice_reader import (
    Emit,
    ListClient,
    ListPage,
    ListSource,
    SliceRead,
    SliceReader,
    TooLong,
)
from harvest_source.extract.slices import ALL_DAYS, DateWindow, Slice
from harvest_source.extract.window_counts import WindowCounter
from harvest_source.extract.window_plan import LAST_ROWS, WindowSettings
from harvest_source.schema.columns import bigint, record, text, timestamp
from harvest_source.schema.columns import date as day
from harvest_source.schema.endpoint import Endpoint

START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
FIRST_DAY = date(2024, 1, 1)
DAYS = 6
USERS = (11, 12, 13)

ENTRIES = Endpoint(
    name="time_entries",
    record=record(
        bigint("id", "Id"),
        day("spent_date", "Day"),
        bigint("user__id", "User"),
        text("notes", "Changes with every change"),
        timestamp("updated_at", "Last change, whole seconds"),
    ),
    docs="",
    permission="",
    window="spent_date",
    cut_by="user__id",
)
UNDATED = replace(ENTRIES, window=None, cut_by=None)
"""The same list without ``from`` and ``to``, as most of Harvest's lists are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the model."""

    id: int
    day: date
    user: int
    notes: str
    changed_s: float

    @property
    def updated_s(self) -> int:
        """Harvest dates changes in whole seconds."""
        return floor(self.changed_s)

    def json(self) -> str:
        return (
            f'{{"id":{self.id},"spent_date":"{self.day}","user":{{"id":{self.user}}},'
            f'"notes":"{self.notes}","updated_at":"{_instant(self.updated_s)}"}}'
        )

    def cells(self) -> tuple[date, int, str]:
        """What a copy of this row must hold."""
        return self.day, self.user, self.notes


@cache
def _instant(second: int) -> str:
    return f"{START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True)
class World:
    """An account with one list, and a clock."""

    rows: dict[int, Row] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    now_s: float = 0.0
    changes: int = 0
    last_id: int = 100

    def create(self, on: date, user: int) -> int:
        """Make a row; ids only grow."""
        self.last_id = new = self.last_id + 1
        self.rows[new] = Row(new, on, user, "", 0.0)
        self._touch(new)
        return new

    def edit(self, row_id: int) -> None:
        """Change what a row says."""
        self._touch(row_id)

    def move(self, row_id: int, to: date) -> None:
        """Change the day of a row, and with it its place in the list."""
        self.rows[row_id] = replace(self.rows[row_id], day=to)
        self._touch(row_id)

    def delete(self, row_id: int) -> None:
        """Harvest deletes without a trace."""
        del self.rows[row_id]
        self.deleted.add(row_id)

    def _touch(self, row_id: int) -> None:
        self.changes += 1
        self.rows[row_id] = replace(
            self.rows[row_id], notes=f"{row_id}.{self.changes}", changed_s=self.now_s
        )


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One answer of the model."""

    rows: bytes
    total_entries: int | None
    began: datetime


class ModelClient:
    """
    Serves a world's list.

    Args:
        between: Called twice with every request's number: before it is sent, with False, and
            before it is answered, with True.
        keyset: None: by page number, newest day first, then the highest id. Otherwise by cursor:
            after the last row's day and id, or only after its id, newest first either way.
    """

    def __init__(
        self,
        world: World,
        between: Callable[[int, bool], None],
        *,
        per_page: int,
        keyset: str | None = None,
    ) -> None:
        self._world = world
        self._between = between
        self._per_page = per_page
        self._keyset = keyset
        self._requests = 0

    def iter_pages(
        self,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str],
        most_rows: int | None = None,
    ) -> Generator[ListPage, None, None]:
        after: tuple[Any, ...] | None = None
        number, is_last = 0, False
        while not is_last:
            began = self._begin()
            rows = self._select(params)
            total = len(rows)
            if self._keyset is None:
                rest = rows[number * self._per_page :]
            else:
                rest = [row for row in rows if after is None or self._place(row) < after]
            served, is_last = rest[: self._per_page], len(rest) <= self._per_page
            number += 1
            after = self._place(served[-1]) if served else None
            body = "[" + ",".join(row.json() for row in served) + "]"
            yield ModelPage(body.encode(), total, began)

    def fetch_count(self, path: str, *, key: str, params: Mapping[str, str]) -> int:
        self._begin()
        return len(self._select(params))

    def _begin(self) -> datetime:
        self._between(self._requests, False)
        began = START + timedelta(seconds=self._world.now_s)
        self._between(self._requests, True)
        self._requests += 1
        return began

    def _place(self, row: Row) -> tuple[Any, ...]:
        return (row.id,) if self._keyset == "id" else (row.day, row.id)

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        """What a list with these filters holds now, in its order."""
        rows: Iterable[Row] = self._world.rows.values()
        if "from" in params:
            first = date.fromisoformat(params["from"])
            rows = [row for row in rows if row.day >= first]
        if "to" in params:
            last = date.fromisoformat(params["to"])
            rows = [row for row in rows if row.day <= last]
        if "user_id" in params:
            user = int(params["user_id"])
            rows = [row for row in rows if row.user == user]
        if "updated_since" in params:
            since = datetime.fromisoformat(params["updated_since"])
            since_s = int((since - START).total_seconds())
            rows = [row for row in rows if row.updated_s > since_s]
        return sorted(rows, key=self._place, reverse=True)


@dataclass(frozen=True, slots=True)
class Watch:
    """Which clauses of the proof are switched off, and what the reader did."""

    without: frozenset[str] = frozenset()
    """Of ``totals``, ``ids``, ``news``, ``catch-up``, ``count``."""
    branches: Counter[str] = field(default_factory=Counter)
    """How often each branch of the reader ran."""
    totals: list[int | None] = field(default_factory=list)
    """What every page reported."""
    caught_up: list[tuple[int, bool]] = field(default_factory=list)
    """For each catch-up: the changes made before it began, and whether it was proven."""

    def build_clauses(self) -> Clauses:
        """The clauses of the proof, counted when they object, without those switched off."""
        return Clauses(
            self._pages_agree, self._changed_during_read, self._is_affected, self._count_changed
        )

    def _pages_agree(self, read: SliceRead) -> bool:
        if "ids" in self.without and read.needs_proof:
            return read.total is not None
        agree = pages_agree(read)
        self.branches["pages disagree"] += not agree
        return agree

    def _changed_during_read(self, read: SliceRead) -> bool:
        found = "news" not in self.without and changed_during_read(read)
        self.branches["news on a page"] += found
        return found

    def _is_affected(self, read: SliceRead, changed: pa.Table, endpoint: Endpoint) -> bool:
        found = "catch-up" not in self.without and is_affected(read, changed, endpoint)
        self.branches["news in the catch-up"] += found
        return found

    def _count_changed(self, read: SliceRead, count: Callable[[Slice], int]) -> bool:
        found = "count" not in self.without and count_changed(read, count)
        self.branches["another count afterwards"] += found
        return found


class WatchedSliceReader(SliceReader):
    """Records what every page reports as the total."""

    def __init__(self, source: ListSource, today: date, watch: Watch) -> None:
        super().__init__(source, today=today)
        self._watch = watch

    def _iter_pages(self, slice_: Slice, most_rows: int | None) -> Generator[ListPage, None, None]:
        pages: Iterable[ListPage] = super()._iter_pages(slice_, most_rows)
        if "totals" in self._watch.without:  # As if every page reported what the last one reports.
            pages = list(pages)
            last = pages[-1].total_entries
            pages = [ModelPage(page.rows, last, page.began) for page in pages]
        for page in pages:
            self._watch.totals.append(page.total_entries)
            yield page


class WatchedProver(Prover):
    """Counts what follows a read that is not proven."""

    def __init__(
        self,
        reader: SliceReader,
        catch_up: Callable[[datetime, Emit], CaughtUp],
        watch: Watch,
    ) -> None:
        super().__init__(reader, catch_up, watch.build_clauses())
        self._branches = watch.branches

    def _next_slices(self, read: SliceRead, attempts: Any) -> list[Slice]:
        slices = super()._next_slices(read, attempts)
        self._branches["read again"] += slices == [read.slice]
        self._branches["given up as unproven"] += not slices
        self._branches["halved by date"] += len(slices) > 1 and slices[0].only is None
        return slices

    def _split_day(self, slice_: Slice) -> list[Slice]:
        slices = super()._split_day(slice_)
        self._branches["a day cut by id"] += bool(slices)
        self._branches["a day not cut: ids do not add up"] += not slices
        return slices


class WatchedCounter(WindowCounter):
    """Counts plans."""

    def __init__(self, reader: SliceReader, settings: WindowSettings, watch: Watch) -> None:
        super().__init__(reader, settings)
        self._branches = watch.branches

    def plan(self, size: int, found: TooLong) -> list[Slice]:
        slices = super().plan(size, found)
        self._branches["planned"] += 1
        self._branches["planned again: far too long"] += found.slice.window != ALL_DAYS
        return slices


class WatchedReader(ListReader):
    """
    The list reader, recording which of its branches ran.

    The readers of its catch-ups are not watched and use every clause.

    Args:
        users: The ids known for splitting a day.
        without: Clauses of the proof to switch off, as in :class:`Watch`.
    """

    def __init__(
        self,
        client: ListClient,
        endpoint: Endpoint,
        *,
        long_rows: int,
        window_rows: int,
        last_rows: float = LAST_ROWS,
        users: Sequence[int] = USERS,
        without: frozenset[str] = frozenset(),
        branches: Counter[str] | None = None,
    ) -> None:
        source = ListSource(client, endpoint, decode, split_ids=lambda: users)
        last_day = FIRST_DAY + timedelta(days=DAYS - 1)
        settings = WindowSettings(last_day, long_rows, window_rows, last_rows)
        super().__init__(source, settings)
        self.watch = Watch(without, Counter[str]() if branches is None else branches)
        self.slices = WatchedSliceReader(source, last_day, self.watch)
        self._reader = self.slices
        self._prover = WatchedProver(self.slices, self.catch_up, self.watch)
        self._counter = WatchedCounter(self.slices, settings, self.watch)
        self.changes: Callable[[], int] = int
        """How many changes the world has seen."""

    def catch_up(self, began: datetime, emit: Emit) -> CaughtUp:
        known = self.changes()
        caught_up = super().catch_up(began, emit)
        self.watch.caught_up.append((known, caught_up.is_proven))
        self.watch.branches["caught up"] += 1
        self.watch.branches["catch-up not exact"] += not caught_up.is_proven
        return caught_up

    def _finish(
        self, slice_: Slice, deferred: Sequence[SliceRead], result: ReadResult
    ) -> Generator[pa.Table, None, None]:
        proven, branches = len(result.done), self.watch.branches
        yield from super()._finish(slice_, deferred, result)
        branches["several proven by the last catch-up"] += len(deferred) > 1
        branches["one proven by the last catch-up"] += len(deferred) == 1
        branches["unproven by the last catch-up"] += len(result.done) < proven + len(deferred)


SCHEMA = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in ENTRIES.record])


def decode(rows: bytes) -> pa.Table:
    """Rows of the model as an Arrow table, the quick way: decoding has tests of its own."""
    return pa.Table.from_pylist([_parse(row) for row in json.loads(rows)], SCHEMA)


def _parse(row: dict[str, Any]) -> dict[str, Any]:
    on, at = date.fromisoformat(row["spent_date"]), datetime.fromisoformat(row["updated_at"])
    return {**row, "user__id": row["user"]["id"], "spent_date": on, "updated_at": at}


WarehouseCopy = dict[int, tuple[date, int, str]]
"""What a warehouse holds, by id."""


def merge(tables: Iterable[pa.Table], into: Mapping[int, Any] | None = None) -> WarehouseCopy:
    """Tables as a warehouse merges them: the newest ``updated_at`` wins, then the later table."""
    newest: dict[int, datetime] = {}
    copy: WarehouseCopy = dict(into or {})
    for table in tables:
        for row in table.to_pylist():
            row_id, at = row["id"], row["updated_at"]
            if newest.get(row_id, at) <= at:
                newest[row_id] = at
                copy[row_id] = row["spent_date"], row["user__id"], row["notes"]
    return copy


class Unrest:
    """
    Changes a world at random between requests and while they are answered, while *budget* lasts.

    Rows are created and deleted again within a request or two rather often: such rows leave no
    trace in any list, and only they can make two wrongs look right.
    """

    def __init__(self, chance: random.Random, world: World, *, budget: int, rate: float) -> None:
        self._chance = chance
        self._world = world
        self._rate = rate
        self._fresh: list[int] = []
        self.budget = budget

    def __call__(self, _request: int, _is_sent: bool) -> None:
        self._world.now_s += self._chance.choice((0.05, 0.2, 0.4, 1.1))
        while self.budget > 0 and self._chance.random() < self._rate:
            self.budget -= 1
            self.change()

    def change(self) -> None:
        """Do one thing at random."""
        chance, world = self._chance, self._world
        fresh = [row_id for row_id in self._fresh if row_id in world.rows]
        what = chance.choice(("create", "create", "edit", "move", "delete", "delete", "undo"))
        if what == "create" or not world.rows:
            self._fresh.append(world.create(any_day(chance), chance.choice(USERS)))
        elif what == "undo" and fresh:
            world.delete(fresh[-1])
        elif what == "edit":
            world.edit(self._any_row())
        elif what == "move":
            world.move(self._any_row(), any_day(chance))
        else:
            world.delete(self._any_row())

    def _any_row(self) -> int:
        return self._chance.choice(sorted(self._world.rows))


def any_day(chance: random.Random) -> date:
    """A day of the model's few; half of the rows share one, so that days must be cut, too."""
    return FIRST_DAY + timedelta(days=chance.choice((*range(DAYS), *[2] * DAYS)))


MOODS = ((0, 0.0), (2, 0.2), (4, 0.2), (4, 0.5), (8, 0.3), (16, 0.5), (40, 0.5), (400, 0.85))
"""How many changes in all, and how likely another one is between any two moments."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one trial came to. All sets hold ids; of an unproven read they are empty."""

    proven: bool
    missing: frozenset[int] = frozenset()
    """In the list, and not in the copy, not even after the next read."""
    stale: frozenset[int] = frozenset()
    """In the copy as they once were, even after the next read."""
    late: frozenset[int] = frozenset()
    """Changed before the last catch-up, and wrong until the next read."""

    @property
    def is_false(self) -> bool:
        """Proven, and a row is lost all the same."""
        return bool(self.missing or self.stale)


def run_trial(seed: int, branches: Counter[str] | None = None) -> Verdict:
    """Read a list that changes meanwhile, then once more when it is quiet, and compare."""
    chance = random.Random(seed)
    world = World()
    for _ in range(chance.randint(0, 26)):
        world.now_s = chance.uniform(0, 5000)
        world.create(any_day(chance), chance.choice(USERS))
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
        ModelClient(world, unrest, per_page=chance.randint(2, 4), keyset=keyset),
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
    """Rows whose last change was before the last catch-up, and that the copy has not."""
    known, is_sure = caught_up[-1] if caught_up else (0, False)
    if not is_sure:
        return frozenset()
    rows = [row for row in world.rows.values() if int(row.notes.partition(".")[2]) <= known]
    missing = {row.id for row in rows if row.day in slice_.window} - copy.keys()
    return frozenset(missing | _wrong(world, copy) & {row.id for row in rows})


def _wrong(world: World, copy: WarehouseCopy) -> set[int]:
    return {i for i in copy.keys() & world.rows.keys() if copy[i] != world.rows[i].cells()}


def run_many(seeds: Iterable[int]) -> tuple[Counter[str], Counter[str]]:
    """Verdicts and branches of many trials, counted."""
    verdicts, branches = Counter[str](), Counter[str]()
    for seed in seeds:
        verdict = run_trial(seed, branches)
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

``D`` deletes the newest row of those there at first, ``M`` moves it behind all others; ``B`` and
``F`` create a row behind or in front of all others, ``U`` deletes the one created last; ``d``
deletes the oldest row.
"""


def play(world: World, step: str) -> None:
    """Do one letter of a script."""
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
    script: Script, without: frozenset[str] = frozenset()
) -> tuple[World, WatchedReader]:
    """Six rows, 106 (newest day) down to 101, read in pages of three while *script* runs."""
    world = World()
    for number in range(6):
        world.create(FIRST_DAY + timedelta(days=number), USERS[0])
    world.now_s = 10_000.0

    def between(request: int, is_sent: bool) -> None:
        world.now_s += 0.75
        for step in script[request] if request < len(script) and not is_sent else "":
            play(world, step)

    client = ModelClient(world, between, per_page=3)
    return world, WatchedReader(client, UNDATED, long_rows=1000, window_rows=1000, without=without)


def read_script(script: Script, without: frozenset[str] = frozenset()) -> Verdict:
    """Let the reader, less some clauses, read while *script* runs."""
    world, reader = open_stage(script, without)
    result = ReadResult()
    copy = merge(reader.iter_tables(Slice(), result))
    if not result.proven:
        return Verdict(proven=False)
    world.now_s += 5
    return _judge(reader, Slice(), result, world, copy, frozenset())


def find_objections(script: Script) -> tuple[frozenset[str], bool]:
    """The clauses that object to reading once while *script* runs, and whether a row is lost."""
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
    """
    Scripts played, scripts that lose a row, and for each set of clauses the losses it lets pass.
    """
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
    """Run it all and print what it came to."""
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
