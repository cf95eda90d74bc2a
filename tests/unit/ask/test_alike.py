"""
A hidden thing takes the same path as one that never existed, measured by work, not by time.

A caller who measures time learns how much work was done. So each question about a hidden thing is
asked again about a thing that does not exist: both must run the same statements, open the same
files, and call the same functions equally often.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import duckdb
import pytest
from mcp import MCPError
from mcp_types import CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams

from harvest_source.ask.access import Access, Caller
from harvest_source.ask.audit_log import AuditLog
from harvest_source.ask.callers import People
from harvest_source.ask.cursors import CursorSeal
from harvest_source.ask.exchange import Reply, Request
from harvest_source.ask.filters import Filter
from harvest_source.ask.locked_connection import open_warehouse
from harvest_source.ask.mcp.prompts import read_prompts
from harvest_source.ask.mcp.server import AskServer
from harvest_source.ask.questions import DescribeTable, GetRecord, ListRecords
from harvest_source.ask.reach import Reach
from harvest_source.ask.row_rules import Person
from harvest_source.ask.runner import Runner
from harvest_source.ask.scopes import Scope, parse_scope
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.sum_time import SumTime
from harvest_source.ask.worker import answer
from harvest_source.clock import SystemClock
from tests.support.limited import EXAMPLE, refuse_to_ask

pytestmark = pytest.mark.thorough


@dataclass
class Work:
    """
    The work that was done.

    Attributes:
        statements: SQL texts, in order.
        calls: Calls of our functions, of DuckDB's, and of ``open``, by name.
    """

    statements: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def note(self, frame: FrameType, event: str, called: Any) -> None:
        """Count a call that the interpreter reports."""
        module = str(frame.f_globals.get("__name__"))
        if event == "call" and module.startswith("harvest_source"):
            self.calls[f"{module}.{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            module = str(getattr(called, "__module__", "") or type(called.__self__).__module__)
            if called.__name__ == "open" or "duckdb" in module:
                self.calls[called.__name__] += 1


@contextmanager
def watching() -> Iterator[Work]:
    """Record the work of this thread."""
    work, before = Work(), sys.getprofile()
    sys.setprofile(work.note)
    try:
        yield work
    finally:
        sys.setprofile(before)


class Watched:
    """A connection that records its statements."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, work: Work) -> None:
        self._connection = connection
        self._work = work

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, sql: str, *values: Any) -> Any:
        self._work.statements.append(sql)
        return self._connection.execute(sql, *values)

    def extract_statements(self, sql: str) -> Any:
        return self._connection.extract_statements(sql)


COLUMNS = ["time_entries.id", "time_entries.account_id", "time_entries.user__id"]
SCOPES = {
    name: parse_scope(name, {"columns": COLUMNS, "sql": True, **keys})
    for name, keys in (("columns", {}), ("own", {"rows": "own"}), ("account", {"accounts": [1]}))
}
ENTRIES = "time_entries"

HIDDEN: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "table": (ListRecords, "invoices", "invoicez"),
    "table that is described": (DescribeTable, "projects", "projectz"),
    "table with its schema": (ListRecords, "harvest.invoices", "harvest.invoicez"),
    "view of the user": (ListRecords, "main.everything", "main.everythink"),
    "record of a table": (lambda name: GetRecord(name, "1"), "projects", "projectz"),
    "column": (lambda name: ListRecords(ENTRIES, (), (name,)), "cost_rate", "cost_rats"),
    "new column": (lambda name: ListRecords(ENTRIES, (), (name,)), "brand_new", "brand_now"),
    "column of a filter": (
        lambda name: ListRecords(ENTRIES, (Filter(name, "~", "x"),)),
        "notes",
        "notez",
    ),
    "column of an order": (
        lambda name: ListRecords(ENTRIES, order=(f"-{name}",)),
        "notes",
        "notez",
    ),
    "column of a sum": (
        lambda name: SumTime(where=(Filter(name, ">", "1"),)),
        "cost_rate",
        "cost_rats",
    ),
    "table in SQL": ("SELECT * FROM {}".format, "invoices", "invoicez"),
    "view in SQL": ("SELECT * FROM main.{}".format, "everything", "everythink"),
    "file in SQL": ("SELECT * FROM {}.harvest.users".format, "warehouse", "warehousf"),
    "column in SQL": ("SELECT {} FROM time_entries".format, "cost_rate", "cost_rats"),
    "column in a condition": (
        "SELECT id FROM time_entries WHERE {} > ''".format,
        "notes",
        "notez",
    ),
}
"""How to ask for a thing, the name of a hidden one, and a name that nothing has."""

