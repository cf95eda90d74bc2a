"""
A model of one Harvest list that changes while it is read.

The model is small on purpose: pages of two to four rows and a change between almost any two
requests meet every race thousands of times more often than a real account does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from math import floor
from typing import Any

import pyarrow as pa

from harvest_source.decode.decoder import ARROW_TYPES
from harvest_source.extract.slice_reader import ListPage
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
    dated_s: int | None = None
    """A date that no change moves, such as one years ahead; None means the last change's date."""

    @property
    def updated_s(self) -> int:
        """Harvest dates changes in whole seconds."""
        return floor(self.changed_s) if self.dated_s is None else self.dated_s

    def json(self) -> str:
        return (
            f'{{"id":{self.id},"spent_date":"{self.day}","user":{{"id":{self.user}}},'
            f'"notes":"{self.notes}","updated_at":"{_instant(self.updated_s)}"}}'
        )

    def cells(self) -> tuple[date, int, str]:
        """The cells that a copy of this row must hold."""
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

    def fix_date(self, row_id: int, at_s: int) -> None:
        """Give a row a fixed date that no later change moves."""
        self.rows[row_id] = replace(self.rows[row_id], dated_s=at_s)

    def edit(self, row_id: int) -> None:
        """Change a row's content."""
        self._touch(row_id)

    def move(self, row_id: int, to: date) -> None:
        """Change the day of a row, and so its place in the list."""
        self.rows[row_id] = replace(self.rows[row_id], day=to)
        self._touch(row_id)

    def delete(self, row_id: int) -> None:
        """Delete a row without a trace, as Harvest does."""
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
        behind_s: How far the reader's clock is behind the world's: reads begin that much earlier.
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
        behind_s: float = 0.0,
    ) -> None:
        self._world = world
        self._behind_s = behind_s
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
        began = START + timedelta(seconds=self._world.now_s - self._behind_s)
        self._between(self._requests, True)
        self._requests += 1
        return began

    def _place(self, row: Row) -> tuple[Any, ...]:
        return (row.id,) if self._keyset == "id" else (row.day, row.id)

    def _select(self, params: Mapping[str, str]) -> list[Row]:
        """The current rows of a list with these filters, in its order."""
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


SCHEMA = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in ENTRIES.record])


def decode(rows: bytes) -> pa.Table:
    """The model's rows as an Arrow table, decoded quickly: decoding has its own tests."""
    return pa.Table.from_pylist([_parse(row) for row in json.loads(rows)], SCHEMA)


def _parse(row: dict[str, Any]) -> dict[str, Any]:
    on, at = date.fromisoformat(row["spent_date"]), datetime.fromisoformat(row["updated_at"])
    return {**row, "user__id": row["user"]["id"], "spent_date": on, "updated_at": at}


WarehouseCopy = dict[int, tuple[date, int, str]]
"""The rows that a warehouse holds, by id."""


def merge(tables: Iterable[pa.Table], into: Mapping[int, Any] | None = None) -> WarehouseCopy:
    """Merge tables as a warehouse does: the newest ``updated_at`` wins, then the later table."""
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
    Changes a world at random between and during requests, while *budget* lasts.

    Rows are often created and deleted again within a request or two: such rows leave no trace in
    any list, and only they can make two errors cancel out.
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
        """Make one random change."""
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
    """One of the model's few days; half of the rows share one, so that days must be cut too."""
    return FIRST_DAY + timedelta(days=chance.choice((*range(DAYS), *[2] * DAYS)))


MOODS = ((0, 0.0), (2, 0.2), (4, 0.2), (4, 0.5), (8, 0.3), (16, 0.5), (40, 0.5), (400, 0.85))
"""The total number of changes, and the chance of another one between any two moments."""
