"""
The lists of parents that a run has read, so that no list is asked for twice.

Reading invoices, their payments or their messages begins with the same list. What one table has
read of it serves the others, if it was requested with the same filters.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvest_source.decode.coerce import loads
from harvest_source.extract.list_reader import ReadResult
from harvest_source.extract.run_log import Place
from harvest_source.extract.slices import Slice
from harvest_source.schema.columns import VARIANT
from harvest_source.schema.endpoint import Endpoint, NoChildren
from harvest_source.schema.endpoints import PARENT_COLUMNS

_FURTHER_BACK: Final = timedelta(hours=1)
"""
How much further back a list may reach than asked for.

The additional parents are asked for their children once more, which costs requests and loses
nothing.
"""

_KEPT: Final = 4
"""Lists of one table and account that are kept: all that one run reads."""


@dataclass(frozen=True, slots=True)
class ParentList:
    """One read of a list of parents: the columns of :data:`PARENT_COLUMNS`, each id once."""

    slices: tuple[Slice, ...]
    rows: pa.Table
    result: ReadResult
    takers: set[str] = field(default_factory=set)
    """The tables that have used it. No table uses it twice: what it reads later must be newer."""

    @property
    def ids(self) -> list[int]:
        """The ids of all parents, ascending."""
        return sorted(self.rows.column("id").to_pylist())

    def split(self, having: tuple[str, str] | None) -> tuple[list[int], list[int]]:
        """The ids of the parents that have a value in an array, and of the others; ascending."""
        if having is None:
            return self.ids, []
        column, value = having
        rows = zip(*(self.rows.column(name).to_pylist() for name in ("id", column)), strict=True)
        found: dict[bool, list[int]] = {True: [], False: []}
        for parent, array in sorted(rows):
            found[value in loads((array or "[]").encode())].append(parent)
        return found[True], found[False]

    def changed_since(self, since: datetime) -> set[int]:
        """The parents whose ``updated_at`` is *since* or later, or unknown."""
        at = self.rows.column("updated_at")
        is_later = pc.or_(pc.is_null(at), pc.fill_null(pc.greater_equal(at, since), True))
        return set(self.rows.filter(is_later).column("id").to_pylist())

    def without_children(self, rule: NoChildren | None) -> set[int]:
        """The parents without children by *rule*; a parent with an unknown value may have some."""
        if rule is None or not {*rule.columns} <= {*self.rows.column_names}:
            return set()
        conditions = [pc.equal(self.rows[name], self.rows[other]) for name, other in rule.equal]
        conditions += [pc.equal(self.rows[name], value) for name, value in rule.value]
        conditions += [pc.is_null(self.rows[name]) for name in rule.null]
        variants = (name + VARIANT for name in rule.columns)
        conditions += [
            pc.is_null(self.rows[name]) for name in variants if name in self.rows.column_names
        ]
        is_without = pa.array([True] * self.rows.num_rows, pa.bool_())
        for condition in conditions:
            is_without = pc.and_(is_without, pc.fill_null(condition, False))
        return set(self.rows.filter(is_without).column("id").to_pylist())


def pick_parent_columns(endpoint: Endpoint, table: pa.Table) -> pa.Table:
    """The columns of *table*, rows of *endpoint*, that decide which lists below are read."""
    wanted = {name + suffix for name in PARENT_COLUMNS[endpoint.name] for suffix in ("", VARIANT)}
    return table.select([name for name in table.column_names if name in wanted])


class ParentLists:
    """The lists of parents that one run has read, by table and account. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: dict[Place, threading.Lock] = defaultdict(threading.Lock)
        self._lists: dict[Place, deque[ParentList]] = {}

    def keep(self, place: Place, parents: ParentList) -> None:
        """Keep a list that was read of the table and account *place*, proven."""
        with self._lock:
            self._lists.setdefault(place, deque(maxlen=_KEPT)).appendleft(parents)

    @contextmanager
    def reading(self, place: Place) -> Iterator[None]:
        """Make others that need a list of *place* wait: they may use what is read here."""
        with self._lock:
            lock = self._reading[place]
        with lock:
            yield

    def take(self, place: Place, slices: Sequence[Slice], taker: str) -> ParentList | None:
        """The newest list of *place* that has all of *slices*, and that *taker* has not used."""
        wanted = {*PARENT_COLUMNS[place[0]]}
        with self._lock:
            for each in self._lists.get(place, ()):
                has_all = _covers(each.slices, slices) and wanted <= {*each.rows.column_names}
                if has_all and taker not in each.takers:
                    each.takers.add(taker)
                    return each
        return None


def _covers(had: Sequence[Slice], wanted: Sequence[Slice]) -> bool:
    """Whether a read of the slices *had* has all rows of *wanted*, and few more."""
    return len(had) == len(wanted) and all(map(_reaches, had, wanted))


def _reaches(had: Slice, wanted: Slice) -> bool:
    if had == wanted:
        return True
    if had.since is None or wanted.since is None or replace(had, since=wanted.since) != wanted:
        return False
    return timedelta(0) <= wanted.since - had.since <= _FURTHER_BACK