ROWS: dict[str, Callable[[str], Any]] = {
    "record": lambda key: GetRecord(ENTRIES, key),
    "filter": lambda key: ListRecords(ENTRIES, (Filter("id", "=", key),)),
    "row in SQL": "SELECT * FROM time_entries WHERE id = {}".format,
    "count": "SELECT COUNT(*) FROM time_entries WHERE id = {}".format,
    "error by a row": "SELECT CAST(id || 'x' AS INTEGER) FROM time_entries WHERE id = {}".format,
}
OTHERS_ROW, NO_ROW = "21", "99"
"""The ids of another person's row, in both accounts, and of no row."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with three people's entries, and tables that no scope here names."""
    return EXAMPLE.write(tmp_path_factory.mktemp("alike") / "warehouse.duckdb")


def run(path: Path, scope: Scope, asked: Any) -> tuple[Work, Reply]:
    """The work done for a question, and its answer, as in the worker."""
    is_sql = isinstance(asked, str)
    request = Request(
        str(path),
        "harvest",
        ("harvest", "main"),
        sql=asked if is_sql else "",
        question=None if is_sql else {"kind": type(asked).__name__, **asdict(asked)},
        reach=Reach(scope, (Person(1, 1),)).to_json(),
    )

    def open_watched(_: Request) -> Watched:
        return Watched(open_warehouse(path, request.schemas, memory_mb=200, threads=1), work)

    with watching() as work:
        reply = answer(request, open_watched)
    return work, reply


def compare(path: Path, scope: Scope, ask: Callable[[str], Any], one: str, other: str) -> Reply:
    """Ask for both, and check that the work and the answer are the same except for names."""
    run(path, scope, ask(other))  # First, import what is imported once for all calls.
    work, reply = run(path, scope, ask(one))
    same_work, same_reply = run(path, scope, ask(other))
    assert [each.replace(one, other) for each in work.statements] == same_work.statements
    assert work.calls == same_work.calls
    assert str(reply).replace(one, other) == str(same_reply)
    assert work.statements
    return reply


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_name_takes_the_same_path_as_an_unknown_one(
    warehouse: Path, scope: str, name: str
) -> None:
    """Tables, views, columns and the file's own name, asked for in every way, are alike."""
    ask, hidden, unknown = HIDDEN[name]
    assert compare(warehouse, SCOPES[scope], ask, hidden, unknown).error


@pytest.mark.parametrize("name", ROWS)
def test_a_hidden_row_takes_the_same_path_as_a_missing_one(warehouse: Path, name: str) -> None:
    """A hidden row is like a missing one, by its id and where an expression would fail on it."""
    reply = compare(warehouse, SCOPES["own"], ROWS[name], OTHERS_ROW, NO_ROW)
    assert reply.rows in ((), ((0,),))
    assert not reply.error


@pytest.fixture
def server(warehouse: Path, tmp_path: Path) -> AskServer:
    """A server for a caller who may only list records."""
    keys = {"tools": ["list_records"], "columns": COLUMNS}
    caller, clock = Caller("ada", parse_scope("few", keys)), SystemClock()
    access = Access(Runner(warehouse), People(refuse_to_ask, clock))
    audit = AuditLog(tmp_path / "mcp.log", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    return AskServer(access, lambda _: caller, audit, clock)


def call_tool(server: AskServer, name: str) -> Any:
    return server.call_tool(None, CallToolRequestParams(name=name, arguments={"table": "x"}))


def read_resource(server: AskServer, name: str) -> Any:
    uri = f"harvest://tables/{name}"
    return server.read_resource(None, ReadResourceRequestParams(uri=uri))


def get_prompt(server: AskServer, name: str) -> Any:
    return server.get_prompt(None, GetPromptRequestParams(name=name))


@pytest.mark.parametrize(
    ("ask", "hidden", "unknown"),
    [
        (call_tool, "describe_table", "describe_nothing"),
        (call_tool, "query", "quern"),
        (read_resource, "time_entries", "time_entriez"),
        (get_prompt, next(iter(read_prompts())), "nothing"),
    ],
    ids=["tool", "tool with SQL", "resource", "prompt"],
)
def test_a_hidden_tool_takes_the_same_path_as_an_unknown_one(
    server: AskServer, ask: Callable[..., Any], hidden: str, unknown: str
) -> None:
    """Tools, descriptions and prompts are refused before any work starts for them."""

    def done(name: str) -> tuple[Counter[str], str]:
        async def run() -> str:
            try:
                return str(await ask(server, name))
            except MCPError as error:
                return str(error)

        with watching() as work:
            said = anyio.run(run)
        return work.calls, said

    done(unknown)  # First, read what is read once for all calls.
    assert done(hidden) == done(unknown)


def test_another_callers_cursor_takes_the_same_path_as_a_forged_one() -> None:
    """Nothing in a cursor is read before its seal is verified."""
    key = b"k" * 32
    real = CursorSeal(key, "bo").make([1, 2], "q")
    made_up = ("A" if real[0] != "A" else "B") + real[1:]

    def open_one(cursor: str) -> Counter[str]:
        with watching() as work, pytest.raises(StatementRefused):
            CursorSeal(key, "ada").open(cursor, "q")
        return work.calls

    assert open_one(real) == open_one(made_up)
