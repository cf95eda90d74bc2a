"""Returning free space in a DuckDB file to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest_source.warehouse import shrinking
from harvest_source.warehouse.duckdb_file import DuckDBFile
from harvest_source.warehouse.shrinking import Group, is_worth_shrinking, join_groups, shrink
from tests.support.shrink import build, file_at

OBJECTS = """
    SELECT 'table', schema_name, table_name, comment, sql FROM duckdb_tables()
    UNION ALL SELECT 'column', table_name, column_name, comment, data_type FROM duckdb_columns()
    WHERE NOT internal
    UNION ALL SELECT 'view', schema_name, view_name, comment, sql FROM duckdb_views()
    WHERE NOT internal
    ORDER BY ALL
"""
SLOTS = """
    SELECT sum("count") FROM pragma_storage_info('harvest.t')
    WHERE column_id = 0 AND segment_type <> 'VALIDITY' GROUP BY row_group_id ORDER BY row_group_id
"""
"""The number of rows in each group, deleted rows included."""
IRREGULAR = (96_000, 100_000, 84_000, 100_000, 20_000)
CONTENT = "SELECT count(*), sum(hash(t)::HUGEINT), count(DISTINCT id) FROM {} AS t"


@pytest.fixture(autouse=True)
def _worth_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 20)


def describe(path: Path, *tables: str) -> list[Any]:
    """The content of the file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found: list[Any] = connection.execute(OBJECTS).fetchall()
        return [*found, *(connection.execute(CONTENT.format(t)).fetchall() for t in tables)]


def test_free_space_is_given_back(tmp_path: Path) -> None:
    """The file is hardly larger than its rows; rows, comments, views and indexes are unchanged."""
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
    assert is_worth_shrinking(file, "harvest", is_daily=False)
    given_back = shrink(file, "harvest")
    assert given_back == size - path.stat().st_size > size / 2
    assert describe(path, *tables) == before
    assert not is_worth_shrinking(file, "harvest", is_daily=True)
    assert not list(tmp_path.glob("*.wal"))


def fill(path: Path, rows: int, *, first: int = 0) -> None:
    """Add *rows* rows to a table, as a separate group."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE SCHEMA IF NOT EXISTS harvest; SET enable_progress_bar = false;"
            "CREATE TABLE IF NOT EXISTS harvest.t (id BIGINT, a UBIGINT, b UBIGINT)"
        )
        values = f"SELECT i, hash(i), hash(-i) FROM range({first}, {first + rows}) AS r(i)"
        connection.execute(f"INSERT INTO harvest.t {values}; CHECKPOINT")


def delete(file: DuckDBFile, where: str, then: str = "") -> None:
    """Delete rows like a large load."""
    with file.writing_much(), file.held(""), file.open("") as connection:
        connection.execute(
            f"BEGIN; DELETE FROM harvest.t WHERE {where}; {then}; COMMIT; CHECKPOINT"
        )


def read_slots(path: Path) -> list[int]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return [int(rows) for (rows,) in connection.execute(SLOTS).fetchall()]


def test_a_large_load_writes_only_what_has_changed(tmp_path: Path) -> None:
    """DuckDB would rewrite any number of groups that fit into fewer."""
    path = tmp_path / "a.duckdb"
    for number, rows in enumerate(IRREGULAR):
        fill(path, rows, first=sum(IRREGULAR[:number]))
    again = "INSERT INTO harvest.t SELECT i, hash(i), hash(-i) FROM range(280000, 380000) AS r(i)"
    delete(file_at(path), "id BETWEEN 280000 AND 379999", again)
    assert read_slots(path) == [96_000, 100_000, 84_000, 20_000, 100_000]


def test_small_row_groups_of_each_run_are_joined(tmp_path: Path) -> None:
    """Alone they would fill a block each; yet no run rewrites many groups."""
    path = tmp_path / "a.duckdb"
    for number in range(5):
        fill(path, 60_000, first=number * 60_000)
    for run in range(6):
        with file_at(path).held(""), duckdb.connect(str(path)) as connection:
            connection.execute(f"INSERT INTO harvest.t VALUES ({300_000 + run}, 1, 1); CHECKPOINT")
    assert read_slots(path) == [120_000, 120_000, 60_000, 6]


def test_space_of_deleted_rows_is_given_back(tmp_path: Path) -> None:
    """Half of each group's rows are deleted, but no block is free."""
    path = tmp_path / "a.duckdb"
    fill(path, 400_000)
    file = file_at(path)
    delete(file, "id % 2 = 0")
    before, size = describe(path, "harvest.t"), path.stat().st_size
    assert is_worth_shrinking(file, "harvest", is_daily=False)
    assert shrink(file, "harvest") == size - path.stat().st_size > size / 3
    assert describe(path, "harvest.t") == before
    assert not is_worth_shrinking(file, "harvest", is_daily=True)
    assert sum(read_slots(path)) == 200_000


def test_the_last_rows_of_a_table_are_moved_first() -> None:
    """Once a group's rows are moved, DuckDB may give their row ids to later rows."""
    sparse = {"last_block": 1, "blocks": 9, "rows": 50_000}
    first, second, third = (
        Group("t", first_row=at, last_row=at + 99, **sparse) for at in (0, 100, 200)
    )
    other = Group("s", first_row=0, last_row=9, **sparse)
    assert join_groups([second, other, first, third]) == [[other], [third, second], [first]]


@pytest.mark.parametrize("is_ours", [True, False])
def test_rows_after_removed_groups_are_found(tmp_path: Path, is_ours: bool) -> None:
    """In a file of DuckDB 2's own format, row ids stay unchanged when groups are removed."""
    path = tmp_path / "a.duckdb"
    file = file_at(path)
    if is_ours:
        file.open("").close()
    fill(path, 5 * 122_880)
    delete(file, "id < 2 * 122880 OR id BETWEEN 3 * 122880 AND 4 * 122880 - 1")
    before, size = describe(path, "harvest.t"), path.stat().st_size
    assert is_worth_shrinking(file, "harvest", is_daily=False)
    assert shrink(file, "harvest") == size - path.stat().st_size > size / 3
    assert describe(path, "harvest.t") == before


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
def test_pinned_tables_are_not_moved(tmp_path: Path, made: str) -> None:
    """A table of another schema stays; so does one with keys, which DuckDB would find twice."""
    path = tmp_path / "a.duckdb"
    file, table = build(path, made), "own.t" if "own" in made else "harvest.t"
    before, content = describe(path, table), path.read_bytes()
    assert shrink(file, "harvest") == 0
    assert describe(path, table) == before
    assert path.read_bytes() == content


def test_little_free_space_is_not_worth_a_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written for it."""
    monkeypatch.setattr(shrinking, "_WORTH_BYTES", 1 << 30)
    path = tmp_path / "a.duckdb"
    file = build(path, "CREATE TABLE harvest.t AS SELECT * FROM rows")
    content = path.read_bytes()
    assert not is_worth_shrinking(file, "harvest", is_daily=False)
    assert path.read_bytes() == content
