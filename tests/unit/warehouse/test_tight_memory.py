"""Loading where DuckDB may have too little memory for a merge, and reading in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dlt.destinations.exceptions import DatabaseTerminalException

from harvest_source.sql.conditions import Equals, OneOf, Rendered
from harvest_source.sql.statements import DUCKDB_READ_SHARE
from harvest_source.warehouse import arrow_reads, duckdb_file
from harvest_source.warehouse.page_digests import PageDigests
from harvest_source.warehouse.sql import Sql
from harvest_source.warehouse.target import build_target
from harvest_source.warehouse.warehouse import Warehouse

ROWS = 1_000_000
STEP = 300
"""One row in so many changes: few rows, but in every part of the table."""
BOUND = 9 * 1024 * 1024


def build_source(rows: pa.Table) -> Any:
    """A source with one table."""

    @dlt.source(name="harvest")
    def source() -> Any:
        return dlt.resource([rows], name="numbers", primary_key="id", write_disposition="merge")

    return source()


@pytest.mark.parametrize("tries", ["1", pytest.param("5", marks=pytest.mark.thorough)])
def test_rows_of_every_part_of_a_table_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: str
) -> None:
    """
    A merge succeeds although DuckDB needs 16 KB for each 2,048 rows of which one is deleted.

    DuckDB does not undo what did not fit, and refuses dlt's retry as a conflicting deletion.
    """
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", tries)
    target = build_target("duckdb", tmp_path / "data.duckdb", "harvest", "tight")
    ids = pa.array(range(ROWS))
    Warehouse(target).load(build_source(pa.table({"id": ids, "n": pa.repeat(1, ROWS)})))
    monkeypatch.setattr(duckdb_file, "MOST_MEMORY", BOUND)
    changed = pa.array(range(0, ROWS, STEP))
    rows = pa.table({"id": changed, "n": pa.repeat(2, len(changed))})
    warehouse = Warehouse(target)
    assert warehouse.file is not None
    warehouse.load(build_source(rows))
    with duckdb.connect(str(target.database)) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT id), sum(n) FROM harvest.numbers"
        ).fetchall()
    assert found == [(ROWS, ROWS, ROWS + len(changed))]


@pytest.mark.parametrize(
    ("thread_bytes", "fits"),
    [(8 * 1024 * 1024, True), (64 * 1024, False)],
    ids=["fits", "too little"],
)
def test_digests_of_scattered_rows_keep_little_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thread_bytes: int, fits: bool
) -> None:
    """A few rows in all parts of a table are read in little memory, or else with all of it."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "CRITICAL")
    monkeypatch.setattr(arrow_reads, "_THREAD_BYTES", thread_bytes)
    rows, names = ROWS // 2, [f"n{each}" for each in range(6)]
    table = pa.table({"id": pa.array(range(rows)), **{each: pc.random(rows) for each in names}})
    warehouse = Warehouse(build_target("duckdb", tmp_path / "data.duckdb", "harvest", "tight"))
    warehouse.load(build_source(table))
    wanted = list(range(0, rows, rows // STEP))
    with warehouse.sql() as sql, PageDigests() as digests:
        ((threads, limit),) = sql.fetch(DUCKDB_READ_SHARE)
        where = OneOf("id", wanted)
        found = arrow_reads.select_digests(sql, "numbers", where, ("id",), (names,), digests)
        ((used,),) = sql.fetch("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")
        assert sql.fetch(DUCKDB_READ_SHARE) == [(threads, limit)]
        (theirs,) = digests.digest(table.take(pa.array(wanted)), [names])
    here = dict(zip(*(each.to_pylist() for each in found.columns), strict=True))
    assert here == dict(zip(wanted, theirs.to_pylist(), strict=True))
    assert (used <= threads * thread_bytes) == fits


class Counted(Sql):
    """Counts the queries whose results are Arrow's."""

    asked = 0

    def iter_batches(self, query: Rendered, rows: int) -> Iterator[pa.Table]:
        Counted.asked += 1
        return super().iter_batches(query, rows)


def test_a_read_that_fails_for_another_reason_fails_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More memory would not help, so the first error is raised, and the limit is restored."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    warehouse = Warehouse(build_target("duckdb", tmp_path / "data.duckdb", "harvest", "tight"))
    warehouse.load(build_source(pa.table({"id": [1]})))
    with warehouse.sql() as sql, PageDigests() as digests:
        before = sql.fetch(DUCKDB_READ_SHARE)
        counted, where = Counted(sql.client, sql.schema), Equals("gone", 1)
        with pytest.raises(DatabaseTerminalException):
            arrow_reads.select_digests(counted, "numbers", where, ("id",), (("id",),), digests)
        assert sql.fetch(DUCKDB_READ_SHARE) == before
    assert Counted.asked == 1
