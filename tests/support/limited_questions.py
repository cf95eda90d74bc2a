"""Attacks and ordinary questions of callers with a limited scope, for any version of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.questions import ListRecords, ListTables
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Person
from harvest_source.ask.scopes import parse_scope
from harvest_source.ask.sum_time import SumTime
from harvest_source.ask.worker import answer
from tests.support.questions import REACHING_OUT, SCHEMAS, SECRET, make_warehouse, read_state

COLUMNS: Final = [
    f"time_entries.{name}" for name in ("account_id", "id", "spent_date", "user__id", "hours")
]
SCOPES: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "columns": ({}, "TRUE"),
    "own": ({"rows": "own"}, "account_id = 1000001 AND user__id = 1"),
    "managed": ({"rows": "managed"}, "account_id = 1000001 AND user__id IN (1, 2)"),
    "account": ({"accounts": [1000001]}, "account_id = 1000001"),
    "no account": ({"accounts": [7]}, "FALSE"),
}
"""The keys of each scope, and the condition of the rows that it shows."""

ATTACKED: Final = ("columns", "own")
"""A scope with views of the file, which stays attached, and a scope with a copy."""

ORDINARY: Final = (
    "SELECT COUNT(*), SUM(hours) FROM {}",
    "SELECT * FROM {} ORDER BY ALL",
    "SELECT user__id, MAX(spent_date) FROM {} GROUP BY ALL ORDER BY ALL",
    "WITH t AS (SELECT id, hours FROM {}) SELECT MIN(hours) FROM t",
    "SELECT t.id FROM {} AS t WHERE t.hours >= ALL (SELECT hours FROM {}) ORDER BY ALL",
)
HIDDEN: Final = (
    ("SELECT * FROM {}", "clients", "clientz"),
    ("SELECT * FROM harvest.{}", "clients", "clientz"),
    ("SELECT * FROM {}.harvest.time_entries", "warehouse", "warehousf"),
    ("SELECT {} FROM time_entries", "user__name", "user__namf"),
    ("SELECT id FROM time_entries WHERE {} > ''", "user__name", "user__namf"),
    ("SELECT id FROM time_entries ORDER BY {}", "user__name", "user__namf"),
)


@dataclass(frozen=True)
class LimitedFaults:
    """Statements with an unexpected result, and the answer, by scope."""

    not_refused: dict[str, str]
    not_right: dict[str, str]
    told_apart: dict[str, str]
    is_changed: bool


def find_limited_faults(folder: Path) -> LimitedFaults:
    """Ask everything in every scope, on a warehouse in *folder*."""
    (folder / "secret.txt").write_text(SECRET)
    warehouse = make_warehouse(folder / "warehouse.duckdb")
    before = read_state(warehouse)
    paths = {"secret": folder / "secret.txt", "warehouse": warehouse, "folder": folder}
    faults = LimitedFaults({}, {}, {}, is_changed=False)
    for name, (keys, condition) in SCOPES.items():
        reach = _build_reach(name, keys)
        for statement in REACHING_OUT if name in ATTACKED else ():
            reply = _ask(warehouse, reach, statement.format(**paths))
            if not reply.error or SECRET in str(reply):
                faults.not_refused[f"{name}: {statement}"] = str(reply)
        for asked, expected in _iter_ordinary(warehouse, condition):
            found = _ask(warehouse, reach, asked)
            if found.error or [*map(list, found.rows)] != expected:
                faults.not_right[f"{name}: {asked}"] = f"{found}, not {expected}"
        for statement, hidden, unknown in HIDDEN:
            one = str(_ask(warehouse, reach, statement.format(hidden))).replace(hidden, unknown)
            if "error=''" in one or one != str(_ask(warehouse, reach, statement.format(unknown))):
                faults.told_apart[f"{name}: {statement}"] = one
    return LimitedFaults(**asdict(faults) | {"is_changed": read_state(warehouse) != before})


def _build_reach(name: str, keys: dict[str, Any]) -> Reach:
    people = (2,) if name == "managed" else ()
    scope = parse_scope(name, {"columns": COLUMNS, "sql": True, **keys})
    return Reach(scope, (Person(1000001, 1, people),))


def _iter_ordinary(warehouse: Path, condition: str) -> Iterator[tuple[Any, list[list[Any]]]]:
    """Questions, and the rows that each should return, read from the file without a scope."""
    names = ", ".join(each.partition(".")[2] for each in COLUMNS)
    part = f"(SELECT {names} FROM harvest.time_entries WHERE {condition})"
    whole = Reach()
    for statement in ORDINARY:
        sql = statement.replace("{}", part)
        expected = _ask(warehouse, whole, sql)
        assert not expected.error, expected
        yield statement.replace("{}", "time_entries"), [*map(list, expected.rows)]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ids = [row[0] for row in connection.execute(f"SELECT id FROM {part} ORDER BY 1").fetchall()]
    yield (
        ListRecords("time_entries", (), ("id",)),
        [[each, 1000001, each] for each in ids],
    )
    yield ListTables(), [["time_entries", "harvest", "account_id, id", len(COLUMNS), ""]]
    sums = _ask(warehouse, whole, f"SELECT COUNT(*), SUM(hours) FROM {part}").rows
    yield SumTime(), [*map(list, sums)]


def _ask(warehouse: Path, reach: Reach, asked: Any) -> Reply:
    """Run one request as its worker does."""
    is_sql = isinstance(asked, str)
    return answer(
        Request(
            str(warehouse),
            "harvest",
            SCHEMAS,
            sql=asked if is_sql else "",
            question=None if is_sql else {"kind": type(asked).__name__, **asdict(asked)},
            reach=reach.to_json() if reach.scope.is_limited else None,
            memory_mb=200,
            threads=1,
        )
    )
