"""What a limited caller sees is what a copy without the rest would show, whatever is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.filters import Filter
from harvest_source.ask.questions import (
    DescribeTable,
    FindNames,
    GetRecord,
    ListRecords,
    ListTables,
)
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Person
from harvest_source.ask.scopes import UNLIMITED, Scope, parse_scope
from harvest_source.ask.sum_time import SumTime
from harvest_source.ask.worker import answer
from tests.support.limited import EXAMPLE, Viewer, World, filter_world, viewers, worlds

NAMES = r"nothings|invoices|everything|warehouse|users|brand_\w+"
WIDE = ["time_entries.*", "users.*", "projects.*", "clients.*", "tasks.*", "user_assignments.*"]
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
QUESTIONS: tuple[Any, ...] = (
    ListTables(),
    *(DescribeTable(table) for table in ("time_entries", "clients", "users", "invoices")),
    *(
        ListRecords(table, limit=500)
        for table in (
            "time_entries",
            "users",
            "projects",
            "clients",
            "tasks",
            "user_assignments",
            "task_assignments",
            "invoices",
            "everything",
            "nothing",
        )
    ),
    ListRecords("time_entries", (Filter("notes", "~", "note"),), order=("-hours",), limit=500),
    ListRecords("time_entries", (Filter("cost_rate", ">", "51"),), limit=500),
    ListRecords("time_entries", (Filter("brand_new", "=", "hidden"),), limit=500),
    ListRecords("time_entries", (), ("brand_new",), limit=500),
    ListRecords("time_entries", (), ("id", "hours"), limit=2, after=(1, 1)),
    *(GetRecord(table, "2") for table in ("users", "clients", "projects", "time_entries")),
    FindNames("1"),
    FindNames("last"),
    SumTime(),
    SumTime(("client",)),
    SumTime(("person", "month")),
    SumTime((), where=(Filter("cost_rate", ">", "51"),)),
)
STATEMENTS = (
    "SELECT COUNT(*) FROM time_entries",
    "SELECT * FROM time_entries ORDER BY ALL",
    "SELECT t FROM time_entries AS t ORDER BY ALL",
    "SELECT client__name, SUM(hours) FROM harvest.time_entries GROUP BY 1 ORDER BY 1",
    "SELECT c.name, (SELECT COUNT(*) FROM time_entries AS t WHERE t.client__id = c.id "
    "AND t.account_id = c.account_id) FROM clients AS c ORDER BY ALL",
    "SELECT MAX(notes), MIN(notes), approx_count_distinct(id) FROM time_entries",
    # An error, or none, would tell of a row that is not shown.
    "SELECT COUNT(*) FROM time_entries WHERE CAST(replace(notes, 'note 0 of 1', 'x') AS TEXT) > ''",
    "SELECT SUM(CAST(left(notes, 4) AS INTEGER)) FROM time_entries WHERE user__id = 3",
    "SUMMARIZE SELECT hours FROM time_entries",
    "SELECT * FROM users ORDER BY ALL",
    "SELECT cost_rate FROM time_entries",
    "SELECT brand_new FROM clients",
    "SELECT * FROM invoices",
    "SELECT * FROM main.everything",
    "SELECT * FROM warehouse.harvest.time_entries",
    "SELECT * FROM memory.harvest.time_entries",
)


def ask(path: Path, reach: Reach, question: Any = None, sql: Any = "") -> Reply:
    """One request, as its worker runs it; a connection of its own each time."""
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
    """A scope as the configuration has it."""
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


def strip(reply: Reply) -> tuple[Any, ...]:
    """What a caller gets, ages aside."""
    return reply.columns, reply.rows, reply.has_more, reply.tables, reply.error, reply.error_kind


def compare(place: Path, world: World, viewer: Viewer, kind: str, columns: Sequence[str]) -> None:
    """Ask everything of the whole file, limited, and of a file that has nothing else."""
    whole, part = place / "whole" / "warehouse.duckdb", place / "part" / "warehouse.duckdb"
    for path, shown in ((whole, world), (part, filter_world(world, viewer, kind))):
        path.parent.mkdir()
        shown.write(path)
    limited = build_reach(build_scope(kind, columns), viewer)
    same = Reach(build_scope("all", columns))
    for question in QUESTIONS:
        assert strip(ask(whole, limited, question)) == strip(ask(part, same, question)), question
    for sql in STATEMENTS:
        assert strip(ask(whole, limited, sql=sql)) == strip(ask(part, same, sql=sql)), sql


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        pytest.param("own", WIDE, id="own-wide", marks=pytest.mark.thorough),
        pytest.param("own", NARROW, id="own-narrow", marks=pytest.mark.slow),
        pytest.param("managed", WIDE, id="managed-wide", marks=pytest.mark.slow),
        pytest.param("managed", NARROW, id="managed-narrow", marks=pytest.mark.thorough),
    ],
)
@given(world=worlds(), viewer=viewers())
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_limited_caller_sees_a_filtered_copy(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    columns: Sequence[str],
    world: World,
    viewer: Viewer,
) -> None:
    """Every question and statement, answers and errors: as if nothing else were in the file."""
    compare(tmp_path_factory.mktemp("world"), world, viewer, kind, columns)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts of three people; each has one entry in each project."""
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
    """By account and person; of the manager also what others record on their project."""
    scope = parse_scope("test", {"columns": ["time_entries.*"], "sql": True, **keys})
    sql = "SELECT DISTINCT account_id, user__id FROM time_entries"
    reply = ask(whole, build_reach(scope, VIEWER), sql=sql)
    assert {tuple(row) for row in reply.rows} == expected, reply.error


def test_what_is_hidden_answers_as_what_is_not_there(whole: Path) -> None:
    """Tables, columns, views, and the file's own name; also with columns alone limited."""
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


def test_a_field_that_harvest_adds_is_not_shown(whole: Path) -> None:
    """Neither where a table is limited by name alone, nor by account; without a limit it is."""
    for keys, is_shown in (({"tables": ["clients"]}, False), ({"accounts": [1]}, False)):
        reply = ask(whole, Reach(parse_scope("test", keys)), DescribeTable("clients"))
        assert ("brand_new" in str(reply.rows)) is is_shown
    assert "brand_new" in str(ask(whole, Reach(UNLIMITED), DescribeTable("clients")).rows)


def test_no_statement_where_it_is_off(whole: Path) -> None:
    """A limited scope has no SQL unless it says so."""
    reach = Reach(parse_scope("test", {"tables": ["clients"]}))
    assert "here" in ask(whole, reach, sql="SELECT 1").error


def test_amounts_need_rates_that_are_shown(whole: Path) -> None:
    """Hours divide an amount into a rate: without rates there are no amounts."""
    for columns, has_amount in ((WIDE, True), (NARROW, False)):
        reply = ask(whole, build_reach(build_scope("own", columns), VIEWER), SumTime())
        assert ("amount" in [name for name, _ in reply.columns]) is has_amount


def test_a_scope_of_rows_without_a_person_shows_none(whole: Path) -> None:
    """It fails closed."""
    reach = Reach(build_scope("own", WIDE))
    assert ask(whole, reach, ListRecords("time_entries")).rows == ()
    assert ask(whole, reach, ListRecords("clients")).rows == ()
