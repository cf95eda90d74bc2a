"""What scopes show and hide, case by case; ``test_filtered_copy.py`` tests at random."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.filters import Filter
from harvest_source.ask.locked_connection import SETTINGS, open_locked
from harvest_source.ask.questions import (
    DescribeTable,
    ListRecords,
    ListTables,
)
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Person
from harvest_source.ask.scopes import UNLIMITED, Scope, parse_scope
from harvest_source.ask.sum_time import SumTime
from harvest_source.ask.worker import answer
from tests.support.limited import EXAMPLE, Viewer

NAMES = r"nothings|invoices|everything|warehouse|users|brand_\w+"
WIDE = ["time_entries.*", "time_entries.billable_rate", "projects.*", "clients.*"]
NARROW = [
    "time_entries.account_id",
    "time_entries.id",
    "time_entries.hours",
    "time_entries.rounded_hours",
    "time_entries.billable",
    "time_entries.client__id",
    "time_entries.client__name",
    "time_entries.notes",
    "clients.account_id",
    "clients.id",
    "clients.name",
]


def ask(path: Path, reach: Reach, question: Any = None, sql: Any = "") -> Reply:
    """Run one request like its worker; each has its own connection."""
    value = {"kind": type(question).__name__, **asdict(question)} if question else None
    request = Request(
        str(path),
        "harvest",
        ("harvest", "harvest_models", "main"),
        sql=sql,
        question=value,
        reach=reach.to_json() if reach.scope.is_limited else None,
        memory_mb=200,
        threads=1,
    )
    return answer(request)


def build_scope(kind: str, columns: Sequence[str], **keys: Any) -> Scope:
    """A scope as the configuration writes it."""
    return parse_scope("test", {"rows": kind, "columns": list(columns), "sql": True, **keys})


def build_reach(scope: Scope, viewer: Viewer) -> Reach:
    """A scope for a viewer."""
    is_manager = scope.rows == "managed"
    people = tuple(
        Person(
            account,
            user,
            tuple(viewer.people[account]) if is_manager else (),
            tuple(viewer.projects[account]) if is_manager else (),
        )
        for account, user in viewer.ids.items()
    )
    return Reach(scope, people)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts of three people, who each have one entry in each project."""
    return EXAMPLE.write(tmp_path_factory.mktemp("example") / "warehouse.duckdb")


VIEWER = Viewer({1: 2}, {1: frozenset({3})}, {1: frozenset({1})})
"""Person 2 of account 1, who manages person 3 and project 1."""


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"rows": "own"}, {(1, 2)}),
        ({"rows": "managed"}, {(1, 2), (1, 3), (1, 1)}),
        ({"accounts": [2]}, {(2, 1), (2, 2), (2, 3)}),
        ({"rows": "own", "accounts": [2]}, set()),
        ({}, {(account, user) for account in (1, 2) for user in (1, 2, 3)}),
    ],
    ids=str,
)
def test_rows_are_those_of_the_caller(whole: Path, keys: Any, expected: set[Any]) -> None:
    """Rows match account and person; a manager also sees what others record on their project."""
    scope = parse_scope("test", {"columns": ["time_entries.*"], "sql": True, **keys})
    sql = "SELECT DISTINCT account_id, user__id FROM time_entries"
    reply = ask(whole, build_reach(scope, VIEWER), sql=sql)
    assert {tuple(row) for row in reply.rows} == expected, reply.error


