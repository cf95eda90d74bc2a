"""
Rows that leave a table: kept whole in ``deleted_records``, guarded, children with them.

What may be removed is decided elsewhere; this only does it, and refuses when it is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from harvest_source.errors import GuardError
from harvest_source.extract.run_log import Emptied
from harvest_source.load.own_tables import DELETED_RECORDS, is_made
from harvest_source.schema.columns import ACCOUNT_ID, LOAD_ID
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.warehouse import Warehouse

_SCOPES: Final = 500
"""Scopes in one statement."""
_FEW_ROWS: Final = 25
"""A guard below this would stop people who tidy up a small account."""


@dataclass(frozen=True, slots=True)
class RowsToDelete:
    """Rows of one account's table to remove: those that the load packages *seen* did not bring."""

    endpoint: Endpoint
    account_id: int
    seen: tuple[str, ...] = ()
    """Load ids; empty: every row of the account goes."""
    start: date | None = None
    """Rows dated before this day were not looked at and stay."""
    scopes: tuple[tuple[tuple[str, Any], ...], ...] = ()
    """Only rows with all the values of one of these; empty: wherever they are."""

    def condition(self) -> tuple[str, list[Any]]:
        """A SQL condition on the table, with its parameters."""
        terms = [f"{ACCOUNT_ID} = %s"]
        parameters: list[Any] = [self.account_id]
        if self.seen:
            terms.append(f"{LOAD_ID} NOT IN ({', '.join(['%s'] * len(self.seen))})")
            parameters += self.seen
        if self.scopes:
            each = [" AND ".join(f"{_quote(n)} = %s" for n, _ in scope) for scope in self.scopes]
            terms.append("(" + " OR ".join(f"({one})" for one in each) + ")")
            parameters += [value for scope in self.scopes for _, value in scope]
        if self.start is not None and self.endpoint.window is not None:
            terms.append(f"{self.endpoint.window} >= %s")
            parameters.append(self.start)
        return " AND ".join(terms), parameters


def rows_to_delete_of_emptied(emptied: Iterable[Emptied]) -> list[RowsToDelete]:
    """What is to go because Harvest has no rows of it any more."""
    scopes: dict[tuple[str, int], list[tuple[tuple[str, Any], ...]]] = {}
    for each in emptied:
        scopes.setdefault((each.table, each.account_id), []).append(each.scope)
    return [
        RowsToDelete(BY_NAME[table], account_id, scopes=tuple(filter(None, some)))
        for (table, account_id), together in sorted(scopes.items(), key=lambda item: item[0])
        for some in _chunks(together)
    ]


def rows_to_delete_by_id(
    endpoint: Endpoint, account_id: int, column: str, ids: Sequence[int]
) -> list[RowsToDelete]:
    """Rows of one account with one of *ids* in *column*, in portions that one statement takes."""
    scopes: list[tuple[tuple[str, Any], ...]] = [((column, each),) for each in ids]
    return [RowsToDelete(endpoint, account_id, scopes=tuple(some)) for some in _chunks(scopes)]


def _chunks(scopes: list[tuple[tuple[str, Any], ...]]) -> Iterable[list[tuple[Any, ...]]]:
    return (scopes[at : at + _SCOPES] for at in range(0, len(scopes), _SCOPES))


def _quote(name: str) -> str:
    """``from`` and ``to`` are words of SQL; double quotes are its standard."""
    return f'"{name}"'


def find(
    warehouse: Warehouse, doomed: RowsToDelete, *, limit: Decimal | None
) -> list[dict[str, Any]]:
    """
    The *doomed* rows as they are, child rows with them.

    Args:
        limit: Share of the account's rows (0 to 1) that may go; None: no guard.

    Raises:
        GuardError: More than *limit*, and more than 25 rows.
        DestinationError: The destination refused.
    """
    rows = _select(warehouse, doomed)
    if rows and limit is not None:
        _guard(warehouse, doomed, len(rows), limit)
    return rows


def remove(
    warehouse: Warehouse,
    found: Sequence[tuple[RowsToDelete, Sequence[Mapping[str, Any]]]],
    *,
    now: datetime,
    keep_content: bool,
) -> None:
    """
    Move rows that :func:`find` found to ``deleted_records`` and take them and their children away.

    All are kept, in one load, before the first one goes.

    Args:
        keep_content: False: ``deleted_records`` gets the ids only.

    Raises:
        DestinationError: The destination refused.
    """
    kept = [
        _keep(doomed, row, now, keep_content)
        for doomed, rows in found
        if "id" in doomed.endpoint.primary_key
        for row in rows
    ]
    if kept:
        warehouse.append(DELETED_RECORDS, kept)
    for doomed, _ in found:
        _delete(warehouse, doomed)


def _select(warehouse: Warehouse, doomed: RowsToDelete) -> list[dict[str, Any]]:
    condition, parameters = doomed.condition()
    with warehouse.sql() as client:
        table = client.make_qualified_table_name(doomed.endpoint.name)
        query = f"SELECT * FROM {table} WHERE {condition}"  # noqa: S608 - names are ours
        with client.execute_query(query, *parameters) as cursor:
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for child in doomed.endpoint.child_tables:
            _attach_children(client, doomed, child, rows)
    return rows


