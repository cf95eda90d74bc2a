"""
What the warehouse should hold, computed from the records that the sandbox serves.

An independent oracle: it shares the declared columns with the connector, but none of its code.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from harvest_source.schema.columns import Child, Column, Type
from harvest_source.schema.endpoint import Endpoint
from harvest_source.schema.endpoints import BY_NAME
from tests.support.lab import Lab
from tests.support.simulation import Row, Simulation, number

SQL_TYPES = {
    Type.BIGINT: "BIGINT",
    Type.DECIMAL: "DECIMAL(38,9)",
    Type.TEXT: "VARCHAR",
    Type.BOOL: "BOOLEAN",
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP WITH TIME ZONE",
}


def served(lab: Simulation, endpoint: Endpoint, account_id: int) -> list[Row]:
    """Every record of a table as served to an administrator now, with what its request implies."""
    if endpoint.report is not None:
        return _reported(lab, endpoint, account_id)
    if not endpoint.single:
        return lab.server.rows(endpoint.name, account_id)
    headers = lab.server.headers | {"Harvest-Account-Id": str(account_id)}
    url = f"{lab.server.api_url}/{endpoint.list_path}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return [json.loads(answer.read(), parse_float=Decimal)]


def _reported(lab: Simulation, endpoint: Endpoint, account_id: int) -> list[Row]:
    """A report as of today, or by calendar years from the first that has rows."""
    assert endpoint.report is not None
    today, stand_ins = lab.clock().date(), dict(endpoint.fill)
    if endpoint.report.is_snapshot:
        asked: list[Row] = [{"snapshot_date": today.isoformat()}]
    else:
        lists = [lab.server.rows(each, account_id) for each in endpoint.report.dated_by]
        days = [row["spent_date"] for rows in lists for row in rows]
        years = range(int(min([*days, today.isoformat()])[:4]), today.year + 1)
        asked = [{"from_date": f"{year}-01-01", "to_date": f"{year}-12-31"} for year in years]
    return [
        {**row, **{n: v for n, v in stand_ins.items() if row.get(n) is None}, **known}
        for known in asked
        for row in lab.server.report(
            endpoint.name, known.get("from_date"), known.get("to_date"), account_id=account_id
        )
    ]


def expected_row(endpoint: Endpoint, record: Row, account_id: int) -> Row:
    """The row of a main table, without dlt's columns."""
    cells = {c.name: cell(c, lookup(record, c.name)) for c in shown(endpoint)}
    return {"account_id": account_id, **cells}


def shown(endpoint: Endpoint) -> list[Column]:
    """The declared columns, without the secret ones."""
    return [column for column in endpoint.columns if not column.secret]


def expected_children(endpoint: Endpoint, child: Child, record: Row, account_id: int) -> list[Row]:
    """The rows of one array, in order, without dlt's columns except the position in the list."""
    elements = record.get(child.name) or []
    key = {column.name: record[name] for name, column in endpoint.parent_keys.items()}
    return [
        {
            "account_id": account_id,
            "_dlt_list_idx": place,
            **key,
            **{
                column.name: cell(
                    column, lookup(each, column.name) if isinstance(each, dict) else each
                )
                for column in child.columns
            },
        }
        for place, each in enumerate(elements)
    ]


def lookup(record: Mapping[str, Any], name: str) -> Any:
    """The value of column *name*: ``client__id`` is member id of object client."""
    head, _, tail = name.partition("__")
    value = record.get(head)
    if not tail:
        return value
    return lookup(value, tail) if isinstance(value, dict) else None


def cell(column: Column, value: Any) -> Any:
    """A served value as its column holds it."""
    if value is None:
        return None
    if column.type is Type.DECIMAL:
        return number(value)
    if column.type is Type.DATE:
        return date.fromisoformat(value)
    if column.type is Type.TIMESTAMP:
        return datetime.fromisoformat(value).astimezone(UTC)
    return value


