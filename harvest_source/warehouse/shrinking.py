"""
Gives room that a DuckDB file does not need back to the disk.

DuckDB fills the free blocks of a file again, but gives back only those at its end, and a merge
leaves free blocks between others: room for the rows before and after it. Here the rows whose blocks
are nearest to the end are written once more, which takes free blocks nearer to the beginning, and
the end is cut off. That is a transaction of DuckDB for each group of at most 122,880 rows: a run
that is killed leaves the file as it was before or after it. Tables and whatever refers to them stay
as they are, and so does everything that is not in the dataset. There is no second file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb

from harvest_source.sql import shrinking
from harvest_source.sql.maintenance import quote
from harvest_source.warehouse.duckdb_file import DuckDBFile

_WORTH_BYTES: Final = 4 * 1024 * 1024
"""Free bytes from which on it is done: the file's description is written, 2.6 MB."""
_DAILY_SHARE: Final = 4 / 3
"""Blocks of a file for each block that it needs, from which on it is done once a day."""
_ALWAYS_SHARE: Final = 1.6
"""The same, from which on it is done after each load: a first one, or a bulk edit."""
_ENOUGH: Final = 1.2
"""As :data:`_DAILY_SHARE`: what is aimed at."""
_AT_ONCE: Final = 64
"""Blocks that are moved, at least one group, before others may have the file: about a second."""
_MOST_ROUNDS: Final = 24
"""How often that is done in one run at most."""
_KEPT: Final = "Nothing is lost: the file only stays larger than it need be."


@dataclass(frozen=True, slots=True)
class Room:
    """Size of a file and of its blocks, those that are used, and the name of its catalog."""

    file_bytes: int
    catalog: str
    block_bytes: int
    used: int

    @property
    def free(self) -> int:
        """Blocks of the file that hold nothing."""
        return self.file_bytes // self.block_bytes - self.used

    def is_wasted(self, share: float) -> bool:
        """Whether so much is free that it is worth moving rows: *share* as :data:`_DAILY_SHARE`."""
        is_much = self.free * self.block_bytes >= _WORTH_BYTES
        return is_much and self.free > (share - 1) * self.used


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rows of one table, quoted: its blocks, and its first and last row id."""

    table: str
    last_block: int
    blocks: int
    first_row: int
    last_row: int


def is_worth(file: DuckDBFile, *, is_daily: bool) -> bool:
    """
    Whether so much of the *file* is free that rows should be moved.

    Args:
        is_daily: False: so much that it cannot wait for the daily run.

    Raises:
        DestinationError: The file is in use.
    """
    with file.open(_KEPT) as connection:
        share = _DAILY_SHARE if is_daily else _ALWAYS_SHARE
        return read_room(file, connection).is_wasted(share)


def shrink(file: DuckDBFile, dataset: str) -> int:
    """
    Give room of the *file* back; returns how many bytes were. Ask :func:`is_worth` before.

    Where a block that cannot be moved is near the end, nothing is given back.

    Raises:
        DestinationError: The file is in use.
        duckdb.Error: DuckDB refused. What was moved until then is moved.
    """
    before = _read_bytes(file)
    smallest, fruitless = before, 0
    for _ in range(_MOST_ROUNDS):
        with file.held(_KEPT), file.open(_KEPT) as connection:
            chosen = _choose_last(read_room(file, connection), connection, dataset)
            for group in chosen:
                _move(connection, group)
        if not chosen:
            break
        fruitless = 0 if (now := _read_bytes(file)) < smallest else fruitless + 1
        smallest = min(smallest, now)
        if fruitless > 1:
            break
    return max(before - _read_bytes(file), 0)


def read_room(file: DuckDBFile, connection: duckdb.DuckDBPyConnection) -> Room:
    """The blocks of *file*, which *connection* has open."""
    (found,) = connection.execute(shrinking.ROOM).fetchall()
    return Room(_read_bytes(file), *found)


def _choose_last(room: Room, connection: duckdb.DuckDBPyConnection, dataset: str) -> list[Group]:
    """The groups of rows nearest to the end, as many as fit; none if it is not worth it."""
    movable, groups = set[str](), list[Group]()
    for schema, name, is_movable in connection.execute(shrinking.TABLES, [dataset]).fetchall():
        table = quote(room.catalog, schema, name)
        groups += _read_groups(connection, table)
        movable |= {table} if is_movable else set()
    chosen, left = list[Group](), room.free
    for group in sorted(groups, key=lambda group: -group.last_block):
        is_near = group.table in movable and group.last_block >= _ENOUGH * room.used
        if not is_near or group.blocks > left:
            break
        chosen.append(group)
        left = min(left, _AT_ONCE) - group.blocks
    return chosen


def _move(connection: duckdb.DuckDBPyConnection, group: Group) -> None:
    table, rows = group.table, [group.first_row, group.last_row]
    connection.execute("BEGIN")
    try:
        copied = connection.execute(shrinking.copy_rows(table), rows).fetchall()
        deleted = connection.execute(shrinking.delete_rows(table), rows).fetchall()
        if copied != deleted:
            msg = f"{copied} rows of {table} were written again, and {deleted} deleted."
            raise duckdb.Error(msg)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _read_groups(connection: duckdb.DuckDBPyConnection, table: str) -> list[Group]:
    first, groups = 0, list[Group]()
    for _, last_block, blocks, rows in connection.execute(shrinking.GROUPS, [table]).fetchall():
        if blocks and rows:
            groups.append(Group(table, last_block, blocks, first, first + int(rows) - 1))
        first += int(rows or 0)
    return groups


def _read_bytes(file: DuckDBFile) -> int:
    return file.path.stat().st_size
