"""
Remove rows from tables: the only statements that delete rows.

Other packages of the project decide which rows to remove
(:class:`harvest_source.extract.removals.Removal`). One removal does, in this order: record every
row, delete the rows below them, delete the rows, end their history versions. All of it is one
transaction if the destination has transactions. Otherwise it may stop after any statement: recorded
rows stay until they are deleted, a parent is found as long as it has children, and every statement
is idempotent. So carrying out the same removal again finishes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import find_root, has_received_rows, has_table
from harvest_source.errors import GuardError
from harvest_source.extract.removals import Removal
from harvest_source.load.history import VALID_TO, TableHistory
from harvest_source.load.own_tables import is_made
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.schema.own_tables import DELETED_RECORDS
from harvest_source.sql.conditions import (
    EVERY_ROW,
    AllOf,
    AnyOf,
    Condition,
    Equals,
    InTable,
    NoneOf,
    OneOf,
    Value,
    Within,
)
from harvest_source.warehouse.deleted_records import DeletedRow
from harvest_source.warehouse.sql import Row, Sql

PORTION: Final = 500
"""Values in one statement, and rows in memory at once, approximately."""

_MOST_PLACES: Final = 12
"""Maximum number of decimals of a percentage in a message."""

_FEW_ROWS: Final = 25
"""Removals up to this size pass the guard, which would otherwise stop small clean-ups."""


def find_below(schema: dlt.Schema, endpoint: Endpoint) -> list[Endpoint]:
    """The lists below *endpoint* that the warehouse has, such as payments of invoices."""
    return [
        each
        for each in ENDPOINTS
        if each.parent_table == endpoint.name and has_table(schema, each.name)
    ]


def find_arrays(schema: dlt.Schema, endpoint: Endpoint) -> list[str]:
    """Child tables that ever had a row, also of undeclared arrays and of arrays inside arrays."""
    return [
        name
        for name, table in schema.tables.items()
        if name != endpoint.name
        and has_received_rows(table)
        and find_root(schema, name) == endpoint.name
    ]


def build_condition(removal: Removal) -> Condition:
    """Build the condition that selects the rows of *removal*."""
    conditions: list[Condition] = [Equals(ACCOUNT_ID, removal.account_id)]
    if removal.columns:
        conditions.append(_build_choice(removal.columns, removal.values))
    unseen = removal.unseen
    if unseen is not None:
        conditions.append(NoneOf(LOAD_ID, unseen.load_ids))
        conditions.append(Within(LOAD_ID, None, unseen.began))
        if unseen.start is not None and removal.endpoint.window is not None:
            conditions.append(Within(removal.endpoint.window, unseen.start, None))
    return AllOf(*conditions)


def _build_choice(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Condition:
    if len(columns) == 1:
        return OneOf(columns[0], [value for (value,) in values])
    return AnyOf(*(AllOf(*map(Equals, columns, group)) for group in values))


def count_rows(sql: Sql, removal: Removal) -> int:
    """How many rows of its table a removal deletes; rows below them are not counted."""
    if not has_table(sql.schema, removal.endpoint.name):
        return 0
    portions = removal.split(PORTION)
    return sum(sql.count(removal.endpoint.name, build_condition(each)) for each in portions)


def guard(endpoint: Endpoint, rows: int, total: int, limit: Decimal, command: str) -> None:
    """
    Refuse to remove *rows* of *total* if that is more than the share *limit*, and more than 25.

    Args:
        command: The command to repeat, without ``--max-deletes``.

    Raises:
        GuardError: Names the command that removes them all the same.
    """
    if rows <= _FEW_ROWS or rows <= limit * total:
        return
    msg = (
        f"Not deleting {rows:,} of {total:,} {endpoint.name} "
        f"({_format_percent_above(limit, Decimal(rows) / total)}, limit "
        f"{(limit * 100).normalize():f}%). A token that sees fewer rows looks the same as a mass "
        f"delete. If they are really gone: {command} --max-deletes 100%"
    )
    raise GuardError(msg)


def _format_percent_above(limit: Decimal, share: Decimal) -> str:
    """Write *share*, which is above *limit*, with as few decimals as show that it is."""
    percent = share * 100
    shown = (n for n in range(_MOST_PLACES) if round(percent, n) > limit * 100)
    places = next(shown, _MOST_PLACES)
    return f"{percent:.{places}f}%"


def iter_rows(sql: Sql, removal: Removal) -> Iterator[list[DeletedRow]]:
    """
    Yield the rows that *removal* deletes, in portions; rows below come before their parents.

    Each row has its arrays as lists under their names.
    """
    if not has_table(sql.schema, removal.endpoint.name):
        return
    for portion in removal.split(PORTION):
        condition = build_condition(portion)
        for below in find_below(sql.schema, removal.endpoint):
            under = _build_condition_below(below, removal, condition)
            yield from _iter_rows_of(sql, below, removal.account_id, under)
        yield from _iter_rows_of(sql, removal.endpoint, removal.account_id, condition)


def _build_condition_below(below: Endpoint, removal: Removal, condition: Condition) -> Condition:
    """Select the rows of list *below* whose parents fulfil *condition*."""
    assert below.parent is not None
    parents = InTable(below.parent.key, removal.endpoint.name, "id", condition)
    return AllOf(Equals(ACCOUNT_ID, removal.account_id), parents)


def _iter_rows_of(
    sql: Sql, endpoint: Endpoint, account_id: int, condition: Condition
) -> Iterator[list[DeletedRow]]:
    """Yield rows of one table: read their ids first, which are small, then contents in portions."""
    by = "id" if "id" in endpoint.primary_key else endpoint.primary_key[0]
    ids = [value for (value,) in sql.select_distinct(endpoint.name, condition, (by,))]
    for at in range(0, len(ids), PORTION):
        these = AllOf(condition, OneOf(by, ids[at : at + PORTION]))
        rows = sql.select(endpoint.name, these)
        for array in endpoint.child_tables:
            _attach_array(sql, endpoint, array, these, rows)
        yield [DeletedRow(endpoint, account_id, row) for row in rows]


def _attach_array(
    sql: Sql, endpoint: Endpoint, array: str, condition: Condition, rows: Sequence[Row]
) -> None:
    """Put the rows of table *array* into the records they belong to."""
    by_root: dict[str, list[Row]] = {row["_dlt_id"]: [] for row in rows}
    if has_table(sql.schema, array):
        where = InTable("_dlt_root_id", endpoint.name, "_dlt_id", condition)
        for element in sql.select(array, where, order_by=("_dlt_list_idx",)):
            by_root[element["_dlt_root_id"]].append(element)
    for row in rows:
        row[array.removeprefix(f"{endpoint.name}__")] = by_root[row["_dlt_id"]]


def delete_rows(sql: Sql, removal: Removal) -> None:
    """
    Delete what is below the rows of *removal*, then these rows; then end their history versions.

    Rows below could not be found again without their parents.
    """
    endpoint = removal.endpoint
    if not has_table(sql.schema, endpoint.name):
        return
    for portion in removal.split(PORTION):
        condition = build_condition(portion)
        for below in find_below(sql.schema, endpoint):
            _delete_from(sql, below, _build_condition_below(below, removal, condition))
        _delete_from(sql, endpoint, condition)
    end_versions_of_removed(sql, endpoint, removal.account_id, now=removal.detected_at)


def _delete_from(sql: Sql, endpoint: Endpoint, condition: Condition) -> None:
    for array in find_arrays(sql.schema, endpoint):
        sql.delete(array, InTable("_dlt_root_id", endpoint.name, "_dlt_id", condition))
    sql.delete(endpoint.name, condition)


def end_versions_of_removed(
    sql: Sql, endpoint: Endpoint, account_id: int, *, now: datetime
) -> None:
    """
    Close the open history version of every row that its table no longer has.

    This also happens if the run writes no history: a version opened earlier must not stay open.
    """
    history = TableHistory(endpoint)
    if not endpoint.may_have_history or not has_table(sql.schema, history.table):
        return
    of_account = Equals(ACCOUNT_ID, account_id)
    is_gone = InTable("id", endpoint.name, "id", of_account, negated=True)
    where = AllOf(Equals(VALID_TO, None), of_account, is_gone)
    sql.update(history.table, {VALID_TO: now}, where)


def delete_all(sql: Sql, table: str) -> None:
    """
    Delete every row of *table* without recording it.

    Use it for excluded arrays, tables that are read again from the beginning, and dlt's own tables.
    """
    sql.delete(table, EVERY_ROW)


def forget_records(sql: Sql, days: int | None, *, now: datetime) -> None:
    """Delete what ``deleted_records`` has kept for more than *days* days; None: keep all."""
    if days is not None and is_made(DELETED_RECORDS, sql.schema):
        sql.delete(DELETED_RECORDS, Within("detected_at", None, now - timedelta(days=days)))


def forget(sql: Sql, table: str, column: str, values: Iterable[Value]) -> None:
    """Delete rows of a table of runs or loads: nothing is below them, and nothing is recorded."""
    known = sorted(values, key=str)
    for at in range(0, len(known), PORTION):
        sql.delete(table, OneOf(column, known[at : at + PORTION]))


def find_missing_parents(sql: Sql, below: Endpoint, account_id: int) -> list[int]:
    """
    Find the ids of parents that rows of list *below* name but the warehouse lacks, ascending.

    These are all parents that they name if the warehouse has no table of parents.
    """
    assert below.parent is not None
    conditions: list[Condition] = [Equals(ACCOUNT_ID, account_id)]
    if has_table(sql.schema, below.parent.endpoint):
        conditions.append(_build_no_parent(below, account_id))
    named = sql.select_distinct(below.name, AllOf(*conditions), (below.parent.key,))
    return sorted(parent for (parent,) in named)


def _build_no_parent(below: Endpoint, account_id: int) -> Condition:
    assert below.parent is not None
    of_account = Equals(ACCOUNT_ID, account_id)
    return InTable(below.parent.key, below.parent.endpoint, "id", of_account, negated=True)


def delete_lost_elements(sql: Sql, array: str, account_id: int) -> None:
    """
    Delete elements of table *array* whose main row is not in the warehouse.

    They are not recorded: an element is only part of its row, which is read again or recorded.
    """
    root = find_root(sql.schema, array)
    of_account = Equals(ACCOUNT_ID, account_id)
    sql.delete(array, AllOf(of_account, _build_no_root(root, of_account)))


def _build_no_root(root: str, of_account: Condition) -> Condition:
    return InTable("_dlt_root_id", root, "_dlt_id", of_account, negated=True)


def count_orphans(sql: Sql, account_id: int) -> dict[str, int]:
    """
    Count an account's rows whose parent is not in the warehouse, by table, including zero counts.

    Rows of lists below a parent are counted if the warehouse has the parents' table, elements of
    arrays always.
    """
    schema, counts = sql.schema, dict[str, int]()
    of_account = Equals(ACCOUNT_ID, account_id)
    for endpoint in ENDPOINTS:
        if not has_table(schema, endpoint.name):
            continue
        if endpoint.parent is not None and has_table(schema, endpoint.parent.endpoint):
            where = AllOf(of_account, _build_no_parent(endpoint, account_id))
            counts[endpoint.name] = sql.count(endpoint.name, where)
        for array in find_arrays(schema, endpoint):
            if ACCOUNT_ID in sql.columns_of(array):
                no_root = _build_no_root(endpoint.name, of_account)
                counts[array] = sql.count(array, AllOf(of_account, no_root))
    return counts


def find_outdated_lists(
    sql: Sql, removal: Removal, rows: dict[str, dict[str, int]]
) -> dict[str, set[str]]:
    """
    Find lists below removed rows that the state records as loaded but the warehouse lacks.

    Args:
        rows: By table, for each parent's id as text, how many rows its list had when it was read.

    Returns:
        By table, the parents' ids as text. The caller forgets them, so that the list of a restored
        parent is loaded again even if it is unchanged.
    """
    found: dict[str, set[str]] = {}
    of_account = Equals(ACCOUNT_ID, removal.account_id)
    for below in find_below(sql.schema, removal.endpoint):
        assert below.parent is not None
        remembered = {parent for parent, n in rows.get(below.name, {}).items() if n}
        if remembered:
            here = sql.select_distinct(below.name, of_account, (below.parent.key,))
            found[below.name] = remembered - {str(parent) for (parent,) in here}
    return found