def test_hidden_names_are_answered_like_missing_ones(whole: Path) -> None:
    """Tables, columns, views and the file's own name, also if only columns are limited."""
    for kind in ("all", "own"):
        reach = build_reach(build_scope(kind, NARROW), VIEWER)
        for hidden, unknown in (
            (ListRecords("invoices"), ListRecords("nothings")),
            (ListRecords("everything"), ListRecords("nothings")),
            (DescribeTable("users"), DescribeTable("nothings")),
            (
                ListRecords("clients", (Filter("brand_new", "=", "1"),)),
                ListRecords("clients", (Filter("brand_not", "=", "1"),)),
            ),
            ("SELECT * FROM invoices", "SELECT * FROM nothings"),
            ("SELECT * FROM main.everything", "SELECT * FROM main.nothings"),
            ("SELECT * FROM warehouse.harvest.clients", "SELECT * FROM nothings.harvest.clients"),
            ("SELECT brand_new FROM clients", "SELECT brand_not FROM clients"),
        ):
            said = []
            for each in (hidden, unknown):
                asked = {"sql": each} if isinstance(each, str) else {"question": each}
                reply = ask(whole, reach, **asked)
                assert reply.error, each
                said.append(re.sub(NAMES, "X", reply.error))
            assert said[0] == said[1]
        listed = ask(whole, reach, ListTables())
        assert {row[0] for row in listed.rows} == {"time_entries", "clients"}


def test_a_field_that_harvest_adds_is_hidden_by_any_limit(whole: Path) -> None:
    """A limit of any kind, on tables or accounts, hides a new field; without a limit it shows."""
    for keys, is_shown in (({"tables": ["clients"]}, False), ({"accounts": [1]}, False)):
        reply = ask(whole, Reach(parse_scope("test", keys)), DescribeTable("clients"))
        assert ("brand_new" in str(reply.rows)) is is_shown
    assert "brand_new" in str(ask(whole, Reach(UNLIMITED), DescribeTable("clients")).rows)


def test_a_limited_scope_has_no_sql_by_default(whole: Path) -> None:
    """A limited scope has no SQL unless it says so."""
    reach = Reach(parse_scope("test", {"tables": ["clients"]}))
    assert "here" in ask(whole, reach, sql="SELECT 1").error


def test_amounts_are_hidden_where_rates_are(whole: Path) -> None:
    """An amount divided by hours gives the rate, so without rates there are no amounts."""
    for columns, has_amount in ((WIDE, True), (NARROW, False)):
        reply = ask(whole, build_reach(build_scope("own", columns), VIEWER), SumTime())
        assert ("amount" in [name for name, _ in reply.columns]) is has_amount


def test_a_row_scope_without_a_person_shows_no_rows(whole: Path) -> None:
    """A scope of rows without a known person fails closed."""
    reach = Reach(build_scope("own", WIDE))
    assert ask(whole, reach, ListRecords("time_entries")).rows == ()
    assert ask(whole, reach, ListRecords("clients")).rows == ()


@pytest.mark.parametrize("stem", ["harvest", "Harvest_Models", "asked"])
def test_a_file_may_be_named_like_a_schema(tmp_path: Path, stem: str) -> None:
    """Its tables are found, with their schema too, and nothing else is within reach."""
    path = EXAMPLE.write(tmp_path / "first.duckdb").rename(tmp_path / f"{stem}.duckdb")
    for reach in (Reach(), build_reach(build_scope("all", NARROW), VIEWER)):
        assert ask(path, reach, ListRecords("clients")).rows
        assert ask(path, reach, sql="SELECT COUNT(*) FROM harvest.clients").rows == ((2,),)
    ordinary = EXAMPLE.write(tmp_path / "ordinary.duckdb")
    assert read_settings(path) == read_settings(ordinary)
    assert ("enable_external_access", "false") in read_settings(ordinary)
    with open_locked(path, ("harvest",), memory_mb=100, threads=1) as connection:
        for statement in (
            "SET enable_external_access = true",
            f"ATTACH '{ordinary}' AS other",
            f"SELECT * FROM read_blob('{path}')",
            "CREATE TABLE harvest.new (id INTEGER)",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def read_settings(path: Path) -> list[Any]:
    """The settings that keep a connection to a file from reaching anything else."""
    with open_locked(path, ("harvest",), memory_mb=100, threads=1) as connection:
        found: list[Any] = connection.execute(
            "SELECT name, value FROM duckdb_settings() WHERE name IN (SELECT unnest(?)) ORDER BY 1",
            [[*SETTINGS, "enable_external_access", "disabled_filesystems", "lock_configuration"]],
        ).fetchall()
    return found
