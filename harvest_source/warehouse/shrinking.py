"""
Gives room that a DuckDB file does not need back to the disk.

A block of which all rows were deleted is free, and DuckDB fills it again, but it gives back only
those at the end of the file. A merge leaves free blocks between others, and blocks of which some
rows were deleted: room for the rows before and after it. Here rows between which many were deleted
are written once more, and then those whose blocks are nearest to the end, which takes free blocks
nearer to the beginning; the end is cut off. That is a transaction of DuckDB for at most 122,880
rows: a run that is killed leaves the file as it was before or after it. Tables and whatever refers
to them stay as they are, and so does everything that is not in the dataset. There is no second
file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

import duckdb

from harvest_source.sql import shrinking
from harvest_source.sql.maintenance import quote
from harvest_source.warehouse.duckdb_file import DuckDBFile

_WORTH_BYTES: Final = 4 * 1024 * 1024
"""Free bytes from which on it is done: the file's description is written, 2.6 MB."""
_DAILY_SHARE: Final = 4 / 3
"""Blocks of a file for each block that it needs, from which on it is done once a day."""
_ALWAYS_SHARE: Final = 10 / 7
"""The same, from which on it is done after each load: a first one, or a bulk edit."""
_ENOUGH: Final = 1.2
"""As :data:`_DAILY_SHARE`: what is aimed at."""
_AT_ONCE: Final = 64
"""Blocks that are moved, at least one group, before others may have the file: about a second."""
_MOST_ROUNDS: Final = 24
"""How often that is done in one run at most."""
_FRUITLESS: Final = 2
"""Rounds that set nothing free after which there is no other."""
_MANY_DELETED: Final = 10_000
"""Deleted rows of a table from which on the groups are looked for that they are in."""
_SPARSE: Final = 1 / 4
"""Share of a group's rows: where as many were deleted, the others are moved."""
_GROUP_ROWS: Final = 122_880
"""Rows of a group at most."""
_MOST_DROPPED: Final = 1_000
"""Groups of one table that are gone."""
_KEPT: Final = "Nothing is lost: the file only stays larger than it need be."


@dataclass(frozen=True, slots=True)
class Room:
    """Size of a file and of its blocks, those that are used, and the name of its catalog."""

    file_bytes: int
    catalog: str
    block_bytes: int
    used: int
    dead: int = 0
    """Used blocks that deleted rows fill, about."""

    @property
    def blocks(self) -> int:
        """All blocks of the file."""
        return self.file_bytes // self.block_bytes

    @property
    def free(self) -> int:
        """Blocks of the file that hold nothing."""
        return self.blocks - self.used

    @property
    def needed(self) -> int:
        """Blocks that its rows would fill."""
        return self.used - self.dead

    def is_wasted(self, share: float) -> bool:
        """Whether so much is not needed that rows should be moved: *share* as _DAILY_SHARE."""
        waste = self.free + self.dead
        return waste * self.block_bytes >= _WORTH_BYTES and waste > (share - 1) * self.needed


