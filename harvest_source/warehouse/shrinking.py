"""
Give the disk back the space that a DuckDB file does not need.

A block whose rows were all deleted is free, and DuckDB reuses it, but DuckDB gives only blocks at
the end of the file back to the disk. A merge needs space for the old and the new rows: it leaves
free blocks between others, and blocks with some deleted rows. This module first rewrites row groups
with many deleted rows, and then those whose blocks are nearest to the end of the file: they move
into free blocks nearer to the beginning, and DuckDB cuts off the end. Each move is a DuckDB
transaction for at most 122,880 rows: a run that is killed leaves the file as before or after a
move. Tables and whatever refers to them are unchanged, and so is everything that is not in the
dataset. There is no second file.
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
"""Unneeded bytes from which shrinking pays: it rewrites the file's metadata, 2.6 MB."""
_DAILY_SHARE: Final = 4 / 3
"""Ratio of the file's blocks to the blocks that it needs, from which it is shrunk once a day."""
_ALWAYS_SHARE: Final = 10 / 7
"""The same, from which it is shrunk after each load, such as a first load or a bulk edit."""
_ENOUGH: Final = 1.2
"""The ratio that shrinking aims at; see :data:`_DAILY_SHARE`."""
_AT_ONCE: Final = 64
"""Blocks moved per round, at least one group, before others may use the file: about a second."""
_MOST_ROUNDS: Final = 24
"""Maximum number of rounds in one run."""
_FRUITLESS: Final = 2
"""Rounds without progress after which shrinking stops."""
_MANY_DELETED: Final = 10_000
"""Deleted rows of a table from which the groups that contain them are searched for."""
_SPARSE: Final = 1 / 4
"""Share of deleted rows from which a group's remaining rows are moved."""
_GROUP_ROWS: Final = 122_880
"""Maximum rows of a group."""
_MOST_DROPPED: Final = 1_000
"""Maximum number of dropped groups that are looked up in one table."""
_KEPT: Final = "Nothing is lost: the file is only larger than necessary."


@dataclass(frozen=True, slots=True)
class FileSpace:
    """Size of a file and of its blocks, the number of used blocks, and the catalog's name."""

    file_bytes: int
    catalog: str
    block_bytes: int
    used: int
    dead: int = 0
    """Used blocks that deleted rows fill, approximately."""

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
        """Blocks that the remaining rows would fill."""
        return self.used - self.dead

    def is_wasted(self, share: float) -> bool:
        """Whether enough space is unneeded to move rows; *share* is a ratio like _DAILY_SHARE."""
        waste = self.free + self.dead
        return waste * self.block_bytes >= _WORTH_BYTES and waste > (share - 1) * self.needed


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table, its name quoted; *slots* is the number of its rows including deleted ones."""

    name: str
    slots: int
    deleted: int
    """Deleted rows whose space is not free; 0 unless they are many."""
    is_movable: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A row group of one table, quoted: its blocks, its first and last row id, its rows."""

    table: str
    last_block: int
    blocks: int
    first_row: int
    last_row: int
    rows: int
    """Without deleted rows if they were counted, else including them."""


def is_worth_shrinking(file: DuckDBFile, dataset: str, *, is_daily: bool) -> bool:
    """
    Whether enough of the *file* is unneeded to move rows.

    Args:
        is_daily: Apply the daily threshold; False: the higher one that does not wait for it.

    Raises:
        DestinationError: The file is in use.
    """
    with file.open(_KEPT) as connection:
        share = _DAILY_SHARE if is_daily else _ALWAYS_SHARE
        space = read_space(file, connection)
        return replace(space, dead=_count_dead(connection, space, dataset)).is_wasted(share)


def shrink(file: DuckDBFile, dataset: str) -> int:
    """
    Shrink the *file* and return by how many bytes. Check :func:`is_worth_shrinking` first.

    If a block that cannot be moved is near the end of the file, nothing is returned to the disk.

    Raises:
        DestinationError: The file is in use.
        duckdb.Error: DuckDB refused. Rows that were moved before stay moved.
    """
    before, fruitless, last = _read_bytes(file), 0, None
    for _ in range(_MOST_ROUNDS):
        with file.writing_much(), file.held(_KEPT), file.open(_KEPT) as connection:
            space = read_space(file, connection)
            # Blocks of deleted rows first become free; later rounds cut them off the file's end.
            is_fruitful = last is None or space.blocks < last.blocks or space.used < last.used
            fruitless, last = 0 if is_fruitful else fruitless + 1, space
            chosen = _choose(space, connection, dataset) if fruitless < _FRUITLESS else []
            for groups in join_groups(chosen):
                _move(file, connection, groups)
        if not chosen:
            break
    return max(before - _read_bytes(file), 0)


def read_space(file: DuckDBFile, connection: duckdb.DuckDBPyConnection) -> FileSpace:
    """Read the blocks of *file*, which *connection* has open."""
    (found,) = connection.execute(shrinking.ROOM).fetchall()
    return FileSpace(_read_bytes(file), *found)


def _count_dead(connection: duckdb.DuckDBPyConnection, space: FileSpace, dataset: str) -> int:
    """Count the blocks that deleted rows of the *dataset* fill, approximately."""
    deleted = _count_deleted(connection, space, dataset)
    if not deleted:  # The case in most runs, and quickly found.
        return 0
    return round(
        sum(
            group.blocks * table.deleted / table.slots
            for table in _read_tables(connection, space, dataset, deleted)
            if table.is_movable and table.deleted
            for group in _read_groups(connection, table)
        )
    )


