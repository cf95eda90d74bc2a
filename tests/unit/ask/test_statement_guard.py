"""The guard takes a name for a common table expression only where DuckDB does."""

from __future__ import annotations

import json

import duckdb
import pytest

from harvest_source.ask.statement_guard import (
    Readable,
    Relation,
    StatementRefused,
    check_statement,
)

CLIENTS = Relation("harvest", "clients")
READABLE = Readable("warehouse", ("harvest",), frozenset({CLIENTS}))


def check(sql: str) -> frozenset[Relation]:
    """Check *sql* as a question is checked, and return the tables that it reads."""
    found = duckdb.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert found is not None
    return check_statement(json.loads(found[0]), READABLE)


@pytest.mark.parametrize(
    "sql",
    [
        # Only the second part of a recursive expression reads the rows that it made so far.
        "WITH RECURSIVE duckdb_tables AS (SELECT * FROM duckdb_tables UNION ALL "
        "SELECT * FROM duckdb_tables WHERE false) SELECT * FROM duckdb_tables",
        "WITH RECURSIVE sqlite_master AS (SELECT (SELECT COUNT(*) FROM sqlite_master) AS a "
        "UNION ALL SELECT 1 FROM sqlite_master WHERE false) SELECT * FROM sqlite_master",
        "WITH RECURSIVE pg_class AS (WITH q AS (SELECT relname FROM pg_class) SELECT * FROM q "
        "UNION ALL SELECT relname FROM pg_class WHERE false) SELECT * FROM pg_class",
        "WITH RECURSIVE pragma_database_list AS (SELECT file FROM pragma_database_list UNION ALL "
        "SELECT '') SELECT * FROM pragma_database_list",
        # The Kelvin sign is no k for DuckDB, although Python lowers it to one.
        'WITH "duc\u212adb_tables" AS (SELECT 1) SELECT * FROM duckdb_tables',
    ],
)
def test_a_view_of_duckdbs_own_is_never_taken_for_an_expression(sql: str) -> None:
    """DuckDB's own views name every table and column, count rows and name the file."""
    with pytest.raises(StatementRefused, match="There is no table"):
        check(sql)


def test_the_table_behind_the_first_part_of_a_recursive_expression_is_read() -> None:
    """An expression named after a table begins with that table's rows, and says that it does."""
    sql = (
        "WITH RECURSIVE clients AS (SELECT id FROM clients UNION ALL "
        "SELECT id + 1 FROM clients WHERE id < 9) SELECT * FROM clients"
    )
    assert check(sql) == {CLIENTS}


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 3) FROM r",
        "WITH RECURSIVE r(a) USING KEY (a) AS (SELECT 1 UNION SELECT a + 1 FROM r WHERE a < 3) "
        "FROM r",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL (WITH q AS (SELECT a FROM r) "
        "SELECT a + 1 FROM q WHERE a < 3)) FROM R",
        "WITH r AS (SELECT 1 AS a) SELECT * FROM (WITH RECURSIVE r AS (SELECT a FROM r UNION ALL "
        "SELECT a + 1 FROM r WHERE a < 3) FROM r)",
        'WITH "ÄRGER" AS (SELECT 1) SELECT * FROM "ÄRGER"',
    ],
)
def test_expressions_are_found_where_duckdb_finds_them(sql: str) -> None:
    """Recursion, nesting and letters of every script go on working."""
    duckdb.execute(sql)
    assert check(sql) == frozenset()