def _attach_children(
    client: Any, doomed: RowsToDelete, child: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Put the rows of table *child* into the records they belong to."""
    by_parent: dict[str, list[dict[str, Any]]] = {row["_dlt_id"]: [] for row in rows}
    condition, parameters = doomed.condition()
    table = client.make_qualified_table_name(doomed.endpoint.name)
    query = (
        f"SELECT * FROM {client.make_qualified_table_name(child)} WHERE _dlt_root_id IN "  # noqa: S608
        f"(SELECT _dlt_id FROM {table} WHERE {condition}) ORDER BY _dlt_list_idx"
    )
    with client.execute_query(query, *parameters) as cursor:
        names = [column[0] for column in cursor.description]
        for values in cursor.fetchall():
            element = dict(zip(names, values, strict=True))
            by_parent[element["_dlt_root_id"]].append(element)
    array = child.removeprefix(f"{doomed.endpoint.name}__")
    for row in rows:
        row[array] = by_parent[row["_dlt_id"]]


def restore(warehouse: Warehouse, endpoints: Iterable[Endpoint], *, now: datetime) -> None:
    """
    Mark what is in ``deleted_records`` and back in its table.

    Raises:
        DestinationError: The destination refused.
    """
    if not _is_kept(warehouse):
        return
    with warehouse.sql() as client:
        kept = client.make_qualified_table_name(DELETED_RECORDS)
        query = f"SELECT DISTINCT table_name FROM {kept} WHERE restored_at IS NULL"  # noqa: S608
        with client.execute_query(query) as cursor:
            names = {name for (name,) in cursor.fetchall()}
        for endpoint in endpoints:
            if endpoint.name in names:
                table = client.make_qualified_table_name(endpoint.name)
                client.execute_sql(
                    f"UPDATE {kept} SET restored_at = %s WHERE table_name = %s "  # noqa: S608
                    f"AND restored_at IS NULL AND EXISTS (SELECT 1 FROM {table} AS back "
                    f"WHERE back.id = {kept}.id AND back.account_id = {kept}.account_id)",
                    now,
                    endpoint.name,
                )


def forget(warehouse: Warehouse, days: int | None, *, now: datetime) -> None:
    """
    Drop rows that ``deleted_records`` has held for more than *days*; None: keep all.

    Raises:
        DestinationError: The destination refused.
    """
    if days is None or not _is_kept(warehouse):
        return
    with warehouse.sql() as client:
        kept = client.make_qualified_table_name(DELETED_RECORDS)
        since = now - timedelta(days=days)
        client.execute_sql(f"DELETE FROM {kept} WHERE detected_at < %s", since)  # noqa: S608


def _is_kept(warehouse: Warehouse) -> bool:
    """Whether anything was ever put into ``deleted_records``."""
    return is_made(DELETED_RECORDS, warehouse.schema)


def _guard(warehouse: Warehouse, doomed: RowsToDelete, rows: int, limit: Decimal) -> None:
    with warehouse.sql() as client:
        table = client.make_qualified_table_name(doomed.endpoint.name)
        query = f"SELECT COUNT(*) FROM {table} WHERE {ACCOUNT_ID} = %s"  # noqa: S608
        with client.execute_query(query, doomed.account_id) as cursor:
            total = cursor.fetchall()[0][0]
    guard(doomed.endpoint, rows, total, limit, "--full-refresh")


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


def _keep(
    doomed: RowsToDelete, row: Mapping[str, Any], now: datetime, content: bool
) -> dict[str, Any]:
    return {
        "account_id": doomed.account_id,
        "table_name": doomed.endpoint.name,
        "id": row["id"],
        "detected_at": now,
        "restored_at": None,
        "record": _plain(row) if content else None,
    }


def _plain(value: Any) -> Any:
    """A record as JSON can hold it, without dlt's own columns; decimals as exact text."""
    if isinstance(value, Mapping):
        return {n: _plain(v) for n, v in value.items() if not n.startswith("_dlt_")}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value.isoformat() if isinstance(value, date | datetime) else value


def _delete(warehouse: Warehouse, doomed: RowsToDelete) -> None:
    condition, parameters = doomed.condition()
    with warehouse.sql() as client, client.begin_transaction():
        table = client.make_qualified_table_name(doomed.endpoint.name)
        for child in _all_children(warehouse, doomed.endpoint):
            name = client.make_qualified_table_name(child)
            roots = f"SELECT _dlt_id FROM {table} WHERE {condition}"  # noqa: S608
            client.execute_sql(f"DELETE FROM {name} WHERE _dlt_root_id IN ({roots})", *parameters)  # noqa: S608
        client.execute_sql(f"DELETE FROM {table} WHERE {condition}", *parameters)  # noqa: S608


def _all_children(warehouse: Warehouse, endpoint: Endpoint) -> Iterable[str]:
    """Child tables as dlt has them: undeclared arrays have some too."""
    tables = warehouse.schema.tables
    return [name for name, table in tables.items() if table.get("parent") == endpoint.name]
