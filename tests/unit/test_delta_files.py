"""Files of a Delta table that are exchanged in one commit, in the test's folder."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.common.destination.exceptions import DestinationTransientException

from harvest_source.dlt_internals.delta_files import FileExchange, can_exchange
from harvest_source.dlt_internals.delta_writer import PART, build_stats
from harvest_source.dlt_internals.open_table import DeltaTable

deltalake = pytest.importorskip("deltalake")
fsspec = pytest.importorskip("fsspec")
AddAction = pytest.importorskip("deltalake.transaction").AddAction


def open_table(folder: Path) -> DeltaTable:
    return DeltaTable(deltalake.DeltaTable(folder), fsspec.filesystem("file"))


def build_rows(first: int, last: int, name: str = "old") -> pa.Table:
    return pa.table(
        {"id": pa.array(range(first, last), pa.int64()), "name": [name] * (last - first)}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of two files: one with three parts of rows, one with ten rows."""
    folder = tmp_path / "a table"
    deltalake.write_deltalake(folder, build_rows(0, 3 * PART))
    deltalake.write_deltalake(folder, build_rows(3 * PART, 3 * PART + 10), mode="append")
    return folder


def read_names(table: DeltaTable) -> dict[int, str]:
    rows = table.read(["id", "name"]).to_pydict()
    assert len({*rows["id"]}) == len(rows["id"])
    return dict(zip(rows["id"], rows["name"], strict=True))


def test_rows_are_deleted_from_every_part_and_other_files_are_kept(folder: Path) -> None:
    """The rows include first and last ones of parts; an unchanged file is not rewritten."""
    table = open_table(folder)
    untouched = {each for each in table.files if pq.read_metadata(each).num_rows == 10}
    changed = [0, PART - 1, PART, 2 * PART + 5, 3 * PART - 1]
    keys = pa.table({"id": [*changed, 99 * PART]})
    table.replace(keys, pa.table({"id": [*changed, -1], "name": ["new"] * 6}))
    names = read_names(table)
    assert len(names) == 3 * PART + 11
    assert sorted(each for each, name in names.items() if name == "new") == [-1, *changed]
    assert untouched <= {*table.files}
    assert read_names(open_table(folder)) == names


def test_every_row_of_a_file_can_go(folder: Path) -> None:
    """So can every row of all files."""
    table = open_table(folder)
    table.replace(build_rows(3 * PART, 3 * PART + 10).select(["id"]), None)
    assert [pq.read_metadata(each).num_rows for each in table.files] == [3 * PART]
    table.replace(build_rows(0, 3 * PART).select(["id"]), None)
    assert read_names(open_table(folder)) == {}


def test_a_table_that_another_process_changed_is_refused(folder: Path) -> None:
    """The rows read may be outdated. The files stay, because a commit may refer to them."""
    here, other = open_table(folder), open_table(folder)
    other.replace(None, build_rows(-5, 0))
    files = {*folder.glob("*.parquet")}
    with pytest.raises(DestinationTransientException):
        here.replace(pa.table({"id": [1]}), build_rows(1, 2, "new"))
    assert {*folder.glob("*.parquet")} > files
    assert read_names(open_table(folder))[1] == "old"


def test_a_change_that_is_not_committed_leaves_no_file(folder: Path) -> None:
    """For example, if a file cannot be read."""
    table = open_table(folder)
    files, rows = {*folder.glob("*.parquet")}, build_rows(0, 9 * PART)
    with FileExchange(table._table, table.file_system, rows.schema) as exchange:
        exchange.add_rows(rows)
        assert len({*folder.glob("*.parquet")} - files) == 2
    assert {*folder.glob("*.parquet")} == files


@contextmanager
def short_files(size: int) -> Iterator[None]:
    """Limit the size of this process's files, so that writing more fails as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 1_000, 60_000])
def test_files_that_do_not_fit_the_disk_are_removed(folder: Path, size: int) -> None:
    """Otherwise each retry would leave one more file. The error is the disk's."""
    table, files = open_table(folder), {*folder.glob("*.parquet")}
    with short_files(size), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        table.replace(pa.table({"id": [1]}), build_rows(1, 2, "new"))
    assert {*folder.glob("*.parquet")} == files
    assert read_names(open_table(folder))[1] == "old"