@dataclass(frozen=True, slots=True)
class Table:
    """A table, quoted, whose rows are *slots* with those that were deleted."""

    name: str
    slots: int
    deleted: int
    """Deleted rows whose room is not free, where they are many."""
    is_movable: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rows of one table, quoted: its blocks, its first and last row id, its rows."""

    table: str
    last_block: int
    blocks: int
    first_row: int
    last_row: int
    rows: int
    """Without those that were deleted, if they were counted."""


def is_worth(file: DuckDBFile, dataset: str, *, is_daily: bool) -> bool:
    """
    Whether so much of the *file* is not needed that rows should be moved.

    Args:
        is_daily: False: so much that it cannot wait for the daily run.

    Raises:
        DestinationError: The file is in use.
    """
    with file.open(_KEPT) as connection:
        share = _DAILY_SHARE if is_daily else _ALWAYS_SHARE
        room = read_room(file, connection)
        return replace(room, dead=_count_dead(connection, room, dataset)).is_wasted(share)


def shrink(file: DuckDBFile, dataset: str) -> int:
    """
    Give room of the *file* back; returns how many bytes were. Ask :func:`is_worth` before.

    Where a block that cannot be moved is near the end, nothing is given back.

    Raises:
        DestinationError: The file is in use.
        duckdb.Error: DuckDB refused. What was moved until then is moved.
    """
    before, fruitless, last = _read_bytes(file), 0, None
    for _ in range(_MOST_ROUNDS):
        with file.writing_much(), file.held(_KEPT), file.open(_KEPT) as connection:
            room = read_room(file, connection)
            # What deleted rows filled becomes free at first, and goes with the file's end later.
            is_fruitful = last is None or room.blocks < last.blocks or room.used < last.used
            fruitless, last = 0 if is_fruitful else fruitless + 1, room
            chosen = _choose(room, connection, dataset) if fruitless < _FRUITLESS else []
            for groups in join_groups(chosen):
                _move(connection, groups)
        if not chosen:
            break
    return max(before - _read_bytes(file), 0)


def read_room(file: DuckDBFile, connection: duckdb.DuckDBPyConnection) -> Room:
    """The blocks of *file*, which *connection* has open."""
    (found,) = connection.execute(shrinking.ROOM).fetchall()
    return Room(_read_bytes(file), *found)


def _count_dead(connection: duckdb.DuckDBPyConnection, room: Room, dataset: str) -> int:
    """Blocks that deleted rows of the *dataset* fill, about."""
    deleted = _count_deleted(connection, room, dataset)
    if not deleted:  # As in most runs, and quickly told.
        return 0
    return round(
        sum(
            group.blocks * table.deleted / table.slots
            for table in _read_tables(connection, room, dataset, deleted)
            if table.is_movable and table.deleted
            for group in _read_groups(connection, table)
        )
    )


def _choose(room: Room, connection: duckdb.DuckDBPyConnection, dataset: str) -> list[Group]:
    """The groups of rows to move at once: those with many deleted rows, else those at the end."""
    deleted = _count_deleted(connection, room, dataset)
    tables = _read_tables(connection, room, dataset, deleted)
    groups = [(table, group) for table in tables for group in _read_groups(connection, table)]
    sparse = filter(_is_sparse, (_count(connection, table, group) for table, group in groups))
    if chosen := _take(sparse, math.inf):
        return chosen
    groups.sort(key=lambda each: -each[1].last_block)
    near_end = takewhile(
        lambda each: each[0].is_movable and each[1].last_block >= _ENOUGH * room.used, groups
    )
    return _take((group for _, group in near_end), room.free)


def _take(groups: Iterable[Group], blocks: float) -> list[Group]:
    """The first of *groups*, as many as fit into so many *blocks* and are moved at once."""
    chosen, left = list[Group](), blocks
    for group in groups:
        if group.blocks > left:
            break
        chosen.append(group)
        left = min(left, _AT_ONCE) - group.blocks
    return chosen


def _count(connection: duckdb.DuckDBPyConnection, table: Table, group: Group) -> Group:
    """*group* with the number of rows that are left, if it may be moved for those that are not."""
    if not table.is_movable or not table.deleted:
        return group
    places = [group.first_row, group.last_row]
    ((rows,),) = connection.execute(shrinking.count_between(table.name), places).fetchall()
    return replace(group, rows=rows)


def _is_sparse(group: Group) -> bool:
    """Whether so many rows of a *group* were deleted that a block or more would be free."""
    deleted = 1 - group.rows / (group.last_row - group.first_row + 1)
    return group.rows > 0 and deleted >= _SPARSE and deleted * group.blocks >= 1


def join_groups(groups: Sequence[Group]) -> list[list[Group]]:
    """
    *groups* that are moved in one transaction each, because their rows fit into one group.

    The last rows of a table first: once all rows of a group are gone, others may have its ids.
    """
    joined = list[list[Group]]()
    for group in sorted(groups, key=lambda group: (group.table, -group.first_row)):
        together = joined[-1] if joined and joined[-1][0].table == group.table else []
        if together and sum(each.rows for each in together) + group.rows <= _GROUP_ROWS:
            together.append(group)
        else:
            joined.append([group])
    return joined


def _move(connection: duckdb.DuckDBPyConnection, groups: Sequence[Group]) -> None:
    """Write the rows of *groups*, all of one table, once more, and delete them where they were."""
    table = groups[0].table
    rows = [row for group in groups for row in (group.first_row, group.last_row)]
    connection.execute("BEGIN")
    try:
        copied = connection.execute(shrinking.copy_rows(table, len(groups)), rows).fetchall()
        deleted = connection.execute(shrinking.delete_rows(table, len(groups)), rows).fetchall()
        if copied != deleted:
            msg = f"{copied} rows of {table} were written again, and {deleted} deleted."
            raise duckdb.Error(msg)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _read_tables(
    connection: duckdb.DuckDBPyConnection, room: Room, dataset: str, deleted: Mapping[str, int]
) -> list[Table]:
    """All tables of the file; *deleted* are the deleted rows of those that have many."""
    found = connection.execute(shrinking.TABLES, [dataset]).fetchall()
    named = [(quote(room.catalog, schema, name), *more) for schema, name, *more in found]
    return [Table(name, slots, deleted.get(name, 0), can) for name, slots, can in named]


def _count_deleted(
    connection: duckdb.DuckDBPyConnection, room: Room, dataset: str
) -> dict[str, int]:
    """By table, deleted rows whose room is not free, where they are many."""
    deleted = dict[str, int]()
    large = connection.execute(shrinking.LARGE_TABLES, [dataset, _MANY_DELETED]).fetchall()
    for schema, name, slots in large:
        table = quote(room.catalog, schema, name)
        ((rows,),) = connection.execute(shrinking.count_rows(table)).fetchall()
        if slots - rows >= _MANY_DELETED:
            deleted[table] = slots - rows
    return deleted


def _read_groups(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Group]:
    """The groups of a *table*, by their row ids."""
    dropped = _find_dropped(connection, table)
    first, groups = 0, list[Group]()
    for _, last_block, blocks, slots in connection.execute(
        shrinking.GROUPS, [table.name]
    ).fetchall():
        while dropped and dropped[0][0] <= first:
            first += dropped.pop(0)[1]
        last = first + int(slots or 0) - 1
        if blocks and slots:
            groups.append(Group(table.name, last_block, blocks, first, last, int(slots)))
        first = last + 1
    return groups


def _find_dropped(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[int, int]]:
    """
    Where groups of a *table* are gone: their first row id, ascending, and how many rows they had.

    DuckDB 2 leaves the ids of other rows as they are when all rows of a group were deleted, and
    does not tell the ids of a group. What is missing is taken for dropped groups, the most first,
    until all slots have an id. Where that is wrong other rows are moved, and nothing is lost.
    """
    ((last_row,),) = connection.execute(shrinking.find_last_row(table.name)).fetchall()
    left = 0 if last_row is None else last_row + 1 - table.slots
    if left <= 0:
        return []
    missing = connection.execute(shrinking.find_missing(table.name), [_MOST_DROPPED]).fetchall()
    dropped = list[tuple[int, int]]()
    for place, rows in missing:
        # Deleted rows beside a dropped group are missing with it.
        if left > 0 and rows <= left + table.deleted:
            dropped.append((place - rows, rows))
            left -= rows
    return sorted(dropped)


def _read_bytes(file: DuckDBFile) -> int:
    return file.path.stat().st_size
