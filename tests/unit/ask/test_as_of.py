"""How old an answer is, according to ``sync_runs`` in DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import duckdb
import pytest

from harvest_source.ask.as_of import read_as_of
from harvest_source.ask.statement_guard import Relation

ONE: Final = '{"accounts": {"1": {"rows": 1}}}'
WHOLE: Final = '{"users": {"accounts": {"1": {"rows": 1}}}}'
BOTH: Final = '{"accounts": {"1": {"rows": 1}, "2": {"rows": 1}}}'


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Runs of both accounts at ten, then of one, then one with a failed table, then of another."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE SCHEMA harvest; CREATE TABLE harvest.sync_runs (started_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ, status TEXT, requests BIGINT, tables JSON, errors JSON)"
        )
        for hour, tables, errors in (
            (10, f'{{"users": {BOTH}, "clients": {BOTH}}}', "[]"),
            (11, f'{{"users": {ONE}}}', "[]"),
            (12, f'{{"clients": {BOTH}}}', '[{"account_id": 2, "table": "clients"}]'),
            (13, f'{{"projects": {BOTH}}}', "[]"),
        ):
            connection.execute(
                "INSERT INTO harvest.sync_runs VALUES (?, ?, 'partial', 5, ?, ?)",
                [f"2026-11-30 {hour}:00:00+00", f"2026-11-30 {hour}:01:00+00", tables, errors],
            )
        yield connection


def test_an_answer_is_as_old_as_its_oldest_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """The age is per table and account; child tables and history have their endpoint's age."""
    for tables, hour in (
        (("users",), 10),
        (("users__roles",), 10),
        (("clients_history",), 10),
        (("projects",), 13),
        (("projects", "users"), 10),
        (("my_view",), 10),
    ):
        relations = [Relation("harvest", name) for name in tables]
        assert read_as_of(connection, "harvest", relations) == f"2026-11-30T{hour}:00:00Z", tables
    assert read_as_of(connection, "harvest", [Relation("harvest", "invoices")]) is None


def test_models_are_as_old_as_the_syncs_before_they_were_built(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """A sync after the build makes models no newer; models without sync_health have no age."""
    marts = [Relation("harvest_models", "harvest__budgets")]
    assert read_as_of(connection, "harvest", marts) is None
    connection.execute("UPDATE harvest.sync_runs SET errors = '[]', tables = ?", [WHOLE])
    connection.execute(
        "CREATE SCHEMA harvest_models; CREATE TABLE harvest_models.harvest__sync_health AS "
        "SELECT started_at::TIMESTAMP AS started_at FROM harvest.sync_runs WHERE started_at < "
        "'2026-11-30 12:30:00+00'"
    )
    assert read_as_of(connection, "harvest", marts) == "2026-11-30T12:00:00Z"
    tables = [Relation("harvest", "users")]
    assert read_as_of(connection, "harvest", tables) == "2026-11-30T13:00:00Z"


def test_runs_that_began_in_the_future_make_no_answer_newer(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """The clock was ahead then. If there are no others, their times are all that is known."""
    users, marts = Relation("harvest", "users"), Relation("harvest_models", "harvest__budgets")
    connection.execute(
        "INSERT INTO harvest.sync_runs BY NAME SELECT * REPLACE (TIMESTAMPTZ "
        "'2126-11-30 10:00:00+00' AS started_at) FROM harvest.sync_runs WHERE requests = 5 LIMIT 1"
    )
    connection.execute(
        "CREATE SCHEMA harvest_models; CREATE TABLE harvest_models.harvest__sync_health AS "
        "SELECT started_at FROM harvest.sync_runs WHERE started_at <> '2026-11-30 13:00:00+00'"
    )
    connection.execute("UPDATE harvest.sync_runs SET errors = '[]', tables = ?", [WHOLE])
    now = datetime(2026, 12, 3, tzinfo=UTC)
    assert read_as_of(connection, "harvest", [users], now=now) == "2026-11-30T13:00:00Z"
    assert read_as_of(connection, "harvest", [marts], now=now) == "2026-11-30T12:00:00Z"
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert read_as_of(connection, "harvest", [users], now=now) == "2126-11-30T10:00:00Z"


def test_a_warehouse_without_runs_answers_with_an_unknown_age(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Plain dlt keeps no runs, and a user may have dropped a column; then the age is unknown."""
    users = [Relation("harvest", "users")]
    assert read_as_of(connection, "other", users) is None
    connection.execute("ALTER TABLE harvest.sync_runs DROP COLUMN requests")
    assert read_as_of(connection, "harvest", users) is None
