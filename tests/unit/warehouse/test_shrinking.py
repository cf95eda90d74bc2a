"""Giving room in a DuckDB file back to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.warehouse import shrinking
from harvest_source.warehouse.shrinking import is_worth, shrink
from tests.support.shrink import build

OBJECTS = """
    SELECT 'table', schema_name, table_name, comment, sql FROM duckdb_tables()
    UNION ALL SELECT 'column', table_name, column_name, comment, data_type FROM duckdb_columns()
    WHERE NOT internal
    UNION ALL SELECT 'view', schema_name, view_name, comment, sql FROM duckdb_views()
    WHERE NOT internal
    ORDER BY ALL
"""
CONTENT = "SELECT count(*), sum(hash(t)::HUGEINT), count(DISTINCT id) FROM {} AS t"


@pytest.fixture(autouse=True)
def _worth_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 20)


def describe(path: Path, *tables: str) -> list[Any]:
    """What is in the file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found: list[Any] = connection.execute(OBJECTS).fetchall()
        return [*found, *(connection.execute(CONTENT.format(t)).fetchall() for t in tables)]


def test_free_room_is_given_back(tmp_path: Path) -> None:
    """The file is little larger than its rows; rows, comments, views and indexes are the same."""
    path, tables = tmp_path / "a.duckdb", ("harvest.t", "own.first")
    file = build(
        path,
        """
        CREATE TABLE harvest.t AS SELECT * FROM rows;
        COMMENT ON TABLE harvest.t IS 'rows'; COMMENT ON COLUMN harvest.t.a IS 'a column';
        DELETE FROM harvest.t WHERE id % 10 = 0;
        CREATE VIEW own.v AS SELECT * FROM harvest.t; COMMENT ON VIEW own.v IS 'a view'
        """,
    )
    before, size = describe(path, *tables), path.stat().st_size
    assert is_worth(file, is_daily=False)
    given_back = shrink(file, "harvest")
    assert given_back == size - path.stat().st_size > size / 2
    assert describe(path, *tables) == before
    assert not is_worth(file, is_daily=True)
    assert not list(tmp_path.glob("*.wal"))


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE own.t AS SELECT * FROM rows",
        pytest.param(
            "CREATE TABLE harvest.t (id BIGINT PRIMARY KEY, a UBIGINT);"
            "INSERT INTO harvest.t SELECT * FROM rows",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "CREATE TABLE harvest.t AS SELECT * FROM rows; CREATE UNIQUE INDEX i ON harvest.t (id)",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_what_cannot_be_moved_stays(tmp_path: Path, made: str) -> None:
    """A table of another schema, and one with keys, which DuckDB would find twice."""
    path = tmp_path / "a.duckdb"
    file, table = build(path, made), "own.t" if "own" in made else "harvest.t"
    before, content = describe(path, table), path.read_bytes()
    assert shrink(file, "harvest") == 0
    assert describe(path, table) == before
    assert path.read_bytes() == content


def test_little_free_room_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for it."""
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 30)
    path = tmp_path / "a.duckdb"
    file = build(path, "CREATE TABLE harvest.t AS SELECT * FROM rows")
    content = path.read_bytes()
    assert not is_worth(file, is_daily=False)
    assert path.read_bytes() == content