def test_constraints_and_change_feeds_are_left_to_deltalake(folder: Path) -> None:
    """deltalake checks constraints, and writes changed rows into a change data feed."""
    table: Any = deltalake.DeltaTable(folder)
    assert can_exchange(table)
    table.alter.add_constraint({"known": "name <> 'bad'"})
    assert not can_exchange(deltalake.DeltaTable(folder))
    with pytest.raises(DestinationTransientException):
        open_table(folder).replace(pa.table({"id": [1]}), build_rows(1, 2, "bad"))
    open_table(folder).replace(pa.table({"id": [1]}), build_rows(1, 2, "new"))
    assert read_names(open_table(folder))[1] == "new"


def test_files_with_encoded_names_are_left_to_deltalake(folder: Path) -> None:
    """If the log encodes a file's name, the removed file would stay."""
    pq.write_table(build_rows(-5, 0), folder / "a b.parquet")
    table: Any = deltalake.DeltaTable(folder)
    size = (folder / "a b.parquet").stat().st_size
    added = AddAction("a b.parquet", size, {}, 0, True, json.dumps({"numRecords": 5}))
    table.create_write_transaction([added], "append", table.schema())
    assert not can_exchange(deltalake.DeltaTable(folder))
    open_table(folder).replace(pa.table({"id": [-5]}), build_rows(-5, -4, "new"))
    assert read_names(open_table(folder))[-5] == "new"


def test_a_feed_of_changes_is_written(tmp_path: Path) -> None:
    """With exchanged files alone, the feed would report every row in them as changed."""
    feed = {"delta.enableChangeDataFeed": "true"}
    deltalake.write_deltalake(tmp_path / "fed", build_rows(0, 10), configuration=feed)
    open_table(tmp_path / "fed").replace(pa.table({"id": [1]}), build_rows(1, 2, "new"))
    changes = pa.table(deltalake.DeltaTable(tmp_path / "fed").load_cdf(1).read_all())
    assert sorted(changes.column("id").to_pylist()) == [1, 1]


def test_bounds_are_exact_or_absent(tmp_path: Path) -> None:
    """Bounds are exact or absent: wrong ones hide rows. Years like 201 have exact ones too."""
    rows = pa.table(
        {
            "id": [3, 1, None],
            "on": [date(2024, 2, 29), date(201, 1, 1), None],
            "at": pa.array(
                [datetime(2024, 1, 1, 1, 2, 3, 123456, UTC), None, datetime(1, 1, 1, tzinfo=UTC)],
                pa.timestamp("us", "UTC"),
            ),
            "name": ["b", None, "a"],
            "hours": pa.array([Decimal("1.50"), None, None], pa.decimal128(38, 2)),
            "none": pa.nulls(3, pa.int64()),
        }
    )
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=1)
    stats = json.loads(json.dumps(build_stats(pq.read_metadata(tmp_path / "rows.parquet"))))
    assert stats == {
        "numRecords": 3,
        "minValues": {"id": 1, "on": "0201-01-01", "at": "0001-01-01T00:00:00.000000Z"},
        "maxValues": {"id": 3, "on": "2024-02-29", "at": "2024-01-01T01:02:03.123456Z"},
        "nullCount": {"id": 1, "on": 1, "at": 1, "name": 1, "hours": 2, "none": 3},
    }


def test_deltalake_finds_rows_by_the_bounds(folder: Path) -> None:
    """It reads the log that we wrote, and skips files that cannot contain the rows."""
    open_table(folder).replace(pa.table({"id": [7]}), build_rows(7, 8, "new"))
    query = deltalake.QueryBuilder().register("rows", deltalake.DeltaTable(folder))
    found = pa.table(query.execute("SELECT name FROM rows WHERE id = 7").read_all())
    assert found.column("name").to_pylist() == ["new"]
    counted = pa.table(query.execute("SELECT count(*) AS n FROM rows").read_all())
    assert counted.column("n").to_pylist() == [3 * PART + 10]
