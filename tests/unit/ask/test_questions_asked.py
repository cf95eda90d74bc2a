"""The guard of callers' own SQL: attacks are refused, ordinary questions pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from harvest_source.ask.exchange import Request
from harvest_source.ask.locked_connection import open_locked
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.worker import run
from tests.support.questions import ORDINARY, REACHING_OUT, make_warehouse

SCHEMAS = ("harvest", "harvest_models", "main")

SYNTAX = ("ParserException", "InvalidInputException", "NotImplementedException")
"""How DuckDB's parsers, from 1.4.5 to 2.0.1, refuse what is no statement to them."""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small warehouse, with a secret beside it."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "secret.txt").write_text("the secret")
    return make_warehouse(folder / "warehouse.duckdb")


@pytest.fixture(scope="module")
def connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked connection to it."""
    with open_locked(warehouse, SCHEMAS, memory_mb=200, threads=1) as locked:
        yield locked


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Why a statement has no answer; empty: it has one."""
    try:
        reply = run(connection, Request("", "harvest", SCHEMAS, sql=sql))
    except (StatementRefused, duckdb.Error) as error:
        return f"{type(error).__name__}: {error}"
    return "The secret was read." if "the secret" in str(reply) else ""


def state(warehouse: Path) -> tuple[str, list[str]]:
    """The bytes of the file, and what stands beside it."""
    names = sorted(each.name for each in warehouse.parent.iterdir())
    return hashlib.sha256(warehouse.read_bytes()).hexdigest(), names


def test_statements_that_reach_out_are_refused(
    warehouse: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    """Files, settings, writing, other databases: refused, and nothing changes on the disk."""
    before = state(warehouse)
    paths = {
        "secret": warehouse.parent / "secret.txt",
        "warehouse": warehouse,
        "folder": warehouse.parent,
    }
    ran = {}
    for statement in REACHING_OUT:
        words = ask(connection, statement.format(**paths))
        if not words.startswith(("StatementRefused", *SYNTAX)) or "the secret" in words:
            ran[statement] = words
    assert ran == {}
    assert state(warehouse) == before
    assert len(REACHING_OUT) >= 80


def test_ordinary_questions_pass(connection: duckdb.DuckDBPyConnection) -> None:
    """What analysts ask of a warehouse is not in the way of the guard."""
    failed = {sql: words for sql in ORDINARY if (words := ask(connection, sql))}
    assert failed == {}
    assert len(ORDINARY) >= 100