def expected_types(columns: tuple[Column, ...] | list[Column]) -> dict[str, str]:
    """The SQL type of each declared column, including the account's id."""
    return {"account_id": "BIGINT", **{c.name: SQL_TYPES[c.type] for c in columns}}


def differences(
    endpoint: Endpoint, rows: Iterable[Row], records: Iterable[Row], account_id: int
) -> dict[str, Any]:
    """
    The differences between one account's *rows* and the *records* served; empty if none.

    ``repeated`` keys, ``missing`` and ``extra`` ones, and ``wrong`` cells as (landed, served).
    """
    landed, expected = {}, {}
    repeated = []
    for row in rows:
        key = tuple(row[name] for name in endpoint.key)
        if key in landed:
            repeated.append(key)
        landed[key] = plain(row)
    for record in records:
        wanted = expected_row(endpoint, record, account_id)
        expected[tuple(wanted[name] for name in endpoint.key)] = wanted
    wrong = {
        key: _wrong_cells(landed[key], wanted)
        for key, wanted in expected.items()
        if key in landed and landed[key] != wanted
    }
    found = {
        "repeated": repeated,
        "missing": sorted(expected.keys() - landed.keys()),
        "extra": sorted(landed.keys() - expected.keys()),
        "wrong": wrong,
    }
    return {name: each for name, each in found.items() if each}


def child_differences(
    endpoint: Endpoint,
    child: Child,
    parents: Iterable[Row],
    rows: Iterable[Row],
    records: Iterable[Row],
    account_id: int,
) -> dict[int, Any]:
    """
    The differences in one array's elements, by record id, as (landed, served); empty if none.

    Args:
        parents: Rows of the main table, for the ids by which dlt links children.
        rows: Rows of the child table.
    """
    roots = {row["_dlt_id"]: row["id"] for row in parents}
    landed: dict[int, list[Row]] = {}
    for row in rows:
        assert row["_dlt_parent_id"] == row["_dlt_root_id"]
        kept = plain(row) | {"_dlt_list_idx": row["_dlt_list_idx"]}
        landed.setdefault(roots.get(row["_dlt_root_id"], 0), []).append(kept)
    expected = {r["id"]: expected_children(endpoint, child, r, account_id) for r in records}
    for elements in landed.values():
        elements.sort(key=lambda element: int(element["_dlt_list_idx"]))
    return {
        key: (landed.get(key, []), expected.get(key, []))
        for key in expected.keys() | landed.keys()
        if landed.get(key, []) != expected.get(key, [])
    }


def assert_equal(
    lab: Lab,
    name: str,
    *,
    account_id: int | None = None,
    gone: Collection[int] = (),
    where: Any = lambda _: True,
) -> None:
    """
    The account's table equals what the sandbox serves now, children included.

    Args:
        gone: Ids that Harvest no longer has and that may still be there.
        where: Which records count.
    """
    endpoint, account_id = BY_NAME[name], account_id or lab.server.account_id
    records = [record for record in served(lab, endpoint, account_id) if where(record)]
    with lab.reading():
        rows = [r for r in lab.table(name, account_id=account_id) if r.get("id") not in gone]
        assert differences(endpoint, rows, records, account_id) == {}
        for child in endpoint.record.children:
            roots = {row["_dlt_id"] for row in rows}
            elements = [
                element
                for element in lab.table(f"{name}__{child.name}", account_id=account_id)
                if gone == () or element["_dlt_root_id"] in roots
            ]
            assert child_differences(endpoint, child, rows, elements, records, account_id) == {}


def plain(row: Row) -> Row:
    """A row without dlt's columns."""
    return {name: value for name, value in row.items() if not name.startswith("_dlt_")}


def _wrong_cells(landed: Row, expected: Row) -> dict[str, tuple[Any, Any]]:
    return {
        name: (landed.get(name), expected.get(name))
        for name in landed.keys() | expected.keys()
        if landed.get(name) != expected.get(name)
    }
