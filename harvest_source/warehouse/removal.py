"""
Rows that leave a table: recorded, guarded, with their child rows and their open history versions.

Other rooms decide which rows go; this module removes them, and refuses when it is too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import find_root, find_table, has_rows
from harvest_source.errors import GuardError
from harvest_source.extract.run_log import Emptied
from harvest_source.load.history import VALID_TO, TableHistory
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.deleted_records import DeletedRow, record
from harvest_source.warehouse.sql import (
    EVERY_ROW,
    AllOf,
    AnyOf,
    Condition,
    Equals,
    InTable,
    NoneOf,
    OneOf,
    Row,
    Sql,
    Within,
)
from harvest_source.warehouse.warehouse import Warehouse

_SCOPES: Final = 500
"""Scopes in one statement."""
_FEW_ROWS: Final = 25
"""A guard below this would stop people who tidy up a small account."""

Scope = tuple[tuple[str, Any], ...]
"""Values of columns, by name."""


@dataclass(frozen=True, slots=True)
class RowsToDelete:
    """
    Rows of one account's table that are to be removed.

    Attributes:
        seen: Ids of load packages: rows that these brought stay. Empty: no row stays for that.
        start: Rows dated before this day were not looked at and stay.
        scopes: Only rows that have all values of one of these; empty: rows of any scope.
    """

    endpoint: Endpoint
    account_id: int
    seen: tuple[str, ...] = ()
    start: date | None = None
    scopes: tuple[Scope, ...] = ()

    def condition(self) -> Condition:
        """What the rows have in common."""
        conditions: list[Condition] = [Equals(ACCOUNT_ID, self.account_id)]
        if self.seen:
            conditions.append(NoneOf(LOAD_ID, self.seen))
        if self.scopes:
            conditions.append(_in_any_scope(self.scopes))
        if self.start is not None and self.endpoint.window is not None:
            conditions.append(Within(self.endpoint.window, self.start, None))
        return AllOf(*conditions)


def _in_any_scope(scopes: Sequence[Scope]) -> Condition:
    columns = {tuple(name for name, _ in scope) for scope in scopes}
    if len(columns) == 1 and len(only := next(iter(columns))) == 1:
        return OneOf(only[0], [scope[0][1] for scope in scopes])
    return AnyOf(*(AllOf(*(Equals(name, value) for name, value in each)) for each in scopes))


def rows_to_delete_of_emptied(emptied: Iterable[Emptied]) -> list[RowsToDelete]:
    """The rows of lists that Harvest served without any row."""

    def place(each: Emptied) -> tuple[str, int]:
        return each.table, each.account_id

    return [
        RowsToDelete(BY_NAME[table], account_id, scopes=tuple(filter(None, scopes)))
        for (table, account_id), group in groupby(sorted(emptied, key=place), key=place)
        for scopes in _split([each.scope for each in group])
    ]


def rows_to_delete_by_id(
    endpoint: Endpoint, account_id: int, column: str, ids: Sequence[int]
) -> list[RowsToDelete]:
    """Rows of one account with one of *ids* in *column*, in portions that one statement takes."""
    scopes: list[Scope] = [((column, each),) for each in ids]
    return [RowsToDelete(endpoint, account_id, scopes=tuple(each)) for each in _split(scopes)]


def _split(scopes: list[Scope]) -> Iterable[list[Scope]]:
    return (scopes[at : at + _SCOPES] for at in range(0, len(scopes), _SCOPES))


def find(warehouse: Warehouse, candidates: RowsToDelete, *, limit: Decimal | None) -> list[Row]:
    """
    The rows as they are, each with its child rows as a list under the array's name.

    Args:
        limit: Share of the account's rows, from 0 to 1, that may go; None: no guard.

    Raises:
        GuardError: More than *limit*, and more than 25 rows.
        DestinationError: The destination refused.
    """
    endpoint, condition = candidates.endpoint, candidates.condition()
    with warehouse.sql() as sql:
        rows = sql.select(endpoint.name, condition)
        for child in endpoint.child_tables:
            _attach_children(sql, endpoint, child, condition, rows)
        if rows and limit is not None:
            total = sql.count(endpoint.name, Equals(ACCOUNT_ID, candidates.account_id))
            guard(endpoint, len(rows), total, limit, "--full-refresh")
    return rows


def _attach_children(
    sql: Sql, endpoint: Endpoint, child: str, condition: Condition, rows: Sequence[Row]
) -> None:
    """Put the rows of table *child* into the records they belong to."""
    by_root: dict[str, list[Row]] = {row["_dlt_id"]: [] for row in rows}
    if find_table(sql.schema, child) in _find_children(sql.schema, endpoint):
        where = InTable("_dlt_root_id", endpoint.name, "_dlt_id", condition)
        for element in sql.select(child, where, order_by=("_dlt_list_idx",)):
            by_root[element["_dlt_root_id"]].append(element)
    array = child.removeprefix(f"{endpoint.name}__")
    for row in rows:
        row[array] = by_root[row["_dlt_id"]]


def remove(
    warehouse: Warehouse,
    found: Sequence[tuple[RowsToDelete, Sequence[Mapping[str, Any]]]],
    *,
    now: datetime,
    keep_content: bool,
) -> None:
    """
    Record rows that :func:`find` found in ``deleted_records``, then delete them.

    All are recorded, in one load, before the first one is deleted.

    Args:
        keep_content: False: ``deleted_records`` gets the ids only.

    Raises:
        DestinationError: The destination refused.
    """
    record(
        warehouse,
        [
            DeletedRow(candidates.endpoint.name, candidates.account_id, row)
            for candidates, rows in found
            if "id" in candidates.endpoint.primary_key
            for row in rows
        ],
        now=now,
        keep_content=keep_content,
    )
    for candidates, _ in found:
        _delete(warehouse, candidates)


def _delete(warehouse: Warehouse, candidates: RowsToDelete) -> None:
    """Child rows first: without their parent they could not be found again."""
    table, condition = candidates.endpoint.name, candidates.condition()
    with warehouse.sql() as sql, sql.transaction():
        for child in _find_children(sql.schema, candidates.endpoint):
            sql.delete(child, InTable("_dlt_root_id", table, "_dlt_id", condition))
        sql.delete(table, condition)


def _find_children(schema: dlt.Schema, endpoint: Endpoint) -> list[str]:
    """Child tables that ever had a row: of undeclared arrays too, and of arrays inside arrays."""
    return [
        name
        for name, table in schema.tables.items()
        if name != endpoint.name and has_rows(table) and find_root(schema, name) == endpoint.name
    ]


def guard(
    endpoint: Endpoint, rows: int, total: int, limit: Decimal, option: str = "--deletes"
) -> None:
    """
    Refuse to remove *rows* of *total* if that is more than *limit* of them, and more than 25.

    Raises:
        GuardError: Names the command that removes them all the same, with *option*.
    """
    if rows <= _FEW_ROWS or rows <= limit * total:
        return
    msg = (
        f"Not deleting {rows:,} of {total:,} {endpoint.name} "
        f"({Decimal(rows) / total:.0%}, limit {limit:.0%}). A token that sees fewer rows looks "
        f"the same as a mass delete. If they are really gone: harvest-source sync {option} "
        "--max-deletes 100%"
    )
    raise GuardError(msg)


def end_versions(warehouse: Warehouse, histories: Iterable[TableHistory], *, now: datetime) -> None:
    """
    Close the open history version of every row that its table no longer has.

    Raises:
        DestinationError: The destination refused.
    """
    with warehouse.sql() as sql:
        for history in histories:
            if not history.must_begin(warehouse.schema):
                _end_versions_of(sql, history, now)


def _end_versions_of(sql: Sql, history: TableHistory, now: datetime) -> None:
    table, is_open = history.endpoint.name, Equals(VALID_TO, None)
    for (account_id,) in sql.select_distinct(history.table, is_open, (ACCOUNT_ID,)):
        of_account = Equals(ACCOUNT_ID, account_id)
        is_gone = InTable("id", table, "id", of_account, negated=True)
        sql.update(history.table, {VALID_TO: now}, AllOf(is_open, of_account, is_gone))


def delete_all(sql: Sql, table: str) -> None:
    """Delete every row of a child table: its array is excluded."""
    sql.delete(table, EVERY_ROW)