def _choose(space: FileSpace, connection: duckdb.DuckDBPyConnection, dataset: str) -> list[Group]:
    """Choose the row groups to move now: those with many deleted rows, else those at the end."""
    deleted = _count_deleted(connection, space, dataset)
    tables = _read_tables(connection, space, dataset, deleted)
    groups = [(table, group) for table in tables for group in _read_groups(connection, table)]
    sparse = filter(_is_sparse, (_count(connection, table, group) for table, group in groups))
    if chosen := _take(sparse, math.inf):
        return chosen
    groups.sort(key=lambda each: -each[1].last_block)
    near_end = takewhile(
        lambda each: each[0].is_movable and each[1].last_block >= _ENOUGH * space.used, groups
    )
    return _take((group for _, group in near_end), space.free)


def _take(groups: Iterable[Group], blocks: float) -> list[Group]:
    """Take as many of *groups* as fit into *blocks* free blocks and may be moved in one round."""
    chosen, left = list[Group](), blocks
    for group in groups:
        if group.blocks > left:
            break
        chosen.append(group)
        left = min(left, _AT_ONCE) - group.blocks
    return chosen


def _count(connection: duckdb.DuckDBPyConnection, table: StoredTable, group: Group) -> Group:
    """Return *group* with its remaining rows counted, if its table may have sparse groups."""
    if not table.is_movable or not table.deleted:
        return group
    places = [group.first_row, group.last_row]
    ((rows,),) = connection.execute(shrinking.count_between(table.name), places).fetchall()
    return replace(group, rows=rows)


def _is_sparse(group: Group) -> bool:
    """Whether enough rows of a *group* were deleted that moving it would free a block or more."""
    deleted = 1 - group.rows / (group.last_row - group.first_row + 1)
    return group.rows > 0 and deleted >= _SPARSE and deleted * group.blocks >= 1


def join_groups(groups: Sequence[Group]) -> list[list[Group]]:
    """
    Join *groups* whose rows fit into one group, to move them in one transaction.

    The last rows of a table come first: once all rows of a group are deleted, DuckDB may assign
    its ids to other rows.
    """
    joined = list[list[Group]]()
    for group in sorted(groups, key=lambda group: (group.table, -group.first_row)):
        together = joined[-1] if joined and joined[-1][0].table == group.table else []
        if together and sum(each.rows for each in together) + group.rows <= _GROUP_ROWS:
            together.append(group)
        else:
            joined.append([group])
    return joined


def _move(file: DuckDBFile, connection: duckdb.DuckDBPyConnection, groups: Sequence[Group]) -> None:
    """Write the rows of *groups*, all of one table, again, and delete them in the old place."""
    table = groups[0].table
    rows = [row for group in groups for row in (group.first_row, group.last_row)]
    connection.execute("BEGIN")
    try:
        copied = connection.execute(shrinking.copy_rows(table, len(groups)), rows).fetchall()
        deleted = connection.execute(shrinking.delete_rows(table, len(groups)), rows).fetchall()
        if copied != deleted:
            msg = f"{copied} rows of {table} were written again, and {deleted} deleted."
            raise duckdb.Error(msg)
        with file.log.committing():
            connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _read_tables(
    connection: duckdb.DuckDBPyConnection,
    space: FileSpace,
    dataset: str,
    deleted: Mapping[str, int],
) -> list[StoredTable]:
    """Read all tables of the file; *deleted* has the deleted rows of tables with many."""
    found = connection.execute(shrinking.TABLES, [dataset]).fetchall()
    named = [(quote(space.catalog, schema, name), *more) for schema, name, *more in found]
    return [StoredTable(name, slots, deleted.get(name, 0), can) for name, slots, can in named]


def _count_deleted(
    connection: duckdb.DuckDBPyConnection, space: FileSpace, dataset: str
) -> dict[str, int]:
    """By table, the number of deleted rows whose space is not free, if there are many."""
    deleted = dict[str, int]()
    large = connection.execute(shrinking.LARGE_TABLES, [dataset, _MANY_DELETED]).fetchall()
    for schema, name, slots in large:
        table = quote(space.catalog, schema, name)
        ((rows,),) = connection.execute(shrinking.count_rows(table)).fetchall()
        if slots - rows >= _MANY_DELETED:
            deleted[table] = slots - rows
    return deleted


def _read_groups(connection: duckdb.DuckDBPyConnection, table: StoredTable) -> list[Group]:
    """Read the row groups of a *table*, in the order of their row ids."""
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


def _find_dropped(
    connection: duckdb.DuckDBPyConnection, table: StoredTable
) -> list[tuple[int, int]]:
    """
    Find dropped groups of a *table*: their first row ids, ascending, and how many rows they had.

    DuckDB 2 keeps the ids of other rows when all rows of a group were deleted, and does not report
    the ids of a group. Gaps in the ids are taken for dropped groups, the longest first, until all
    slots have an id. If that is wrong, other rows are moved, and nothing is lost.
    """
    ((last_row,),) = connection.execute(shrinking.find_last_row_id(table.name)).fetchall()
    left = 0 if last_row is None else last_row + 1 - table.slots
    if left <= 0:
        return []
    missing = connection.execute(shrinking.find_missing(table.name), [_MOST_DROPPED]).fetchall()
    dropped = list[tuple[int, int]]()
    for place, rows in missing:
        # Deleted rows next to a dropped group widen its gap.
        if left > 0 and rows <= left + table.deleted:
            dropped.append((place - rows, rows))
            left -= rows
    return sorted(dropped)


def _read_bytes(file: DuckDBFile) -> int:
    return file.path.stat().st_size
