"""Copying a package's rows directly into their table, if all of them are new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest

from harvest_source.dlt_internals import NamingDuckDB, direct_copy
from harvest_source.dlt_internals.direct_copy import bypassing_log, is_only_file, iter_files

ROWS = 1_200
HINTS: dict[str, Any] = {"primary_key": "id", "columns": {"moment": {"dedup_sort": "desc"}}}


class Loads:
    """A pipeline whose staging tables keep what the last load wrote."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "other.duckdb"
        self.pipeline = dlt.pipeline(
            "direct",
            destination=NamingDuckDB(credentials=str(self.database)),
            dataset_name="data",
            pipelines_dir=str(folder / "pipelines"),
        )

    def extract(self, *tables: pa.Table, **hints: Any) -> None:
        """Extract a package of *tables*, as several files of one table."""

        @dlt.resource(name="t", write_disposition="merge", **{**HINTS, **hints})
        def rows() -> Iterator[pa.Table]:
            yield from tables

        self.pipeline.extract(rows())
        self.pipeline.normalize()

    def load(self, *tables: pa.Table, **hints: Any) -> None:
        self.extract(*tables, **hints)
        self.pipeline.load()

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database)) as connection:
            return connection.execute(query).fetchall()

    @property
    def staged(self) -> int:
        ((rows,),) = self.sql("SELECT count(*) FROM data_staging.t")
        return int(rows)

    def assert_rows(self, *, rows: int = ROWS, at: int, changed: int | None = None) -> None:
        """Check *rows* distinct keys, of which *changed*, or all, have the moment *at*."""
        found = self.sql(
            f"SELECT count(*), count(DISTINCT id), count_if(moment = {at}) FROM data.t"
        )
        assert found == [(rows, rows, rows if changed is None else changed)]


def rows_of(moment: int, start: int = 0, count: int = ROWS) -> pa.Table:
    return pa.table({"id": list(range(start, start + count)), "moment": [moment] * count})


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loads:
    monkeypatch.setenv("LOAD__TRUNCATE_STAGING_DATASET", "false")
    return Loads(tmp_path)


def test_new_rows_bypass_the_staging_table(loads: Loads) -> None:
    """They do so in a first load, and in a load of other keys."""
    loads.load(rows_of(1))
    loads.load(rows_of(1, start=ROWS))
    assert loads.staged == 0
    loads.assert_rows(rows=2 * ROWS, at=1)


def test_new_rows_bypass_the_log(loads: Loads) -> None:
    """They are written once, into the file; other changes are logged as in dlt."""
    loads.load(rows_of(1))
    with duckdb.connect(str(loads.database)) as other:
        loads.load(rows_of(1, start=ROWS, count=120_000))
        log = loads.database.with_name(f"{loads.database.name}.wal")
        assert not log.exists() or log.stat().st_size < 1 << 20
        assert other.execute("SELECT current_setting('checkpoint_threshold')").fetchall() == [
            ("953.6 MiB",)  # dlt's gigabyte.
        ]
    loads.assert_rows(rows=ROWS + 120_000, at=1)


def test_rows_with_a_known_key_are_merged(loads: Loads) -> None:
    """One such row is enough, even if the others are new."""
    loads.load(rows_of(1))
    loads.load(rows_of(2, start=ROWS - 1))
    assert loads.staged == ROWS
    loads.assert_rows(rows=2 * ROWS - 1, at=2, changed=ROWS)


def test_the_newest_row_of_a_repeated_key_is_kept(loads: Loads) -> None:
    """dlt finds the newest row in the staging table."""
    loads.load(pa.concat_tables([rows_of(2), rows_of(1, count=1)]))
    assert loads.staged == ROWS + 1
    loads.assert_rows(at=2)


