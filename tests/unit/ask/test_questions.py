"""The questions without SQL."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.ask.exchange import Request
from harvest_source.ask.questions import KINDS
from harvest_source.ask.worker import run
from tests.support.questions import SCHEMAS, make_warehouse


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_question_reads_each_of_its_fields(kind: type[Any]) -> None:
    """A field that no SELECT depends on promises callers what does not happen."""
    code = inspect.getsource(kind)
    assert [each.name for each in fields(kind) if f"self.{each.name}" not in code] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [("solo", ["Solo"]), ("her", ["Cher"]), ("ada abb", ["Ada Abbott"]), ("solo ", [])],
)
def test_people_who_lack_a_name_are_found_by_the_other(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    """A null first or last name does not hide the other, neither from the search nor in it."""
    with duckdb.connect(str(make_warehouse(tmp_path / "warehouse.duckdb"))) as connection:
        connection.execute(
            "CREATE TABLE harvest.users AS SELECT 1000001 AS account_id, * FROM (VALUES "
            "(1, 'Solo', NULL), (2, NULL, 'Cher'), (3, 'Ada', 'Abbott')) "
            "AS t(id, first_name, last_name)"
        )
        value = {"kind": "FindNames", "text": text}
        reply = run(connection, Request("", "harvest", SCHEMAS, question=value))
    assert [row[3] for row in reply.rows] == names


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("order", [[], ["name"], ["-name"], ["-hours", "name"]])
@pytest.mark.parametrize("table", ["harvest.bare", "reports.clients", "harvest.doubled"])
def test_rows_that_are_equal_in_everything_come_once_each(
    tmp_path: Path, table: str, order: list[str], size: int
) -> None:
    """Also in a view, and in a table that people made, with the columns of a key."""
    rows = "('Ax', 1), ('Ax', 1), ('Ax', 1), ('B', NULL), ('B', NULL)"
    keys = {"reports.clients": "1 AS account_id, 2 AS id, ", "harvest.doubled": "'k' AS _dlt_id, "}
    kind = "VIEW" if table == "harvest.doubled" else "TABLE"
    found: list[Any] = []
    with duckdb.connect(str(make_warehouse(tmp_path / "warehouse.duckdb"))) as connection:
        connection.execute("CREATE SCHEMA reports")
        connection.execute(
            f"CREATE {kind} {table} AS SELECT {keys.get(table, '')}* "
            f"FROM (VALUES {rows}, ('C', 3)) AS t(name, hours)"
        )
        after: list[Any] | None = None
        for _ in range(20):
            value = {
                "kind": "ListRecords",
                "table": table,
                "where": [{"column": "name", "operator": "!=", "value": "C"}],
                "columns": ["name", "hours"],
                "order": order,
                "after": after,
            }
            reply = run(connection, Request("", "harvest", SCHEMAS, question=value, max_rows=size))
            found += [tuple(row[:2]) for row in reply.rows]
            if not reply.has_more:
                break
            after = list(reply.rows[-1][2:])
    expected = [("Ax", 1)] * 3 + [("B", None)] * 2
    assert sorted(map(str, found)) == sorted(map(str, expected))