def test_the_newest_row_of_a_key_in_two_files_is_kept(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order in which the files are copied does not matter."""
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", str(ROWS))
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", str(ROWS))
    loads.load(rows_of(2), rows_of(1))
    assert loads.staged == 2 * ROWS
    loads.assert_rows(at=2)


def test_rows_that_replace_others_are_merged(loads: Loads) -> None:
    """A merge key replaces rows that have other primary keys."""
    loads.load(rows_of(1), merge_key="moment")
    loads.load(rows_of(1, start=ROWS), merge_key="moment")
    loads.assert_rows(at=1)


def test_rows_that_the_table_refuses_go_through_dlts_own_load(loads: Loads) -> None:
    """Too few rows to be worth a query, and rows of which one does not fit, go dlt's own way."""
    loads.load(rows_of(1, count=5))
    assert loads.staged == 5
    loads.sql("ALTER TABLE data.t ALTER id TYPE TINYINT")
    with pytest.raises(Exception, match="Conversion Error"):
        loads.load(rows_of(1, start=5))
    assert loads.staged == ROWS
    loads.assert_rows(rows=5, at=1)


def test_a_file_that_cannot_be_read_is_refused_by_dlts_own_way(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only errors of its own statements are sorted by dlt into passing and lasting ones."""
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    loads.load(rows_of(1, count=5))
    loads.extract(rows_of(1, start=5))
    parquet = next((Path(loads.pipeline.working_dir) / "load/normalized").rglob("t.*.parquet"))
    parquet.write_bytes(b"Not a file of columns. " * 100)
    with pytest.raises(Exception, match='INSERT INTO "data_staging"'):
        loads.pipeline.load()
    loads.assert_rows(rows=5, at=1)


@pytest.mark.parametrize("refused", ["DUCKDB_READ_LOG_LIMIT", "DUCKDB_SET_LOG_LIMIT"])
def test_a_setting_that_duckdb_refuses_fails_no_copy(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """The setting only saves time."""
    loads.load(rows_of(1))
    monkeypatch.setattr(direct_copy, refused, "SET GLOBAL nonsense = '{}'")
    loads.load(rows_of(1, start=ROWS))
    loads.assert_rows(rows=2 * ROWS, at=1)


def test_an_unrecorded_copy_is_repeated_without_duplicates(loads: Loads) -> None:
    """As after a kill, dlt copies the file again, and each row is stored once."""
    loads.load(rows_of(0, start=ROWS, count=1))
    loads.extract(rows_of(1))
    parquet = next((Path(loads.pipeline.working_dir) / "load/normalized").rglob("t.*.parquet"))
    loads.sql(f"INSERT INTO data.t SELECT * FROM read_parquet('{parquet}')")
    loads.pipeline.load()
    assert loads.staged == ROWS
    loads.assert_rows(rows=ROWS + 1, at=1, changed=ROWS)


def find_limit(connection: duckdb.DuckDBPyConnection) -> str:
    ((limit,),) = connection.execute("SELECT current_setting('checkpoint_threshold')").fetchall()
    return str(limit)


def test_the_log_has_its_limit_again_after_two_copies_at_once() -> None:
    """DuckDB has one limit for all connections to a file, and dlt copies two tables at once."""
    with duckdb.connect() as connection, duckdb.connect() as other:
        before = find_limit(connection)
        first = bypassing_log(connection.cursor(), "first.duckdb")
        second = bypassing_log(connection.cursor(), "first.duckdb")
        with bypassing_log(other, "other.duckdb"):
            first.__enter__()
            second.__enter__()
            assert find_limit(connection) == "1.0 MiB"
            first.__exit__(None, None, None)
            assert find_limit(connection) == "1.0 MiB", "the second copy goes on"
        assert find_limit(other) == before
        second.__exit__(None, None, None)
        assert find_limit(connection) == before


FOLDERS = ("new_jobs", "started_jobs", "failed_jobs", "completed_jobs")
MOVES = [
    ("new_jobs", "started_jobs"),
    ("started_jobs", "completed_jobs"),
    ("started_jobs", "failed_jobs"),
    ("started_jobs", "new_jobs"),  # A job that is retried.
]


@pytest.mark.parametrize("move", MOVES, ids="-".join)
def test_a_file_that_dlt_moves_meanwhile_is_seen(tmp_path: Path, move: tuple[str, str]) -> None:
    """dlt starts and ends a package's other jobs while one job looks for other files."""
    for folder in FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.1.0.parquet").touch()
    own = tmp_path / "started_jobs" / "t.1.0.parquet"
    own.touch()
    assert is_only_file(own)
    before, after = (tmp_path / folder / "t.2.0.parquet" for folder in move)
    for listed in range(6):
        before.touch()
        assert not is_only_file(own)
        files = iter_files(tmp_path)
        found = {next(files) for _ in range(listed)}
        before.rename(after)
        assert {own.name, before.name} <= found | {*files}
        after.unlink()
